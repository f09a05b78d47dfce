/*
 * See confine.h.
 *
 * The filter of calls lets through what it does not name.  It cannot do otherwise: what the server
 * starts is any interpreter, and inherits it.  So it names what gives more than one has: sockets,
 * namespaces and mounts, other processes, keys, the kernel's own matters.  Files are Landlock's,
 * which lets through nothing but what stands here.
 *
 * Divisions: privileges and capabilities; files, network, signals; calls; all of it.
 */
#include "front/serve/host/confine.h"

#include "base/fd.h"
#include "base/paths.h"
#include "front/serve/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONFINE_ROW(id, name) name,
static const char *const names[CONFINE_COUNT] = {CONFINE_LAYERS(CONFINE_ROW)};

const char *confine_name(enum confine_layer layer)
{
    return names[layer];
}

/* A test build leaves out what stands in CELLA_UNCONFINED: without it a test of what the layers
 * stop could not fail. */
static bool is_waived(enum confine_layer layer)
{
#ifdef CELLA_TESTING
    const char *waived = getenv("CELLA_UNCONFINED");
    return waived != NULL && strstr(waived, names[layer]) != NULL;
#else
    (void)layer;
    return false;
#endif
}

/* ---- privileges and capabilities ---- */

static int drop_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Root's as well: its files are root's own, and for those no capability is needed. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{.effective = 0}};
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM) {
            return -1; /* EPERM: an ordinary user's, who has none to drop */
        }
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* there are none without */
    return (int)syscall(SYS_capset, &header, none);
}

/* ---- files, network, signals ---- */

/* Of the header that this is built with; the kernel says how much of it it knows. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define ACCESS_IOCTL_DEV (1ULL << 15)
#define ACCESS_BIND_TCP  (1ULL << 0)
#define ACCESS_CONNECT   (1ULL << 1)
#define SCOPE_SIGNAL     (1ULL << 1)

#define ABI_REFER    2
#define ABI_TRUNCATE 3
#define ABI_NETWORK  4
#define ABI_IOCTL    5
#define ABI_SCOPES   6

struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

#define READS  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RUNS   (READS | LANDLOCK_ACCESS_FS_EXECUTE)
#define WRITES (READS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define ADDS   (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)
#define KEEPS                                                                                      \
    (WRITES | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |                          \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER)
#define OF_FILES                                                                                   \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     LANDLOCK_ACCESS_FS_TRUNCATE | ACCESS_IOCTL_DEV)
#define ALL_FILES                                                                                  \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | READS |                          \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                              \
     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |    \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

static struct ruleset wanted_rules(long abi)
{
    struct ruleset rules = {.files = 0};
    if (!is_waived(CONFINE_FILES) && abi >= 1) {
        rules.files = ALL_FILES | (abi >= ABI_REFER ? LANDLOCK_ACCESS_FS_REFER : 0) |
                      (abi >= ABI_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0) |
                      (abi >= ABI_IOCTL ? ACCESS_IOCTL_DEV : 0);
    }
    if (!is_waived(CONFINE_NETWORK) && abi >= ABI_NETWORK) {
        rules.network = ACCESS_BIND_TCP | ACCESS_CONNECT;
    }
    if (!is_waived(CONFINE_SIGNALS) && abi >= ABI_SCOPES) {
        rules.scoped = SCOPE_SIGNAL;
    }
    return rules;
}

static int cannot(const char *what, struct cella_error *err)
{
    (void)serve_fail_errno(err, CELLA_ERROR_HOST, "cannot confine the server: %s", what);
    return serve_hint(err, "its privileges must not be less than an ordinary user's");
}

/* The place is open by O_PATH.  One that is not there needs no rule. */
static int allow(int ruleset, const struct ruleset *rules, int place, uint64_t rights,
                 struct cella_error *err)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & rules->files,
                                              .parent_fd = place};
    struct stat found;
    if (place < 0) {
        return 0;
    }
    if (fstat(place, &found) == 0 && !S_ISDIR(found.st_mode)) {
        rule.allowed_access &= OF_FILES;
    }
    return rule.allowed_access == 0 || syscall(SYS_landlock_add_rule, ruleset,
                                               LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0
               ? 0
               : cannot("a rule of Landlock's", err);
}

static int allow_path(int ruleset, const struct ruleset *rules, const char *path, uint64_t rights,
                      struct cella_error *err)
{
    AUTO_CLOSE int place = open(path, O_PATH | O_CLOEXEC);
    return allow(ruleset, rules, place, rights, err);
}

/* The directory that it lies in: what takes its place there, as editors and those who move logs
 * away do it, is the same file to us. */
static int allow_beside(int ruleset, const struct ruleset *rules, const char *path, uint64_t rights,
                        struct cella_error *err)
{
    char directory[PATH_MAX];
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    if (path == NULL) {
        return 0;
    }
    (void)snprintf(directory, sizeof(directory), "%.*s", slash != NULL ? (int)(slash - path) : 1,
                   slash != NULL ? path : ".");
    return allow_path(ruleset, rules, directory[0] != '\0' ? directory : "/", rights, err);
}

/* Whatever is there of a pattern: directories that are named after a version. */
static int allow_pattern(int ruleset, const struct ruleset *rules, const char *pattern,
                         uint64_t rights, struct cella_error *err)
{
    glob_t found = {.gl_pathc = 0};
    int result = 0;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; result == 0 && i < found.gl_pathc; i++) {
            result = allow_path(ruleset, rules, found.gl_pathv[i], rights, err);
        }
    }
    globfree(&found);
    return result;
}

/* What every process reads, and what interpreters do that are asked for their version.  Each
 * distribution has a part of these. */
static int allow_system(int ruleset, const struct ruleset *rules, struct cella_error *err)
{
    static const struct {
        const char *path;
        uint64_t rights;
    } places[] = {
        {"/usr", RUNS},
        {"/bin", RUNS},
        {"/sbin", RUNS},
        {"/lib", RUNS},
        {"/lib64", RUNS},
        {"/opt", RUNS},
        {"/etc/cella", READS},
        {"/etc/ld.so.cache", READS},
        {"/etc/localtime", READS},
        {"/etc/passwd", READS},
        {"/etc/alternatives", READS},
        {"/etc/java*", READS},
        {"/etc/perl", READS},
        {"/etc/php*", READS},
        {"/etc/python3*", READS},
        {"/etc/R", READS},
        {"/etc/ssl/openssl.cnf", READS},
        {"/etc/crypto-policies", READS}, /* which that of Fedora's includes */
        /* of authorities, by which a collector's certificate is vouched for */
        {"/etc/ssl/certs", READS},
        {"/etc/ssl/cert.pem", READS},
        {"/etc/pki/ca-trust", READS},
        {"/etc/pki/tls/cert*", READS},
        {"/etc/pki/tls/openssl.cnf", READS},
        {"/etc/ca-certificates", READS},
        {"/var/lib/ca-certificates", READS},
        /* packages, by which some interpreters are known */
        {"/var/lib/dpkg", READS},
        {"/proc", READS},
        {"/sys", READS},
        {"/dev/null", WRITES},
        {"/dev/zero", READS},
        {"/dev/random", READS},
        {"/dev/urandom", READS},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (allow_pattern(ruleset, rules, places[i].path, places[i].rights, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Where languages and policies are. */
static int allow_definitions(int ruleset, const struct ruleset *rules, struct cella_error *err)
{
    for (enum paths_kind kind = PATHS_RUNTIMES; kind <= PATHS_POLICIES; kind++) {
        struct paths_dirs directories;
        if (paths_search(kind, NULL, &directories, err) < 0) {
            return -1;
        }
        for (size_t i = 0; i < directories.count; i++) {
            if (allow_path(ruleset, rules, directories.items[i], READS, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* What the settings name. */
static int allow_settings(int ruleset, const struct ruleset *rules, const struct settings *settings,
                          struct cella_error *err)
{
    AUTO_CLOSE int cache = paths_open_cache(true);
    return allow_path(ruleset, rules, settings->state, KEEPS, err) < 0 ||
                   allow(ruleset, rules, cache, KEEPS, err) < 0 ||
                   allow_beside(ruleset, rules, settings->config, READS, err) < 0 ||
                   allow_beside(ruleset, rules, settings->tls_certificate, READS, err) < 0 ||
                   allow_beside(ruleset, rules, settings->tls_key, READS, err) < 0 ||
                   allow_beside(ruleset, rules, settings->log, ADDS, err) < 0 ||
                   allow_beside(ruleset, rules, settings->audit, ADDS, err) < 0 ||
                   allow_beside(ruleset, rules, settings->socket, LANDLOCK_ACCESS_FS_REMOVE_FILE,
                                err) < 0
               ? -1
               : 0;
}

static int use_landlock(const struct settings *settings, bool holds[CONFINE_COUNT],
                        struct cella_error *err)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    const struct ruleset rules = wanted_rules(abi);
    const size_t size = abi >= ABI_SCOPES    ? sizeof(rules)
                        : abi >= ABI_NETWORK ? 2 * sizeof(uint64_t)
                                             : sizeof(uint64_t);
    if ((rules.files | rules.network | rules.scoped) == 0) {
        return 0; /* this kernel has none */
    }
    AUTO_CLOSE int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0) {
        return cannot("a ruleset of Landlock's", err);
    }
    if (allow_system(ruleset, &rules, err) < 0 || allow_definitions(ruleset, &rules, err) < 0 ||
        allow_settings(ruleset, &rules, settings, err) < 0) {
        return -1;
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        return cannot("Landlock", err);
    }
    holds[CONFINE_FILES] = rules.files != 0;
    holds[CONFINE_NETWORK] = rules.network != 0;
    holds[CONFINE_SIGNALS] = rules.scoped != 0;
    return 0;
}

/* ---- calls ---- */

/* By what they would be needed for. */
static const int denied[] = {
    /* sockets: it has those that it listens on, and what connects to them */
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(connect),
    /* namespaces and mounts */
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
/* other processes */
#ifndef __SANITIZE_ADDRESS__ /* whose check for leaks traces its own process */
    SCMP_SYS(ptrace),
#endif
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(lookup_dcookie),
    /* who one is */
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setfsuid),
    SCMP_SYS(setfsgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    SCMP_SYS(personality),
    /* files by other ways than their path */
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(quotactl),
    SCMP_SYS(quotactl_fd),
    SCMP_SYS(acct),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    /* the kernel */
    SCMP_SYS(bpf),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(syslog),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(memfd_secret),
    /* the host */
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(vhangup),
};

#define NEW_NAMESPACES                                                                             \
    ((scmp_datum_t)CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |      \
     CLONE_NEWUTS | CLONE_NEWCGROUP)

static int fill_filter(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
        const int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
        if (result < 0 && result != -EDOM) { /* one that this processor does not have */
            return result;
        }
    }
    /* clone() says in a register what it makes.  clone3() does not, so it is not there: whoever
     * calls it knows the older one. */
    int result = 0;
    for (unsigned bit = 0; bit < 32 && result == 0; bit++) {
        const scmp_datum_t flag = (scmp_datum_t)1 << bit;
        if ((NEW_NAMESPACES & flag) != 0) {
            result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                      SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
        }
    }
    return result < 0 ? result
                      : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int use_seccomp(bool holds[CONFINE_COUNT], struct cella_error *err)
{
    if (is_waived(CONFINE_CALLS)) {
        return 0;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter != NULL ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) : -ENOMEM;
    if (result == 0) {
        result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
    }
    if (result == 0) {
        result = fill_filter(filter);
    }
    if (result == 0) {
        result = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (result < 0) {
        errno = -result;
        return cannot("seccomp", err);
    }
    holds[CONFINE_CALLS] = true;
    return 0;
}

/* ---- all of it ---- */

int confine(const struct settings *settings, bool ret_holds[CONFINE_COUNT], struct cella_error *err)
{
    bool holds[CONFINE_COUNT] = {false};
    if (!is_waived(CONFINE_CAPABILITIES)) {
        if (drop_capabilities() < 0) {
            return cannot("capabilities", err);
        }
        holds[CONFINE_CAPABILITIES] = true;
    }
    if (!is_waived(CONFINE_PRIVILEGES)) {
        if (drop_privileges() < 0) {
            return cannot("no new privileges", err);
        }
        holds[CONFINE_PRIVILEGES] = true;
    }
    if (use_landlock(settings, holds, err) < 0 || use_seccomp(holds, err) < 0) {
        return -1;
    }
    memcpy(ret_holds, holds, sizeof(holds));
    return 0;
}
