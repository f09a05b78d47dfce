/*
 * System calls that the C library has no function for (musl 1.2.3), and opening and writing small
 * files below a held directory.  For the keeper and init; allocates nothing.
 *
 * mount() and its flags come from the kernel's own header alone: <sys/mount.h> clashes with it.
 */
#ifndef ISOLATE_NATIVE_SYS_H
#define ISOLATE_NATIVE_SYS_H

#include "base/attributes.h"

#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

/* fork() with namespaces: returns 0 in the child, which goes on with a copy of everything. */
pid_t sys_clone3(const struct clone_args *args) MUST_CHECK;
int sys_pidfd_send_signal(int pidfd, int signal_number) MUST_CHECK;
/* Whether that process is dead then; a signal may cut the wait short. */
bool sys_dies_within(int pidfd, int time_ms) MUST_CHECK;
/* Waits for a child's end by its pidfd and fills in how it ended and what it used, where not NULL.
 * -1 with ECHILD at once for another process's child. */
struct rusage;
int sys_wait_pidfd(int pidfd, int *ret_status, struct rusage *ret_rusage) MUST_CHECK;
/* Whether that would not wait.  One that is dead must be waited for while another process traces
 * it. */
bool sys_can_wait(int pidfd);
/* Whether it is a child of ours, dead or alive. */
int sys_is_child(int pidfd) MUST_CHECK;
int sys_keep_on_processor(pid_t pid, int processor) MUST_CHECK; /* -1: any */
int sys_close_range(unsigned first, unsigned last, unsigned flags) MUST_CHECK;
int sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
              const char *data) MUST_CHECK;
int sys_umount_detach(const char *target) MUST_CHECK;
int sys_pivot_root(const char *new_root, const char *put_old) MUST_CHECK;
/* Sets MOUNT_ATTR_* of the mount at `path`, and makes it private: what the host mounts later does
 * not appear in it. */
int sys_mount_setattr(const char *path, uint64_t set) MUST_CHECK;
/* The path itself, of a file or directory (O_PATH).  It must be real: no part of it a link. */
int sys_open_path(const char *path) MUST_CHECK;
/* A copy of the mount at a path so opened, and with AT_RECURSIVE of all below it, attached nowhere;
 * let go of when closed. */
int sys_clone_tree(int path, unsigned recursive) MUST_CHECK;
/* Sets MOUNT_ATTR_* of one such copy, and shows its owners as `user_namespace` maps them. */
int sys_map_tree(int tree, uint64_t set, int user_namespace) MUST_CHECK;
/* The same for all mounts of such a copy. */
int sys_set_tree_attributes(int tree, uint64_t set) MUST_CHECK;
/* Attaches it on what `target` is a descriptor of. */
int sys_move_mount(int tree, int target) MUST_CHECK;
/* <sys/prctl.h> lacks the newer options in one library and clashes with the kernel's in another. */
int sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
              unsigned long d) MUST_CHECK;
/* One library declares the request as int, which its largest values do not fit. */
int sys_ioctl(int fd, unsigned long request, void *argument) MUST_CHECK;
/* One message with descriptors, of which there may be none; they stay the caller's. */
int sys_send(int socket, const void *bytes, size_t size, const int *descriptors,
             size_t count) MUST_CHECK;
/* The length of a message, 0 at the end, -1 on failure; `descriptors` has room for `max`, those not
 * sent are -1.  What comes is close-on-exec.  More descriptors than that, or a longer message:
 * EPROTO, and none is kept. */
ssize_t sys_receive(int socket, void *bytes, size_t size, int *descriptors, size_t max) MUST_CHECK;
int sys_execveat(int fd, char *const argv[], char *const envp[]) MUST_CHECK;

/* Every signal to its standard action, also those that the C libraries keep for themselves: their
 * sigaction() refuses to touch them. */
void sys_reset_signals(void);

/* Opens a path that may be hostile: it cannot leave `dir`, cross a mount, or pass a link.
 * O_CLOEXEC and O_NOFOLLOW are added. */
int sys_open_beneath(int dir, const char *path, uint64_t flags, mode_t mode) MUST_CHECK;

/* One write of the whole text to an existing file. */
int sys_write_file(int dir, const char *path, const char *text) MUST_CHECK;
/* Reads at most size - 1 bytes and adds a NUL.  Returns the length, -1 on failure. */
ssize_t sys_read_file(int dir, const char *path, char *text, size_t size) MUST_CHECK;
/* The number that the file starts with, or, with a key, the one behind "key " at the start of a
 * line.  UINT64_MAX when there is no such file or number. */
uint64_t sys_read_number(int dir, const char *path, const char *key);

#endif
