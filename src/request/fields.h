/*
 * The fields of a request: one table for the parser's dispatch, its refusal of unknown names, and
 * the JSON Schema.
 *
 * X(id, name, type, max, meaning).  The parser calls read_<id>(); tools/gen_schema.c describes what
 * a `type` may be.  `max` bounds the bytes of a text, or the items of an array or object; 0 is for
 * types that know their own bounds.
 */
#ifndef REQUEST_FIELDS_H
#define REQUEST_FIELDS_H

#include "base/json.h"
#include "isolate/pack.h"
#include "request/spec.h"

#define REQUEST_FIELDS(X)                                                                          \
    X(language, "language", TEXT, SPEC_NAME_MAX, "name or alias of a runtime; or else: command")   \
    X(command, "command", WORDS, SPEC_ARGS_MAX, "an exact argv, without a shell")                  \
    X(code, "code", TEXT, SPEC_CODE_MAX, "the entry file's text")                                  \
    X(entry, "entry", TEXT, PACK_PATH_MAX - 1, "the entry file's name; default: the runtime's")    \
    X(files, "files", INPUT_FILES, SPEC_FILES_MAX, "placed in the workspace before the run")       \
    X(args, "args", WORDS, SPEC_ARGS_MAX, "the program's arguments")                               \
    X(env, "env", ENV, SPEC_ENV_MAX, "the program's environment variables")                        \
    X(input, "stdin", BYTES, SPEC_STDIN_MAX, "the program's standard input")                       \
    X(policy, "policy", TEXT, SPEC_NAME_MAX, "the operator's policy to run under")                 \
    X(limits, "limits", LIMITS, 0, "what the program may use; default: the policy's")              \
    X(compile, "compile", COMPILER, 0, "for compiled languages")                                   \
    X(network, "network", NETWORK, 0, "none unless the policy allows more")                        \
    X(terminal, "terminal", TERMINAL, 0,                                                           \
      "gives the program a terminal of that size; what it shows there is its standard output")     \
    X(collect, "collect", WORDS, SPEC_COLLECT_MAX, "patterns of the files to bring back")          \
    X(on_output_limit, "on_output_limit", OUTPUT_LIMIT, 0,                                         \
      "drop what is over the limit, or end the run; default: the policy's")                        \
    X(text_errors, "text_errors", TEXT_ERRORS, 0,                                                  \
      "what to do with output that is not UTF-8: encode it, or replace each error by U+FFFD")      \
    X(adaptive_timeout, "adaptive_timeout", FLAG, 0,                                               \
      "the limit of wall-clock time follows what the same code took; default: the policy's")       \
    X(interleave, "interleave", FLAG, 0, "also give both streams' chunks in the order read")       \
    X(tag, "tag", TEXT, SPEC_TAG_MAX, "the caller's own mark, given back in the result")

/* In the next two path and content must be there; every other field of a request is optional. */
#define REQUEST_FILE_FIELDS(X)                                                                     \
    X(path, "path", TEXT, PACK_PATH_MAX - 1, "relative to the workspace")                          \
    X(content, "content", TEXT, 0, "the file's bytes")                                             \
    X(encoding, "encoding", ENCODING, 0, "of the content; default: utf-8")                         \
    X(executable, "executable", FLAG, 0, "may be executed")                                        \
    X(run_only, "run_only", FLAG, 0,                                                               \
      "the compiler does not get it, so another one does not mean another compilation")

#define REQUEST_BYTES_FIELDS(X)                                                                    \
    X(content, "content", TEXT, 0, "the bytes")                                                    \
    X(encoding, "encoding", ENCODING, 0, "of the content; default: utf-8")

#define REQUEST_COMPILE_FIELDS(X)                                                                  \
    X(compile_args, "args", WORDS, SPEC_ARGS_MAX, "arguments for the compiler")                    \
    X(compile_limits, "limits", LIMITS, 0, "what the compiler may use")

/* Its size in characters; `max` is that of a number. */
#define REQUEST_TERMINAL_FIELDS(X)                                                                 \
    X(terminal_rows, "rows", CHARACTERS, TERMINAL_SIZE_MAX, "default: 24")                         \
    X(terminal_columns, "columns", CHARACTERS, TERMINAL_SIZE_MAX, "default: 80")

#define REQUEST_NETWORK_FIELDS(X)                                                                  \
    X(allow, "allow", WORDS, SPEC_NETWORK_ALLOW_MAX, "host:port; empty, absent or null: none")

/* A field that takes one of two words; policies have such fields too. */
struct request_choice {
    const char *word;
    int value;
};
#define REQUEST_CHOICES 2
extern const struct request_choice request_encodings[REQUEST_CHOICES]; /* true: base64 */
extern const struct request_choice request_networks[REQUEST_CHOICES];  /* enum spec_network */
extern const struct request_choice
    request_output_limits[REQUEST_CHOICES];                              /* spec_on_output_limit */
extern const struct request_choice request_text_errors[REQUEST_CHOICES]; /* spec_text_errors */

/* The value of that word, or -1. */
int request_choice_value(const struct request_choice choices[REQUEST_CHOICES], const char *word);
/* The word of that value, "" for one that has none. */
const char *request_choice_word(const struct request_choice choices[REQUEST_CHOICES], int value);
/* The value from JSON, refused when it is neither. */
int request_choice_read(json_t *value, const struct json_where *where,
                        const struct request_choice choices[REQUEST_CHOICES], int *ret_value,
                        struct cella_error *err) MUST_CHECK;

#endif
