/*
 * The lists of cella/host.h as JSON, for `--json` and for fronts that speak it.
 */
#include "base/error.h"
#include "base/json_write.h"

#include <cella/host.h>
#include <string.h>

struct json_list {
    struct buffer out;
    struct json_writer writer;
    enum cella_fitness worst; /* of the findings */
};

static const char *const fitness_words[] = {
    [CELLA_FIT] = "ok", [CELLA_PARTIAL] = "warn", [CELLA_UNFIT] = "missing"};

static void list_open(struct json_list *list, const char *key)
{
    buffer_init(&list->out, 0);
    json_write_init(&list->writer, &list->out);
    list->worst = CELLA_FIT;
    json_write_open(&list->writer, '{');
    json_write_key(&list->writer, key);
    json_write_open(&list->writer, '[');
}

/* `result` is that of what filled the list. */
static int list_close(struct json_list *list, int result, char **ret_json, struct cella_error *err)
{
    json_write_close(&list->writer, '}');
    if (result == 0 && list->writer.failed) {
        result = error_set_memory(err);
    }
    if (result < 0) {
        buffer_done(&list->out);
        return -1;
    }
    *ret_json = list->out.data;
    return 0;
}

static void write_list(struct json_writer *writer, const char *key, const char *const *words,
                       size_t count)
{
    json_write_key(writer, key);
    json_write_open(writer, '[');
    for (size_t i = 0; i < count; i++) {
        json_write_string(writer, words[i]);
    }
    json_write_close(writer, ']');
}

static void write_language(void *context, const struct cella_language *language)
{
    struct json_writer *writer = &((struct json_list *)context)->writer;
    json_write_open(writer, '{');
    json_write_member(writer, "name", language->name);
    write_list(writer, "aliases", language->aliases, language->alias_count);
    write_list(writer, "extensions", language->extensions, language->extension_count);
    json_write_member(writer, "entry", language->entry);
    json_write_key(writer, "compiled");
    json_write_bool(writer, language->compiled);
    json_write_member(writer, "version", language->version);
    json_write_key(writer, "present");
    json_write_bool(writer, language->path[0] != '\0');
    json_write_member(writer, "path", language->path);
    json_write_member(writer, "package", language->package);
    json_write_member(writer, "file", language->file);
    json_write_member(writer, "problem", language->problem);
    json_write_close(writer, '}');
}

int cella_languages_json(const struct cella_options *options, char **ret_json,
                         struct cella_error *err)
{
    struct json_list list;
    list_open(&list, "languages");
    int result = cella_languages(options, write_language, &list, err);
    json_write_close(&list.writer, ']');
    return list_close(&list, result, ret_json, err);
}

static void write_finding(void *context, const struct cella_finding *finding)
{
    struct json_list *list = context;
    if (finding->fitness > list->worst) {
        list->worst = finding->fitness;
    }
    json_write_open(&list->writer, '{');
    json_write_member(&list->writer, "name", finding->name);
    json_write_member(&list->writer, "state", fitness_words[finding->fitness]);
    json_write_member(&list->writer, "found", finding->found);
    json_write_member(&list->writer, "meaning", finding->meaning);
    json_write_member(&list->writer, "remedy", finding->remedy);
    json_write_close(&list->writer, '}');
}

int cella_doctor_json(const struct cella_options *options, char **ret_json,
                      enum cella_fitness *ret_worst, struct cella_error *err)
{
    struct json_list list;
    list_open(&list, "findings");
    int result = cella_doctor(options, write_finding, &list, err);
    json_write_close(&list.writer, ']');
    json_write_member(&list.writer, "state", fitness_words[list.worst]);
    result = list_close(&list, result, ret_json, err);
    if (result == 0) {
        *ret_worst = list.worst;
    }
    return result;
}
