/*
 * Any bytes as what stands behind the '?' of a URL: what is read is within its bounds, and reads
 * the same when it is written again.
 */
#include "front/serve/http/query.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 3U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

static void begin(struct query_field fields[FIELDS])
{
    static const char *const names[FIELDS] = {"q", "limit", "after"};
    for (size_t i = 0; i < FIELDS; i++) {
        fields[i] = (struct query_field){.name = names[i]};
    }
}

/* NAME=VALUE& with each byte of the value percent-encoded. */
static size_t write_field(const struct query_field *field, char *text)
{
    static const char digits[] = "0123456789aBcDeF";
    size_t size = strlen(field->name);
    memcpy(text, field->name, size);
    text[size++] = '=';
    for (const char *byte = field->value; *byte != '\0'; byte++) {
        text[size++] = '%';
        text[size++] = digits[(unsigned char)*byte >> 4];
        text[size++] = digits[(unsigned char)*byte & 15];
    }
    text[size++] = '&';
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct query_field fields[FIELDS], again[FIELDS];
    struct cella_error error;
    char written[FIELDS * (3 * QUERY_VALUE_MAX + 16)];
    size_t written_size = 0;
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    begin(fields);
    begin(again);
    if (query_read(text, fields, FIELDS, &error) < 0) {
        require(error.kind == CELLA_ERROR_CALLER && error.text[0] != '\0');
    } else {
        for (size_t i = 0; i < FIELDS; i++) {
            require(memchr(fields[i].value, '\0', sizeof(fields[i].value)) != NULL);
            written_size += write_field(&fields[i], written + written_size);
        }
        written[written_size - 1] = '\0';
        require(query_read(written, again, FIELDS, &error) == 0);
        for (size_t i = 0; i < FIELDS; i++) {
            require(strcmp(fields[i].value, again[i].value) == 0);
        }
    }
    free(text);
    return 0;
}
