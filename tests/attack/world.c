/*
 * Attacks on the wall between the sandbox and the world: the host's files, /proc, /dev and /sys,
 * identity and inherited things, what other programs share, and what is rationed.  Sockets and the
 * network are in network.c.
 *
 * ARGUMENTS that tests give: names and numbers of things which they have put on the host.
 */
#include "attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_TO_TAKE    (128UL * 1024 * 1024) /* twice what the tests allow; likewise below */
#define DISK_TO_TAKE      (16UL * 1024 * 1024)
#define FILES_TO_OPEN     300
#define PROCESSES_TO_MAKE 100

/* ---- the host's files ---- */

static enum verdict read_file(const char *path)
{
    char bytes[64];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    return size == 0 ? refused("%s is empty", path) : by_result(size);
}

/* Any answer but "no such file" tells that it exists. */
static enum verdict learn_of_file(const char *path)
{
    struct stat status;
    const int result = stat(path, &status);
    return result == 0 || errno != ENOENT ? achieved("%s exists", path) : by_result(-1);
}

static enum verdict make_file(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)unlink(path);
    }
    return by_result(fd);
}

static enum verdict write_usr(const char *argument UNUSED)
{
    return make_file("/usr/attack");
}

static enum verdict write_root(const char *argument UNUSED)
{
    return make_file("/attack");
}

static enum verdict write_passwd(const char *argument UNUSED)
{
    return by_result(open("/etc/passwd", O_WRONLY | O_CLOEXEC));
}

static enum verdict make_device(const char *argument UNUSED)
{
    const int result = mknod("/tmp/attack-device", S_IFCHR | 0600, makedev(1, 3));
    if (result == 0) {
        (void)unlink("/tmp/attack-device");
    }
    return by_result(result);
}

static enum verdict open_memory_device(const char *argument UNUSED)
{
    return by_result(open("/dev/mem", O_RDONLY | O_CLOEXEC));
}

static enum verdict open_log_device(const char *argument UNUSED)
{
    return by_result(open("/dev/kmsg", O_RDONLY | O_CLOEXEC));
}

static enum verdict list_sys(const char *argument UNUSED)
{
    int entries = 0;
    DIR *directory = opendir("/sys");
    if (directory == NULL) {
        return by_result(-1);
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        /* Of devices there is the number of processors, by which programs go. */
        entries += entry->d_name[0] != '.' && strcmp(entry->d_name, "devices") != 0;
    }
    (void)closedir(directory); /* only read */
    return entries > 0 || access("/sys/devices/pci0000:00", F_OK) == 0 ||
                   access("/sys/devices/system/node", F_OK) == 0
               ? achieved("%d entries", entries)
               : refused("/sys is empty");
}

/* ---- /proc ---- */

static enum verdict open_to_write(const char *path)
{
    return by_result(open(path, O_WRONLY | O_CLOEXEC));
}

static enum verdict write_core_pattern(const char *argument UNUSED)
{
    return open_to_write("/proc/sys/kernel/core_pattern");
}

static enum verdict write_sysrq(const char *argument UNUSED)
{
    return open_to_write("/proc/sysrq-trigger");
}

static enum verdict write_own_proc(const char *argument UNUSED)
{
    return open_to_write("/proc/self/oom_score_adj");
}

static enum verdict read_kcore(const char *argument UNUSED)
{
    return read_file("/proc/kcore");
}

static enum verdict read_kallsyms(const char *argument UNUSED)
{
    return read_file("/proc/kallsyms");
}

static enum verdict read_keys(const char *argument UNUSED)
{
    return read_file("/proc/key-users");
}

static enum verdict read_timers(const char *argument UNUSED)
{
    return read_file("/proc/timer_list");
}

static enum verdict read_config(const char *argument UNUSED)
{
    return read_file("/proc/config.gz");
}

static enum verdict read_boot_line(const char *argument UNUSED)
{
    return read_file("/proc/cmdline");
}

static enum verdict read_disks(const char *argument UNUSED)
{
    return read_file("/proc/partitions");
}

static enum verdict see_control_group(const char *argument UNUSED)
{
    char text[8192];
    const int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (size < 0) {
        return by_result(-1);
    }
    text[size] = '\0';
    return strstr(text, "cella") != NULL ? achieved("the path shows") : refused("no path");
}

/* `argument`: seconds since the host's start. */
static enum verdict see_uptime(const char *argument)
{
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) {
        return by_result(-1);
    }
    return now.tv_sec >= strtol(argument, NULL, 10) ? achieved("up for %ld s", (long)now.tv_sec)
                                                    : refused("up for %ld s", (long)now.tv_sec);
}

static enum verdict see_host_name(const char *argument)
{
    char name[65];
    if (gethostname(name, sizeof(name)) != 0) {
        return by_result(-1);
    }
    return strcmp(name, argument) == 0 ? achieved("%s", name) : refused("%s", name);
}

/* ---- identity, and what is inherited ---- */

static enum verdict become_root(const char *argument UNUSED)
{
    return by_result(setresuid(0, 0, 0));
}

static enum verdict see_groups(const char *argument UNUSED)
{
    const int count = getgroups(0, NULL);
    return count > 0 ? achieved("%d groups", count) : refused("%d groups", count);
}

static enum verdict have_capabilities(const char *argument UNUSED)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, sets) != 0) {
        return by_result(-1);
    }
    const uint32_t all = sets[0].effective | sets[0].permitted | sets[0].inheritable |
                         sets[1].effective | sets[1].permitted | sets[1].inheritable;
    return all != 0 ? achieved("%08x", all) : refused("none");
}

/* An ambient capability is kept when a program is executed. */
static enum verdict raise_ambient(const char *argument UNUSED)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, sets) == 0) {
        sets[0].inheritable = sets[0].permitted;
        sets[1].inheritable = sets[1].permitted;
        (void)syscall(SYS_capset, &header, sets); /* the next call shows whether it worked */
    }
    return by_result(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0));
}

static int effective_uid(pid_t pid)
{
    char path[64];
    char text[1024];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[size > 0 ? size : 0] = '\0';
    const char *line = strstr(text, "\nUid:");
    int real = -1;
    int effective = -1;
    return line != NULL && sscanf(line, "\nUid: %d %d", &real, &effective) == 2 ? effective : -1;
}

/* Executes a set-uid program of the host's and watches whom it runs as.  It may have ended before
 * we look: then it is `SEEN_NOTHING`, and the caller tries again. */
enum sight { SEEN_OTHER_UID, SEEN_NOTHING, SEEN_NO_PROGRAM };

static enum sight watch_set_uid_program(void)
{
    const uid_t mine = geteuid();
    const pid_t child = fork();
    if (child == 0) {
        const int null = open("/dev/null", O_RDWR);
        (void)dup2(null, STDERR_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        execl("/usr/bin/su", "su", "--help", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    enum sight sight = SEEN_NOTHING;
    while (waitpid(child, &status, WNOHANG) == 0) {
        const int uid = effective_uid(child);
        sight = uid >= 0 && (uid_t)uid != mine ? SEEN_OTHER_UID : sight;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? SEEN_NO_PROGRAM : sight;
}

static enum verdict run_set_uid_program(const char *argument UNUSED)
{
    enum { TRIES_MAX = 50, NOBODY = 65534 };
    enum sight sight = SEEN_NOTHING;
    if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0) {
        return by_result(-1);
    }
    for (int i = 0; i < TRIES_MAX && sight == SEEN_NOTHING; i++) {
        sight = watch_set_uid_program();
    }
    if (sight == SEEN_OTHER_UID) {
        return achieved("it ran as another uid");
    }
    return sight == SEEN_NO_PROGRAM ? refused("no such program") : refused("it ran as we do");
}

static enum verdict find_descriptors(const char *argument UNUSED)
{
    enum { DESCRIPTORS_TO_TRY = 4096 };
    for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_TO_TRY; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            return achieved("descriptor %d is open", fd);
        }
    }
    return refused("nothing beyond the standard streams");
}

static enum verdict share_session(const char *argument UNUSED)
{
    const pid_t session = getsid(0);
    return session != getpid() ? achieved("session %d", (int)session) : refused("an own session");
}

static enum verdict reach_keys(const char *argument)
{
    const long key =
        syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", argument, 0);
    return by_result(key);
}

/* ---- other programs ---- */

/* `argument`: a word of another program's command line. */
static enum verdict see_processes(const char *argument)
{
    char path[300];
    char line[4096];
    DIR *proc = opendir("/proc");
    const pid_t self = getpid();
    for (struct dirent *entry = NULL; proc != NULL && (entry = readdir(proc)) != NULL;) {
        const long pid = strtol(entry->d_name, NULL, 10);
        (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        const int fd = pid > 0 && pid != self ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        const ssize_t size = fd < 0 ? -1 : read(fd, line, sizeof(line));
        if (size > 0 && memmem(line, (size_t)size, argument, strlen(argument)) != NULL) {
            return achieved("process %ld", pid);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    return refused("no such process to be seen");
}

/* Signal 0 is none: it tells whether there is anyone. */
static enum verdict signal_everyone(const char *argument UNUSED)
{
    return by_result(kill(-1, 0));
}

static enum verdict attach_shared_memory(const char *argument)
{
    return by_result(shmget((key_t)strtol(argument, NULL, 10), 0, 0));
}

static enum verdict open_message_queue(const char *argument)
{
    return by_result(mq_open(argument, O_RDONLY));
}

/* ---- what is rationed ---- */

static enum verdict take_memory(const char *argument UNUSED)
{
    char *memory =
        mmap(NULL, MEMORY_TO_TAKE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return by_result(-1);
    }
    for (size_t i = 0; i < MEMORY_TO_TAKE; i += 4096) {
        memory[i] = 1;
    }
    return achieved("%lu bytes", MEMORY_TO_TAKE);
}

static enum verdict take_processes(const char *argument UNUSED)
{
    for (int i = 0; i < PROCESSES_TO_MAKE; i++) {
        if (start_victim() < 0) {
            return refused("%d processes", i);
        }
    }
    return achieved("%d processes", PROCESSES_TO_MAKE);
}

static enum verdict take_disk(const char *argument UNUSED)
{
    static const char block[65536];
    const int fd = open("/tmp/attack", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    size_t written = 0;
    while (fd >= 0 && written < DISK_TO_TAKE) {
        const ssize_t more = write(fd, block, sizeof(block));
        if (more <= 0) {
            return by_result(-1);
        }
        written += (size_t)more;
    }
    return fd < 0 ? by_result(-1) : achieved("%zu bytes", written);
}

static enum verdict open_many_files(const char *argument UNUSED)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* what it allows shows below */
    }
    for (int i = 0; i < FILES_TO_OPEN; i++) {
        if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) {
            return by_result(-1);
        }
    }
    return achieved("%d files", FILES_TO_OPEN);
}

static enum verdict dump_core(const char *argument UNUSED)
{
    if (chdir("/tmp") != 0) { /* the tests have raised the limit that is inherited */
        return by_result(-1);
    }
    const pid_t child = fork();
    if (child == 0) {
        abort();
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return by_result(-1);
    }
    return WCOREDUMP(status) ? achieved("a core file") : refused("no core file");
}

#define WRITES "proc_masked,landlock_files"
#define OWNER  "user_namespace,"

const struct attack world_attacks[] = {
    {"read_host_file", "files", "built_root", "", "file", read_file, "read a file of the host's"},
    {"learn_of_host_file", "files", "built_root", "", "file", learn_of_file,
     "learn whether the host has a file"},
    {"write_usr", "files", OWNER "read_only_files,landlock_files", "", "", write_usr,
     "write where the host's programs are"},
    {"write_shared_directory", "files", "read_only_files,landlock_files", "", "shared", make_file,
     "write where everyone on the host may, in a directory that is bound"},
    {"write_root", "files", "read_only_root,landlock_files", "", "", write_root,
     "write in the sandbox's root"},
    {"write_passwd", "files", "read_only_root,landlock_files", "", "", write_passwd,
     "write the sandbox's /etc/passwd"},
    {"make_device", "files", OWNER "landlock_files", "", "", make_device, "make a device file"},
    {"dev_mem", "files", "built_root", "", "", open_memory_device, "open the machine's memory"},
    {"dev_kmsg", "files", "built_root", "", "", open_log_device, "open the kernel's log"},
    {"list_sys", "files", "built_root", "", "", list_sys, "look into /sys"},
    {"write_core_pattern", "proc", OWNER WRITES, "", "", write_core_pattern,
     "have the host run a program at a crash"},
    {"write_sysrq", "proc", OWNER WRITES, "", "", write_sysrq, "command the kernel"},
    {"write_own_proc", "proc", WRITES, "", "", write_own_proc, "write in /proc/self"},
    {"proc_kcore", "proc", OWNER "proc_masked", "", "", read_kcore, "read the kernel's memory"},
    {"proc_kallsyms", "proc", "proc_masked", "", "", read_kallsyms, "read the kernel's symbols"},
    {"proc_key_users", "proc", "proc_masked", "", "", read_keys, "see who holds keys"},
    {"proc_timer_list", "proc", OWNER "proc_masked", "", "", read_timers,
     "read the kernel's timers"},
    {"proc_config", "proc", "proc_masked", "", "", read_config, "read the kernel's configuration"},
    {"proc_cmdline", "proc", "proc_masked", "", "", read_boot_line, "read the boot line"},
    {"proc_partitions", "proc", "proc_masked", "", "", read_disks, "see the host's disks"},
    {"see_control_group", "proc", "cgroup_namespace", "", "", see_control_group,
     "see where the control group lies"},
    {"see_uptime", "proc", "time_namespace", "", "uptime", see_uptime,
     "see how long the host has been up"},
    {"see_host_name", "identity", "uts_namespace", "", "hostname", see_host_name,
     "see the host's name"},
    {"become_root", "identity", "user_namespace", "", "", become_root, "become uid 0"},
    {"see_groups", "identity", "no_groups", "", "", see_groups,
     "have the caller's supplementary groups"},
    {"have_capabilities", "identity", "no_capabilities", "", "", have_capabilities,
     "have a capability"},
    {"raise_ambient", "identity", "no_capabilities,securebits", "", "", raise_ambient,
     "keep a capability across exec"},
    {"set_uid_program", "identity", OWNER "no_new_privileges", "", "", run_set_uid_program,
     "get privilege by a set-uid program"},
    {"find_descriptors", "inheritance", "no_descriptors", "", "", find_descriptors,
     "find a descriptor that leaked"},
    {"share_session", "inheritance", "no_terminal", "", "", share_session,
     "be in the caller's terminal session"},
    {"reach_keys", "inheritance", "keyring,seccomp", "keyctl", "key", reach_keys,
     "reach the caller's session keyring"},
    {"see_processes", "others", "pid_namespace", "", "process", see_processes,
     "see another program's command line"},
    {"signal_everyone", "others", "pid_namespace", "", "", signal_everyone,
     "signal other programs"},
    {"sysv_shared_memory", "others", "ipc_namespace", "", "shm_key", attach_shared_memory,
     "reach System V shared memory"},
    {"posix_message_queue", "others", "ipc_namespace,landlock_files,seccomp", "", "queue",
     open_message_queue, "reach a POSIX message queue"},
    {"posix_shared_memory", "others", "built_root", "", "shm_file", read_file,
     "reach POSIX shared memory"},
    {"memory", "rations", "memory_limit", "", "", take_memory, "take twice the memory"},
    {"processes", "rations", "process_limit,rlimits", "", "", take_processes,
     "make more processes"},
    {"disk", "rations", "disk_limit", "", "", take_disk, "write twice the disk"},
    {"open_files", "rations", "rlimits", "", "", open_many_files, "open more files"},
    {"core_dump", "rations", "rlimits", "", "", dump_core, "dump core"},
};
const size_t world_attack_count = COUNT_OF(world_attacks);
