/* What all sandboxes of a keeper share: see sandbox.h. */
#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/fault.h"
#include "isolate/native/sandbox.h"
#include "isolate/native/sys.h"
#include "isolate/uids.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bytes of init and of the guest library, put into the keeper by the build. */
extern const unsigned char cella_init_bytes[], cella_guest_bytes[];
extern const uint64_t cella_init_size, cella_guest_size;

static bool owns_run_uids(void);
static int keep_capabilities(struct cella_error *err);
static int enter_own_namespace(struct cella_error *err);
static int seal(const char *name, const unsigned char *bytes, uint64_t size,
                struct cella_error *err);

int sandbox_host_open(struct sandbox_host *host, struct cella_error *err)
{
    *host = (struct sandbox_host){.privileged = owns_run_uids(),
                                  .init_program = -1,
                                  .guest_library = -1,
                                  .io_file = -1,
                                  .fault = fault_step(),
                                  .processor_last = -1,
                                  .spare = {.pid = -1}};
    cgroup_host_open(&host->cgroups);
    const int entered = host->privileged ? keep_capabilities(err) : enter_own_namespace(err);
    if (entered != 0 ||
        (host->init_program = seal("cella-init", cella_init_bytes, cella_init_size, err)) < 0) {
        sandbox_host_close(host);
        return -1;
    }
    return 0;
}

void sandbox_host_close(struct sandbox_host *host)
{
    if (host->spare.pid > 0) {
        sandbox_discard(&host->spare);
    }
    cgroup_host_close(&host->cgroups);
    fd_close(&host->init_program);
    fd_close(&host->guest_library);
    fd_close(&host->io_file);
}

int sandbox_host_open_nests(struct sandbox_host *host, struct cella_error *err)
{
    if (host->guest_library < 0) {
        host->guest_library = seal("cella-guest", cella_guest_bytes, cella_guest_size, err);
    }
    if (host->io_file < 0) {
        host->io_file = open("/proc/self/io", O_RDONLY | O_CLOEXEC); /* not every kernel has it */
    }
    return host->guest_library >= 0 ? 0 : -1;
}

void sandbox_host_make_ahead(struct sandbox_host *host)
{
    struct cella_error unused;
    enum step step = STEP_COUNT;
    if (sandbox_prepare(host, CHILD_RUN, 0, &host->spare, &step, &unused) != 0) {
        host->spare.pid = -1; /* tried again when it is needed, and then the error is told */
    }
    cgroup_sweep(&host->cgroups); /* now, while that one sets itself up */
}

bool sandbox_host_tidy(struct sandbox_host *host)
{
    return cgroup_host_remove_dying(&host->cgroups);
}

/* Whether the uids for runs exist in the user namespace that we are in: as root of a container they
 * may not, and then we are an ordinary user. */
static bool owns_run_uids(void)
{
    char text[1024];
    if (geteuid() != 0 || sys_read_file(AT_FDCWD, "/proc/self/uid_map", text, sizeof(text)) <= 0) {
        return false;
    }
    for (const char *line = text; line != NULL && *line != '\0';) {
        uint64_t inside = 0, outside = 0, count = 0;
        if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &inside, &outside, &count) == 3 &&
            inside <= UIDS_FIRST && inside + count > UIDS_LAST) {
            return true;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return false;
}

/* Changing the effective uid shall not change capabilities (prepare.c). */
static int keep_capabilities(struct cella_error *err)
{
    if (sys_prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot set the keeper's securebits");
    }
    return 0;
}

/* Without privilege: a user namespace of our own, in which the sandboxes' ones nest. */
static int enter_own_namespace(struct cella_error *err)
{
    char map[64];
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER) != 0) {
        error_set(err, CELLA_ERROR_HOST, errno, "cannot make a user namespace");
        return error_set_hint(err, "`cella doctor` says which setting of this host forbids it");
    }
    (void)snprintf(map, sizeof(map), "0 %u 1\n", uid);
    if (sys_write_file(AT_FDCWD, "/proc/self/uid_map", map) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot map uid %u", uid);
    }
    (void)snprintf(map, sizeof(map), "0 %u 1\n", gid);
    if (sys_write_file(AT_FDCWD, "/proc/self/setgroups", "deny") != 0 ||
        sys_write_file(AT_FDCWD, "/proc/self/gid_map", map) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot map gid %u", gid);
    }
    return 0;
}

/* A copy that no one can write, not even through /proc/PID/exe of a process that runs it. */
static int seal(const char *name, const unsigned char *bytes, uint64_t size,
                struct cella_error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || write(fd, bytes, (size_t)size) != (ssize_t)size || fchmod(fd, 0555) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
        error_set(err, CELLA_ERROR_HOST, errno, "cannot make a sealed copy of %s", name);
        fd_close(&fd);
    }
    return fd;
}
