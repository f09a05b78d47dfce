/*
 * See settings.h.
 *
 * How it works.  Each row of the table has its place in struct settings, and its kind a function
 * that reads a text (values.h).  Sources are taken from the weakest to the strongest, and each
 * overwrites what is there; so all of them are checked.
 *
 * Divisions: the table; one value; the file; variables and options; all of it; a second reading.
 */
#include "front/serve/settings/settings.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_write.h"
#include "front/places.h"
#include "front/serve/fail.h"
#include "front/serve/settings/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE   40U /* of a setting, its variable or its key, with its NUL */
#define NUMBER_SIZE 24U

/* ---- the table ---- */

enum change { CHANGE_START, CHANGE_BOUND, CHANGE_LIVE };

struct row {
    const char *name;
    const char *fallback;
    int (*read)(const char *text, const struct values_rule *rule, void *ret_value,
                struct cella_error *err);
    struct values_rule rule;
    size_t offset, size; /* in struct settings */
    enum values_form form;
    enum change change;
};

#define ROW(x, id, name_, field, kind, fallback_, min_, max_, change_, argument, ...)              \
    {.name = (name_),                                                                              \
     .fallback = (fallback_),                                                                      \
     .read = values_read_##kind,                                                                   \
     .rule = {(min_), (max_), (argument)},                                                         \
     .offset = offsetof(struct settings, field),                                                   \
     .size = sizeof(((struct settings *)NULL)->field),                                             \
     .form = VALUES_FORM_##kind,                                                                   \
     .change = CHANGE_##change_},
static const struct row rows[SETTING_COUNT] = {SETTINGS(ROW, )};

/* Defaults that depend on who we are. */
static bool (*const places[SETTING_COUNT])(char ret_path[PATH_MAX]) = {
    [SETTING_SOCKET] = place_of_socket,
    [SETTING_STATE] = place_of_state,
};

static void *field_of(struct settings *settings, size_t setting)
{
    return (char *)settings + rows[setting].offset;
}

/* "history-days" as "history_days", or as "CELLA_HISTORY_DAYS". */
static void make_key(const char *name, char ret_key[NAME_SIZE])
{
    (void)snprintf(ret_key, NAME_SIZE, "%s", name);
    for (char *at = ret_key; *at != '\0'; at++) {
        if (*at == '-') {
            *at = '_';
        }
    }
}

static void make_variable(const char *name, char ret_variable[NAME_SIZE])
{
    char key[NAME_SIZE];
    make_key(name, key);
    (void)snprintf(ret_variable, NAME_SIZE, "CELLA_%.*s", (int)(NAME_SIZE - sizeof("CELLA_")), key);
    for (char *at = ret_variable; *at != '\0'; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
}

/* ---- one value ---- */

static int no_memory(struct cella_error *err)
{
    return serve_fail(err, CELLA_ERROR_HOST, "out of memory");
}

/* The first value of a source replaces what weaker ones have said. */
static void begin_source(struct settings *settings, size_t setting, enum settings_source source)
{
    struct settings_said *said = &settings->said[setting];
    if (said->source != source || rows[setting].form != VALUES_FORM_LISTEN) {
        free(said->text);
        *said = (struct settings_said){.source = source};
        memset(field_of(settings, setting), 0, rows[setting].size);
    }
}

/* What is wrong is said as the end of a sentence. */
static int set_value(struct settings *settings, size_t setting, enum settings_source source,
                     const char *text, struct cella_error *err)
{
    const struct row *row = &rows[setting];
    struct settings_said *said = &settings->said[setting];
    char *kept = NULL;
    begin_source(settings, setting, source);
    if (asprintf(&kept, "%s%s%s", said->text != NULL ? said->text : "",
                 said->text != NULL ? "," : "", text) < 0) {
        return no_memory(err);
    }
    const size_t before = said->text != NULL ? strlen(said->text) + 1 : 0;
    free(said->text);
    said->text = kept; /* which the value may point into */
    return row->read(kept + before, &row->rule, field_of(settings, setting), err);
}

static int set_defaults(struct settings *settings, struct cella_error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char path[PATH_MAX] = "";
        const bool known = places[i] == NULL || places[i](path);
        const char *text = places[i] != NULL && known ? path : rows[i].fallback;
        if (text[0] != '\0' && set_value(settings, i, SETTINGS_DEFAULT, text, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- the file ---- */

static int set_from_file(struct settings *settings, size_t setting, const char *text,
                         const struct json_where *where, struct cella_error *err)
{
    struct cella_error problem;
    if (set_value(settings, setting, SETTINGS_FILE, text, &problem) == 0) {
        return 0;
    }
    (void)json_text_fail(err, where, "%s %s", text, problem.text);
    return serve_hint(err, "%s", problem.hint);
}

/* The text of a string or a number, as the form has it. */
static int text_of(json_t *value, enum values_form form, const struct json_where *where,
                   char number[NUMBER_SIZE], const char **ret_text, struct cella_error *err)
{
    if (json_is_integer(value) && (form == VALUES_FORM_SIZE || form == VALUES_FORM_COUNT)) {
        (void)snprintf(number, NUMBER_SIZE, "%lld", (long long)json_integer_value(value));
        *ret_text = number;
        return 0;
    }
    if (form == VALUES_FORM_COUNT) {
        return json_text_fail(err, where, "must be a whole number");
    }
    if (json_text_read_word(value, where, ret_text, err) < 0) {
        return -1;
    }
    if (**ret_text == '\0') {
        return json_text_fail(err, where, "must not be empty");
    }
    if (form == VALUES_FORM_PATH && **ret_text != '/') {
        return json_text_fail(err, where, "must be an absolute path");
    }
    return 0;
}

struct member {
    struct settings *settings;
    size_t setting;
};

static int read_element(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    struct member *member = target;
    char number[NUMBER_SIZE];
    const char *text = NULL;
    if (text_of(value, rows[member->setting].form, where, number, &text, err) < 0) {
        return -1;
    }
    return set_from_file(member->settings, member->setting, text, where, err);
}

static int read_member(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct member member = {.settings = target};
    char key[NAME_SIZE];
    do { /* one of them it is, or this would not be called */
        make_key(rows[member.setting].name, key);
    } while (strcmp(key, where->key) != 0 && ++member.setting < SETTING_COUNT);
    if (json_is_array(value) && rows[member.setting].form == VALUES_FORM_LISTEN) {
        begin_source(member.settings, member.setting, SETTINGS_FILE); /* of none, too */
        return json_text_read_array(value, &member, read_element, where, err);
    }
    return read_element(&member, value, where, err);
}

static int read_file(const char *path, bool optional, struct settings *settings,
                     struct cella_error *err)
{
    struct json_field fields[SETTING_COUNT];
    char keys[SETTING_COUNT][NAME_SIZE];
    struct yaml_text *yaml = NULL;
    if (config_open(path, optional, &yaml, err) < 0) {
        return -1;
    }
    if (yaml == NULL) {
        return 0;
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        make_key(rows[i].name, keys[i]);
        fields[i] = (struct json_field){keys[i], read_member};
    }
    int result =
        json_text_read_object(yaml_text_root(yaml), fields, SETTING_COUNT, settings, NULL, err);
    if (result < 0) {
        (void)yaml_text_place(yaml, err);
    }
    yaml_text_destroy(yaml);
    if (result == 0 && (settings->config = alloc_copy(path, strlen(path))) == NULL) {
        return no_memory(err);
    }
    return result;
}

/* ---- variables and options ---- */

/* An empty one is as good as none, as everywhere in the environment. */
static int read_variables(struct settings *settings, struct cella_error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char name[NAME_SIZE];
        struct cella_error problem;
        make_variable(rows[i].name, name);
        const char *text = getenv(name);
        if (text != NULL && text[0] != '\0' &&
            set_value(settings, i, SETTINGS_VARIABLE, text, &problem) < 0) {
            (void)serve_fail(err, problem.kind, "%s=%s %s", name, text, problem.text);
            return serve_hint(err, "%s", problem.hint);
        }
    }
    return 0;
}

/* The value of a word NAME=VALUE, or NULL when it has another name. */
static const char *value_of(const char *word, const char *name)
{
    const size_t size = strlen(name);
    return strncmp(word, name, size) == 0 && word[size] == '=' ? word + size + 1 : NULL;
}

static int read_option(struct settings *settings, const char *word, struct cella_error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *text = value_of(word, rows[i].name);
        struct cella_error problem;
        if (text == NULL) {
            continue;
        }
        if (set_value(settings, i, SETTINGS_OPTION, text, &problem) == 0) {
            return 0;
        }
        (void)serve_fail(err, problem.kind, "--%s %s %s", rows[i].name, text, problem.text);
        return serve_hint(err, "%s", problem.hint);
    }
    (void)serve_fail(err, CELLA_ERROR_CALLER, "'%s' says nothing to this program", word);
    return serve_hint(err, "the server is started by 'cella serve'");
}

/* ---- all of it ---- */

/* From where the command was given, which errors and the second reading then name in full. */
static int read_named_file(const char *path, struct settings *settings, struct cella_error *err)
{
    char here[PATH_MAX], full[PATH_MAX];
    if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL || !place_beneath(here, path, full)) {
        return read_file(path, false, settings, err);
    }
    return read_file(full, false, settings, err);
}

/* The last --config, else the variable, else where it is by default, if it is there. */
static int read_config(char *const *words, struct settings *settings, struct cella_error *err)
{
    char standard[PATH_MAX];
    const char *path = getenv("CELLA_CONFIG");
    for (; *words != NULL; words++) {
        const char *value = value_of(*words, "config");
        path = value != NULL && value[0] != '\0' ? value : path;
    }
    if (path == NULL || path[0] == '\0') {
        return place_of_config(standard) ? read_file(standard, true, settings, err) : 0;
    }
    return strcmp(path, "none") == 0 ? 0 : read_named_file(path, settings, err);
}

static int read_words(char *const *words, struct settings *settings, struct cella_error *err)
{
    for (; *words != NULL; words++) {
        if (value_of(*words, "check") != NULL) {
            settings->check = true;
        } else if (value_of(*words, "tell-state") != NULL) {
            settings->tell_state = true;
        } else if (value_of(*words, "config") == NULL && read_option(settings, *words, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_places(const struct settings *settings, struct cella_error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (places[i] != NULL && settings->said[i].text == NULL) {
            return serve_fail(err, CELLA_ERROR_CALLER,
                              "the environment does not say where the server's %s is to be: "
                              "give --%s",
                              rows[i].name, rows[i].name);
        }
    }
    return 0;
}

int settings_read(char *const *words, struct settings *ret_settings, struct cella_error *err)
{
    struct settings settings = {.words = words};
    if (set_defaults(&settings, err) < 0 || read_config(words, &settings, err) < 0 ||
        read_variables(&settings, err) < 0 || read_words(words, &settings, err) < 0 ||
        check_places(&settings, err) < 0) {
        settings_done(&settings);
        return -1;
    }
    *ret_settings = settings;
    return 0;
}

void settings_done(struct settings *settings)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        free(settings->said[i].text);
    }
    free(settings->config);
    *settings = (struct settings){.config = NULL};
}

/* ---- a second reading ---- */

static void swap(void *one, void *other, size_t size)
{
    char *a = one;
    char *b = other;
    for (size_t i = 0; i < size; i++) {
        const char kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

static const char *text_or_none(const struct settings_said *said)
{
    return said->text != NULL ? said->text : "";
}

/* Whether what `fresh` says can take the place of what is in force. */
static bool can_change(struct settings *settings, struct settings *fresh, size_t setting)
{
    static const char nothing[sizeof(struct values_addresses)];
    const size_t size = rows[setting].size;
    return rows[setting].change == CHANGE_LIVE ||
           (rows[setting].change == CHANGE_BOUND &&
            (memcmp(field_of(settings, setting), nothing, size) == 0) ==
                (memcmp(field_of(fresh, setting), nothing, size) == 0));
}

void settings_take(struct settings *settings, struct settings *fresh,
                   void (*tell)(const char *key, const char *text, bool changed))
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct settings_said *old = &settings->said[i];
        struct settings_said *new = &fresh->said[i];
        const bool differs = strcmp(text_or_none(old), text_or_none(new)) != 0;
        const bool changes = !differs || can_change(settings, fresh, i);
        if (differs) { /* it is the file that does: the rest stays as it was */
            char key[NAME_SIZE];
            make_key(rows[i].name, key);
            tell(key, text_or_none(new), changes);
        }
        if (changes) { /* also where only the source is another */
            swap(field_of(settings, i), field_of(fresh, i), rows[i].size);
            swap(old, new, sizeof(*old));
        }
    }
    swap(&settings->config, &fresh->config, sizeof(settings->config));
}

/* As a value of YAML, of which JSON is a part. */
static void write_value(struct json_writer *writer, const struct row *row, const char *text)
{
    if (row->form == VALUES_FORM_LISTEN) {
        json_write_open(writer, '[');
        for (size_t size; text != NULL && *text != '\0'; text += size + (text[size] == ',')) {
            size = strcspn(text, ",");
            json_write_text(writer, text, size);
        }
        json_write_close(writer, ']');
    } else if (text == NULL) {
        json_write_null(writer);
    } else if (row->form == VALUES_FORM_COUNT) {
        json_write_unsigned(writer, strtoull(text, NULL, 10));
    } else {
        json_write_string(writer, text);
    }
}

int settings_print(const struct settings *settings, FILE *file)
{
    static const char *const sources[] = {"default", "file", "variable", "option"};
    (void)fprintf(file, "# configuration file: %s\n",
                  settings->config != NULL ? settings->config : "none");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char key[NAME_SIZE];
        struct buffer text;
        struct json_writer writer;
        buffer_init(&text, 0);
        json_write_init(&writer, &text);
        write_value(&writer, &rows[i], settings->said[i].text);
        make_key(rows[i].name, key);
        (void)fprintf(file, "%s: %s # %s\n", key, writer.failed ? "?" : text.data,
                      sources[settings->said[i].source]);
        buffer_done(&text);
    }
    return fflush(file) == 0 && ferror(file) == 0 ? 0 : -1;
}
