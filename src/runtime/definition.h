/*
 * What runtimes and policies have in common: each is a file NAME.yaml in one of several
 * directories, and the first directory that has the name wins.
 *
 * Such a file is the operator's and is trusted to be meant well, not to be right: names are checked
 * before they become file names, sizes and counts are bounded, every error says file, line and
 * column.  A file that everybody can write is nobody's and is refused.
 */
#ifndef RUNTIME_DEFINITION_H
#define RUNTIME_DEFINITION_H

#include "base/attributes.h"
#include "base/json.h"
#include "base/paths.h"
#include "base/yaml.h"
#include "request/spec.h"

#include <cella/error.h>
#include <stdbool.h>

#define DEFINITION_FILES_MAX 256 /* names in all directories of a kind */
#define DEFINITION_WORDS_MAX 64  /* elements of one list in a file */

/* Whether a runtime or policy may be called that: lower-case letters, digits, and '_', '-', '+',
 * '.' after the first; at most SPEC_NAME_MAX bytes. */
bool definition_name_is_good(const char *name);

struct definition {
    char *file; /* its path */
    char *text; /* all of it */
    size_t size;
    struct yaml_text *yaml;
    const char *last_key; /* that definition_read_before() was given, or NULL */
    bool cut;             /* the tree ends before it */
};

#define AUTO_DEFINITION CLEANUP(definition_done)
void definition_done(struct definition *definition);

/* Returns 1 with the file of that name read, 0 when no directory has it, -1 with CELLA_ERROR_HOST
 * when it cannot be read or is no good YAML.  A name that is not good is never there. */
int definition_read(const struct paths_dirs *dirs, const char *name,
                    struct definition *ret_definition, struct cella_error *err) MUST_CHECK;

/* definition_read() without the trouble of parsing what the member `last_key` of the root holds,
 * which may be as long as all the rest and is seldom needed: when that key is the file's last, and
 * its value indented as people write it, the tree ends before it. */
int definition_read_before(const struct paths_dirs *dirs, const char *name, const char *last_key,
                           struct definition *ret_definition, struct cella_error *err) MUST_CHECK;

/* One file wherever it lies.  CELLA_ERROR_CALLER when there is none. */
int definition_read_file(const char *path, struct definition *ret_definition,
                         struct cella_error *err) MUST_CHECK;
/* Whether a file is called as that of a definition is, wherever it lies.  *ret_name is what to call
 * what is in it, in any case: the last part of its path without ".yaml", cut to fit. */
bool definition_name_of_file(const char *path, char ret_name[SPEC_NAME_MAX + 1]) MUST_CHECK;
/* Whether it ends as the names of such files do. */
bool definition_is_file_name(const char *path);

/* The names that the directories hold, sorted, each once; added to an empty list. */
int definition_list(const struct paths_dirs *dirs, struct spec_strings *ret_names,
                    struct cella_error *err) MUST_CHECK;

/* "unknown WHAT 'NAME'; there are A, B, C", with the closest as the hint.  Returns -1. */
int definition_fail_unknown(struct cella_error *err, enum cella_error_kind kind, const char *what,
                            const char *name, const struct spec_strings *names,
                            const struct spec_strings *more_guesses);

/* ---- readers for the tables of base/json.h ---- */

/* A string that is not empty, copied over a NULL. */
int definition_read_word(json_t *value, const struct json_where *where, char **ret_word,
                         struct cella_error *err) MUST_CHECK;
/* A list of such strings. */
int definition_read_words(json_t *value, const struct json_where *where,
                          struct spec_strings *ret_words, struct cella_error *err) MUST_CHECK;
/* The same, each of which `problem_of` finds good: NULL, or what is wrong with it. */
int definition_read_checked_words(json_t *value, const struct json_where *where,
                                  const char *(*problem_of)(const char *word),
                                  struct spec_strings *ret_words,
                                  struct cella_error *err) MUST_CHECK;
/* What is wrong with a name, as those readers want it. */
const char *definition_name_problem(const char *name);
/* One value of a limit: a number, or text such as "10s". */
int definition_read_limit(enum limit limit, json_t *value, const struct json_where *where,
                          uint64_t *ret_value, struct cella_error *err) MUST_CHECK;
/* Refuses a name that is no limit, with the closest one; else gives it. */
int definition_limit_by_name(const char *name, const struct json_where *where,
                             enum limit *ret_limit, struct cella_error *err) MUST_CHECK;

#endif
