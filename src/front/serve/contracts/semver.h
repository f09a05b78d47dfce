/*
 * Versions and the selectors of versions that npm's clients write: "3.11.2" and "*", "3.x",
 * "^3.10", "~3.11.1", ">=3 <4", "1.2 - 2", "a || b".  Pure.
 *
 * Versions are of three numbers; what stands behind them ("-rc1", "+build") is not looked at: the
 * versions that are selected here are those of installed programs.
 */
#ifndef SERVE_SEMVER_H
#define SERVE_SEMVER_H

#include <stdbool.h>
#include <stdint.h>

#define SEMVER_PARTS 3U

struct semver {
    uint32_t part[SEMVER_PARTS]; /* major, minor, patch */
};

/* The version that a program says it is, as far as there are numbers: 3.1.2 of "3.1.2p20", 9.0.0 of
 * "9.0". */
struct semver semver_of(const char *text);

/* Below 0, 0 or above it. */
int semver_compare(const struct semver *left, const struct semver *right);

/* Whether the selector takes it.  One that cannot be read takes none. */
bool semver_satisfies(const struct semver *version, const char *selector);

/* Whether the selector is one version in full, and nothing else: then *ret_version. */
bool semver_is_exact(const char *selector, struct semver *ret_version);

#endif
