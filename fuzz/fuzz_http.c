/*
 * Any bytes as what a client sends: a head is refused with a reason or has every promise of http.h,
 * and chunks give the same, whole and byte by byte.
 */
#include "front/serve/http/http.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

static void check_refusal(const struct http_refusal *refusal)
{
    require(refusal->status >= 400 && refusal->status < 600 && refusal->text[0] != '\0');
    require(strcmp(http_reason(refusal->status), "Unknown") != 0);
}

static bool lies_in(const char *text, const char *data, size_t size)
{
    return text >= data && text + strlen(text) < data + size;
}

static void check_head(const char *data, size_t size)
{
    struct http_head head;
    struct http_refusal refusal;
    char *copy = malloc(size);
    require(copy != NULL);
    memcpy(copy, data, size);
    if (http_parse_head(copy, size, &head, &refusal) < 0) {
        check_refusal(&refusal);
    } else {
        require(lies_in(head.method, copy, size) && lies_in(head.path, copy, size));
        require(head.method[0] != '\0' && head.path[0] == '/' && strchr(head.path, '?') == NULL);
        require(head.query[0] == '\0' || lies_in(head.query, copy, size));
        require(!head.is_chunked || (head.has_body && head.content_length == 0));
        require(head.has_body == (head.is_chunked || head.content_length > 0));
        require(head.header_count <= HTTP_HEADERS_MAX);
        for (size_t i = 0; i < head.header_count; i++) {
            require(lies_in(head.headers[i].name, copy, size) && head.headers[i].name[0] != '\0');
            require(lies_in(head.headers[i].value, copy, size));
            require(http_header(&head, head.headers[i].name) != NULL);
        }
    }
    free(copy);
}

/* Reads a body `step` bytes at a time into `body`; false when it is refused. */
static bool read_chunks(const char *data, size_t size, size_t step, char *body, size_t *ret_size,
                        size_t *ret_taken)
{
    struct http_chunks chunks = {.state = CHUNK_SIZE};
    size_t at = 0, body_size = 0;
    while (at < size && chunks.state != CHUNK_DONE) {
        struct http_refusal refusal;
        size_t part = size - at < step ? size - at : step, taken, kept;
        memcpy(body + body_size, data + at, part);
        if (http_take_chunks(&chunks, body + body_size, part, &taken, &kept, &refusal) < 0) {
            check_refusal(&refusal);
            return false;
        }
        require(kept <= taken && taken <= part);
        at += taken;
        body_size += kept;
    }
    *ret_size = body_size;
    *ret_taken = at;
    return true;
}

static void check_chunks(const char *data, size_t size)
{
    char *whole = malloc(size + 1), *pieces = malloc(size + 1);
    size_t whole_size = 0, pieces_size = 0, whole_taken = 0, pieces_taken = 0;
    require(whole != NULL && pieces != NULL);
    bool good = read_chunks(data, size, size + 1, whole, &whole_size, &whole_taken);
    require(good == read_chunks(data, size, 1, pieces, &pieces_size, &pieces_taken));
    require(whole_size == pieces_size && whole_taken == pieces_taken);
    require(!good || memcmp(whole, pieces, whole_size) == 0);
    free(whole);
    free(pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t head_size = http_head_size(text, size, 0);
    require(head_size <= size);
    if (head_size > 0 && head_size <= HTTP_HEAD_MAX) {
        check_head(text, head_size);
    }
    check_chunks(text + head_size, size - head_size);
    return 0;
}
