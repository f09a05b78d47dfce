/* See record.h. */
#include "front/serve/records/record.h"

#include "base/buffer.h"
#include "base/json_write.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define RECORD_JSON_MAX 4096U

/* Of OpenSSL, which knows the processor's own instructions: 64 MiB take 80 ms, and by libmd 300. */
void record_digest(const char *data, size_t size, char ret_digest[RECORD_DIGEST_SIZE])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned count = 0;
    ret_digest[0] = '\0';
    if (EVP_Digest(data, size, bytes, &count, EVP_sha256(), NULL) != 1) {
        return; /* no memory for it: then it is told as null */
    }
    for (unsigned i = 0; i < count && 2 * i + 2 < RECORD_DIGEST_SIZE; i++) {
        (void)snprintf(ret_digest + (size_t)2 * i, 3, "%02x", bytes[i]);
    }
}

void record_init(struct record *record, const char *tenant, const struct trace *trace,
                 const char *json, size_t size)
{
    record->tenant = tenant;
    record->trace = *trace;
    record_digest(json, size, record->request_digest);
}

static void write_member(struct json_writer *writer, const char *key, const char *value)
{
    json_write_key(writer, key);
    json_write_string_or_null(writer, value);
}

char *record_json(const struct record *record)
{
    struct buffer text;
    struct json_writer writer;
    buffer_init(&text, RECORD_JSON_MAX);
    json_write_init(&writer, &text);
    json_write_open(&writer, '{');
    write_member(&writer, "tenant", record->tenant);
    write_member(&writer, "request_id", record->trace.request_id);
    write_member(&writer, "trace_id", record->trace.id);
    write_member(&writer, "request_digest", record->request_digest);
    json_write_close(&writer, '}');
    if (writer.failed) {
        buffer_done(&text);
        return NULL;
    }
    return text.data;
}
