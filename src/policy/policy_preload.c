/* A policy's modules that warm interpreters load too: see read.h. */
#include "base/buffer.h"
#include "base/error.h"
#include "policy/read.h"

#include <stdlib.h>
#include <string.h>

static const char *module_problem(const char *word)
{
    return word[0] != '\0' && strpbrk(word, ", ") == NULL && !policy_has_control(word, false)
               ? NULL
               : "must be the name of a module";
}

/* Those of one language in place of the base's. */
static int set_modules(struct policy *policy, const char *language,
                       const struct spec_strings *modules, struct cella_error *err)
{
    CLEANUP(buffer_done) struct buffer text;
    buffer_init(&text, 0);
    for (size_t i = 0; i < modules->count; i++) {
        if ((i > 0 && buffer_add_string(&text, ",") < 0) ||
            buffer_add_string(&text, modules->items[i]) < 0) {
            return error_set_memory(err);
        }
    }
    for (size_t i = 0; i < policy->preload_count; i++) {
        if (strcmp(policy->preload[i].name, language) == 0) {
            free(policy->preload[i].name);
            free(policy->preload[i].value);
            policy->preload[i] = policy->preload[--policy->preload_count];
            break;
        }
    }
    return modules->count == 0 || spec_variables_add(&policy->preload, &policy->preload_count,
                                                     language, text.data) == 0
               ? 0
               : error_set_memory(err);
}

int policy_preload_read(json_t *value, const struct json_where *where, struct policy *policy,
                        struct cella_error *err)
{
    if (!json_is_object(value)) {
        return json_text_fail(err, where, "must be a mapping of languages to lists of modules");
    }
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        const char *language = json_object_iter_key(at);
        const struct json_where here = {.parent = where, .key = language};
        CLEANUP(spec_strings_done) struct spec_strings modules = {0};
        if (definition_name_problem(language) != NULL) {
            return json_text_fail(err, &here, "%s", definition_name_problem(language));
        }
        if (definition_read_checked_words(json_object_iter_value(at), &here, module_problem,
                                          &modules, err) < 0 ||
            set_modules(policy, language, &modules, err) < 0) {
            return -1;
        }
    }
    return 0;
}
