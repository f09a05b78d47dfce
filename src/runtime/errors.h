/*
 * How a language says that a program failed, as data: the key `errors` of a runtime's file.
 *
 * Rules find the report of an error in what the program or the compiler wrote, and its parts by the
 * names of groups; hints say what to do about one.  diagnose/ applies them.
 */
#ifndef RUNTIME_ERRORS_H
#define RUNTIME_ERRORS_H

#include "base/attributes.h"
#include "base/json.h"
#include "base/pattern.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stddef.h>

#define ERRORS_ROWS_MAX       64   /* rules, or hints, of one runtime */
#define ERRORS_TEXT_MAX       512U /* bytes of one text of a rule or hint */
#define ERRORS_LIST_MAX       16384U
#define ERRORS_EXIT_CODES_MAX 16U

/* The entry file, as the one thing that a rule may say for a file. */
#define ERRORS_ENTRY "{entry}"

/* What a rule's groups may be called. */
#define ERRORS_GROUPS(X)                                                                           \
    X(CLASS, "class")                                                                              \
    X(MESSAGE, "message")                                                                          \
    X(FILE, "file")                                                                                \
    X(LINE, "line")                                                                                \
    X(COLUMN, "column")                                                                            \
    X(FUNCTION, "function")                                                                        \
    X(FRAMES, "frames") /* the part in which frames are found */                                   \
    X(SHOWN, "shown")   /* the line of the source as the report repeats it */                      \
    X(CARET, "caret")   /* what stands before the caret below that line */                         \
    X(CAUSE, "cause")   /* the error that led to this one */

#define ERRORS_GROUP_ENUM(id, name) ERRORS_GROUP_##id,
enum errors_group { ERRORS_GROUPS(ERRORS_GROUP_ENUM) ERRORS_GROUP_COUNT };
#undef ERRORS_GROUP_ENUM
extern const char *const errors_group_names[ERRORS_GROUP_COUNT];

enum errors_stage { ERRORS_IN_RUN = 1, ERRORS_IN_COMPILE = 2 }; /* bits */
enum errors_take { ERRORS_TAKE_FIRST, ERRORS_TAKE_LAST };
enum errors_innermost { ERRORS_INNERMOST_FIRST, ERRORS_INNERMOST_LAST };
enum errors_stream { ERRORS_ON_STDERR, ERRORS_ON_STDOUT };
/* What the function of a frame is: the one that its line lies in, or the one called there. */
enum errors_functions { ERRORS_FUNCTIONS_INSIDE, ERRORS_FUNCTIONS_CALLED };

struct errors_rule {
    struct pattern *match;
    struct pattern *frame; /* of one frame, within the group `frames`; NULL: there are none */
    unsigned stages;       /* enum errors_stage */
    enum errors_stream stream;
    enum errors_take take;
    enum errors_innermost innermost;
    enum errors_functions functions;
    int first_column;      /* how the first column of a line is counted: 0 or 1 */
    char *class, *message; /* texts where the group has nothing; NULL: none */
    char *file;            /* ERRORS_ENTRY: meant where no file of the request is named; or NULL */
    char *hint;            /* used when every group in it has something; NULL: none */
    int exit_codes[ERRORS_EXIT_CODES_MAX]; /* with which such a program ends; none: with any */
    size_t exit_code_count;
};

enum errors_limit { ERRORS_NO_LIMIT, ERRORS_LIMIT_MEMORY, ERRORS_LIMIT_STACK };

struct errors_hint {
    struct pattern *match;   /* of "class: message" */
    char *hint;              /* NULL: the row is there for its limit */
    char *closest, *package; /* the group to look up; NULL: none */
    enum errors_limit limit; /* what this language says when it has reached it */
    unsigned peak_percent;   /* of the memory limit, that must have been in use for that */
};

struct errors {
    char *like; /* the runtime whose own rules and hints come after these; NULL: none */
    const struct errors *like_errors; /* they, once runtime_errors() has found them */
    struct errors_rule *rules;
    size_t rule_count;
    struct errors_hint *hints;
    size_t hint_count;
    char *names;    /* words that a misspelt name may have meant, one after another; or NULL */
    char *packages; /* lines "MODULE PACKAGE"; or NULL */
};

/* From the value of the key.  CELLA_ERROR_CALLER with the place, as all readers of base/json.h. */
int errors_read(json_t *value, const struct json_where *where, struct errors **ret_errors,
                struct cella_error *err) MUST_CHECK;
/* From the text of a runtime's file: CELLA_ERROR_HOST with file, line and column.  NULL when it has
 * no such key. */
int errors_read_text(const char *file, const char *text, size_t size, struct errors **ret_errors,
                     struct cella_error *err) MUST_CHECK;
void errors_destroy(struct errors *errors);

/* The size of a "{word}" that `text` begins with, braces included; 0 when it begins with none. */
size_t errors_placeholder(const char *text);

#endif
