/* What the zygote finds out about its own process: see guest.h. */
#include "base/fd.h"
#include "guest.h"
#include "isolate/native/sys.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAPS_MAX (1024 * 1024) /* of /proc/self/maps: a program with ten thousand mappings */

bool guest_has_one_thread(void)
{
    char status[4096];
    if (sys_read_file(AT_FDCWD, "/proc/thread-self/status", status, sizeof(status)) <= 0) {
        return false;
    }
    return strstr(status, "\nThreads:\t1\n") != NULL;
}

/* OpenBLAS starts its threads when it is loaded, ends them before a fork, and starts them again at
 * the first use after it: by a function of its own that is told of forks. */
static int end_threads_of(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    if (strstr(object->dlpi_name, "blas") != NULL) {
        void *library = dlopen(object->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
        void *address = library == NULL ? NULL : dlsym(library, "blas_thread_shutdown_");
        if (address != NULL) {
            int (*shut_down)(void);
            memcpy(&shut_down, &address, sizeof(shut_down));
            (void)shut_down(); /* whether threads are left is looked at */
        }
        if (library != NULL) {
            IGNORE(dlclose(library) != 0); /* it stays loaded */
        }
    }
    return 0;
}

void guest_end_threads(void)
{
    (void)dl_iterate_phdr(end_threads_of, NULL);
}

/* A mapping that children would share with each other, and write to. */
bool guest_has_shared_mapping(void)
{
    char *maps = malloc(MAPS_MAX);
    ssize_t got = 1;
    size_t size = 0;
    int fd = open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
    while (maps != NULL && fd >= 0 && got > 0 && size < MAPS_MAX - 1) {
        got = read(fd, maps + size, MAPS_MAX - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    }
    bool found = maps == NULL || fd < 0 || got != 0; /* unknown counts as some */
    if (!found) {
        maps[size] = '\0';
        for (const char *line = maps; line != NULL && *line != '\0' && !found;) {
            const char *rights = strchr(line, ' ');
            found = rights != NULL && rights[2] == 'w' && rights[4] == 's';
            line = strchr(line, '\n');
            line = line != NULL ? line + 1 : NULL;
        }
    }
    fd_close(&fd);
    free(maps);
    return found;
}
