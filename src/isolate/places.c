/* See places.h. */
#include "isolate/places.h"

#include "base/attributes.h"

#include <stddef.h>
#include <string.h>

const char *const places_top[PLACES_TOP_COUNT] = {"/bin",   "/sbin",  "/lib",
                                                  "/lib64", "/lib32", "/libx32"};

/* Of these the sandbox has its own, or they tell of the host's accounts and keys. */
static const char *const closed[] = {
    "/etc/passwd",   "/etc/passwd-",     "/etc/shadow",        "/etc/shadow-",
    "/etc/group",    "/etc/group-",      "/etc/gshadow",       "/etc/gshadow-",
    "/etc/subuid",   "/etc/subgid",      "/etc/sudoers",       "/etc/sudoers.d",
    "/etc/hosts",    "/etc/hostname",    "/etc/nsswitch.conf", "/etc/resolv.conf",
    "/etc/ssh",      "/etc/ssl/private", "/etc/machine-id",    "/etc/krb5.keytab",
    "/etc/security", "/etc/cella",
};

/* The kernel's own file systems, and the sockets of the host's services. */
static const char *const kernels[] = {"/proc", "/sys", "/dev", "/run", "/var/run"};

/* Made by the sandbox itself. */
static const char *const made[] = {"/proc", "/sys", "/dev", "/tmp", "/workspace", "/program"};

static bool lies_in_any(const char *path, const char *const *directories, size_t count)
{
    size_t i = 0;
    while (i < count && !places_lies_in(path, directories[i])) {
        i++;
    }
    return i < count;
}

static bool holds_any(const char *path, const char *const *places, size_t count)
{
    size_t i = 0;
    while (i < count && !places_lies_in(places[i], path)) {
        i++;
    }
    return i < count;
}

bool places_is_plain(const char *path)
{
    const char *part = path;
    while (*part == '/') {
        const size_t length = strcspn(part + 1, "/");
        if (length == 0 || (length == 1 && part[1] == '.') ||
            (length == 2 && part[1] == '.' && part[2] == '.')) {
            return false;
        }
        part += 1 + length;
    }
    return part != path && *part == '\0';
}

bool places_lies_in(const char *path, const char *directory)
{
    const size_t size = strlen(directory);
    return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

bool places_is_base(const char *path)
{
    return places_lies_in(path, "/usr") || lies_in_any(path, places_top, PLACES_TOP_COUNT);
}

/* Of /var one place: GHC's list of its libraries, without which Debian's does nothing. */
bool places_is_for_programs(const char *path)
{
    return !lies_in_any(path, closed, ARRAY_LENGTH(closed)) &&
           !holds_any(path, closed, ARRAY_LENGTH(closed)) &&
           (places_is_base(path) || places_lies_in(path, "/opt") || places_lies_in(path, "/etc") ||
            places_lies_in(path, "/var/lib/ghc"));
}

const char *places_source_problem(const char *path, bool writable)
{
    if (!places_is_plain(path)) {
        return "must be an absolute path without '.', '..' or a slash at its end";
    }
    if (lies_in_any(path, kernels, ARRAY_LENGTH(kernels)) ||
        holds_any(path, kernels, ARRAY_LENGTH(kernels) - 1)) {
        return "leads into the kernel or to the host's services";
    }
    if (lies_in_any(path, closed, ARRAY_LENGTH(closed)) ||
        holds_any(path, closed, ARRAY_LENGTH(closed))) {
        return "tells of the host's accounts and keys";
    }
    if (writable &&
        (places_is_base(path) || places_lies_in(path, "/etc") || places_lies_in(path, "/boot"))) {
        return "is where the host's own programs and settings are, and nothing a run may write";
    }
    return NULL;
}

const char *places_target_problem(const char *path, bool writable)
{
    if (!places_is_plain(path)) {
        return "must be an absolute path without '.', '..' or a slash at its end";
    }
    if (writable && strcmp(path, "/workspace") == 0) {
        return NULL; /* what programs write is then kept */
    }
    if (lies_in_any(path, made, ARRAY_LENGTH(made)) ||
        lies_in_any(path, closed, ARRAY_LENGTH(closed)) || strcmp(path, "/etc") == 0 ||
        strcmp(path, "/run") == 0) { /* what is hidden is covered by it, because it is empty */
        return "is a place that the sandbox makes for itself";
    }
    bool is_top = strcmp(path, "/usr") == 0;
    for (size_t i = 0; i < PLACES_TOP_COUNT; i++) {
        is_top = is_top || strcmp(path, places_top[i]) == 0;
    }
    return is_top ? "is a place that every sandbox has; name something below it" : NULL;
}
