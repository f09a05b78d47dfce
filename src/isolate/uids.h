/*
 * The host uids that runs get: their range, and what must not be in it.
 *
 * Shared by glibc and musl code.
 */
#ifndef ISOLATE_UIDS_H
#define ISOLATE_UIDS_H

#include <stdbool.h>

/* systemd's table of uids (systemd.io/UIDS-GIDS) gives nothing from 1879048192 to 2147483647. */
#define UIDS_FIRST 1900000000U
#define UIDS_COUNT 65536U
#define UIDS_LAST  (UIDS_FIRST + UIDS_COUNT - 1U)

/* Whether a line of /etc/passwd (name:x:UID:...) or of /etc/subuid (name:FIRST:COUNT) claims a uid
 * of the range.  What follows the line's end does not matter. */
enum uids_file { UIDS_PASSWD, UIDS_SUBUID };
bool uids_claimed(const char *line, enum uids_file file);

#endif
