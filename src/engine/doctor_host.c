/*
 * Doctor: how this host is set up — control groups, accounts, what policies may give, resource
 * limits, core dumps.
 */
#include "engine/doctor.h"

#include "isolate/uids.h"
#include "isolate/widening.h"
#include "request/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINES_MAX            100000U /* of any file read here */
#define CAP_SYS_RESOURCE_BIT 24

static void close_file(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file); /* only read */
    }
}
#define AUTO_FILE CLEANUP(close_file)

/* ---- control groups ---- */

struct cgroup_mounts {
    char unified[256]; /* where version 2 is mounted; empty: nowhere */
    unsigned legacy;   /* bits of `controllers` that version 1 has */
};

static const char *const controllers[] = {"memory", "pids", "cpu", "cpuacct"};
#define CONTROLLERS_V1 ((1U << ARRAY_LENGTH(controllers)) - 1U)

static void read_cgroup_mounts(struct cgroup_mounts *mounts)
{
    *mounts = (struct cgroup_mounts){.legacy = 0};
    FILE *table = setmntent("/proc/self/mounts", "re");
    struct mntent entry;
    char buffer[4096];
    for (unsigned i = 0; table != NULL && i < LINES_MAX; i++) {
        if (getmntent_r(table, &entry, buffer, sizeof(buffer)) == NULL) {
            break;
        }
        if (strcmp(entry.mnt_type, "cgroup2") == 0) {
            (void)snprintf(mounts->unified, sizeof(mounts->unified), "%s", entry.mnt_dir);
        } else if (strcmp(entry.mnt_type, "cgroup") == 0) {
            for (size_t c = 0; c < ARRAY_LENGTH(controllers); c++) {
                mounts->legacy |= hasmntopt(&entry, controllers[c]) != NULL ? 1U << c : 0;
            }
        }
    }
    if (table != NULL) {
        (void)endmntent(table);
    }
}

/* Our own group in the version 2 tree: the line "0::/path" of /proc/self/cgroup. */
static void unified_group(const struct cgroup_mounts *mounts, const char *file, char *ret_path,
                          size_t size)
{
    AUTO_FILE FILE *groups = fopen("/proc/self/cgroup", "re");
    char line[1024];
    ret_path[0] = '\0';
    for (unsigned i = 0; groups != NULL && i < LINES_MAX; i++) {
        if (fgets(line, sizeof(line), groups) == NULL) {
            return;
        }
        if (strncmp(line, "0::", 3) == 0) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(ret_path, size, "%s%s/%s", mounts->unified,
                           strcmp(line + 3, "/") == 0 ? "" : line + 3, file);
            return;
        }
    }
}

#define COARSER "memory and processes are held by supervision, which is coarser"

static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);
    while (*words != '\0') {
        const size_t next = strcspn(words, " ");
        if (next == length && strncmp(words, word, length) == 0) {
            return true;
        }
        words += next + strspn(words + next, " ");
    }
    return false;
}

/* Whether a service manager has marked our group as ours to divide, which isolate/native/cgroup.c
 * reads as we do.  An engine before us may have moved us into the leaf. */
static bool is_delegated(const struct cgroup_mounts *mounts)
{
    char path[1536];
    char mark[2];
    unified_group(mounts, "", path, sizeof(path));
    char *leaf = strstr(path, "/keeper/");
    if (leaf != NULL && leaf[strlen("/keeper/")] == '\0') {
        *leaf = '\0';
    }
    return getxattr(path, "user.delegate", mark, sizeof(mark)) == 1 && mark[0] == '1' &&
           access(path, W_OK) == 0;
}

/* An ordinary user whose group is not delegated: the keeper asks the user's own systemd. */
static void say_scope(struct doctor_row *row, const struct cgroup_mounts *mounts)
{
    const unsigned uid = geteuid();
    char path[1536];
    char offered[128] = "";
    (void)snprintf(path, sizeof(path), "/run/user/%u/systemd/private", uid);
    if (access(path, W_OK) != 0) {
        doctor_found(row, "version 2, nothing of it delegated to us");
        doctor_gap(row, CELLA_PARTIAL, COARSER,
                   "log in through systemd (libpam-systemd), or `loginctl enable-linger`, or in a "
                   "service: Delegate=yes; in a container run as root");
        return;
    }
    (void)snprintf(path, sizeof(path),
                   "%s/user.slice/user-%u.slice/user@%u.service/cgroup.controllers",
                   mounts->unified, uid, uid);
    if (!doctor_read_line(path, offered, sizeof(offered))) {
        doctor_found(row, "version 2, in scopes from the user's systemd");
        return;
    }
    doctor_found(row, "version 2 with %s, in scopes from the user's systemd", offered);
    const bool usable = has_word(offered, "memory") && has_word(offered, "pids");
    if (!usable || !has_word(offered, "cpu")) {
        doctor_gap(row, CELLA_PARTIAL,
                   usable ? "the share of the processors cannot be limited" : COARSER,
                   "systemctl edit user@.service: [Service] Delegate=cpu memory pids; then log in "
                   "anew");
    }
}

static void say_version_2(struct doctor_row *row, const struct cgroup_mounts *mounts,
                          const char *offered)
{
    if (is_delegated(mounts)) {
        doctor_found(row, "version 2 with %s, delegated to us", offered);
    } else if (geteuid() != 0) {
        say_scope(row, mounts);
    } else if (access(mounts->unified, W_OK) == 0) {
        doctor_found(row, "version 2 with %s", offered);
    } else {
        doctor_found(row, "version 2 with %s, not ours to use", offered);
        doctor_gap(row, CELLA_PARTIAL, COARSER,
                   "in a container: give it --cgroupns=private and a writable /sys/fs/cgroup");
    }
}

void doctor_control_groups(struct doctor_row *row)
{
    struct cgroup_mounts mounts;
    char path[512];
    char offered[192] = "";
    read_cgroup_mounts(&mounts);
    if (mounts.unified[0] != '\0') {
        (void)snprintf(path, sizeof(path), "%s/cgroup.controllers", mounts.unified);
        (void)doctor_read_line(path, offered, sizeof(offered));
    }
    if (has_word(offered, "memory") && has_word(offered, "pids")) {
        say_version_2(row, &mounts, offered);
        return;
    }
    if (mounts.legacy == CONTROLLERS_V1) {
        doctor_found(row, "version 1 with memory, pids, cpu, cpuacct%s%s",
                     mounts.unified[0] != '\0' ? "; version 2 beside it with: " : "", offered);
        if (geteuid() != 0) {
            doctor_gap(row, CELLA_PARTIAL, "version 1 is root's alone: " COARSER,
                       "boot with systemd.unified_cgroup_hierarchy=1, or run as root");
        }
        return;
    }
    doctor_found(row, "no memory and pids controller");
    doctor_gap(row, CELLA_PARTIAL, COARSER,
               "mount -t cgroup2 none /sys/fs/cgroup; in a container: give it --cgroupns=private "
               "and a writable /sys/fs/cgroup");
}

static bool host_has_swap(void)
{
    AUTO_FILE FILE *swaps = fopen("/proc/swaps", "re");
    char line[512];
    /* The first line is a heading. */
    return swaps != NULL && fgets(line, sizeof(line), swaps) != NULL &&
           fgets(line, sizeof(line), swaps) != NULL;
}

void doctor_swap(struct doctor_row *row)
{
    char path[1536];
    struct cgroup_mounts mounts;
    if (!host_has_swap()) {
        doctor_found(row, "not needed: this host has no swap");
        return;
    }
    read_cgroup_mounts(&mounts);
    unified_group(&mounts, "memory.swap.max", path, sizeof(path));
    if (access(path, F_OK) == 0 ||
        access("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", F_OK) == 0) {
        doctor_found(row, "works");
        return;
    }
    doctor_found(row, "off, and this host has swap");
    doctor_gap(row, CELLA_PARTIAL, "a run over its memory may go on, slowly, in swap",
               "swapoff -a, or boot with swapaccount=1");
}

/* ---- accounts ---- */

static bool find_claim(const char *path, enum uids_file kind, char *ret_name, size_t size)
{
    AUTO_FILE FILE *file = fopen(path, "re");
    char line[1024];
    for (unsigned i = 0; file != NULL && i < LINES_MAX; i++) {
        if (fgets(line, sizeof(line), file) == NULL) {
            break;
        }
        if (uids_claimed(line, kind)) {
            (void)snprintf(ret_name, size, "%.*s", (int)strcspn(line, ":"), line);
            return true;
        }
    }
    return false;
}

void doctor_uids(struct doctor_row *row)
{
    static const char *const paths[] = {
        [UIDS_PASSWD] = "/etc/passwd", [UIDS_SUBUID] = "/etc/subuid"};
    char name[64];
    if (geteuid() != 0) {
        doctor_found(row, "one, our own, serves all runs");
        doctor_gap(row, CELLA_PARTIAL,
                   "limits that the kernel counts for each user are shared by all runs",
                   "run as root for a uid of its own for each run");
        return;
    }
    for (enum uids_file kind = UIDS_PASSWD; kind <= UIDS_SUBUID; kind++) {
        if (find_claim(paths[kind], kind, name, sizeof(name))) {
            doctor_found(row, "%s of %s lies in %u to %u", name, paths[kind], UIDS_FIRST,
                         UIDS_LAST);
            doctor_gap(row, CELLA_UNFIT, "a run could get the uid of that account",
                       kind == UIDS_PASSWD ? "usermod -u UID NAME gives the account another uid"
                                           : "give the account another range in /etc/subuid");
            return;
        }
    }
    doctor_found(row, "%u to %u, claimed by nobody", UIDS_FIRST, UIDS_LAST);
}

/* ---- what policies may give ---- */

static void add_text(char *text, size_t size, const char *separator, const char *more)
{
    const size_t used = strlen(text);
    if (used + 1 < size) {
        (void)snprintf(text + used, size - used, "%s%s", text[0] == '\0' ? "" : separator, more);
    }
}

/* What root has written, on one line: the lines of the file. */
static void list_widening(const struct widening *widening, char *text, size_t size)
{
    if (widening->network_host) {
        add_text(text, size, "; ", "network host");
    }
    for (size_t i = 0; i < widening->mount_count; i++) {
        add_text(text, size, "; ",
                 widening->mounts[i].of_root    ? "mount writable_of_root"
                 : widening->mounts[i].writable ? "mount writable"
                                                : "mount read_only");
        add_text(text, size, " ", widening->mounts[i].path);
    }
}

void doctor_ceiling(struct doctor_row *row)
{
    struct widening widening;
    char text[192] = "";
    if (geteuid() != 0) {
        doctor_found(row, "what this user may do; " WIDENING_FILE " is for root's runs");
        return;
    }
    widening_read(&widening);
    list_widening(&widening, text, sizeof(text));
    if (widening.problem[0] != '\0') {
        doctor_found(row, WIDENING_FILE " counts for nothing: %s", widening.problem);
        doctor_gap(row, CELLA_PARTIAL,
                   "runs whose policy shows other places than programs', or gives the host's "
                   "network, are refused",
                   "mend the file; it must be root's, and others may not write to it");
    } else if (!widening.exists) {
        doctor_found(row, "not widened: no " WIDENING_FILE);
    } else {
        doctor_found(row, WIDENING_FILE " widens it: %s", text[0] != '\0' ? text : "nothing");
    }
}

/* ---- resource limits, core dumps ---- */

static bool has_sys_resource(void)
{
    AUTO_FILE FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    for (unsigned i = 0; status != NULL && i < LINES_MAX; i++) {
        if (fgets(line, sizeof(line), status) == NULL) {
            break;
        }
        if (strncmp(line, "CapEff:", 7) == 0) {
            return ((strtoull(line + 7, NULL, 16) >> CAP_SYS_RESOURCE_BIT) & 1U) != 0;
        }
    }
    return false;
}

void doctor_rlimits(struct doctor_row *row)
{
    struct rlimit files;
    struct rlimit stack;
    if (has_sys_resource()) {
        doctor_found(row, "can be raised (CAP_SYS_RESOURCE)");
        return;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || getrlimit(RLIMIT_STACK, &stack) < 0) {
        return;
    }
    const char *capability = "without CAP_SYS_RESOURCE they cannot be raised";
    if (files.rlim_max >= 4096 && stack.rlim_max == RLIM_INFINITY) {
        doctor_found(row, "high enough (%s)", capability);
        return;
    }
    doctor_found(row, "at most %ju open files, %ju bytes of stack; %s", (uintmax_t)files.rlim_max,
                 (uintmax_t)stack.rlim_max, capability);
    doctor_gap(row, CELLA_PARTIAL, "a limit above these is refused",
               "raise them where this session starts: ulimit -Hn 4096; ulimit -Hs unlimited");
}

void doctor_core_pattern(struct doctor_row *row)
{
    char pattern[128] = "";
    if (!doctor_read_line("/proc/sys/kernel/core_pattern", pattern, sizeof(pattern)) ||
        pattern[0] != '|') {
        doctor_found(row, "go to a file: runs make none");
        return;
    }
    doctor_found(row, "go to a program, but for runs: %s", pattern + 1);
}
