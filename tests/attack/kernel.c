/*
 * Attacks on the kernel's surface: system calls that make, enter or change namespaces and mounts,
 * reach other processes' memory, program the kernel, or change the machine.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* What headers of this age do not name yet. */
#define CALL_MEMFD_SECRET 447
#define FAMILY_XDP        44
#define UFFD_USER_ONLY    1
#define KCMP_FILE_TYPE    0
#define CORE_SCHED_CREATE 1
#define OPEN_TREE_COPY    1U

/* ---- mounts ---- */

static enum verdict mount_tmpfs(const char *argument UNUSED)
{
    return by_result(mount("none", "/tmp", "tmpfs", 0, NULL));
}

static enum verdict mount_by_context(const char *argument UNUSED)
{
    const int context = (int)syscall(SYS_fsopen, "tmpfs", 0);
    if (context < 0) {
        return by_result(-1);
    }
    if (syscall(SYS_fsconfig, context, 6 /* create */, NULL, NULL, 0) < 0) {
        return by_result(-1);
    }
    const int mounted = (int)syscall(SYS_fsmount, context, 0, 0);
    if (mounted < 0) {
        return by_result(-1);
    }
    return by_result(syscall(SYS_move_mount, mounted, "", AT_FDCWD, "/tmp", 4 /* empty path */));
}

static enum verdict unmount_proc(const char *argument UNUSED)
{
    return by_result(umount2("/proc", MNT_DETACH));
}

static enum verdict remount_writable(const char *argument UNUSED)
{
    return by_result(mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static enum verdict set_mount_writable(const char *argument UNUSED)
{
    const struct {
        uint64_t set, clear, propagation, user_namespace;
    } attributes = {.clear = 1 /* read-only */};
    return by_result(
        syscall(SYS_mount_setattr, AT_FDCWD, "/usr", 0, &attributes, sizeof(attributes)));
}

static enum verdict copy_tree(const char *argument UNUSED)
{
    return by_result(syscall(SYS_open_tree, AT_FDCWD, "/usr", OPEN_TREE_COPY));
}

static enum verdict change_root(const char *argument UNUSED)
{
    return by_result(chroot("/tmp"));
}

static enum verdict pivot(const char *argument UNUSED)
{
    if (mount("none", "/tmp", "tmpfs", 0, NULL) != 0 || mkdir("/tmp/old", 0700) != 0) {
        return by_result(-1);
    }
    return by_result(syscall(SYS_pivot_root, "/tmp", "/tmp/old"));
}

static enum verdict mount_release_agent(const char *argument UNUSED)
{
    char agent[256];
    if (mount("cgroup", "/tmp", "cgroup", 0, "memory") != 0) {
        return by_result(-1);
    }
    /* The same value back: only a privileged process of the host may. */
    const int fd = open("/tmp/release_agent", O_RDWR | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, agent, sizeof(agent));
    return by_result(size < 0 ? -1 : pwrite(fd, agent, (size_t)size, 0));
}

static enum verdict open_by_handle(const char *argument UNUSED)
{
    struct {
        struct file_handle head;
        unsigned char bytes[MAX_HANDLE_SZ];
    } handle = {.head = {.handle_bytes = MAX_HANDLE_SZ}};
    int mount_id = 0;
    const int made = open("/dev/shm/attack", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const int place = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int opened = -1;
    if (made >= 0 && place >= 0 &&
        syscall(SYS_name_to_handle_at, AT_FDCWD, "/dev/shm/attack", &handle, &mount_id, 0) == 0) {
        opened = (int)syscall(SYS_open_by_handle_at, place, &handle, O_RDONLY);
    }
    const enum verdict verdict = by_result(opened);
    (void)unlink("/dev/shm/attack"); /* or it goes with the sandbox */
    return verdict;
}

/* ---- namespaces ---- */

static enum verdict unshare_user(const char *argument UNUSED)
{
    return by_result(unshare(CLONE_NEWUSER));
}

static enum verdict unshare_mounts(const char *argument UNUSED)
{
    return by_result(unshare(CLONE_NEWNS));
}

static enum verdict unshare_network(const char *argument UNUSED)
{
    return by_result(unshare(CLONE_NEWNET));
}

static enum verdict by_child(long pid)
{
    if (pid == 0) {
        _exit(0);
    }
    const enum verdict verdict = by_result(pid);
    if (pid > 0) {
        (void)waitpid((pid_t)pid, NULL, __WALL);
    }
    return verdict;
}

static enum verdict clone_user(const char *argument UNUSED)
{
    return by_child(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

static enum verdict clone3_user(const char *argument UNUSED)
{
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    return by_child(syscall(SYS_clone3, &args, sizeof(args)));
}

static enum verdict clone_sibling(const char *argument UNUSED)
{
    return by_child(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL));
}

static enum verdict enter_namespace(const char *argument UNUSED)
{
    const int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    return by_result(fd < 0 ? -1 : setns(fd, CLONE_NEWUTS));
}

static enum verdict set_host_name(const char *argument UNUSED)
{
    char name[65];
    if (gethostname(name, sizeof(name)) != 0) {
        return by_result(-1);
    }
    return by_result(sethostname(name, strlen(name)));
}

/* ---- other processes ---- */

static enum verdict trace_child(const char *argument UNUSED)
{
    const pid_t victim = start_victim();
    return end_victim(victim, by_result(ptrace(PTRACE_SEIZE, victim, NULL, NULL)));
}

static enum verdict read_child_memory(const char *argument UNUSED)
{
    char secret[] = "secret";
    char copy[sizeof(secret)] = "";
    const pid_t victim = start_victim();
    const struct iovec to = {copy, sizeof(copy)};
    const struct iovec from = {secret, sizeof(secret)}; /* the same address after a fork */
    return end_victim(victim, by_result(process_vm_readv(victim, &to, 1, &from, 1, 0)));
}

static enum verdict take_child_descriptor(const char *argument UNUSED)
{
    const pid_t victim = start_victim();
    const int pidfd = (int)syscall(SYS_pidfd_open, victim, 0);
    return end_victim(victim, by_result(syscall(SYS_pidfd_getfd, pidfd, 0, 0)));
}

static enum verdict compare_descriptors(const char *argument UNUSED)
{
    const pid_t victim = start_victim();
    return end_victim(victim,
                      by_result(syscall(SYS_kcmp, getpid(), victim, KCMP_FILE_TYPE, 0UL, 0UL)));
}

static enum verdict limit_child(const char *argument UNUSED)
{
    struct rlimit limit = {0, 0};
    const pid_t victim = start_victim();
    return end_victim(victim, by_result(prlimit(victim, RLIMIT_CORE, &limit, NULL)));
}

/* ---- programming the kernel ---- */

static enum verdict make_bpf_map(const char *argument UNUSED)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = 4;
    attributes.value_size = 4;
    attributes.max_entries = 1;
    return by_result(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)));
}

static enum verdict open_perf_event(const char *argument UNUSED)
{
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.size = sizeof(attributes);
    attributes.config = PERF_COUNT_SW_CPU_CLOCK;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    return by_result(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static enum verdict open_userfaultfd(const char *argument UNUSED)
{
    return by_result(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_ONLY));
}

static enum verdict set_up_io_uring(const char *argument UNUSED)
{
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof(parameters));
    return by_result(syscall(SYS_io_uring_setup, 4, &parameters));
}

static enum verdict watch_file_systems(const char *argument UNUSED)
{
    return by_result(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY));
}

static enum verdict listen_to_calls(const char *argument UNUSED)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {1, &allow};
    return by_result(
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

static enum verdict attach_filter(const char *argument UNUSED)
{
    struct sock_filter refuse_all = {0x06, 0, 0, 0}; /* return 0 */
    const struct sock_fprog program = {1, &refuse_all};
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return by_result(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

static enum verdict set_up_io(const char *argument UNUSED)
{
    unsigned long context = 0;
    return by_result(syscall(SYS_io_setup, 1, &context));
}

/* ENOMEM: there are none to be had now. */
static enum verdict map_huge_page(const char *argument UNUSED)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
    return by_passing(mmap(NULL, 2 << 20, PROT_READ, flags, -1, 0) == MAP_FAILED ? -1 : 0, ENOMEM);
}

static enum verdict set_core_limit(const char *argument UNUSED)
{
    return by_result(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
}

static enum verdict see_file_system(const char *argument UNUSED)
{
    struct stat workspace;
    char room[64];
    return stat("/tmp", &workspace) != 0
               ? by_result(-1)
               : by_result(syscall(SYS_ustat, (unsigned)workspace.st_dev, room));
}

static enum verdict watch_programs(const char *argument UNUSED)
{
    return by_result(inotify_add_watch(inotify_init1(0), "/usr/bin", IN_OPEN));
}

static enum verdict be_notified(const char *argument UNUSED)
{
    return by_result(fcntl(open("/usr/bin", O_RDONLY | O_DIRECTORY), F_NOTIFY, DN_ACCESS));
}

static enum verdict add_key(const char *argument UNUSED)
{
    return by_result(
        syscall(SYS_add_key, "user", "attack", "payload", 7UL, KEY_SPEC_PROCESS_KEYRING));
}

static enum verdict make_secret_memory(const char *argument UNUSED)
{
    return by_result(syscall(CALL_MEMFD_SECRET, 0));
}

static enum verdict write_ldt(const char *argument UNUSED)
{
    /* struct user_desc, whose header clashes with others: an empty entry. */
    const uint32_t entry[4] = {0, 0, 0, 0x28 /* not present, read and execute only */};
    return by_result(syscall(SYS_modify_ldt, 1, entry, sizeof(entry)));
}

static enum verdict fix_addresses(const char *argument UNUSED)
{
    return by_result(personality(ADDR_NO_RANDOMIZE));
}

static enum verdict leave_core_group(const char *argument UNUSED)
{
    const int result = prctl(PR_SCHED_CORE, CORE_SCHED_CREATE, 0, 0, 0);
    return result < 0 && errno == EINVAL ? not_applicable("no core scheduling") : by_result(result);
}

static enum verdict allow_speculation(const char *argument UNUSED)
{
    return by_result(prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE, 0, 0));
}

/* ---- other ways into the kernel ---- */

/* getpid by the 32-bit table: where the kernel has no such entry this raises a signal. */
static enum verdict enter_by_int80(const char *argument UNUSED)
{
    const pid_t child = fork();
    if (child == 0) {
        long result = 20;
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
        _exit(result == getpid() ? 0 : 1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return by_result(-1);
    }
    if (WIFSIGNALED(status)) {
        return not_applicable("no 32-bit entry: signal %d", WTERMSIG(status));
    }
    return WEXITSTATUS(status) == 0 ? achieved("a 32-bit call was answered")
                                    : refused("a 32-bit call got no answer");
}

static enum verdict enter_by_x32(const char *argument UNUSED)
{
    return by_result(syscall(0x40000000L + SYS_getpid));
}

/* ---- the machine ---- */

static enum verdict reboot_machine(const char *argument UNUSED)
{
    return by_passing(syscall(SYS_reboot, 0, 0, 0, NULL), EINVAL); /* no such magic number */
}

static enum verdict set_clock(const char *argument UNUSED)
{
    const struct timezone zone = {0, 0};
    return by_result(settimeofday(NULL, &zone)); /* the kernel's time zone, which nobody uses */
}

static enum verdict swap_on(const char *argument UNUSED)
{
    return by_passing(swapon("/nonexistent", 0), ENOENT);
}

static enum verdict account_processes(const char *argument UNUSED)
{
    return by_passing(acct("/nonexistent"), ENOENT);
}

static enum verdict load_kernel(const char *argument UNUSED)
{
    return by_passing(syscall(SYS_kexec_load, 0UL, 0UL, NULL, ~0UL), EINVAL);
}

static enum verdict unload_module(const char *argument UNUSED)
{
    return by_passing(syscall(SYS_delete_module, "attack_none", O_NONBLOCK), ENOENT);
}

static enum verdict open_ports(const char *argument UNUSED)
{
    return by_result(iopl(3));
}

static enum verdict read_kernel_log(const char *argument UNUSED)
{
    static char buffer[256];
    return by_result(syscall(SYS_syslog, 3 /* read all */, buffer, sizeof(buffer)));
}

static enum verdict sync_quotas(const char *argument UNUSED)
{
    return by_result(quotactl(QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL));
}

/* ---- sockets of families that a program has no use for ---- */

static enum verdict open_netlink(const char *argument UNUSED)
{
    return by_result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static enum verdict open_alg(const char *argument UNUSED)
{
    return by_result(socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}

static enum verdict open_packet(const char *argument UNUSED)
{
    return by_result(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static enum verdict open_vsock(const char *argument UNUSED)
{
    return by_result(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static enum verdict open_xdp(const char *argument UNUSED)
{
    return by_result(socket(FAMILY_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static enum verdict open_raw(const char *argument UNUSED)
{
    return by_result(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1 /* ICMP */));
}

/* ---- terminals ---- */

/* Types a character into a terminal of our own, or, where there is none to be had, into whatever
 * standard input is. */
static enum verdict type_into_terminal(const char *argument UNUSED)
{
    char letter = 'x';
    int terminal = STDIN_FILENO;
    const pid_t child = fork(); /* to lead a session */
    if (child == 0) {
        const int controller = posix_openpt(O_RDWR | O_NOCTTY);
        if (controller >= 0 && grantpt(controller) == 0 && unlockpt(controller) == 0 &&
            setsid() > 0) {
            const char *name = ptsname(controller);
            const int opened = name != NULL ? open(name, O_RDWR | O_NOCTTY) : -1;
            terminal = opened >= 0 && ioctl(opened, TIOCSCTTY, 0) == 0 ? opened : terminal;
        }
        _exit((int)by_result(ioctl(terminal, TIOCSTI, &letter)));
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return by_result(-1);
    }
    return (enum verdict)WEXITSTATUS(status);
}

#define MOUNTS "no_capabilities,seccomp,landlock_files"
#define ADMIN  "no_capabilities,seccomp"
#define HOST   "user_namespace,seccomp"

const struct attack kernel_attacks[] = {
    {"mount_tmpfs", "mounts", MOUNTS, "mount", "", mount_tmpfs, "mount a file system"},
    {"mount_by_context", "mounts", MOUNTS, "fsopen", "", mount_by_context,
     "mount one by fsopen, fsconfig, fsmount, move_mount"},
    {"unmount_proc", "mounts", MOUNTS, "umount2", "", unmount_proc,
     "take /proc and its masks away"},
    {"remount_writable", "mounts", MOUNTS, "mount", "", remount_writable,
     "make /usr writable by a remount"},
    {"set_mount_writable", "mounts", ADMIN, "mount_setattr", "", set_mount_writable,
     "make /usr writable by mount_setattr"},
    {"copy_tree", "mounts", ADMIN, "open_tree", "", copy_tree, "copy a mount by open_tree"},
    {"chroot", "mounts", ADMIN, "chroot", "", change_root, "change the root directory"},
    {"pivot_root", "mounts", MOUNTS, "mount", "", pivot, "change the root mount"},
    {"release_agent", "mounts", "user_namespace,no_capabilities,seccomp,landlock_files", "mount",
     "", mount_release_agent, "have the host run a program when a control group empties"},
    {"open_by_handle", "files", HOST, "name_to_handle_at", "", open_by_handle,
     "open a file by its handle, around every path"},
    {"unshare_user", "namespaces", "seccomp", "unshare", "", unshare_user,
     "make a user namespace, and have every capability in it"},
    {"unshare_mounts", "namespaces", ADMIN, "unshare", "", unshare_mounts,
     "make a mount namespace"},
    {"unshare_network", "namespaces", ADMIN, "unshare", "", unshare_network,
     "make a network namespace"},
    {"clone_user", "namespaces", "seccomp", "clone", "", clone_user,
     "make a user namespace by clone"},
    {"clone3_user", "namespaces", "seccomp", "", "", clone3_user,
     "make a user namespace by clone3"},
    {"clone_sibling", "processes", "seccomp", "clone", "", clone_sibling,
     "start a process that is the parent's child"},
    {"enter_namespace", "namespaces", ADMIN, "setns", "", enter_namespace, "enter a namespace"},
    {"set_host_name", "namespaces", ADMIN, "sethostname", "", set_host_name, "set the host name"},
    {"trace_child", "processes", "seccomp", "ptrace", "", trace_child, "trace another process"},
    {"read_child_memory", "processes", "seccomp", "process_vm_readv", "", read_child_memory,
     "read another process's memory"},
    {"take_child_descriptor", "processes", "seccomp", "pidfd_getfd", "", take_child_descriptor,
     "take a descriptor out of another process"},
    {"compare_descriptors", "processes", "seccomp", "kcmp", "", compare_descriptors,
     "learn about kernel objects by kcmp"},
    {"limit_child", "processes", "seccomp", "prlimit64", "", limit_child,
     "set another process's limits"},
    {"bpf", "kernel", HOST, "bpf", "", make_bpf_map, "make a BPF map"},
    {"perf_event_open", "kernel", "seccomp", "perf_event_open", "", open_perf_event,
     "count the processor's events"},
    {"userfaultfd", "kernel", "seccomp", "userfaultfd", "", open_userfaultfd,
     "hold up page faults"},
    {"io_uring", "kernel", "seccomp", "io_uring_setup", "", set_up_io_uring,
     "make system calls that no filter sees"},
    {"fanotify", "kernel", "seccomp", "fanotify_init", "", watch_file_systems,
     "watch file systems"},
    {"seccomp_listener", "kernel", "seccomp", "seccomp", "", listen_to_calls,
     "answer system calls of others"},
    {"socket_filter", "kernel", "seccomp", "setsockopt", "", attach_filter,
     "have the kernel compile a socket filter"},
    {"io_setup", "kernel", "seccomp", "io_setup", "", set_up_io,
     "take of the host's asynchronous input and output"},
    {"huge_pages", "kernel", "seccomp", "mmap", "", map_huge_page, "take the host's huge pages"},
    {"core_limit", "kernel", "seccomp", "prlimit64", "", set_core_limit,
     "have the host's handler of core dumps run"},
    {"ustat", "others", "seccomp", "ustat", "", see_file_system, "see how full another's disk is"},
    {"watch_files", "others", "seccomp", "inotify_add_watch", "", watch_programs,
     "see which programs others open"},
    {"watch_directory", "others", "seccomp", "fcntl", "", be_notified, "the same by signal"},
    {"add_key", "kernel", "seccomp", "add_key", "", add_key, "store a key in the kernel"},
    {"memfd_secret", "kernel", "seccomp", "memfd_secret", "", make_secret_memory,
     "take memory that even the kernel cannot see"},
    {"modify_ldt", "kernel", "seccomp", "modify_ldt", "", write_ldt, "change segments"},
    {"personality", "kernel", "seccomp", "personality", "", fix_addresses,
     "turn address randomization off"},
    {"leave_core_group", "kernel", "seccomp", "prctl", "", leave_core_group,
     "leave the group that shares processor cores"},
    {"allow_speculation", "kernel", "speculation", "", "", allow_speculation,
     "turn the speculative store bypass on again"},
    {"int80", "kernel", "seccomp", "", "", enter_by_int80, "enter by the 32-bit gate"},
    {"x32", "kernel", "seccomp", "", "", enter_by_x32, "enter by the x32 table"},
    {"reboot", "machine", ADMIN, "reboot", "", reboot_machine, "restart the machine"},
    {"settimeofday", "machine", HOST, "settimeofday", "", set_clock, "set the clock"},
    {"swapon", "machine", HOST, "swapon", "", swap_on, "add swap space"},
    {"acct", "machine", HOST, "acct", "", account_processes, "turn process accounting on"},
    {"kexec_load", "machine", HOST, "kexec_load", "", load_kernel, "load another kernel"},
    {"delete_module", "machine", HOST, "delete_module", "", unload_module, "unload a module"},
    {"iopl", "machine", HOST, "iopl", "", open_ports, "reach the machine's ports"},
    {"syslog", "machine", HOST, "syslog", "", read_kernel_log, "read the kernel's log"},
    {"quotactl", "machine", "seccomp", "quotactl", "", sync_quotas, "change disk quotas"},
    {"socket_netlink", "sockets", "seccomp", "socket", "", open_netlink, "open AF_NETLINK"},
    {"socket_alg", "sockets", "seccomp", "socket", "", open_alg, "open AF_ALG"},
    {"socket_packet", "sockets", HOST, "socket", "", open_packet, "open AF_PACKET"},
    {"socket_vsock", "sockets", "seccomp", "socket", "", open_vsock, "open AF_VSOCK"},
    {"socket_xdp", "sockets", HOST, "socket", "", open_xdp, "open AF_XDP"},
    {"socket_raw", "sockets", HOST, "socket", "", open_raw, "open a raw IP socket"},
    {"tiocsti", "terminals", "built_root,no_terminal,seccomp", "ioctl", "", type_into_terminal,
     "type into a terminal"},
};
const size_t kernel_attack_count = COUNT_OF(kernel_attacks);
