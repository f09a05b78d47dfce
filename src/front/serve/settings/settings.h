/*
 * What the server is told: by options, variables and a configuration file, in that order of
 * strength, and else by the defaults of the table in front/settings.h.  All of it is checked, also
 * what something stronger overrides.
 *
 * Options come from `cella serve` as words NAME=VALUE.  (This program is not for people to start.)
 * They and the variables stay as they are; the file can be read again.
 */
#ifndef SERVE_SETTINGS_H
#define SERVE_SETTINGS_H

#include "front/serve/settings/values.h"
#include "front/settings.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SETTINGS_ENUM(x, id, ...) SETTING_##id,
enum setting { SETTINGS(SETTINGS_ENUM, ) SETTING_COUNT };
#undef SETTINGS_ENUM

enum settings_source { SETTINGS_DEFAULT, SETTINGS_FILE, SETTINGS_VARIABLE, SETTINGS_OPTION };

/* Who has decided on a setting, and what was said. */
struct settings_said {
    enum settings_source source;
    char *text; /* values of a list with commas between; NULL: nothing */
};

#define SETTINGS_FIELD(x, id, name, field, kind, ...) VALUES_TYPE_##kind field;
struct settings {
    SETTINGS(SETTINGS_FIELD, )
    struct settings_said said[SETTING_COUNT]; /* by enum setting */
    char *const *words;                       /* the options */
    char *config;                             /* path of the file that was read; NULL: none */
    bool check;                               /* print those in force, and start nothing */
    bool tell_state;                          /* print that directory, likewise: for `cella key` */
};
#undef SETTINGS_FIELD

/* `words` must outlive the settings.  CELLA_ERROR_CALLER for an option or variable that makes no
 * sense; for a file CELLA_ERROR_HOST, with the line. */
int settings_read(char *const *words, struct settings *ret_settings, struct cella_error *err)
    __attribute__((warn_unused_result));
void settings_done(struct settings *settings);

/* Puts into `settings` what `fresh` says otherwise, of what can change without another start; then
 * `fresh` has what was there before.  `tell` is called for each difference, by its key
 * in the file, `changed` being false for those that cannot; an empty text: nothing is said. */
void settings_take(struct settings *settings, struct settings *fresh,
                   void (*tell)(const char *key, const char *text, bool changed));

/* Those in force, as a configuration file.  -1 when it cannot be written. */
int settings_print(const struct settings *settings, FILE *file) __attribute__((warn_unused_result));

#endif
