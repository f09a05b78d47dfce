/*
 * A request, typed and bounded: what the caller asked for, before any policy.
 *
 * spec_parse() makes it from JSON and is strict: an unknown field, a duplicate one, a wrong type, a
 * value out of range or a bad name is refused with the path to the field and, for a misspelt name,
 * the closest one.  Fronts without JSON fill a spec by the setters, which check the same things.
 * Nothing changes a spec after it was handed to an engine.
 */
#ifndef REQUEST_SPEC_H
#define REQUEST_SPEC_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/id.h"
#include "request/limits.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stddef.h>

/* Bounds of a request.  Over one of them it is refused with that bound's value. */
#define SPEC_JSON_MAX          ((size_t)192 << 20) /* the whole request as JSON */
#define SPEC_CODE_MAX          ((size_t)16 << 20)  /* the entry file */
#define SPEC_STDIN_MAX         ((size_t)64 << 20)
#define SPEC_FILES_MAX         4096U              /* files in the request */
#define SPEC_FILES_BYTES_MAX   ((size_t)64 << 20) /* their contents together */
#define SPEC_ARGS_MAX          1024U
#define SPEC_ARGS_BYTES_MAX    ((size_t)96 << 10)
#define SPEC_ENV_MAX           256U
#define SPEC_ENV_BYTES_MAX     ((size_t)64 << 10)
#define SPEC_COLLECT_MAX       64U
#define SPEC_GLOB_MAX          255U
#define SPEC_NAME_MAX          64U /* language, policy */
#define SPEC_TAG_MAX           256U
#define SPEC_NETWORK_ALLOW_MAX 256U

struct spec_bytes {
    char *data; /* `size` bytes, and a NUL after them; a spec's may be another's too */
    size_t size;
};

struct spec_file {
    char *path; /* relative, checked by pack_path_problem() */
    struct spec_bytes content;
    bool executable;
    bool run_only; /* the compiler does not get it */
};

struct spec_strings {
    char **items;
    size_t count;
};

/* Adds a copy; -1 when memory is short. */
int spec_strings_add(struct spec_strings *strings, const char *string) MUST_CHECK;
bool spec_strings_have(const struct spec_strings *strings, const char *string);
void spec_strings_done(struct spec_strings *strings);

struct spec_variable {
    char *name;
    char *value;
};

/* Adds a copy to an array of *count; -1 when memory is short. */
int spec_variables_add(struct spec_variable **variables, size_t *count, const char *name,
                       const char *value) MUST_CHECK;
void spec_variables_free(struct spec_variable *variables, size_t count);

enum spec_network { SPEC_NETWORK_NONE, SPEC_NETWORK_HOST, SPEC_NETWORK_ALLOW };
enum spec_on_output_limit { SPEC_OUTPUT_UNSET, SPEC_OUTPUT_TRUNCATE, SPEC_OUTPUT_STOP };
enum spec_adaptive { SPEC_ADAPTIVE_UNSET, SPEC_ADAPTIVE_OFF, SPEC_ADAPTIVE_ON };
enum spec_text_errors { SPEC_TEXT_BASE64, SPEC_TEXT_REPLACE };

/* What the same code took before. */
struct spec_past {
    uint64_t expected_us;
    unsigned samples; /* 0: nobody knows */
};

struct spec {
    char *language;              /* NULL with a command alone */
    struct spec_strings command; /* empty with a language */
    struct spec_bytes code;      /* data NULL when not given */
    char *entry;                 /* NULL: the runtime's */
    struct spec_file *files;
    size_t file_count;
    struct spec_strings args;
    struct spec_variable *env;
    size_t env_count;
    struct spec_bytes stdin_bytes;
    char *policy; /* NULL: "default" */
    struct limits limits;
    struct spec_strings compile_args;
    struct limits compile_limits;
    enum spec_network network;
    struct spec_strings network_allow; /* empty means none, always */
    unsigned terminal_rows;            /* 0: it has no terminal; likewise its columns */
    unsigned terminal_columns;
    struct spec_strings collect;
    enum spec_on_output_limit on_output_limit;
    enum spec_text_errors text_errors;
    bool interleave;
    char *tag; /* NULL when not given */
    enum spec_adaptive adaptive_timeout;
    /* What the caller says and never the JSON: */
    char *tenant; /* whose it is; NULL: nobody's */
    struct spec_past past;
    unsigned attempt; /* which one at the run of that id; 0: the first, and the id is made */
    char id[ID_SIZE];
};

/* An empty spec: heap, for the setters below. */
struct spec *spec_create(void);
void spec_destroy(struct spec *spec);

/* CELLA_ERROR_CALLER with field and hint when the JSON is not a good request. */
int spec_parse(const char *json, size_t size, struct spec **ret_spec,
               struct cella_error *err) MUST_CHECK;

/* Appends JSON of which spec_parse() makes the same spec; CELLA_ERROR_CALLER when none does. */
int spec_to_json(const struct spec *spec, struct buffer *out, struct cella_error *err) MUST_CHECK;

/* The setters copy what they are given and check it as spec_parse() does. */
int spec_set_language(struct spec *spec, const char *language, struct cella_error *err) MUST_CHECK;
int spec_set_policy(struct spec *spec, const char *policy, struct cella_error *err) MUST_CHECK;
int spec_set_entry(struct spec *spec, const char *entry, struct cella_error *err) MUST_CHECK;
int spec_set_tag(struct spec *spec, const char *tag, struct cella_error *err) MUST_CHECK;
int spec_set_tenant(struct spec *spec, const char *tenant, struct cella_error *err) MUST_CHECK;
int spec_set_code(struct spec *spec, const void *data, size_t size,
                  struct cella_error *err) MUST_CHECK;
int spec_set_stdin(struct spec *spec, const void *data, size_t size,
                   struct cella_error *err) MUST_CHECK;
int spec_add_command_word(struct spec *spec, const char *word, struct cella_error *err) MUST_CHECK;
int spec_add_arg(struct spec *spec, const char *arg, struct cella_error *err) MUST_CHECK;
int spec_add_env(struct spec *spec, const char *name, const char *value,
                 struct cella_error *err) MUST_CHECK;
int spec_add_file(struct spec *spec, const char *path, const void *data, size_t size,
                  bool executable, struct cella_error *err) MUST_CHECK;
/* Its code and its first files have the contents of those of `from`, which both have then. */
int spec_share_contents(struct spec *spec, const struct spec *from,
                        struct cella_error *err) MUST_CHECK;
int spec_add_collect(struct spec *spec, const char *glob, struct cella_error *err) MUST_CHECK;
int spec_add_compile_arg(struct spec *spec, const char *arg, struct cella_error *err) MUST_CHECK;
/* `text` as on the command line: "10s", "256m", "1.5". */
int spec_set_limit(struct spec *spec, enum limit limit, const char *text,
                   struct cella_error *err) MUST_CHECK;
int spec_set_compile_limit(struct spec *spec, enum limit limit, const char *text,
                           struct cella_error *err) MUST_CHECK;
/* "none" or "host" */
int spec_set_network(struct spec *spec, const char *mode, struct cella_error *err) MUST_CHECK;
/* "host:port".  With the first one `network` becomes SPEC_NETWORK_ALLOW. */
int spec_add_network_allow(struct spec *spec, const char *host_port,
                           struct cella_error *err) MUST_CHECK;
/* "truncate" or "stop" */
int spec_set_on_output_limit(struct spec *spec, const char *what,
                             struct cella_error *err) MUST_CHECK;
/* "base64" or "replace" */
int spec_set_text_errors(struct spec *spec, const char *what, struct cella_error *err) MUST_CHECK;

/* Checks what only the whole shows: exactly one of language and command, something to run with a
 * language, files of different names and none inside another.  spec_parse() has done it.  The entry
 * file's name is part of it only when the spec says it: the runtime's own is known later. */
int spec_check(const struct spec *spec, struct cella_error *err) MUST_CHECK;

#endif
