/* See strays.h. */
#include "isolate/native/strays.h"

#include "base/attributes.h"
#include "isolate/native/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether that descriptor is a pidfd of it (proc(5), /proc/PID/fdinfo). */
static bool is_pidfd_of(int directory, const char *name, pid_t pid)
{
    char text[1024];
    char line[32];
    (void)snprintf(line, sizeof(line), "\nPid:\t%d\n", (int)pid);
    return sys_read_file(directory, name, text, sizeof(text)) > 0 && strstr(text, line) != NULL;
}

/* In doubt it is: then it stays. */
static bool is_known(pid_t pid)
{
    DIR *descriptors = opendir("/proc/self/fdinfo");
    const struct dirent *entry = NULL;
    bool known = descriptors == NULL;
    while (!known && (entry = readdir(descriptors)) != NULL) {
        known = entry->d_name[0] != '.' && is_pidfd_of(dirfd(descriptors), entry->d_name, pid);
    }
    if (descriptors != NULL) {
        (void)closedir(descriptors); /* read only */
    }
    return known;
}

static bool is_dead(pid_t pid)
{
    siginfo_t ended = {.si_pid = 0};
    return waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid == pid;
}

void strays_reap(void)
{
    FILE *children = fopen("/proc/thread-self/children", "re");
    int pid = 0;
    while (children != NULL && fscanf(children, "%d", &pid) == 1) {
        if (is_dead(pid) && !is_known(pid)) {
            IGNORE(waitpid(pid, NULL, WNOHANG) < 0); /* dead, and nobody else waits for it */
        }
    }
    if (children != NULL) {
        (void)fclose(children); /* read only */
    }
}
