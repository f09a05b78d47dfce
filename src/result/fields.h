/*
 * The fields of a result: one table for the JSON writer (result_json.c) and the JSON Schema
 * (tools/gen_schema.c).
 *
 * X(name, type, value, meaning).  The writer calls write_<type>() with the value, an expression in
 * the variables of the function that walks the table; the schema ignores it and describes the type.
 * Every field is always present, null where it does not apply.
 */
#ifndef RESULT_FIELDS_H
#define RESULT_FIELDS_H

/* What is said of a stage, or a run, in a result and in a list of runs alike. */
#define RESULT_OUTCOME_FIELDS(X)                                                                   \
    X("status", STATUS, stage->status, "what ended it, in one word")                               \
    X("message", TEXT, stage->message, "one sentence for a person")                                \
    X("exit_code", EXIT_CODE, stage->exit_code, "the program's own; null when it gave none")       \
    X("signal", SIGNAL, stage->signal, "name of the signal that ended the program")
#define RESULT_LIMITS_FIELDS(X)                                                                    \
    X("limit", LIMIT, result, "the limit that ended the run")                                      \
    X("limits_hit", LIMITS_HIT, stage->limits_hit, "every limit touched, also those survived")
#define RESULT_ORIGIN_FIELDS(X)                                                                    \
    X("language", LANGUAGE, result, "null for a command")                                          \
    X("policy", POLICY, result, "the policy that it ran under")                                    \
    X("plan_digest", TEXT_OR_NULL, result->plan_digest, "SHA-256 of the plan that it ran by")      \
    X("queued_at", MOMENT, result->queued_at_ms, "when the request came")                          \
    X("started_at", MOMENT, result->started_at_ms, "when the program's first instruction ran")     \
    X("finished_at", MOMENT, result->finished_at_ms, "when nothing of the run was left")

/* `stage` is a struct result_stage, `views` its streams as struct text_view. */
#define RESULT_STAGE_FIELDS(X)                                                                     \
    RESULT_OUTCOME_FIELDS(X)                                                                       \
    X("stdout", OUTPUT, &views[RESULT_STDOUT], "standard output, up to its limit")                 \
    X("stdout_encoding", ENCODING, views[RESULT_STDOUT].base64, "of stdout")                       \
    X("stdout_truncated", FLAG, stage->streams[RESULT_STDOUT].truncated,                           \
      "the program wrote more to stdout than was kept")                                            \
    X("stdout_bytes", SIZE, stage->streams[RESULT_STDOUT].total_bytes,                             \
      "what the program wrote to stdout in all")                                                   \
    X("stderr", OUTPUT, &views[RESULT_STDERR], "standard error, up to its limit")                  \
    X("stderr_encoding", ENCODING, views[RESULT_STDERR].base64, "of stderr")                       \
    X("stderr_truncated", FLAG, stage->streams[RESULT_STDERR].truncated,                           \
      "the program wrote more to stderr than was kept")                                            \
    X("stderr_bytes", SIZE, stage->streams[RESULT_STDERR].total_bytes,                             \
      "what the program wrote to stderr in all")                                                   \
    X("usage", USAGE, &stage->usage, "what it used; null where this host does not count it")

/* `result` is a struct result, `stage` its run. */
#define RESULT_FIELDS(X)                                                                           \
    X("id", TEXT, result->id, "sortable by time, unique")                                          \
    RESULT_STAGE_FIELDS(X)                                                                         \
    X("output", CHUNKS, result, "both streams in the order read, when interleave was asked for")   \
    X("compile", COMPILE, result, "the compile stage, of a compiled language")                     \
    RESULT_LIMITS_FIELDS(X)                                                                        \
    X("diagnosis", DIAGNOSIS, result, "why the program failed, in its own terms")                  \
    X("notes", NOTES, result, "what a person should know besides, a sentence each")                \
    X("files", FILES, result, "the files collected")                                               \
    X("refused_calls", REFUSED_CALLS, result, "system calls that the filter refused")              \
    X("protections", PROTECTIONS, result->protections, "what held this run")                       \
    X("waived", PROTECTIONS, result->waived, "what the operator waived")                           \
    X("mechanisms", MECHANISMS, result, "what held each limit; null when nothing was run")         \
    X("attempts", SIZE, result->attempts,                                                          \
      "times it was begun: more than 1 when Cella lost it and began it again")                     \
    X("timeout", TIMEOUT, result, "with adaptive_timeout: its limit, from earlier runs")           \
    X("start", START, result->warm ? "warm" : "cold",                                              \
      "whether the program was started anew or born from a warm one")                              \
    X("backend", BACKEND, "native", "what gave the isolation")                                     \
    RESULT_ORIGIN_FIELDS(X)                                                                        \
    X("error", ERROR, &result->error, "why it was refused, or how Cella failed")                   \
    X("tag", TEXT_OR_NULL, result->tag, "the caller's own mark")                                   \
    X("version", TEXT, CELLA_VERSION, "of Cella")

/* What there is to say of a run in a list. */
#define RESULT_SUMMARY_FIELDS(X)                                                                   \
    X("id", TEXT, result->id, "sortable by time, unique")                                          \
    RESULT_OUTCOME_FIELDS(X)                                                                       \
    X("stdout_bytes", SIZE, stage->streams[RESULT_STDOUT].total_bytes, "written to stdout in all") \
    X("stderr_bytes", SIZE, stage->streams[RESULT_STDERR].total_bytes, "written to stderr in all") \
    X("usage", USAGE, &stage->usage, "what it used; null where this host does not count it")       \
    X("cpu_ms", MS, result_cpu_us(result), "processor time in all, compiling included")            \
    RESULT_LIMITS_FIELDS(X)                                                                        \
    X("attempts", SIZE, result->attempts, "times it was begun")                                    \
    X("start", START, result->warm ? "warm" : "cold", "how the program was started")               \
    RESULT_ORIGIN_FIELDS(X)                                                                        \
    X("tag", TEXT_OR_NULL, result->tag, "the caller's own mark")

#define RESULT_COMPILE_FIELDS(X)                                                                   \
    RESULT_STAGE_FIELDS(X)                                                                         \
    X("cached", FLAG, result->compile_cached, "an earlier compilation was used")                   \
    X("plan_digest", TEXT_OR_NULL, result->compile_plan_digest, "SHA-256 of this stage's plan")

#define RESULT_USAGE_FIELDS(X)                                                                     \
    X("wall_ms", MS, usage->wall_us, "from the program's first instruction to its end")            \
    X("user_ms", MS, usage->user_us, "processor time of all processes in their own code")          \
    X("system_ms", MS, usage->system_us, "processor time of all processes in the kernel")          \
    X("memory_peak_bytes", FIGURE, usage->memory_peak_bytes, "most memory held at one time")       \
    X("processes_peak", FIGURE, usage->processes_peak, "most processes and threads at one time")   \
    X("written_bytes", FIGURE, usage->written_bytes, "written to files")                           \
    X("voluntary_switches", FIGURE, usage->voluntary_switches, "times it waited")                  \
    X("involuntary_switches", FIGURE, usage->involuntary_switches, "times it was made to wait")

#define RESULT_CHUNK_FIELDS(X)                                                                     \
    X("stream", STREAM, chunk->stream, "which of the two")                                         \
    X("at_ms", MS, chunk->at_us, "since the program's first instruction")                          \
    X("data", OUTPUT, &piece, "the bytes")                                                         \
    X("encoding", ENCODING, piece.base64, "of the data: that of the whole stream")

#define RESULT_LIMIT_FIELDS(X)                                                                     \
    X("name", LIMIT_NAME, limit, "the limit's name")                                               \
    X("value", LIMIT_VALUE, stage, "its value in the unit of its name")                            \
    X("stage", STAGE, result->limit_in_compile, "in which stage it was reached")

#define RESULT_TIMEOUT_FIELDS(X)                                                                   \
    X("limit_ms", MS, timeout->limit_us, "of wall-clock time, that the run had")                   \
    X("expected_ms", MS, timeout->expected_us,                                                     \
      "what nine in ten earlier runs of the same code did not outlast; null without any")          \
    X("samples", SIZE, timeout->samples, "earlier runs that this is known from")                   \
    X("pace", PACE, timeout->pace, "of this run against it: slow from 1.5 times, stuck from twice")

#define RESULT_FILE_FIELDS(X)                                                                      \
    X("path", TEXT, file->path, "relative to the workspace")                                       \
    X("size", SIZE, file->size, "in bytes")                                                        \
    X("mode", SIZE, file->mode, "permission bits")                                                 \
    X("content", OUTPUT_OR_NULL, &view, "null when the file was left behind")                      \
    X("encoding", ENCODING_OR_NULL, &view, "of the content")                                       \
    X("skipped", TEXT_OR_NULL, file->skipped, "why it was left behind")

#define RESULT_REFUSED_CALL_FIELDS(X)                                                              \
    X("name", TEXT, call->name, "of the system call")                                              \
    X("count", SIZE, call->count, "how often")

#define RESULT_DIAGNOSIS_FIELDS(X)                                                                 \
    X("class", TEXT, diagnosis->class, "the kind of error, as the language or compiler names it")  \
    X("message", TEXT, diagnosis->message, "what it says of it")                                   \
    X("file", TEXT_OR_NULL, diagnosis->file, "where: the innermost place in the workspace")        \
    X("line", POSITION, diagnosis->line, "from 1")                                                 \
    X("column", POSITION, diagnosis->column, "from 1, as the language counts")                     \
    X("frames", FRAMES, diagnosis, "the calls that led there, innermost first")                    \
    X("hint", TEXT_OR_NULL, diagnosis->hint,                                                       \
      "what to do about it, where there is something obvious")

#define RESULT_FRAME_FIELDS(X)                                                                     \
    X("file", TEXT_OR_NULL, frame->file, "relative to the workspace when it lies there")           \
    X("line", POSITION, frame->line, "from 1")                                                     \
    X("function", TEXT_OR_NULL, frame->function, "as the language names it")                       \
    X("source", TEXT_OR_NULL, frame->source, "that line, of a file of the request")

#define RESULT_LANGUAGE_FIELDS(X)                                                                  \
    X("name", TEXT, result->language_name, "of the runtime")                                       \
    X("version", TEXT_OR_NULL, result->language_version, "as its interpreter says")                \
    X("path", TEXT_OR_NULL, result->language_path, "of its interpreter or compiler")

#define RESULT_POLICY_FIELDS(X)                                                                    \
    X("name", TEXT, result->policy_name, "of the policy")                                          \
    X("digest", TEXT_OR_NULL, result->policy_digest, "SHA-256 of what it says in all")

#define RESULT_ERROR_FIELDS(X)                                                                     \
    X("kind", ERROR_KIND, error->kind, "who must act")                                             \
    X("field", TEXT_OR_NULL, error->field, "path to the field of the request that is wrong")       \
    X("text", TEXT, error->text, "what is wrong")                                                  \
    X("hint", TEXT_OR_NULL, error->hint, "what to do about it")

/* What holds each limit: X(limit's id, held by a control group where there is one, else by).  The
 * share of the processors is held by a control group or not at all. */
#define RESULT_MECHANISMS(X)                                                                       \
    X(WALL, false, "timer")                                                                        \
    X(CPU, true, "supervision")                                                                    \
    X(MEMORY, true, "supervision")                                                                 \
    X(SWAP, true, NULL)                                                                            \
    X(PROCESSES, true, "rlimit")                                                                   \
    X(CPUS, true, NULL)                                                                            \
    X(STDOUT, false, "supervision")                                                                \
    X(STDERR, false, "supervision")                                                                \
    X(FILE, false, "rlimit")                                                                       \
    X(DISK, false, "tmpfs")                                                                        \
    X(INODES, false, "tmpfs")                                                                      \
    X(OPEN_FILES, false, "rlimit")                                                                 \
    X(STACK, false, "rlimit")                                                                      \
    X(COLLECT_BYTES, false, "supervision")                                                         \
    X(COLLECT_FILES, false, "supervision")
/* For disk_bytes and inodes where a policy gives writable mounts. */
#define RESULT_DISK_PARTLY "tmpfs, and supervision of writable mounts"
/* The words for a control group, by enum result_mechanism. */
#define RESULT_CGROUP_V2 "cgroup v2"
#define RESULT_CGROUP_V1 "cgroup v1"

#endif
