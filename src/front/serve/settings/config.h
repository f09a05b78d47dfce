/*
 * The configuration file: YAML of the operator's, as a tree for settings.c.
 */
#ifndef SERVE_CONFIG_H
#define SERVE_CONFIG_H

#include "base/yaml.h"

#include <cella/cella.h>

/* *ret_yaml is NULL for a file that says nothing, and, when `optional`, for one that is not there.
 * CELLA_ERROR_HOST for one that is no YAML, no regular file, too large, or that others than root
 * and we could have written. */
int config_open(const char *path, bool optional, struct yaml_text **ret_yaml,
                struct cella_error *err) __attribute__((warn_unused_result));

#endif
