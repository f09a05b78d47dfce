/*
 * Diagnoses: when there is one, what each key of a rule and a hint does.  What real programs write
 * is in tests/diagnosis.
 */
#include "trial.h"

#include <signal.h>
#include <stdio.h>

/* ---- when ---- */

#define SIMPLE "rules: [{match: '^(?<class>\\w+): (?<message>.*)$'}]\n"

static void test_when(void **state)
{
    (void)state;
    static const enum status with[] = {STATUS_EXIT,      STATUS_SIGNAL,    STATUS_MEMORY,
                                       STATUS_PROCESSES, STATUS_FILE_SIZE, STATUS_DISK};
    struct trial trial;
    trial_init(&trial, SIMPLE, "");
    for (int status = 0; status < STATUS_COUNT; status++) {
        bool expected = false;
        for (size_t i = 0; i < ARRAY_LENGTH(with); i++) {
            expected = expected || with[i] == (enum status)status;
        }
        trial.stage.status = (enum status)status;
        assert_int_equal(made_of(&trial, "Oops: it\n") != NULL, expected);
    }
    /* What the kernel killed could not say why. */
    trial.stage.status = STATUS_MEMORY;
    trial.stage.exit_code = -1;
    trial.stage.signal = SIGKILL;
    assert_null(made_of(&trial, "Oops: it\n"));
    trial.stage.signal = SIGABRT;
    words_are(made_of(&trial, "Oops: it\n"), "Oops", "it");
    trial_done(&trial);
}

static void test_nothing_said(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, SIMPLE, "");
    assert_null(made(&trial)); /* not a byte */
    assert_null(made_of(&trial, "just words\n"));
    trial.it.errors = NULL;
    assert_null(made_of(&trial, "Oops: it\n"));
    trial_done(&trial);
}

static void test_signals(void **state)
{
    (void)state;
    static const struct result_refused_call calls[] = {{"ptrace", 1}, {"mount", 2}};
    struct trial trial;
    trial_init(&trial, SIMPLE, "");
    trial.stage.status = STATUS_SIGNAL;
    trial.stage.exit_code = -1;
    for (int number = 1; number <= SIGRTMAX; number++) {
        trial.stage.signal = number;
        const struct result_diagnosis *diagnosis = made(&trial);
        assert_non_null(diagnosis);
        assert_memory_equal(diagnosis->class, "SIG", 3);
        assert_true(diagnosis->message[0] != '\0');
        assert_int_equal(diagnosis->frame_count, 0);
        hint_is(diagnosis, NULL);
    }
    trial.stage.signal = SIGFPE;
    words_are(made(&trial), "SIGFPE",
              "a whole number was divided by zero, or the quotient does not fit");
    trial.it.refused_calls = calls;
    trial.it.refused_call_count = 2;
    hint_is(made(&trial), "the sandbox refused system calls: ptrace, mount");
    trial.stage.signal = SIGSEGV;
    trial.stage.limits_hit = UINT32_C(1) << STATUS_HIT_STACK;
    hint_is(made(&trial), "the stack overflowed: a recursion without an end, or very large local "
                          "variables; the limit is stack_bytes");
    assert_int_equal(trial.limit, ERRORS_NO_LIMIT);
    /* A compiler that crashed says nothing of the program. */
    trial.it.which = ERRORS_IN_COMPILE;
    assert_null(made(&trial));
    trial_done(&trial);
}

/* ---- rules ---- */

static void test_order_of_rules(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial,
               "rules:\n"
               "  - {match: '^compile (?<message>.*)', stage: compile}\n"
               "  - {match: '^coded (?<message>.*)', exit_codes: [7, 8]}\n"
               "  - {match: '^both (?<message>.*)', stage: any, class: 'kind of {message}'}\n"
               "  - {match: '^said (?<message>.*)', stream: stdout}\n",
               "");
    assert_null(made_of(&trial, "compile a\n"));
    trial.it.which = ERRORS_IN_COMPILE;
    words_are(made_of(&trial, "both b\ncompile a\n"), "error", "a");
    words_are(made_of(&trial, "both b\n"), "kind of b", "b");
    trial.it.which = ERRORS_IN_RUN;
    assert_null(made_of(&trial, "coded a\n"));
    trial.stage.exit_code = 8;
    words_are(made_of(&trial, "both b\ncoded a\n"), "error", "a");
    trial.stage.exit_code = -1;
    trial.stage.signal = SIGABRT;
    trial.stage.status = STATUS_SIGNAL;
    words_are(made_of(&trial, "coded a\nboth b\n"), "kind of b", "b"); /* it gave no code */
    write_bytes(&trial, RESULT_STDOUT, "said c\n", 7);
    words_are(made_of(&trial, "none\n"), "SIGABRT", "c"); /* of no class: the signal's */
    trial_done(&trial);
}

static void test_first_and_last(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial,
               "rules:\n"
               "  - {match: '^F (?<class>\\w+)', take: first}\n"
               "  - {match: '^L (?<class>\\w+)(?<what> .*)?', take: last, message: '{what}!'}\n",
               "");
    words_are(made_of(&trial, "F one\nF two\n"), "one", "");
    words_are(made_of(&trial, "L one a\nL two b\nx\n"), "two", "b!");
    trial_done(&trial);
}

#define TRACE                                                                                      \
    "rules:\n"                                                                                     \
    "  - match: '^(?<class>\\w+)!(?<frames>(?:\\n at .*)*+)'\n"                                    \
    "    frame: '^ at (?<function>\\S+) (?<file>\\S*?):(?<line>\\d+)(?::(?<column>\\d+))?$'\n"

static void test_frames(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, TRACE, "one\n  two\r\n\tthree");
    const struct result_diagnosis *diagnosis =
        made_of(&trial, "Oops!\n at f /usr/lib/x.x:7\n at g /workspace/main.x:2:9\n"
                        " at h file:///workspace/lib/util.x:1\n at i ./made.x:1\n at j util.x:9\n");
    words_are(diagnosis, "Oops", "");
    place_is(diagnosis, "main.x", 2, 9); /* the innermost of the workspace */
    assert_int_equal(diagnosis->frame_count, 5);
    frame_is(diagnosis, 0, "/usr/lib/x.x", 7, "f", NULL);
    frame_is(diagnosis, 1, "main.x", 2, "g", "  two");
    frame_is(diagnosis, 2, "lib/util.x", 1, "h", "first");
    frame_is(diagnosis, 3, "made.x", 1, "i", NULL);
    frame_is(diagnosis, 4, "lib/util.x", 9, "j", NULL); /* named without its directory; no line */
    place_is(made_of(&trial, "Oops!\n at f ./a/../b.c:7\n at g /workspace/main.x:1\n"), "main.x", 1,
             0);
    diagnosis = made_of(&trial, "Oops!\n at f /usr/lib/x.x:7\n at g <string>:1\n");
    place_is(diagnosis, "/usr/lib/x.x", 7, 0); /* there is none in the workspace */
    place_is(made_of(&trial, "Oops!\n"), NULL, 0, 0);
    trial_done(&trial);
    trial_init(&trial, TRACE "    innermost: last\n    functions: called\n", "one\ntwo\nthree");
    diagnosis = made_of(&trial, "Oops!\n at f main.x:1\n at g main.x:2\n at h main.x:3\n");
    frame_is(diagnosis, 0, "main.x", 3, "g", "three");
    frame_is(diagnosis, 1, "main.x", 2, "f", "two");
    frame_is(diagnosis, 2, "main.x", 1, NULL, "one");
    trial_done(&trial);
}

/* The first and the last are kept, whichever way round they come. */
static void test_many_frames(void **state)
{
    (void)state;
    static const char *const orders[] = {TRACE, TRACE "    innermost: last\n"};
    for (size_t order = 0; order < ARRAY_LENGTH(orders); order++) {
        struct trial trial;
        trial_init(&trial, orders[order], "");
        write_bytes(&trial, RESULT_STDERR, "Oops!", 5);
        for (int i = 1; i <= 100; i++) {
            char line[64];
            int size = snprintf(line, sizeof(line), "\n at f%d x:%d", i, i);
            write_bytes(&trial, RESULT_STDERR, line, (size_t)size);
        }
        const struct result_diagnosis *diagnosis = made(&trial);
        assert_int_equal(diagnosis->frame_count, DIAGNOSE_FRAMES_MAX);
        for (unsigned i = 0; i < DIAGNOSE_FRAMES_MAX; i++) {
            unsigned line = i < 16 ? i + 1 : 100 - 31 + i;
            line = order == 0 ? line : 101 - line;
            assert_int_equal(diagnosis->frames[i].line, line);
        }
        trial_done(&trial);
    }
}

static void test_own_place(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(
        &trial,
        "rules:\n"
        "  - match: '^(?<file>[^:\\n]+):(?<line>\\d+):(?<column>\\d+) (?<frames>.*)'\n"
        "    frame: '(?<file>\\w+\\.x):(?<line>\\d+)'\n"
        "    first_column: 0\n"
        "  - {match: '^line (?<line>\\d+)\\n(?<shown>.*)\\n(?<caret> *)\\^', file: '{entry}'}\n"
        "  - {match: '^in (?<function>\\w+)$'}\n",
        "one\n\tindented (1 + x\n");
    const struct result_diagnosis *diagnosis = made_of(&trial, "main.x:2:0 main.x:1\n");
    place_is(diagnosis, "main.x", 2, 1);
    assert_int_equal(diagnosis->frame_count, 2);
    diagnosis = made_of(&trial, "main.x:1:4 main.x:1 main.x:2\n"); /* the first frame itself */
    place_is(diagnosis, "main.x", 1, 5);
    assert_int_equal(diagnosis->frame_count, 2);
    /* The line as it is shown has another indentation. */
    diagnosis = made_of(&trial, "line 2\n    indented (1 + x\n             ^\n");
    place_is(diagnosis, "main.x", 2, 11);
    frame_is(diagnosis, 0, "main.x", 2, NULL, "\tindented (1 + x");
    diagnosis = made_of(&trial, "line 9\n  gone\n    ^\n");
    place_is(diagnosis, "main.x", 9, 5);
    diagnosis = made_of(&trial, "in f\n");
    place_is(diagnosis, NULL, 0, 0);
    frame_is(diagnosis, 0, NULL, 0, "f", NULL);
    trial_done(&trial);
}

/* ---- hints ---- */

#define HINTS                                                                                      \
    "rules: [{match: '^(?<class>\\w+): (?<message>.*?)(?: try (?<near>\\w+))?"                     \
    "(?: since (?<cause>.*))?$', hint: 'try {near}'}]\n"                                           \
    "hints:\n"                                                                                     \
    "  - {match: '^Name: (?<name>\\w+)', closest: name, hint: \"not '{closest}'?\"}\n"             \
    "  - {match: '^Name: (?<name>\\w+)', package: name, hint: 'get {package}'}\n"                  \
    "  - {match: '^Name: (?<name>\\w+)', hint: ' no {name}, { } {A} '}\n"                          \
    "names: println lambda\n"                                                                      \
    "packages: \"yaml python3-yaml\\nx y\\n\"\n"

static void test_hints(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"Name: countr\n", "not 'counter'?"},
        {"Name: printn\n", "not 'print'?"},     /* of the source before that of the list */
        {"Name: lambada\n", "not 'lambda'?"},   /* of the list */
        {"Name: firts\n", "not 'first'?"},      /* of another file */
        {"Name: print\n", "no print, { } {A}"}, /* itself is not near itself */
        {"Name: yaml\n", "get python3-yaml"},
        {"Name: xx\n", "no xx, { } {A}"}, /* too short to guess */
        {"Name: something\n", "no something, { } {A}"},
        {"Other: x try this\n", "try this"},
        {"Other: x since y: z\n", "caused by y: z"},
        {"Other: x try this since y\n", "try this"},
        {"Other: x\n", NULL},
        {"Other: connect: Network is unreachable\n", "there is no network in the sandbox"},
        {"Other: write: No space left on device since y\n",
         "the limits disk_bytes and inodes bound what is written"},
        {"Other: open: Too many open files\n",
         "the limit open_files bounds how many files are open at one time"},
    };
    struct trial trial;
    trial_init(&trial, HINTS, "counter = 1\nprint(countr)\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        hint_is(made_of(&trial, rows[i][0]), rows[i][1]);
        assert_int_equal(trial.limit, ERRORS_NO_LIMIT);
    }
    trial_done(&trial);
}

static void test_refused_calls(void **state)
{
    (void)state;
    static const struct result_refused_call calls[] = {{"ptrace", 1}};
    struct trial trial;
    trial_init(&trial, HINTS, "");
    trial.it.refused_calls = calls;
    trial.it.refused_call_count = 1;
    hint_is(made_of(&trial, "Other: Operation not permitted\n"),
            "the sandbox refused system calls: ptrace");
    hint_is(made_of(&trial, "Other: list index out of range\n"), NULL); /* nothing to do with it */
    trial_done(&trial);
}

static void test_like(void **state)
{
    (void)state;
    struct trial trial, other;
    trial_init(&trial,
               "rules: [{match: '^own (?<message>.*)'}]\n"
               "hints: [{match: 'both', hint: own}]\n",
               "");
    trial_init(&other,
               "rules: [{match: '^\\w+ (?<message>.*)', class: like}]\n"
               "hints: [{match: 'both|like', hint: theirs}]\n"
               "names: theirs\n",
               "");
    trial.errors->like_errors = other.errors;
    words_are(made_of(&trial, "own a\n"), "error", "a");
    words_are(made_of(&trial, "some a\n"), "like", "a");
    hint_is(made_of(&trial, "own both\n"), "own");
    hint_is(made_of(&trial, "some a\n"), "theirs");
    trial_done(&other);
    trial_done(&trial);
}

/* ---- limits ---- */

#define TOLD                                                                                       \
    "rules: [{match: '^(?<class>\\w+)$'}]\n"                                                       \
    "hints:\n"                                                                                     \
    "  - {match: '^Heap', limit: memory, hint: full}\n"                                            \
    "  - {match: '^Heap', hint: too much at once}\n"                                               \
    "  - {match: '^Told', limit: memory, peak_percent: 0}\n"                                       \
    "  - {match: '^Most', limit: memory, peak_percent: 100, hint: full}\n"                         \
    "  - {match: '^Stack', limit: stack}\n"

static void limit_is(struct trial *trial, const char *text, uint64_t peak, enum errors_limit limit,
                     const char *hint)
{
    trial->stage.usage.memory_peak_bytes = peak;
    hint_is(made_of(trial, text), hint);
    assert_int_equal(trial->limit, limit);
}

static void test_limits(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, TOLD, "");
    limit_is(&trial, "Heap\n", MEMORY_MAX / 2, ERRORS_LIMIT_MEMORY, "full");
    limit_is(&trial, "Heap\n", MEMORY_MAX, ERRORS_LIMIT_MEMORY, "full");
    limit_is(&trial, "Heap\n", MEMORY_MAX / 2 - 100, ERRORS_NO_LIMIT, "too much at once");
    limit_is(&trial, "Heap\n", 0, ERRORS_NO_LIMIT, "too much at once");
    limit_is(&trial, "Heap\n", RESULT_UNKNOWN, ERRORS_NO_LIMIT, "too much at once");
    limit_is(&trial, "Told\n", RESULT_UNKNOWN, ERRORS_LIMIT_MEMORY, NULL);
    limit_is(&trial, "Told\n", 0, ERRORS_LIMIT_MEMORY, NULL);
    limit_is(&trial, "Most\n", MEMORY_MAX - 200, ERRORS_NO_LIMIT, NULL);
    limit_is(&trial, "Most\n", MEMORY_MAX, ERRORS_LIMIT_MEMORY, "full");
    limit_is(&trial, "Stack\n", 0, ERRORS_LIMIT_STACK, NULL);
    limit_is(&trial, "Other\n", MEMORY_MAX, ERRORS_NO_LIMIT, NULL);
    trial_done(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when),           cmocka_unit_test(test_nothing_said),
        cmocka_unit_test(test_signals),        cmocka_unit_test(test_order_of_rules),
        cmocka_unit_test(test_first_and_last), cmocka_unit_test(test_frames),
        cmocka_unit_test(test_many_frames),    cmocka_unit_test(test_own_place),
        cmocka_unit_test(test_hints),          cmocka_unit_test(test_refused_calls),
        cmocka_unit_test(test_like),           cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
