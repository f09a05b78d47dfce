/*
 * libcella: run code nobody vouches for, and learn exactly what it did.
 *
 *   struct cella_engine *engine;   cella_engine_open(NULL, &engine, &err)
 *   struct cella_request *request; cella_request_create(&request, &err)
 *                                  cella_request_set(request, "language", "python", &err)
 *                                  cella_request_set(request, "code", "print(6*7)", &err)
 *   struct cella_result *result;   cella_run(engine, request, &result, &err)
 *                                  cella_result_status(result), cella_result_stdout(result, &size)
 *
 * Threads: an engine and what was made from it belong to one thread at a time.  Different engines
 * are independent.  The library installs no signal handler and starts no thread; it starts one
 * child process for each engine, the keeper, and reaps it in cella_engine_close().
 *
 * Errors: every function that can fail returns 0 or -1, and on -1 fills *err (never NULL) and
 * leaves its ret_ parameters untouched.  A program that fails is not an error: its end is in the
 * result.  A request that is refused before anything ran is an error.
 *
 * Strings are NUL-terminated UTF-8, sizes are bytes.
 */
#ifndef CELLA_CELLA_H
#define CELLA_CELLA_H

#include <cella/error.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CELLA_API __attribute__((visibility("default")))
#else
#define CELLA_API
#endif

struct cella_engine;  /* a keeper and the runs in it */
struct cella_request; /* what to run */
struct cella_run;     /* one run on its way */
struct cella_result;  /* what it did */

#define CELLA_NO_POOLS         UINT64_MAX
#define CELLA_NO_COMPILE_CACHE UINT64_MAX

struct cella_options {
    size_t size;              /* sizeof(struct cella_options): lets the struct grow */
    const char *keeper_path;  /* NULL: beside the program, else the installed one */
    const char *runtimes_dir; /* searched before the standard places; NULL: none */
    const char *policies_dir; /* likewise */
    /* A cella-keeper that the caller has started, as its child and with the other end of a
     * SOCK_SEQPACKET socketpair as descriptor 3.  Both are the engine's from then on, also when
     * opening fails.  keeper_pid 0: the engine starts one. */
    int keeper_socket;
    pid_t keeper_pid;
    /* What the sandboxes of this engine may use at one time, by the limits of their plans added up;
     * what does not fit waits.  0: what this host has to give, see docs/library.md. */
    uint64_t budget_memory_bytes;
    uint64_t budget_millicpus; /* 1500 is one and a half processors */
    /* What sandboxes and warm interpreters that are made ahead of need may take together.  0: half
     * a gigabyte.  CELLA_NO_POOLS: nothing is made ahead. */
    uint64_t pool_memory_bytes;
    /* What compiled programs that are kept for later engines too may take together, in
     * cella/compiled of the user's cache directory ($XDG_CACHE_HOME or ~/.cache).  0: 256 MiB.
     * CELLA_NO_COMPILE_CACHE: none is kept or used. */
    uint64_t compile_cache_bytes;
    /* Not 0: no keeper is started.  Such an engine knows languages and policies and makes requests
     * and plans, and every run in it fails. */
    int without_keeper;
};

/* The library's version, "0.1.0": static text. */
CELLA_API const char *cella_version(void);

/* ---- engine ---- */

/* `options` may be NULL.  CELLA_ERROR_HOST when this host cannot give isolation: the text says
 * what is missing and the hint what to do. */
CELLA_API int cella_engine_open(const struct cella_options *options,
                                struct cella_engine **ret_engine, struct cella_error *err);
/* Ends every run that is still going, waits until nothing is left, frees.  NULL is fine.
 * Runs not yet freed become invalid. */
CELLA_API void cella_engine_close(struct cella_engine *engine);
/* -1 with the reason when the keeper is lost: its runs have ended with that error, others fail with
 * it, and only another engine helps. */
CELLA_API int cella_engine_check(const struct cella_engine *engine, struct cella_error *err);
/* Asks the keeper for a sign of life, for whoever watches over this process.  1: it has given all
 * that it was asked for before; 0: it has not; -1 as above. */
CELLA_API int cella_engine_ping(struct cella_engine *engine, struct cella_error *err);
/* Readable (poll, select, epoll) when cella_engine_process() has something to do.  The engine's:
 * do not close or read it. */
CELLA_API int cella_engine_fd(const struct cella_engine *engine);
/* Does what can be done without waiting, calling the callbacks of its runs. */
CELLA_API int cella_engine_process(struct cella_engine *engine, struct cella_error *err);

/* Sandboxes of one kind that this engine has made ahead of need, and will. */
struct cella_pool {
    const char *language;  /* whose warm interpreter its programs are children of, or whose own
                              waits in each; "": they are started in it, whatever they are */
    const char *policy;    /* that the first run of the kind had */
    unsigned target;       /* how many shall be ready */
    unsigned ready;        /* how many are; as all below, up to half a second ago */
    unsigned active;       /* runs of the kind that are going on */
    unsigned made, taken;  /* since the pool began */
    unsigned zygotes;      /* that were started, and of these: */
    unsigned zygotes_dead; /* those that failed or died by themselves */
    uint64_t memory_bytes; /* that its zygote has, beyond files; 0 before it has said so */
    const char *problem;   /* "", or what kept it from making one the last time */
};
/* Calls `row` with each; its texts are valid during that call. */
CELLA_API void cella_engine_pools(const struct cella_engine *engine,
                                  void (*row)(void *context, const struct cella_pool *pool),
                                  void *context);

/* ---- request ---- */

CELLA_API int cella_request_create(struct cella_request **ret_request, struct cella_error *err);
/* From JSON as in schema/request.schema.json; strict. */
CELLA_API int cella_request_parse(const char *json, size_t size, struct cella_request **ret_request,
                                  struct cella_error *err);
CELLA_API void cella_request_destroy(struct cella_request *request);
/* `field` is one of: language, code, entry, stdin, policy, tag, network, on_output_limit,
 * text_errors, or a limit as "limits.wall_ms" or "compile.limits.wall_ms" with a value as on the
 * command line ("10s", "256m"). */
CELLA_API int cella_request_set(struct cella_request *request, const char *field, const char *value,
                                struct cella_error *err);
/* code and stdin as bytes. */
CELLA_API int cella_request_set_bytes(struct cella_request *request, const char *field,
                                      const void *data, size_t size, struct cella_error *err);
/* `field` is one of: command, args, collect, compile.args, network.allow (one word more), env
 * ("NAME=value"). */
CELLA_API int cella_request_add(struct cella_request *request, const char *field, const char *value,
                                struct cella_error *err);
/* Whose request it is: a name of the caller's own; without one it is nobody's in particular.
 * Programs of two tenants are never children of one warm interpreter, and share no compilation
 * unless the policy says so.  Room for runs is shared among them evenly: who has many waiting holds
 * up nobody who has few.  Not part of the JSON: a client must not choose. */
CELLA_API int cella_request_set_tenant(struct cella_request *request, const char *tenant,
                                       struct cella_error *err);
/* The policy that it names, or NULL. */
CELLA_API const char *cella_request_policy(const struct cella_request *request);
#define CELLA_FILE_EXECUTABLE 1U
#define CELLA_FILE_RUN_ONLY   2U /* the compiler does not get it */
CELLA_API int cella_request_add_file(struct cella_request *request, const char *path,
                                     const void *data, size_t size, unsigned flags,
                                     struct cella_error *err);

/* Gives its code and its first files, which must be those of `from` by their paths, the contents
 * that they have there.  They are not copied, and stay when either request is destroyed; both are
 * of one thread from then on.  So of many requests that differ in little only the small parts need
 * be read. */
CELLA_API int cella_request_share_contents(struct cella_request *request,
                                           const struct cella_request *from,
                                           struct cella_error *err);

/* ---- run ---- */

enum cella_stream { CELLA_STDOUT = 0, CELLA_STDERR = 1 };

/* All but `begun` are called from cella_engine_process() or cella_run() alone, and none from
 * another thread.  They may not close the engine.  They should not block: other runs wait
 * meanwhile; the limits of time are held all the same. */
struct cella_callbacks {
    size_t size; /* sizeof(struct cella_callbacks) */
    void *context;
    /* Output of the program as it comes, at most the limit of its stream.  NULL: no interest; it is
     * in the result in any case. */
    void (*output)(void *context, struct cella_run *run, enum cella_stream stream, const void *data,
                   size_t size);
    /* Nothing of the run is left and cella_run_result() has the result. */
    void (*done)(void *context, struct cella_run *run);
    /* What was to be compiled is, and the program waits to be run; not called where nothing had to
     * be compiled.  With it the run keeps what was made, for cella_run_start_compiled(). */
    void (*compiled)(void *context, struct cella_run *run);
    /* There is room for it: it no longer waits, and its first sandbox is asked for.  Called once,
     * possibly from cella_run_start() before that returns; not at all when the run ends before.
     * NULL: no interest. */
    void (*begun)(void *context, struct cella_run *run);
    /* What the compiler writes, as `output` has what the program does.  Where nothing is compiled
     * because it was before, cella_run_compiler_output() (wire.h) has what it wrote then. */
    void (*compiler_output)(void *context, struct cella_run *run, enum cella_stream stream,
                            const void *data, size_t size);
};

#define CELLA_RUN_STDIN_OPEN 1U /* standard input stays open for cella_run_write_stdin() */
#define CELLA_RUN_TRIAL      2U /* shows that runs can be: it makes nobody a tenant */

/* Starts a run, now or as soon as there is room for it (see budget_memory_bytes).  The request is
 * copied as far as needed and stays the caller's.  `callbacks` may be NULL.  CELLA_ERROR_CALLER,
 * _POLICY or _RUNTIME when it is refused, _BUSY when too many are there. */
CELLA_API int cella_run_start(struct cella_engine *engine, const struct cella_request *request,
                              unsigned flags, const struct cella_callbacks *callbacks,
                              struct cella_run **ret_run, struct cella_error *err);
/* Likewise of a program that `first` has compiled, once its `compiled` was called: what would be
 * compiled by the same plan from the same files is taken from there, also where nothing may be kept
 * for later.  `first` may be freed when this returns. */
CELLA_API int cella_run_start_compiled(const struct cella_run *first,
                                       const struct cella_request *request, unsigned flags,
                                       const struct cella_callbacks *callbacks,
                                       struct cella_run **ret_run, struct cella_error *err);
/* 1 when there is nothing to compile for it, or no more; else 0. */
CELLA_API int cella_run_is_compiled(const struct cella_run *run);
/* Takes what there is room for and says how much that was; 0 with room for nothing now (the next
 * cella_engine_process() may make room).  What a program no longer reads is taken and dropped. */
CELLA_API int cella_run_write_stdin(struct cella_run *run, const void *data, size_t size,
                                    size_t *ret_taken, struct cella_error *err);
CELLA_API void cella_run_close_stdin(struct cella_run *run);
/* Sends a signal to the program itself, and gives its terminal another size; before it runs, that
 * comes when it does, of each the last. */
CELLA_API int cella_run_signal(struct cella_run *run, int signal, struct cella_error *err);
CELLA_API int cella_run_resize(struct cella_run *run, unsigned rows, unsigned columns,
                               struct cella_error *err);
/* Asks for the end; `done` follows, with status `cancelled` unless something else came first. */
CELLA_API void cella_run_cancel(struct cella_run *run);
/* The result once `done` was called, else NULL.  It belongs to the run. */
CELLA_API const struct cella_result *cella_run_result(const struct cella_run *run);
/* Cancels it if it is still going, without a callback.  NULL is fine. */
CELLA_API void cella_run_free(struct cella_run *run);

/* Start, wait, and give the result to the caller, who frees it with cella_result_destroy(). */
CELLA_API int cella_run(struct cella_engine *engine, const struct cella_request *request,
                        struct cella_result **ret_result, struct cella_error *err);

/* The plan for a request as text for a person, without running it; free() it. */
CELLA_API int cella_explain(struct cella_engine *engine, const struct cella_request *request,
                            char **ret_text, struct cella_error *err);

/* ---- result ---- */

/* The result of a request that was refused before anything ran: status refused, or internal when
 * `error` says that the host or Cella failed. */
CELLA_API int cella_result_refused(const struct cella_error *error,
                                   struct cella_result **ret_result, struct cella_error *err);
/* Everything as one JSON object (schema/result.schema.json), NUL-terminated; free() it. */
CELLA_API int cella_result_json(const struct cella_result *result, char **ret_json,
                                size_t *ret_size, struct cella_error *err);
/* One word: ok exit signal compile_error wall_time cpu_time memory processes output file_size disk
 * cancelled refused internal. */
CELLA_API const char *cella_result_status(const struct cella_result *result);
/* One sentence for a person. */
CELLA_API const char *cella_result_message(const struct cella_result *result);
/* Why it is "refused" or "internal", with a hint on what to do; kind CELLA_ERROR_NONE otherwise. */
CELLA_API const struct cella_error *cella_result_error(const struct cella_result *result);
/* The program's own exit code, or -1 when it did not end by itself. */
CELLA_API int cella_result_exit_code(const struct cella_result *result);
/* The number of the signal that ended it, or 0. */
CELLA_API int cella_result_signal(const struct cella_result *result);
/* The bytes kept of a stream, as the program wrote them; they belong to the result. */
CELLA_API const char *cella_result_stdout(const struct cella_result *result, size_t *ret_size);
CELLA_API const char *cella_result_stderr(const struct cella_result *result, size_t *ret_size);
/* Processor time of all its processes, the compiler's included, in microseconds. */
CELLA_API uint64_t cella_result_cpu_us(const struct cella_result *result);
/* 1 when the program was there before its run, "start": "warm"; else 0. */
CELLA_API int cella_result_is_warm(const struct cella_result *result);
/* The exit code that `cella run` gives for it. */
CELLA_API int cella_result_cli_code(const struct cella_result *result);
/* Collected files by index.  `content` is NULL for a file that was left behind, then `skipped`
 * says why.  False when there is no such file. */
struct cella_file {
    const char *path;
    const void *content;
    size_t size;
    unsigned mode;
    const char *skipped;
};
CELLA_API int cella_result_file(const struct cella_result *result, size_t index,
                                struct cella_file *ret_file);
/* Why the program failed, in its own terms; texts are NULL and numbers 0 where it does not say.
 * False when there is no diagnosis: it ended well, or without a word. */
struct cella_diagnosis {
    const char *class_name; /* "ZeroDivisionError", "E0425", "SIGSEGV" */
    const char *message;
    const char *file; /* relative to the workspace when it lies there */
    unsigned line, column;
    const char *hint; /* what to do about it */
    size_t frame_count;
};
CELLA_API int cella_result_diagnosis(const struct cella_result *result,
                                     struct cella_diagnosis *ret_diagnosis);
/* The calls that led there, innermost first.  False when there is no such frame. */
struct cella_frame {
    const char *file;
    unsigned line;
    const char *function;
    const char *source; /* the line, of a file of the request */
};
CELLA_API int cella_result_frame(const struct cella_result *result, size_t index,
                                 struct cella_frame *ret_frame);
CELLA_API void cella_result_destroy(struct cella_result *result);

#ifdef __cplusplus
}
#endif
#endif
