/*
 * Any bytes as a file of an operator's: refused with a proper error, or a tree within the bounds of
 * yaml.h.  What is a tree is also read as a runtime, which must be refused with a place in the file
 * or hold what runtime.h promises.
 */
#include "base/utf8.h"
#include "base/yaml.h"
#include "policy/mounts.h"
#include "runtime/read.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

static void check_error(const struct cella_error *err)
{
    require(err->kind == CELLA_ERROR_HOST);
    require(strncmp(err->text, "fuzz.yaml", 9) == 0);
    require(utf8_is_valid(err->text, strnlen(err->text, sizeof(err->text))));
    require(utf8_is_valid(err->hint, strnlen(err->hint, sizeof(err->hint))));
}

/* Counts the values; the depth is bounded, so this may recurse. */
static size_t count_values(json_t *value, size_t depth)
{
    size_t count = 1;
    require(depth <= YAML_TEXT_DEPTH_MAX);
    if (json_is_object(value)) {
        for (void *at = json_object_iter(value); at != NULL;
             at = json_object_iter_next(value, at)) {
            size_t key_size = strlen(json_object_iter_key(at));
            require(key_size > 0 && key_size <= YAML_TEXT_KEY_MAX);
            count += count_values(json_object_iter_value(at), depth + 1);
        }
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            count += count_values(json_array_get(value, i), depth + 1);
        }
    }
    return count;
}

static void check_runtime(const struct runtime *runtime)
{
    require(runtime->package != NULL && runtime->entry != NULL);
    require(runtime->path.count > 0 && runtime->run.count > 0);
    require((runtime->compile.count > 0) == (runtime->output != NULL));
    require(runtime->mount_count <= PLAN_MOUNTS_MAX);
    for (size_t i = 0; i < runtime->mount_count; i++) {
        require(mounts_problem(runtime->mounts[i].source) == NULL);
    }
}

static void read_as_runtime(struct yaml_text *yaml)
{
    char file[] = "fuzz.yaml";
    const struct definition definition = {.file = file, .yaml = yaml};
    struct runtime *runtime = NULL;
    struct cella_error err;
    if (runtime_read("fuzz", &definition, &runtime, &err) < 0) {
        check_error(&err);
        return;
    }
    check_runtime(runtime);
    runtime_destroy(runtime);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml_text *yaml = NULL;
    struct cella_error err;
    if (yaml_text_parse("fuzz.yaml", (const char *)data, size, &yaml, &err) < 0) {
        check_error(&err);
        return 0;
    }
    json_t *root = yaml_text_root(yaml);
    require(json_is_object(root));
    /* Scalars lie one deeper than the deepest level. */
    require(count_values(root, 0) <= YAML_TEXT_NODES_MAX);
    read_as_runtime(yaml);
    yaml_text_destroy(yaml);
    return 0;
}
