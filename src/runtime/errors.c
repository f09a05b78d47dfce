/*
 * The key `errors` of a runtime's file: see errors.h.  A table of fields for each object, a reader
 * for each field, and for each object what only the whole shows.
 */
#include "runtime/errors.h"

#include "base/alloc.h"
#include "base/error.h"
#include "runtime/definition.h"
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

#define PEAK_PERCENT_DEFAULT 50U

#define GROUP_NAME(id, name) name,
const char *const errors_group_names[ERRORS_GROUP_COUNT] = {ERRORS_GROUPS(GROUP_NAME)};

static void rule_done(struct errors_rule *rule)
{
    pattern_destroy(rule->match);
    pattern_destroy(rule->frame);
    free(rule->class);
    free(rule->message);
    free(rule->file);
    free(rule->hint);
}

static void hint_done(struct errors_hint *hint)
{
    pattern_destroy(hint->match);
    free(hint->hint);
    free(hint->closest);
    free(hint->package);
}

void errors_destroy(struct errors *errors)
{
    if (errors == NULL) {
        return;
    }
    for (size_t i = 0; i < errors->rule_count; i++) {
        rule_done(&errors->rules[i]);
    }
    for (size_t i = 0; i < errors->hint_count; i++) {
        hint_done(&errors->hints[i]);
    }
    free(errors->rules);
    free(errors->hints);
    free(errors->like);
    free(errors->names);
    free(errors->packages);
    free(errors);
}

/* ---- values ---- */

static int read_pattern(json_t *value, const struct json_where *where, struct pattern **ret_pattern,
                        struct cella_error *err)
{
    const char *text;
    char problem[PATTERN_PROBLEM_SIZE];
    if (json_text_read_word(value, where, &text, err) < 0) {
        return -1;
    }
    return pattern_compile(text, ret_pattern, problem) < 0
               ? json_text_fail(err, where, "%s", problem)
               : 0;
}

static int read_text(json_t *value, const struct json_where *where, size_t max, char **ret_text,
                     struct cella_error *err)
{
    AUTO_FREE char *text = NULL;
    if (definition_read_word(value, where, &text, err) < 0) {
        return -1;
    }
    if (strlen(text) > max) {
        return json_text_fail(err, where, "is longer than %zu bytes", max);
    }
    *ret_text = text;
    text = NULL;
    return 0;
}

static int read_number(json_t *value, const struct json_where *where, int max, int *ret_number,
                       struct cella_error *err)
{
    json_int_t number = json_integer_value(value); /* 0 for what is none */
    if (!json_is_integer(value) || number < 0 || number > max) {
        return json_text_fail(err, where, "must be a whole number from 0 to %d", max);
    }
    *ret_number = (int)number;
    return 0;
}

/* ---- texts with "{group}" in them ---- */

size_t errors_placeholder(const char *text)
{
    if (text[0] != '{') {
        return 0;
    }
    size_t size = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_");
    return size > 0 && text[1 + size] == '}' ? size + 2 : 0;
}

static bool is_word(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && strncmp(text, word, size) == 0;
}

/* Every name in braces is a group of the pattern or one of `others`. */
static int check_text(const char *text, const struct pattern *pattern, const char *const *others,
                      size_t other_count, const struct json_where *where, struct cella_error *err)
{
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        size_t size = errors_placeholder(at);
        if (size == 0) {
            continue;
        }
        bool known = pattern_has_group(pattern, at + 1, size - 2);
        for (size_t i = 0; i < other_count && !known; i++) {
            known = is_word(at + 1, size - 2, others[i]);
        }
        if (!known) {
            return json_text_fail(err, where, "has in braces what is no group of match: %.*s",
                                  (int)size, at);
        }
    }
    return 0;
}

/* ---- a rule ---- */

static int read_match(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    struct errors_rule *rule = target;
    return read_pattern(value, where, &rule->match, err);
}

static int read_frame(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    struct errors_rule *rule = target;
    return read_pattern(value, where, &rule->frame, err);
}

static int read_stage(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    static const char *const words[] = {"run", "compile", "any"};
    struct errors_rule *rule = target;
    size_t index = 0;
    if (json_text_read_choice(value, where, words, ARRAY_LENGTH(words),
                              "must be run, compile or any", &index, err) < 0) {
        return -1;
    }
    rule->stages = (unsigned)index + 1; /* the two bits, and both */
    return 0;
}

/* A field of a rule that is one of two words; its enum has them in that order. */
#define CHOICE_READER(field, type, first, second)                                                  \
    static int read_##field(void *target, json_t *value, const struct json_where *where,           \
                            struct cella_error *err)                                               \
    {                                                                                              \
        static const char *const words[] = {first, second};                                        \
        struct errors_rule *rule = target;                                                         \
        size_t index = 0;                                                                          \
        int result = json_text_read_choice(value, where, words, ARRAY_LENGTH(words),               \
                                           "must be " first " or " second, &index, err);           \
        rule->field = (type)index;                                                                 \
        return result;                                                                             \
    }
CHOICE_READER(take, enum errors_take, "first", "last")
CHOICE_READER(innermost, enum errors_innermost, "first", "last")
CHOICE_READER(stream, enum errors_stream, "stderr", "stdout")
CHOICE_READER(functions, enum errors_functions, "inside", "called")

#define TEXT_READER(name, row, field)                                                              \
    static int read_##name(void *target, json_t *value, const struct json_where *where,            \
                           struct cella_error *err)                                                \
    {                                                                                              \
        struct row *into = target;                                                                 \
        return read_text(value, where, ERRORS_TEXT_MAX, &into->field, err);                        \
    }
TEXT_READER(class, errors_rule, class)
TEXT_READER(message, errors_rule, message)
TEXT_READER(file, errors_rule, file)
TEXT_READER(rule_hint, errors_rule, hint)

static int read_first_column(void *target, json_t *value, const struct json_where *where,
                             struct cella_error *err)
{
    struct errors_rule *rule = target;
    return read_number(value, where, 1, &rule->first_column, err);
}

static int read_exit_code(void *target, json_t *value, const struct json_where *where,
                          struct cella_error *err)
{
    struct errors_rule *rule = target;
    if (rule->exit_code_count == ERRORS_EXIT_CODES_MAX) {
        return json_text_fail(err, where, "is one too many: at most %u are allowed",
                              ERRORS_EXIT_CODES_MAX);
    }
    return read_number(value, where, 255, &rule->exit_codes[rule->exit_code_count++], err);
}

static int read_exit_codes(void *target, json_t *value, const struct json_where *where,
                           struct cella_error *err)
{
    return json_text_read_array(value, target, read_exit_code, where, err);
}

static int check_rule(const struct errors_rule *rule, const struct json_where *where,
                      struct cella_error *err)
{
    static const char *const others[] = {"entry", "signal"};
    const struct {
        const char *key, *text;
    } texts[] = {{"class", rule->class}, {"message", rule->message}, {"hint", rule->hint}};
    const char *frames = errors_group_names[ERRORS_GROUP_FRAMES];
    if (rule->match == NULL) {
        return json_text_fail(err, where, "has no 'match'");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct json_where here = {.parent = where, .key = texts[i].key};
        if (check_text(texts[i].text, rule->match, others, ARRAY_LENGTH(others), &here, err) < 0) {
            return -1;
        }
    }
    if (rule->file != NULL && strcmp(rule->file, ERRORS_ENTRY) != 0) {
        struct json_where here = {.parent = where, .key = "file"};
        return json_text_fail(err, &here, "must be " ERRORS_ENTRY);
    }
    if ((rule->frame != NULL) != pattern_has_group(rule->match, frames, strlen(frames))) {
        struct json_where here = {.parent = where, .key = "match"};
        return json_text_fail(err, &here, "has a group 'frames' exactly when there is a 'frame'");
    }
    return 0;
}

static int read_rule(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"match", read_match},
        {"frame", read_frame},
        {"stage", read_stage},
        {"take", read_take},
        {"stream", read_stream},
        {"innermost", read_innermost},
        {"class", read_class},
        {"message", read_message},
        {"file", read_file},
        {"hint", read_rule_hint},
        {"exit_codes", read_exit_codes},
        {"functions", read_functions},
        {"first_column", read_first_column},
    };
    struct errors *errors = target;
    if (errors->rule_count == ERRORS_ROWS_MAX) {
        return json_text_fail(err, where, "is one too many: at most %d are allowed",
                              ERRORS_ROWS_MAX);
    }
    struct errors_rule *rules = alloc_grow(errors->rules, errors->rule_count, sizeof(*rules));
    if (rules == NULL) {
        return error_set_memory(err);
    }
    errors->rules = rules;
    struct errors_rule *rule = &rules[errors->rule_count++];
    *rule = (struct errors_rule){.stages = ERRORS_IN_RUN, .first_column = 1};
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), rule, where, err) < 0) {
        return -1;
    }
    return check_rule(rule, where, err);
}

/* ---- a hint ---- */

static int read_hint_match(void *target, json_t *value, const struct json_where *where,
                           struct cella_error *err)
{
    struct errors_hint *hint = target;
    return read_pattern(value, where, &hint->match, err);
}

TEXT_READER(hint_text, errors_hint, hint)
TEXT_READER(closest, errors_hint, closest)
TEXT_READER(package, errors_hint, package)

static int read_limit(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    static const char *const words[] = {"memory", "stack"};
    struct errors_hint *hint = target;
    size_t index = 0;
    if (json_text_read_choice(value, where, words, ARRAY_LENGTH(words), "must be memory or stack",
                              &index, err) < 0) {
        return -1;
    }
    hint->limit = index == 0 ? ERRORS_LIMIT_MEMORY : ERRORS_LIMIT_STACK;
    return 0;
}

static int read_peak_percent(void *target, json_t *value, const struct json_where *where,
                             struct cella_error *err)
{
    struct errors_hint *hint = target;
    int percent = 0;
    if (read_number(value, where, 100, &percent, err) < 0) {
        return -1;
    }
    hint->peak_percent = (unsigned)percent;
    return 0;
}

/* A group that a key names. */
static int check_group(const struct errors_hint *hint, const char *group, const char *key,
                       const struct json_where *where, struct cella_error *err)
{
    if (group == NULL || pattern_has_group(hint->match, group, strlen(group))) {
        return 0;
    }
    struct json_where here = {.parent = where, .key = key};
    return json_text_fail(err, &here, "is no group of match");
}

static int check_hint(const struct errors_hint *hint, const struct json_where *where,
                      struct cella_error *err)
{
    const char *looked_up[2];
    size_t count = 0;
    struct json_where here = {.parent = where, .key = "hint"};
    if (hint->match == NULL) {
        return json_text_fail(err, where, "has no 'match'");
    }
    if (hint->hint == NULL && hint->limit == ERRORS_NO_LIMIT) {
        return json_text_fail(err, where, "has neither 'hint' nor 'limit'");
    }
    if (check_group(hint, hint->closest, "closest", where, err) < 0 ||
        check_group(hint, hint->package, "package", where, err) < 0) {
        return -1;
    }
    if (hint->closest != NULL) {
        looked_up[count++] = "closest";
    }
    if (hint->package != NULL) {
        looked_up[count++] = "package";
    }
    return check_text(hint->hint, hint->match, looked_up, count, &here, err);
}

static int read_hint(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"match", read_hint_match}, {"hint", read_hint_text}, {"closest", read_closest},
        {"package", read_package},  {"limit", read_limit},    {"peak_percent", read_peak_percent},
    };
    struct errors *errors = target;
    if (errors->hint_count == ERRORS_ROWS_MAX) {
        return json_text_fail(err, where, "is one too many: at most %d are allowed",
                              ERRORS_ROWS_MAX);
    }
    struct errors_hint *hints = alloc_grow(errors->hints, errors->hint_count, sizeof(*hints));
    if (hints == NULL) {
        return error_set_memory(err);
    }
    errors->hints = hints;
    struct errors_hint *hint = &hints[errors->hint_count++];
    *hint = (struct errors_hint){.peak_percent = PEAK_PERCENT_DEFAULT};
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), hint, where, err) < 0) {
        return -1;
    }
    return check_hint(hint, where, err);
}

/* ---- the whole ---- */

static int read_rules(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    return json_text_read_array(value, target, read_rule, where, err);
}

static int read_hints(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    return json_text_read_array(value, target, read_hint, where, err);
}

static int read_like(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    struct errors *errors = target;
    if (definition_read_word(value, where, &errors->like, err) < 0) {
        return -1;
    }
    return definition_name_is_good(errors->like)
               ? 0
               : json_text_fail(err, where, "must be the name of a runtime");
}

static int read_names(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    struct errors *errors = target;
    return read_text(value, where, ERRORS_LIST_MAX, &errors->names, err);
}

static int read_packages(void *target, json_t *value, const struct json_where *where,
                         struct cella_error *err)
{
    struct errors *errors = target;
    if (read_text(value, where, ERRORS_LIST_MAX, &errors->packages, err) < 0) {
        return -1;
    }
    for (const char *line = errors->packages; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        size_t module = strcspn(line, " \n");
        size_t package = module < size ? strcspn(line + module + 1, " \n") : 0;
        if (module == 0 || package == 0 || module + 1 + package != size) {
            return json_text_fail(err, where, "must have lines of a module and its package");
        }
        line += size + (line[size] == '\n');
    }
    return 0;
}

int errors_read(json_t *value, const struct json_where *where, struct errors **ret_errors,
                struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"like", read_like},   {"rules", read_rules},       {"hints", read_hints},
        {"names", read_names}, {"packages", read_packages},
    };
    struct errors *errors = calloc(1, sizeof(*errors));
    if (errors == NULL) {
        return error_set_memory(err);
    }
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), errors, where, err) < 0) {
        errors_destroy(errors);
        return -1;
    }
    *ret_errors = errors;
    return 0;
}

int errors_read_text(const char *file, const char *text, size_t size, struct errors **ret_errors,
                     struct cella_error *err)
{
    const struct json_where where = {.key = RUNTIME_ERRORS_KEY};
    struct yaml_text *yaml;
    if (yaml_text_parse(file, text, size, &yaml, err) < 0) {
        return -1;
    }
    json_t *value = json_object_get(yaml_text_root(yaml), RUNTIME_ERRORS_KEY);
    int result = 0;
    if (value == NULL || json_is_null(value)) {
        *ret_errors = NULL;
    } else if (errors_read(value, &where, ret_errors, err) < 0) {
        result = yaml_text_place(yaml, err);
    }
    yaml_text_destroy(yaml);
    return result;
}
