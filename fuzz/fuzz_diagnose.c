/*
 * Any bytes as what a program wrote, read by the rules of a runtime that is shipped: the diagnosis
 * is within every bound of diagnose.h, and clean.
 *
 * An input is a line with the runtime's name, a byte of flags, a byte that says how much of the
 * source follows, that source, and the output.
 */
#include "base/utf8.h"
#include "diagnose/diagnose.h"
#include "runtime/runtime.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum flags { IN_COMPILE = 1, ON_STDOUT = 2, BY_SIGNAL = 4, MUCH_MEMORY = 8, CODE_TWO = 16 };

#define MEMORY_MAX (UINT64_C(1) << 20)

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

static void check_text(const char *text, size_t max)
{
    if (text == NULL) {
        return;
    }
    size_t size = strlen(text);
    require(size <= max && utf8_is_valid(text, size));
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        require((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t');
    }
}

static void check(const struct result_diagnosis *diagnosis)
{
    require(diagnosis->class != NULL && diagnosis->class[0] != '\0' && diagnosis->message != NULL);
    check_text(diagnosis->class, DIAGNOSE_CLASS_MAX);
    check_text(diagnosis->message, DIAGNOSE_MESSAGE_MAX);
    check_text(diagnosis->file, DIAGNOSE_FILE_MAX);
    check_text(diagnosis->hint, DIAGNOSE_HINT_MAX);
    require(diagnosis->frame_count <= DIAGNOSE_FRAMES_MAX);
    for (size_t i = 0; i < diagnosis->frame_count; i++) {
        check_text(diagnosis->frames[i].file, DIAGNOSE_FILE_MAX);
        check_text(diagnosis->frames[i].function, DIAGNOSE_FUNCTION_MAX);
        check_text(diagnosis->frames[i].source, DIAGNOSE_SOURCE_MAX);
    }
}

/* The rules of the runtime that the first line names, or of any. */
static const struct errors *find_errors(const uint8_t *data, size_t size)
{
    static struct runtime_set *set; /* for all inputs: reading them takes longer than a diagnosis */
    const struct runtime *const *all;
    const struct errors *errors = NULL;
    struct cella_error err;
    size_t count;
    size_t index = 0;
    require(set != NULL || runtime_set_open(CELLA_SOURCE_DIR "/runtimes", &set, &err) == 0);
    require(runtime_all(set, &all, &count, &err) == 0 && count > 0);
    while (index < count &&
           (strlen(all[index]->name) != size || memcmp(all[index]->name, data, size) != 0)) {
        index++;
    }
    index = index < count ? index : size % count;
    require(runtime_errors(set, all[index], &errors, &err) == 0);
    return errors;
}

static void try_case(const struct errors *errors, unsigned flags, const char *code,
                     size_t code_size, const char *output, size_t output_size)
{
    struct cella_error err;
    struct diagnose_sources sources;
    struct result_stage stage;
    enum errors_limit limit;
    struct spec *spec = spec_create();
    require(spec != NULL && spec_set_code(spec, code, code_size, &err) == 0);
    require(spec_add_file(spec, "lib/util.py", "one\ntwo\n", 8, false, &err) == 0);
    require(diagnose_sources_init(&sources, spec, "main.py", &err) == 0);
    result_stage_init(&stage);
    stage.status = (flags & BY_SIGNAL) != 0 ? STATUS_SIGNAL : STATUS_EXIT;
    stage.signal = (flags & BY_SIGNAL) != 0 ? SIGABRT : 0;
    stage.exit_code = (flags & BY_SIGNAL) != 0 ? -1 : (flags & CODE_TWO) != 0 ? 2 : 1;
    stage.usage.memory_peak_bytes = (flags & MUCH_MEMORY) != 0 ? MEMORY_MAX : 0;
    struct buffer *kept =
        &stage.streams[(flags & ON_STDOUT) != 0 ? RESULT_STDOUT : RESULT_STDERR].kept;
    require(buffer_add(kept, output, output_size) == 0);
    const struct diagnose_case it = {
        .errors = errors,
        .sources = &sources,
        .stage = &stage,
        .which = (flags & IN_COMPILE) != 0 ? ERRORS_IN_COMPILE : ERRORS_IN_RUN,
        .memory_max_bytes = MEMORY_MAX,
    };
    struct result_diagnosis *diagnosis = diagnose(&it, &limit);
    if (diagnosis != NULL) {
        check(diagnosis);
    }
    result_diagnosis_destroy(diagnosis);
    buffer_done(kept);
    diagnose_sources_done(&sources);
    spec_destroy(spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size == 0 ? NULL : memchr(data, '\n', size);
    size_t name_size = newline == NULL ? 0 : (size_t)(newline - data);
    if (newline == NULL || size - name_size < 3) {
        return 0;
    }
    const struct errors *errors = find_errors(data, name_size);
    unsigned flags = newline[1];
    size_t left = size - name_size - 3;
    size_t code_size = newline[2] < left ? newline[2] : left;
    const char *code = (const char *)newline + 3;
    try_case(errors, flags, code, code_size, code + code_size, left - code_size);
    return 0;
}
