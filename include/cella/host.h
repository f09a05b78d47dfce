/*
 * libcella: what there is to know without running anything — the limits and their flags, the
 * languages, this host's fitness, and what a result has to say to a person besides its verdict.
 * Fronts need it; a program that only runs code needs cella.h alone.
 *
 * Tables are read by index: the function fills one row and returns 1, or returns 0 behind the last
 * row.  Lists that must be found out are given row by row to a function of the caller's; a row's
 * strings are valid during that call.
 */
#ifndef CELLA_HOST_H
#define CELLA_HOST_H

#include <cella/cella.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tables ---- */

struct cella_limit {
    const char *name;       /* in a request, "wall_ms" */
    const char *flag;       /* of `cella run`, without the dashes, "time" */
    const char *argument;   /* what the flag takes: "TIME", "SIZE", "COUNT", "NUMBER" */
    const char *help;       /* what is limited */
    char default_value[32]; /* for a person, "10 s"; empty when it follows from other limits */
};
CELLA_API int cella_limit(size_t index, struct cella_limit *ret_limit);

/* Each word that cella_result_status() can give; NULL behind the last. */
CELLA_API const char *cella_status_name(size_t index);

/* The exit code of `cella run` for a run that did not take place because of such an error. */
CELLA_API int cella_error_exit_code(enum cella_error_kind kind);

/* The name that was probably meant by `word`, or NULL when none is near. */
CELLA_API const char *cella_closest_name(const char *word, const char *const *names, size_t count);

/* ---- languages ---- */

struct cella_language {
    const char *name; /* "python" */
    const char *const *aliases;
    size_t alias_count;
    const char *version; /* of the interpreter or compiler; "" when absent or silent about it */
    const char *path;    /* the interpreter; "" when absent */
    const char *package; /* the Debian package that brings it */
    const char *file;    /* the runtime file that describes it */
    const char *entry;   /* what the entry file is called when a request does not say */
    const char *const *extensions; /* what its files' names end with, with the dot */
    size_t extension_count;
    int compiled;        /* there is a compile stage */
    const char *problem; /* "", or why its file is wrong: then only `name` says anything */
};
/* Every language by name, those with a wrong file last.  `options` may be NULL. */
CELLA_API int cella_languages(const struct cella_options *options,
                              void (*row)(void *context, const struct cella_language *language),
                              void *context, struct cella_error *err);
/* The same as JSON, NUL-terminated; free() it. */
CELLA_API int cella_languages_json(const struct cella_options *options, char **ret_json,
                                   struct cella_error *err);

/* What is wrong with a runtime file, wherever it lies: calls `problem` with each thing, whose text
 * begins with file, line and column.  Returns 0 when there is nothing, and has called `row` with
 * the language, without a version, since nothing of the file is executed; 1 when `problem` was
 * called; -1 when there is no such file.  `options` may be NULL. */
CELLA_API int cella_language_check(const struct cella_options *options, const char *file,
                                   void (*problem)(void *context,
                                                   const struct cella_error *problem),
                                   void (*row)(void *context,
                                               const struct cella_language *language),
                                   void *context, struct cella_error *err);

/* Reads the files of languages again, for runs that are begun from now on; an engine reads each
 * once.  -1 with file, line and column when one is wrong: then they all stay what they were. */
CELLA_API int cella_engine_read_languages(struct cella_engine *engine, struct cella_error *err);

#define CELLA_LANGUAGE_NAME_MAX 64 /* with its NUL */
/* The language of a file, by the extension of `file_name`, else by the #! line at the start of
 * `head`, which is the file's first bytes.  CELLA_ERROR_RUNTIME when neither says. */
CELLA_API int cella_language_guess(struct cella_engine *engine, const char *file_name,
                                   const char *head, size_t head_size,
                                   char ret_name[CELLA_LANGUAGE_NAME_MAX], struct cella_error *err);

/* Whether the name of a file ends as those of a language (a name or alias) do.  An unknown language
 * has no files. */
CELLA_API int cella_language_has_file(struct cella_engine *engine, const char *language,
                                      const char *file_name);

/* ---- this host ---- */

enum cella_fitness {
    CELLA_FIT,     /* as it should be */
    CELLA_PARTIAL, /* runs work, with less than there could be */
    CELLA_UNFIT,   /* runs are refused */
};

struct cella_finding {
    const char *name; /* of what was looked at, "user namespaces" */
    enum cella_fitness fitness;
    const char *found;   /* what is there */
    const char *meaning; /* what the gap means; "" when fit */
    const char *remedy;  /* the command that closes it; "" when fit, or when there is none */
};
/* Looks at everything that runs need, by trying it where it can be tried, and ends with a run.
 * `options` may be NULL. */
CELLA_API int cella_doctor(const struct cella_options *options,
                           void (*row)(void *context, const struct cella_finding *finding),
                           void *context, struct cella_error *err);
CELLA_API int cella_doctor_json(const struct cella_options *options, char **ret_json,
                                enum cella_fitness *ret_worst, struct cella_error *err);

/* ---- results ---- */

/* What the compiler wrote, when the run ended with it; NULL when the program itself was run. */
CELLA_API const char *cella_result_compiler_output(const struct cella_result *result,
                                                   enum cella_stream stream, size_t *ret_size);

#define CELLA_NOTE_MAX 192 /* with its NUL */
/* What a person should know besides the verdict, a sentence each: output that was cut, limits held
 * without a control group, patterns that no file matched.  Returns 0 when there is no such note. */
CELLA_API int cella_result_note(const struct cella_result *result, size_t index,
                                char ret_note[CELLA_NOTE_MAX]);

#ifdef __cplusplus
}
#endif
#endif
