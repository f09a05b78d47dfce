/*
 * The one error type of Cella.
 *
 * An error says that *we* could not do what was asked: the request was bad, the operator's policy
 * forbids it, the host lacks something, or we have a bug.  How a guest program ended is never an
 * error: it is an outcome, and stands in the result (see cella.h).
 *
 * The struct is plain memory owned by the caller.  Nothing in it is allocated, so it can be filled
 * between fork and exec and crosses a socket in one write.
 */
#ifndef CELLA_ERROR_H
#define CELLA_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* Who must act for the error to go away. */
enum cella_error_kind {
    CELLA_ERROR_NONE = 0,
    CELLA_ERROR_CALLER,  /* the request is wrong: whoever made it must change it */
    CELLA_ERROR_POLICY,  /* the request is well formed, the operator's policy forbids it */
    CELLA_ERROR_RUNTIME, /* the language is unknown, or its interpreter is not installed */
    CELLA_ERROR_BUSY,    /* try again later */
    CELLA_ERROR_HOST,    /* the host lacks something or refused it: the operator must act */
    CELLA_ERROR_BUG,     /* we failed: please report it */
};

/* Every text is NUL-terminated UTF-8 and cut, never overrun, when it does not fit. */
struct cella_error {
    enum cella_error_kind kind;
    int sys_errno;   /* errno of the call that failed, 0 when there was none */
    char field[128]; /* path to the field of the request, "limits.memory_bytes", or empty */
    char text[384];  /* one sentence: what is wrong */
    char hint[256];  /* what to do about it, or empty */
};

#ifdef __cplusplus
}
#endif
#endif
