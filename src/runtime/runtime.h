/*
 * Runtimes: how a language is found, compiled and run, as data (runtimes/NAME.yaml).
 *
 * Directories are searched in order and the first file of a name wins: /etc/cella/runtimes.d, the
 * user's configuration directory, the installed or build tree.  Looking a language up by its name
 * reads one file; by an alias or extension, all of them.
 *
 * In argv and environment of a runtime these are replaced: {path} the program found by `path`,
 * {entry} the entry file, {entry_stem} the same without its extension, {output} the compiled
 * program, {memory_bytes} {memory_mib} {cpus} {stack_bytes} the limits, or of bytes a percentage as
 * in {memory_mib:75}; in argv, as words of their own, {args} the request's arguments,
 * {compile_args} likewise, {sources} every file of the request that has one of the language's
 * extensions, the entry last.
 */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include "base/attributes.h"
#include "policy/plan.h"
#include "request/spec.h"

#include <cella/error.h>
#include <stdbool.h>

/* The key of a runtime's file that is read only when a program has failed. */
#define RUNTIME_ERRORS_KEY "errors"

struct errors; /* runtime/errors.h */
struct runtime_version_memo;

/* How its programs can start quickly: as children of a zygote; or the interpreter is started before
 * there is a run, and serves one. */
enum runtime_start { RUNTIME_START_ANEW, RUNTIME_START_ZYGOTE, RUNTIME_START_ONE_SHOT };

struct runtime_warm {
    enum runtime_start start;
    struct spec_strings preload;  /* what that loads, by the language's own names */
    struct spec_strings cold_env; /* patterns of variables that the interpreter reads at its start:
                                     a request that sets one starts anew */
};

struct runtime {
    char *name;    /* "python" */
    char *file;    /* where it was read from */
    char *package; /* the Debian package that brings it */
    char *entry;   /* default name of the entry file, "main.py" */
    struct spec_strings aliases;
    struct spec_strings extensions; /* with the dot */
    struct spec_strings shebangs;   /* names of interpreters in a #! line */
    struct spec_strings path;       /* candidates, absolute; the first that exists is {path} */
    struct spec_strings needs;      /* further programs, absolute, that must exist */
    struct spec_strings version;    /* argv that prints the version */
    struct spec_strings run;        /* argv */
    struct spec_strings compile;    /* argv; empty: not compiled */
    struct spec_strings outputs;    /* globs of what compiling makes */
    struct spec_strings uncached;   /* words of sources that are compiled each time */
    char *output;                   /* {output}; NULL when not compiled */
    struct spec_variable *env;
    size_t env_count;
    struct plan_mount *mounts;
    size_t mount_count;
    struct limits limits; /* defaults that this language needs by nature, else LIMIT_UNSET */
    struct limits compile_limits;
    struct runtime_warm warm;
    struct runtime_version_memo *version_memo; /* NULL: nothing is remembered in the process */
    char *text; /* of the file, when it says how errors are read; else NULL */
    size_t text_size;
    struct errors *errors; /* NULL until somebody asks */
};

struct runtime_set;

/* `extra_dir` is searched first when not NULL. */
int runtime_set_open(const char *extra_dir, struct runtime_set **ret_set,
                     struct cella_error *err) MUST_CHECK;
/* One more closes it too.  Returns the set. */
struct runtime_set *runtime_set_hold(struct runtime_set *set);
void runtime_set_close(struct runtime_set *set);
/* The same directories, with every file in them read now.  Fails with the first that is wrong. */
int runtime_set_read_again(const struct runtime_set *set, struct runtime_set **ret_set,
                           struct cella_error *err) MUST_CHECK;

/* By name or alias, lower-cased and stripped.  The runtime belongs to the set.
 * CELLA_ERROR_RUNTIME for an unknown one, with the list and the closest name;
 * CELLA_ERROR_HOST for a file that cannot be read or is wrong, with its line. */
int runtime_find(struct runtime_set *set, const char *name, const struct runtime **ret_runtime,
                 struct cella_error *err) MUST_CHECK;
/* For a file of that name that begins with those bytes: by extension, else by #! line. */
int runtime_guess(struct runtime_set *set, const char *file_name, const char *head,
                  size_t head_size, const struct runtime **ret_runtime,
                  struct cella_error *err) MUST_CHECK;
/* Every runtime whose file is good, by name.  The array belongs to the set. */
int runtime_all(struct runtime_set *set, const struct runtime *const **ret_runtimes,
                size_t *ret_count, struct cella_error *err) MUST_CHECK;
/* After that: the files that are wrong.  They belong to the set. */
struct runtime_broken {
    char *name;
    struct cella_error error; /* with file, line and column */
};
size_t runtime_broken(const struct runtime_set *set, const struct runtime_broken **ret_broken);

/* Whether it has a compile stage; NULL, which is a bare command, has none. */
static inline bool runtime_is_compiled(const struct runtime *runtime)
{
    return runtime != NULL && runtime->compile.count > 0;
}

/* The entry file's name: the request's, else the runtime's.  `spec` may be NULL. */
const char *runtime_entry(const struct runtime *runtime, const struct spec *spec);

/* Whether a file's name ends in one of the language's extensions, in either case. */
bool runtime_has_extension(const struct runtime *runtime, const char *file_name);
/* How its errors are read; NULL when its file does not say.  Read at the first question and kept;
 * they belong to the set.  CELLA_ERROR_HOST with file, line and column when that part of the file
 * is wrong, which nobody has looked at before. */
int runtime_errors(struct runtime_set *set, const struct runtime *runtime,
                   const struct errors **ret_errors, struct cella_error *err) MUST_CHECK;

/* The interpreter's path on this host.  CELLA_ERROR_RUNTIME naming the package when there is none.
 * The string belongs to the runtime. */
int runtime_locate(const struct runtime *runtime, const char **ret_path,
                   struct cella_error *err) MUST_CHECK;

/* What is wrong with one runtime file, wherever it lies: calls `problem` with each thing, which
 * says file, line and column: what the file itself may not say, and aliases, extensions and #!
 * names that another runtime of the set has already.  0 with the runtime, which is the caller's,
 * when there is nothing; 1 when `problem` was called; -1 when the file cannot be read at all. */
struct runtime_problems {
    void (*problem)(void *context, const struct cella_error *problem);
    void *context;
};
int runtime_check(struct runtime_set *set, const char *file,
                  const struct runtime_problems *problems, struct runtime **ret_runtime,
                  struct cella_error *err) MUST_CHECK;
void runtime_destroy(struct runtime *runtime);

/* The interpreter's version, remembered in the process and in the user's cache directory by path,
 * size and time of change of the program; probed by running it (outside a sandbox: it is the host's
 * own program) when not remembered.  `path` must be as runtime_locate() gave it.  `ret_version`
 * gets "" when it does not say. */
void runtime_version(const struct runtime *runtime, const char *path, char *ret_version,
                     size_t version_size);

#endif
