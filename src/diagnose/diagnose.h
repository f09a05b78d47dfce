/*
 * Why a program failed, in its own terms: from what a program or compiler wrote to an error, its
 * place, the calls that led there, and a hint.  How each language writes is data
 * (runtime/errors.h); here is what that data means.
 *
 * What is read is a guest's and believed only as far as it goes: it is shown, never acted on, but
 * for one thing.  An interpreter that was told its limits ends by an error of its own when it
 * reaches one; then diagnose() says which, so that a limit is not reported as a crash.
 *
 * Bounds: a part of each stream is looked at (below), within a budget of processor time
 * (base/pattern.h); every text and list of a diagnosis has a size.
 */
#ifndef DIAGNOSE_DIAGNOSE_H
#define DIAGNOSE_DIAGNOSE_H

#include "base/attributes.h"
#include "request/spec.h"
#include "result/result.h"
#include "runtime/errors.h"

#include <cella/error.h>
#include <stddef.h>
#include <stdint.h>

/* Of a stream, its first and last bytes: compilers say first what is wrong, programs last. */
#define DIAGNOSE_HEAD_MAX ((size_t)32 << 10)
#define DIAGNOSE_TAIL_MAX ((size_t)64 << 10)

#define DIAGNOSE_CLASS_MAX    128U
#define DIAGNOSE_MESSAGE_MAX  2048U
#define DIAGNOSE_FILE_MAX     1024U
#define DIAGNOSE_FUNCTION_MAX 256U
#define DIAGNOSE_SOURCE_MAX   512U
#define DIAGNOSE_HINT_MAX     512U
#define DIAGNOSE_FRAMES_MAX   32U /* half of them the innermost, half the outermost */

/* Bytes of the request's files that are kept for lines of source; larger files are left out. */
#define DIAGNOSE_SOURCES_MAX ((size_t)512 << 10)

/* ---- the request's own files ---- */

struct diagnose_file {
    const char *path;
    const char *data; /* NULL: not kept */
    size_t size;
};

/* A copy, because a run outlives the request it was made from. */
struct diagnose_sources {
    char *memory; /* of all texts */
    struct diagnose_file *files;
    size_t count;
    const char *entry; /* the entry file's path, or NULL */
};

/* `entry` is the name of the file that the request's code becomes; NULL without a language. */
int diagnose_sources_init(struct diagnose_sources *sources, const struct spec *spec,
                          const char *entry, struct cella_error *err) MUST_CHECK;
void diagnose_sources_done(struct diagnose_sources *sources);

/* ---- the diagnosis ---- */

struct diagnose_case {
    const struct errors *errors; /* NULL: nothing is known of this language */
    const struct diagnose_sources *sources;
    const struct result_stage *stage; /* that ended the run */
    enum errors_stage which;
    uint64_t memory_max_bytes; /* the stage's limit */
    const struct result_refused_call *refused_calls;
    size_t refused_call_count;
};

/* NULL when there is nothing to say: the program ended well, or without a word, or was ended from
 * outside; or when memory is short.  *ret_limit is the limit that it says it has reached. */
struct result_diagnosis *diagnose(const struct diagnose_case *it, enum errors_limit *ret_limit);

#endif
