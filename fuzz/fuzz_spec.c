/*
 * Any bytes as a request: refused with a proper error, or a spec in which every promise of spec.h
 * holds.
 */
#include "base/glob.h"
#include "base/utf8.h"
#include "isolate/pack.h"
#include "request/spec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

static void require_text(const char *text)
{
    require(text == NULL || (text[0] != '\0' && utf8_is_valid(text, strlen(text))));
}

static void check_error(const struct cella_error *err)
{
    require(err->kind == CELLA_ERROR_CALLER);
    require(err->text[0] != '\0');
    require(utf8_is_valid(err->text, strnlen(err->text, sizeof(err->text))));
    require(utf8_is_valid(err->field, strnlen(err->field, sizeof(err->field))));
    require(utf8_is_valid(err->hint, strnlen(err->hint, sizeof(err->hint))));
}

static void check_spec(const struct spec *spec)
{
    struct cella_error err;
    require(spec_check(spec, &err) == 0);
    require((spec->language != NULL) != (spec->command.count > 0));
    require_text(spec->language);
    require_text(spec->policy);
    require_text(spec->tag);
    require(spec->network != SPEC_NETWORK_ALLOW || spec->network_allow.count > 0);
    require(spec->code.size <= SPEC_CODE_MAX && spec->stdin_bytes.size <= SPEC_STDIN_MAX);
    require(spec->file_count <= SPEC_FILES_MAX && spec->env_count <= SPEC_ENV_MAX);
    require(spec->args.count <= SPEC_ARGS_MAX && spec->collect.count <= SPEC_COLLECT_MAX);
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct spec_file *file = &spec->files[i];
        require(pack_path_problem(file->path, strlen(file->path)) == NULL);
        require(file->content.data[file->content.size] == '\0');
    }
    for (size_t i = 0; i < spec->collect.count; i++) {
        const char *pattern = spec->collect.items[i];
        require(glob_problem(pattern, strlen(pattern)) == NULL);
    }
    for (size_t i = 0; i < spec->env_count; i++) {
        require(spec->env[i].name[0] != '\0' && strchr(spec->env[i].name, '=') == NULL);
    }
    for (int i = 0; i < LIMIT_COUNT; i++) {
        require(spec->limits.value[i] != 0 || i == LIMIT_SWAP);
        require(spec->limits.value[i] != LIMIT_DERIVED);
    }
}

/* Its JSON gives a spec whose JSON is the same. */
static void check_round_trip(const struct spec *spec)
{
    struct buffer first, second;
    struct spec *again = NULL;
    struct cella_error err;
    buffer_init(&first, 0);
    buffer_init(&second, 0);
    require(spec_to_json(spec, &first, &err) == 0);
    require(spec_parse(first.data, first.size, &again, &err) == 0);
    require(spec_to_json(again, &second, &err) == 0);
    require(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    buffer_done(&first);
    buffer_done(&second);
    spec_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spec *spec = NULL;
    struct cella_error err;
    if (spec_parse((const char *)data, size, &spec, &err) < 0) {
        require(spec == NULL);
        check_error(&err);
        return 0;
    }
    check_spec(spec);
    check_round_trip(spec);
    spec_destroy(spec);
    return 0;
}
