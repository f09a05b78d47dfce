/*
 * In a test build: a confined server tries what its confinement is to stop, so that tests can see
 * that it does, and that without it the same would succeed.
 */
#ifndef SERVE_ATTEMPTS_H
#define SERVE_ATTEMPTS_H

#include "front/serve/settings/settings.h"

/* Where CELLA_ATTEMPTS names a directory that is to be out of reach: tries each of them and logs
 * "attempt NAME: " and what came of it. */
void attempts_make(const struct settings *settings);

#endif
