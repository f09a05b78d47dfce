/* What a server and its clients tell each other, as JSON: see cella/wire.h. */
#include "base/alloc.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "base/json_parts.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "engine/engine.h"

#include <cella/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is read here holds one piece of output, or one error. */
#define WIRE_JSON_MAX ((size_t)1 << 20)

static const char *const problem_titles[] = {
    [CELLA_ERROR_CALLER] = "The request is wrong",
    [CELLA_ERROR_POLICY] = "The policy forbids it",
    [CELLA_ERROR_RUNTIME] = "The language cannot be used",
    [CELLA_ERROR_BUSY] = "Busy, try again later",
    [CELLA_ERROR_HOST] = "The host lacks something",
    [CELLA_ERROR_BUG] = "Cella failed",
};

/* The buffer's bytes become the caller's. */
static int give(struct buffer *buffer, int result, char **ret_json, size_t *ret_size)
{
    if (result < 0) {
        buffer_done(buffer);
        return -1;
    }
    *ret_json = buffer->data;
    *ret_size = buffer->size;
    return 0;
}

/* ---- requests and results ---- */

int cella_request_json(const struct cella_request *request, char **ret_json, size_t *ret_size,
                       struct cella_error *err)
{
    struct buffer out;
    buffer_init(&out, 0);
    return give(&out, spec_to_json(request->spec, &out, err), ret_json, ret_size);
}

int cella_result_parse(const char *json, size_t size, struct cella_result **ret_result,
                       struct cella_error *err)
{
    struct cella_result *result = calloc(1, sizeof(*result));
    if (result == NULL || (result->json = alloc_copy(json, size)) == NULL) {
        free(result);
        return error_set_memory(err);
    }
    result->json_size = size;
    if (result_read(json, size, &result->data, err) < 0) {
        cella_result_destroy(result);
        return -1;
    }
    *ret_result = result;
    return 0;
}

int cella_result_short_json(const struct cella_result *result, char **ret_json, size_t *ret_size,
                            struct cella_error *err)
{
    struct buffer out;
    if (result->json != NULL) {
        return cella_result_json(result, ret_json, ret_size, err);
    }
    buffer_init(&out, 0);
    return give(&out, result_short_to_json(result->data, &out, err), ret_json, ret_size);
}

struct cella_result_parts {
    struct json_parts json;
};

int cella_result_parts_open(const struct cella_result *result,
                            struct cella_result_parts **ret_parts, struct cella_error *err)
{
    struct cella_result_parts *parts = malloc(sizeof(*parts));
    if (parts == NULL) {
        return error_set_memory(err);
    }
    json_parts_init(&parts->json);
    int made;
    if (result->json == NULL) {
        made = result_to_parts(result->data, &parts->json, err);
    } else {
        made = buffer_add(&parts->json.text, result->json, result->json_size);
        made = made < 0 ? error_set_memory(err) : 0;
    }
    if (made < 0) {
        cella_result_parts_close(parts);
        return -1;
    }
    *ret_parts = parts;
    return 0;
}

int cella_result_parts_next(struct cella_result_parts *parts, char **ret_json, size_t *ret_size,
                            struct cella_error *err)
{
    struct buffer out;
    buffer_init(&out, 0);
    const int more = json_parts_next(&parts->json, &out);
    if (more <= 0) {
        buffer_done(&out);
        return more < 0 ? error_set_memory(err) : 0;
    }
    *ret_json = out.data;
    *ret_size = out.size;
    return 1;
}

void cella_result_parts_close(struct cella_result_parts *parts)
{
    if (parts != NULL) {
        json_parts_done(&parts->json);
        free(parts);
    }
}

int cella_result_summary_json(const struct cella_result *result, char **ret_json, size_t *ret_size,
                              struct cella_error *err)
{
    struct buffer out;
    buffer_init(&out, 0);
    return give(&out, result_summary_to_json(result->data, &out, err), ret_json, ret_size);
}

/* ---- a run on its way ---- */

unsigned cella_run_keeps(const struct cella_run *run)
{
    return run->keeps;
}

const char *cella_run_id(const struct cella_run *run)
{
    return run->result.data->id;
}

static const char *kept_of(const struct result_stage *outcome, enum cella_stream stream,
                           size_t *ret_size)
{
    const struct buffer *kept = outcome != NULL ? &outcome->streams[stream].kept : NULL;
    *ret_size = kept != NULL ? kept->size : 0;
    return *ret_size > 0 ? kept->data : "";
}

const char *cella_run_output(const struct cella_run *run, enum cella_stream stream,
                             size_t *ret_size)
{
    return kept_of(&run->result.data->run, stream, ret_size);
}

const char *cella_run_compiler_output(const struct cella_run *run, enum cella_stream stream,
                                      size_t *ret_size)
{
    return kept_of(run->result.data->compile, stream, ret_size);
}

int cella_output_json(const void *data, size_t size, int more, char **ret_json, size_t *ret_size,
                      size_t *ret_taken, struct cella_error *err)
{
    struct buffer out;
    struct json_writer writer;
    size_t valid = utf8_valid_prefix(data, size);
    bool is_cut = more && utf8_cut(data, size) == valid;
    bool is_text = valid == size || is_cut;
    size_t taken = is_text ? valid : size;
    buffer_init(&out, 0);
    json_write_init(&writer, &out);
    json_write_open(&writer, '{');
    json_write_key(&writer, "data");
    if (is_text) {
        json_write_text(&writer, data, taken);
    } else {
        json_write_base64(&writer, data, taken);
    }
    json_write_member(&writer, "encoding", is_text ? "utf-8" : "base64");
    json_write_close(&writer, '}');
    if (give(&out, writer.failed ? error_set_memory(err) : 0, ret_json, ret_size) < 0) {
        return -1;
    }
    *ret_taken = taken;
    return 0;
}

static int wrong_piece(struct cella_error *err)
{
    return error_set(err, CELLA_ERROR_CALLER, 0, "this is no piece of output");
}

int cella_output_parse(const char *json, size_t size, char **ret_data, size_t *ret_size,
                       struct cella_error *err)
{
    AUTO_JSON json_t *value = NULL;
    if (json_text_parse(json, size, WIRE_JSON_MAX, &value, err) < 0) {
        return -1;
    }
    const json_t *text = json_object_get(value, "data");
    const char *encoding = json_string_value(json_object_get(value, "encoding"));
    if (!json_is_string(text) || encoding == NULL) {
        return wrong_piece(err);
    }
    bool is_text = strcmp(encoding, "utf-8") == 0;
    size_t length = json_string_length(text);
    char *data = is_text ? alloc_copy(json_string_value(text), length)
                         : malloc(base64_decoded_max(length) + 1);
    if (data == NULL) {
        return error_set_memory(err);
    }
    if (!is_text && base64_decode(json_string_value(text), length, data, &length) < 0) {
        free(data);
        return wrong_piece(err);
    }
    *ret_data = data;
    *ret_size = length;
    return 0;
}

/* ---- pools ---- */

static void write_count(struct json_writer *writer, const char *key, uint64_t count)
{
    json_write_key(writer, key);
    json_write_unsigned(writer, count);
}

static void write_pool(void *context, const struct cella_pool *pool)
{
    struct json_writer *writer = context;
    json_write_open(writer, '{');
    json_write_member(writer, "language", pool->language);
    json_write_member(writer, "policy", pool->policy);
    write_count(writer, "target", pool->target);
    write_count(writer, "ready", pool->ready);
    write_count(writer, "active", pool->active);
    write_count(writer, "made", pool->made);
    write_count(writer, "taken", pool->taken);
    write_count(writer, "zygotes", pool->zygotes);
    write_count(writer, "zygotes_dead", pool->zygotes_dead);
    write_count(writer, "memory_bytes", pool->memory_bytes);
    json_write_member(writer, "problem", pool->problem);
    json_write_close(writer, '}');
}

int cella_pools_json(const struct cella_engine *engine, char **ret_json, size_t *ret_size,
                     struct cella_error *err)
{
    struct buffer out;
    struct json_writer writer;
    buffer_init(&out, 0);
    json_write_init(&writer, &out);
    json_write_open(&writer, '{');
    json_write_key(&writer, "pools");
    json_write_open(&writer, '[');
    cella_engine_pools(engine, write_pool, &writer);
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
    return give(&out, writer.failed ? error_set_memory(err) : 0, ret_json, ret_size);
}

static const char *read_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static uint64_t read_count(const json_t *object, const char *name)
{
    const json_int_t count = json_integer_value(json_object_get(object, name));
    return count > 0 ? (uint64_t)count : 0;
}

int cella_pools_parse(const char *json, size_t size,
                      void (*row)(void *context, const struct cella_pool *pool), void *context,
                      struct cella_error *err)
{
    AUTO_JSON json_t *value = NULL;
    if (json_text_parse(json, size, WIRE_JSON_MAX, &value, err) < 0) {
        return -1;
    }
    const json_t *pools = json_object_get(value, "pools");
    if (!json_is_array(pools)) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "these are no pools");
    }
    for (size_t i = 0; i < json_array_size(pools); i++) {
        const json_t *object = json_array_get(pools, i);
        const struct cella_pool pool = {
            .language = read_text(object, "language"),
            .policy = read_text(object, "policy"),
            .target = (unsigned)read_count(object, "target"),
            .ready = (unsigned)read_count(object, "ready"),
            .active = (unsigned)read_count(object, "active"),
            .made = (unsigned)read_count(object, "made"),
            .taken = (unsigned)read_count(object, "taken"),
            .zygotes = (unsigned)read_count(object, "zygotes"),
            .zygotes_dead = (unsigned)read_count(object, "zygotes_dead"),
            .memory_bytes = read_count(object, "memory_bytes"),
            .problem = read_text(object, "problem"),
        };
        row(context, &pool);
    }
    return 0;
}

/* ---- errors ---- */

int cella_error_http_status(enum cella_error_kind kind)
{
    return error_kind_info(kind)->http_status;
}

int cella_problem_json(const struct cella_error *error, const char *title, int status,
                       char **ret_json, size_t *ret_size, struct cella_error *err)
{
    struct buffer out;
    struct json_writer writer;
    char type[64] = "about:blank";
    if (title == NULL) {
        size_t kind = (size_t)error->kind;
        kind = kind < ARRAY_LENGTH(problem_titles) && kind > 0 ? kind : CELLA_ERROR_BUG;
        title = problem_titles[kind];
        status = cella_error_http_status(error->kind);
        (void)snprintf(type, sizeof(type), ERROR_PROBLEM_TYPE "%s",
                       error_kind_info(error->kind)->name);
    }
    buffer_init(&out, 0);
    json_write_init(&writer, &out);
    json_write_open(&writer, '{');
    json_write_member(&writer, "type", type);
    json_write_member(&writer, "title", title);
    json_write_key(&writer, "status");
    json_write_integer(&writer, status);
    json_write_member(&writer, "detail", error->text);
    json_write_member(&writer, "field", error->field);
    json_write_member(&writer, "hint", error->hint);
    json_write_close(&writer, '}');
    return give(&out, writer.failed ? error_set_memory(err) : 0, ret_json, ret_size);
}

/* A member that is absent, null or no text is an empty one. */
static void copy_member(const json_t *object, const char *name, char *ret_text, size_t capacity)
{
    const char *text = json_string_value(json_object_get(object, name));
    (void)snprintf(ret_text, capacity, "%s", text != NULL ? text : "");
}

int cella_problem_parse(const char *json, size_t size, struct cella_error *ret_problem,
                        struct cella_error *err)
{
    AUTO_JSON json_t *value = NULL;
    const size_t prefix = strlen(ERROR_PROBLEM_TYPE);
    if (json_text_parse(json, size, WIRE_JSON_MAX, &value, err) < 0) {
        return -1;
    }
    const char *type = json_string_value(json_object_get(value, "type"));
    if (type == NULL || strncmp(type, ERROR_PROBLEM_TYPE, prefix) != 0) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "this is no problem of Cella's");
    }
    struct cella_error problem = {.kind = error_kind_by_name(type + prefix)};
    copy_member(value, "detail", problem.text, sizeof(problem.text));
    copy_member(value, "field", problem.field, sizeof(problem.field));
    copy_member(value, "hint", problem.hint, sizeof(problem.hint));
    *ret_problem = problem;
    return 0;
}
