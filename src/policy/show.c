/*
 * A policy as YAML or JSON: what results from its file, those that it extends, and the defaults.
 *
 * One tree is made, of every key in a fixed order, and printed in either form.  Values are exact:
 * numbers in the unit of their name, so that what is read back is the same policy.
 */
#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "isolate/protections.h"
#include "isolate/syscall_names.h"
#include "policy/read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* jansson hands failure on: a NULL put into a tree is one, and shows at the end. */
struct tree {
    bool failed;
};

static void put(struct tree *tree, json_t *object, const char *key, json_t *value)
{
    tree->failed = json_object_set_new(object, key, value) < 0 || tree->failed;
}

static void append(struct tree *tree, json_t *array, json_t *value)
{
    tree->failed = json_array_append_new(array, value) < 0 || tree->failed;
}

/* ---- the tree ---- */

static json_t *limit_value(enum limit limit, uint64_t value)
{
    if (value == LIMIT_DERIVED) {
        return json_string("derived");
    }
    const enum limit_unit unit = limit_table[limit].unit;
    const bool thousandths = unit == UNIT_TIME || unit == UNIT_CPUS;
    return thousandths && value % 1000 != 0
               ? json_real((double)value / 1000)
               : json_integer((json_int_t)(thousandths ? value / 1000 : value));
}

static json_t *limits_tree(struct tree *tree, const struct limits *defaults,
                           const struct limits *caps)
{
    json_t *limits = json_object();
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        json_t *bounds = json_object();
        put(tree, bounds, "default", limit_value(limit, defaults->value[limit]));
        put(tree, bounds, "cap", limit_value(limit, caps->value[limit]));
        put(tree, limits, limit_table[limit].name, bounds);
    }
    return limits;
}

static json_t *words_tree(struct tree *tree, const struct spec_strings *words)
{
    json_t *array = json_array();
    for (size_t i = 0; i < words->count; i++) {
        append(tree, array, json_string(words->items[i]));
    }
    return array;
}

static json_t *list_tree(struct tree *tree, const struct policy_list *list)
{
    return list->all ? json_string("all") : words_tree(tree, &list->words);
}

static json_t *calls_tree(struct tree *tree, const struct policy_call_list *calls)
{
    json_t *array = json_array();
    for (size_t i = 0; i < calls->count; i++) {
        append(tree, array, json_string(syscall_name(calls->numbers[i])));
    }
    return array;
}

static json_t *mounts_tree(struct tree *tree, const struct policy *policy)
{
    json_t *array = json_array();
    for (size_t i = 0; i < policy->mount_count; i++) {
        const struct policy_mount *mount = &policy->mounts[i];
        const bool hides = mount->access == POLICY_ACCESS_NONE;
        json_t *object = json_object();
        put(tree, object, "path", json_string(hides ? mount->at : mount->path));
        if (!hides) {
            put(tree, object, "at", json_string(mount->at));
        }
        put(tree, object, "access", json_string(policy_access_words[mount->access]));
        append(tree, array, object);
    }
    return array;
}

static int compare_variables(const void *a, const void *b)
{
    const struct spec_variable *left = a;
    const struct spec_variable *right = b;
    return strcmp(left->name, right->name);
}

static json_t *env_tree(struct tree *tree, const struct policy *policy)
{
    json_t *env = json_object();
    json_t *set = json_object();
    if (policy->env_set_count > 0) {
        qsort(policy->env_set, policy->env_set_count, sizeof(policy->env_set[0]),
              compare_variables);
    }
    for (size_t i = 0; i < policy->env_set_count; i++) {
        put(tree, set, policy->env_set[i].name, json_string(policy->env_set[i].value));
    }
    put(tree, env, "set", set);
    put(tree, env, "pass", words_tree(tree, &policy->env_pass));
    put(tree, env, "allow", list_tree(tree, &policy->env_allow));
    return env;
}

static json_t *preload_tree(struct tree *tree, const struct policy *policy)
{
    json_t *preload = json_object();
    if (policy->preload_count > 0) {
        qsort(policy->preload, policy->preload_count, sizeof(policy->preload[0]),
              compare_variables);
    }
    for (size_t i = 0; i < policy->preload_count; i++) {
        json_t *modules = json_array();
        for (const char *at = policy->preload[i].value; *at != '\0'; at += at[0] == ',' ? 1 : 0) {
            const size_t size = strcspn(at, ",");
            append(tree, modules, json_stringn(at, size));
            at += size;
        }
        put(tree, preload, policy->preload[i].name, modules);
    }
    return preload;
}

static json_t *waived_tree(struct tree *tree, uint64_t waived)
{
    json_t *array = json_array();
    for (enum protection i = 0; i < PROTECTION_COUNT; i++) {
        if ((waived & protection_bit(i)) != 0) {
            append(tree, array, json_string(protection_table[i].name));
        }
    }
    return array;
}

static void put_choices(struct tree *tree, json_t *root, const struct policy *policy)
{
    json_t *network = json_object();
    put(tree, network, "loopback", json_boolean(policy->loopback));
    put(tree, network, "host", json_boolean(policy->host_network));
    put(tree, network, "allow", json_array());
    put(tree, root, "network", network);
    json_t *calls = json_object();
    put(tree, calls, "set",
        json_string(request_choice_word(policy_syscalls_words, (int)policy->syscalls)));
    put(tree, calls, "allow", calls_tree(tree, &policy->allowed_calls));
    put(tree, calls, "deny", calls_tree(tree, &policy->denied_calls));
    put(tree, root, "syscalls", calls);
    put(tree, root, "mounts", mounts_tree(tree, policy));
    put(tree, root, "env", env_tree(tree, policy));
    put(tree, root, "files_apart", json_boolean(policy->files_apart));
    put(tree, root, "one_processor", json_boolean(policy->one_processor));
    put(tree, root, "cold_start", json_boolean(policy->cold_start));
    put(tree, root, "adaptive_timeout", json_boolean(policy->adaptive_timeout));
    put(tree, root, "preload", preload_tree(tree, policy));
    put(tree, root, "compile_cache",
        json_string(policy_compile_cache_words[policy->compile_cache]));
    json_t *history = json_object();
    put(tree, history, "code", json_boolean(policy->history_code));
    put(tree, history, "output", json_boolean(policy->history_output));
    put(tree, root, "history", history);
    put(tree, root, "control_groups",
        json_string(request_choice_word(policy_control_groups_words, (int)policy->control_groups)));
    put(tree, root, "on_output_limit",
        json_string(request_choice_word(request_output_limits, (int)policy->on_output_limit)));
    put(tree, root, "waive", waived_tree(tree, policy->waived));
}

static json_t *policy_tree(struct tree *tree, const struct policy *policy)
{
    json_t *root = json_object();
    if (policy->description[0] != '\0') {
        put(tree, root, "description", json_string(policy->description));
    }
    put(tree, root, "limits", limits_tree(tree, &policy->defaults, &policy->caps));
    json_t *compile = json_object();
    put(tree, compile, "limits",
        limits_tree(tree, &policy->compile_defaults, &policy->compile_caps));
    put(tree, root, "compile", compile);
    put(tree, root, "languages", list_tree(tree, &policy->languages));
    const bool none = !policy->commands.all && policy->commands.words.count == 0;
    put(tree, root, "commands", none ? json_string("none") : list_tree(tree, &policy->commands));
    put_choices(tree, root, policy);
    return root;
}

/* ---- JSON ---- */

static void write_value(struct json_writer *writer, const json_t *value)
{
    if (json_is_string(value)) {
        json_write_string(writer, json_string_value(value));
    } else if (json_is_boolean(value)) {
        json_write_bool(writer, json_is_true(value));
    } else if (json_is_integer(value)) {
        json_write_integer(writer, json_integer_value(value));
    } else { /* of a limit: thousandths */
        json_write_thousandths(writer, (uint64_t)(json_real_value(value) * 1000 + 0.5));
    }
}

static void write_tree(struct json_writer *writer, json_t *value) /* as deep as the table of keys */
{
    if (json_is_array(value)) {
        json_write_open(writer, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            write_tree(writer, json_array_get(value, i));
        }
        json_write_close(writer, ']');
    } else if (json_is_object(value)) {
        json_write_open(writer, '{');
        for (void *at = json_object_iter(value); at != NULL;
             at = json_object_iter_next(value, at)) {
            json_write_key(writer, json_object_iter_key(at));
            write_tree(writer, json_object_iter_value(at));
        }
        json_write_close(writer, '}');
    } else {
        write_value(writer, value);
    }
}

/* ---- YAML: a key to a line, what is short in the flow style, which JSON has too ---- */

/* Whether a value stands on the line of its key: all but mappings of mappings, and their lists. */
static bool is_short(json_t *value)
{
    if (json_is_array(value)) {
        return !json_is_object(json_array_get(value, 0));
    }
    return !json_is_object(value) || json_object_get(value, "cap") != NULL ||
           json_object_get(value, "access") != NULL || json_object_size(value) == 0;
}

static int add_flow(struct buffer *out, json_t *value)
{
    struct json_writer writer;
    json_write_init(&writer, out);
    write_tree(&writer, value);
    return writer.failed ? -1 : buffer_add(out, "\n", 1);
}

static int add_yaml(struct buffer *out, json_t *object, int indent)
{
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        json_t *value = json_object_iter_value(at);
        if (buffer_add_format(out, "%*s%s:", indent, "", json_object_iter_key(at)) < 0) {
            return -1;
        }
        if (is_short(value)) {
            if (buffer_add(out, " ", 1) < 0 || add_flow(out, value) < 0) {
                return -1;
            }
            continue;
        }
        if (buffer_add(out, "\n", 1) < 0) {
            return -1;
        }
        if (json_is_object(value) && add_yaml(out, value, indent + 2) < 0) {
            return -1;
        }
        for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
            if (buffer_add_format(out, "%*s- ", indent + 2, "") < 0 ||
                add_flow(out, json_array_get(value, i)) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

int policy_show(const struct policy *policy, enum policy_format format, struct buffer *out,
                struct cella_error *err)
{
    struct tree tree = {.failed = false};
    AUTO_JSON json_t *root = policy_tree(&tree, policy);
    if (root == NULL || tree.failed) {
        return error_set_memory(err);
    }
    if (format == POLICY_YAML) {
        return add_yaml(out, root, 0) < 0 ? error_set_memory(err) : 0;
    }
    struct json_writer writer;
    json_write_init(&writer, out);
    write_tree(&writer, root);
    return writer.failed ? error_set_memory(err) : 0;
}
