/* See record.h. */
#include "front/serve/records/record.h"

#include "base/buffer.h"
#include "base/hex.h"
#include "base/json_write.h"

#include <openssl/evp.h>
#include <string.h>

#define RECORD_JSON_MAX 4096U

/* Of OpenSSL, which knows the processor's own instructions: 64 MiB take 80 ms, and by libmd 300. */
void record_digest(const char *data, size_t size, char ret_digest[RECORD_DIGEST_SIZE])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    ret_digest[0] = '\0';
    if (EVP_Digest(data, size, bytes, NULL, EVP_sha256(), NULL) != 1) {
        return; /* no memory for it: then it is told as null */
    }
    hex_write(bytes, RECORD_DIGEST_SIZE / 2, ret_digest);
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
