/* The bytes of a batch: a string, or content and encoding.  See batch_request.h. */
#include "base/alloc.h"
#include "base/base64.h"
#include "base/error.h"
#include "front/serve/runs/batch_request.h"

#include <stdlib.h>

#define BYTES_MAX ((size_t)64 << 20)

struct content {
    const char *text;
    size_t size;
    bool is_base64;
};

static int read_content(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    struct content *content = target;
    return json_text_read_string(value, where, &content->text, &content->size, err);
}

static int read_encoding(void *target, json_t *value, const struct json_where *where,
                         struct cella_error *err)
{
    static const char *const words[] = {"utf-8", "base64"};
    struct content *content = target;
    size_t index;
    if (json_text_read_choice(value, where, words, ARRAY_LENGTH(words),
                              "must be 'utf-8' or 'base64'", &index, err) < 0) {
        return -1;
    }
    content->is_base64 = index == 1;
    return 0;
}

static int decode(const struct content *content, const struct json_where *where,
                  struct batch_bytes *ret_bytes, struct cella_error *err)
{
    struct batch_bytes bytes = {.data = content->text, .size = content->size};
    if (content->is_base64) {
        bytes.owned = malloc(base64_decoded_max(content->size) + 1);
        if (bytes.owned == NULL) {
            return error_set_memory(err);
        }
        bytes.data = bytes.owned;
        if (base64_decode(content->text, content->size, bytes.owned, &bytes.size) < 0) {
            free(bytes.owned);
            return json_text_fail(err, where, "is not base64");
        }
    }
    if (bytes.size > BYTES_MAX) {
        free(bytes.owned);
        return json_text_fail(err, where, "has more than %zu bytes", BYTES_MAX);
    }
    free(ret_bytes->owned);
    *ret_bytes = bytes;
    return 0;
}

int batch_bytes_read(struct batch_bytes *bytes, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    static const struct json_field fields[] = {{"content", read_content},
                                               {"encoding", read_encoding}};
    struct content content = {.text = NULL};
    if (json_is_string(value)) {
        content.text = json_string_value(value);
        content.size = json_string_length(value);
        return decode(&content, where, bytes, err);
    }
    if (!json_is_object(value)) {
        return json_text_fail(err, where, "must be a string or an object");
    }
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), &content, where, err) < 0) {
        return -1;
    }
    const struct json_where here = {.parent = where, .key = "content"};
    return content.text == NULL ? json_text_fail(err, &here, "is missing")
                                : decode(&content, &here, bytes, err);
}
