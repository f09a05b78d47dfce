/*
 * The fields of a batch and of what becomes of it: one table for the parser (batch_request.c), the
 * writer (batch_result.c), and the JSON Schemas (tools/gen_schema.c).
 *
 * X(id, name, type, max, meaning), as in request/fields.h, for what comes in; X(name, type, value,
 * meaning), as in result/fields.h, for what goes out.
 */
#ifndef SERVE_BATCH_FIELDS_H
#define SERVE_BATCH_FIELDS_H

#define BATCH_TESTS_MAX    1000U
#define BATCH_NAME_MAX     128U
#define BATCH_PARALLEL_MAX 8U
/* Bytes of a stream, or of what a checker says, in the outcome of a test. */
#define BATCH_EXCERPT_MAX 1024U

/* The first two must be there. */
#define BATCH_FIELDS(X)                                                                            \
    X(program, "program", REQUEST, 0, "what is tested, as for POST /v1/runs")                      \
    X(tests, "tests", TESTS, BATCH_TESTS_MAX, "what it is run with, one after the other")          \
    X(comparison, "comparison", COMPARISON, 0,                                                     \
      "how output is held against what is expected; default: whitespace")                          \
    X(checker, "checker", REQUEST, 0, "a program that judges the output, in place of comparison")  \
    X(stop_on_failure, "stop_on_failure", FLAG, 0,                                                 \
      "begin no test behind one that is not accepted, and cancel those that go on")                \
    X(parallel, "parallel", COUNT, BATCH_PARALLEL_MAX,                                             \
      "tests at one time, at most; default: one for each processor")

#define BATCH_TEST_FIELDS(X)                                                                       \
    X(name, "name", TEXT, BATCH_NAME_MAX, "given back; default: its number, from 1")               \
    X(input, "stdin", BYTES, SPEC_STDIN_MAX, "in place of the program's")                          \
    X(args, "args", WORDS, SPEC_ARGS_MAX, "in place of the program's")                             \
    X(files, "files", INPUT_FILES, SPEC_FILES_MAX, "beside the program's, for the run alone")      \
    X(limits, "limits", LIMITS, 0, "in place of the program's, one by one")                        \
    X(expected, "expected_output", BYTES, SPEC_STDIN_MAX,                                          \
      "what the program is to write; without it and a checker it has only to end well")

#define BATCH_COMPARISON_FIELDS(X)                                                                 \
    X(mode, "mode", COMPARISON_MODE, 0, "what may differ")                                         \
    X(absolute, "absolute", TOLERANCE, 0, "with numeric: a number may differ by so much")          \
    X(relative, "relative", TOLERANCE, 0, "or by this part of what is expected")

/* By enum compare_mode. */
#define BATCH_MODES(X)                                                                             \
    X("exact", "nothing")                                                                          \
    X("whitespace", "white space at the ends of lines, and empty lines at the end")                \
    X("tokens", "white space between words, of any kind and amount")                               \
    X("numeric", "likewise; words that are numbers are compared as numbers")

/* What becomes of a test, or of all: X(id, word, meaning). */
#define BATCH_VERDICTS(X)                                                                          \
    X(ACCEPTED, "accepted", "it ended well and wrote what was expected")                           \
    X(WRONG_ANSWER, "wrong_answer", "it wrote something else, see difference")                     \
    X(PRESENTATION_ERROR, "presentation_error", "says a checker: right, but badly laid out")       \
    X(RUNTIME_ERROR, "runtime_error", "it ended with another code than 0, or by a signal")         \
    X(COMPILE_ERROR, "compile_error", "the program was not compiled, and no test begun")           \
    X(WALL_TIME, "wall_time", "at that limit, as the others")                                      \
    X(CPU_TIME, "cpu_time", "")                                                                    \
    X(MEMORY, "memory", "")                                                                        \
    X(PROCESSES, "processes", "")                                                                  \
    X(OUTPUT, "output", "it wrote more than was kept")                                             \
    X(FILE_SIZE, "file_size", "")                                                                  \
    X(DISK, "disk", "")                                                                            \
    X(CHECKER_ERROR, "checker_error", "the checker failed: not the program's fault")               \
    X(SKIPPED, "skipped", "it was not begun, or cancelled because of a failure before")            \
    X(CANCELLED, "cancelled", "the batch was cancelled")                                           \
    X(REFUSED, "refused", "this test may not be run, see message")                                 \
    X(INTERNAL, "internal", "Cella failed")

enum batch_verdict {
#define BATCH_VERDICT_ID(id, word, meaning) BATCH_##id,
    BATCH_VERDICTS(BATCH_VERDICT_ID)
#undef BATCH_VERDICT_ID
        BATCH_VERDICT_COUNT
};

#define BATCH_RESULT_FIELDS(X)                                                                     \
    X("id", TEXT, batch->id, "of the batch")                                                       \
    X("verdict", VERDICT, batch->verdict, "accepted, or that of the first test that is not")       \
    X("message", TEXT, batch->message, "one sentence for a person")                                \
    X("summary", SUMMARY, batch, "of all tests")                                                   \
    X("compile", COMPILE_TEXT, batch->compile, "how the program was compiled; as in a result")     \
    X("tests", TEST_OUTCOMES, batch, "in the order in which they were given")

#define BATCH_SUMMARY_FIELDS(X)                                                                    \
    X("tests", SIZE, batch->test_count, "how many there are")                                      \
    X("accepted", SIZE, summary->verdicts[BATCH_ACCEPTED], "how many of them were accepted")       \
    X("verdicts", VERDICTS, summary, "how many of each verdict, of those that there are")          \
    X("wall_ms", FIGURES_MS, &summary->wall, "what the tests took")                                \
    X("cpu_ms", FIGURES_MS, &summary->cpu, "processor time of the tests")                          \
    X("memory_peak_bytes", SIZE, summary->memory_peak_bytes, "the most that a test used")

#define BATCH_FIGURES_FIELDS(X)                                                                    \
    X("total", MS, figures->total_us, "of all together")                                           \
    X("max", MS, figures->max_us, "the most of one")

#define BATCH_OUTCOME_FIELDS(X)                                                                    \
    X("name", TEXT, outcome->name, "of the test")                                                  \
    X("verdict", VERDICT, outcome->verdict, "what became of it")                                   \
    X("message", TEXT, outcome->message, "one sentence for a person")                              \
    X("difference", DIFFERENCE, outcome, "with wrong_answer, but by a checker")                    \
    X("checker", CHECKED, outcome, "where one was run")                                            \
    X("stdout", EXCERPT, &outcome->streams[0], "the beginning of what it wrote")                   \
    X("stderr", EXCERPT, &outcome->streams[1], "likewise")                                         \
    X("run", RUN_TEXT, outcome, "its run, as a list of runs has it; null: there was none")

#define BATCH_DIFFERENCE_FIELDS(X)                                                                 \
    X("line", SIZE, difference->line, "of what the program wrote, from 1")                         \
    X("column", SIZE, difference->column, "in characters, from 1")                                 \
    X("expected", PIECE, &difference->expected, "around there, what was expected")                 \
    X("got", PIECE, &difference->got, "and what it wrote instead; empty at the end")

#define BATCH_CHECKER_FIELDS(X)                                                                    \
    X("exit_code", EXIT_CODE, outcome->checker_code, "of the checker")                             \
    X("message", EXCERPT, &outcome->checker_said, "what it wrote to stderr, or else to stdout")

#endif
