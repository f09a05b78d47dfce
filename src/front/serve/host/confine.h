/*
 * The server confines itself before it reads a byte from outside, so that whoever took it over by
 * what it parses would have little: no capability, no new privileges, no file but those that it
 * works with (Landlock), no socket but those that it has, and none of the calls by which
 * namespaces, mounts, other processes and the kernel are got at (seccomp).
 *
 * It cannot be undone, and holds for what the server starts: interpreters that are asked for their
 * version.  What it needs and must not do itself, starting a keeper and connecting to
 * a collector of traces, is the spawner's (spawner.h).  A part that needs another file gets a line
 * in confine.c for it.
 */
#ifndef SERVE_CONFINE_H
#define SERVE_CONFINE_H

#include "front/serve/settings/settings.h"

#include <cella/cella.h>
#include <stdbool.h>

/* X(id, name).  Landlock's hold where the kernel has them; without the others no server starts. */
#define CONFINE_LAYERS(X)                                                                          \
    X(PRIVILEGES, "no_new_privileges")                                                             \
    X(CAPABILITIES, "no_capabilities")                                                             \
    X(FILES, "landlock_files")                                                                     \
    X(NETWORK, "landlock_network")                                                                 \
    X(SIGNALS, "landlock_signals")                                                                 \
    X(CALLS, "seccomp")

#define CONFINE_ENUM(id, ...) CONFINE_##id,
enum confine_layer { CONFINE_LAYERS(CONFINE_ENUM) CONFINE_COUNT };
#undef CONFINE_ENUM

const char *confine_name(enum confine_layer layer);

/* Everything that is to be open has been opened.  `ret_holds` says which layers hold. */
int confine(const struct settings *settings, bool ret_holds[CONFINE_COUNT], struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
