/*
 * See keys.h.  Divisions: the file, read; the file, written; keys.
 */
#include "front/keys.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NEW_FILE  "keys.json.new"
#define LOCK_FILE "keys.lock"
/* Members of a key in the file. */
#define VALUES_MAX (KEYS_MAX * (KEY_POLICY_MAX + 24U))

static const struct {
    const char *name;
    uint64_t max;
} bounds[KEY_BOUND_COUNT] = {
#define KEY_BOUND_ROW(id, name, max, meaning) {name, max},
    KEY_BOUNDS(KEY_BOUND_ROW)
#undef KEY_BOUND_ROW
};

bool key_name_is_good(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-+.";
    const size_t size = strlen(name);
    return size < KEY_NAME_SIZE && strspn(name, letters) == size &&
           strcspn(name, "_-+.") > 0; /* with a letter or digit first */
}

/* ---- the file, read ---- */

static int read_name(char ret_name[KEY_NAME_SIZE], json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    const char *text = NULL;
    if (json_text_read_word(value, where, &text, err) < 0) {
        return -1;
    }
    if (!key_name_is_good(text)) {
        return json_text_fail(err, where, "is no name: " KEY_NAME_TEXT);
    }
    (void)snprintf(ret_name, KEY_NAME_SIZE, "%s", text);
    return 0;
}

static int read_key_name(void *target, json_t *value, const struct json_where *where,
                         struct cella_error *err)
{
    struct key *key = target;
    if (read_name(key->name, value, where, err) < 0) {
        return -1;
    }
    return strcmp(key->name, KEY_NAME_RESERVED) != 0
               ? 0
               : json_text_fail(err, where,
                                "is '" KEY_NAME_RESERVED "', which is whoever comes by the Unix "
                                "socket; give the key another name");
}

static int read_digest(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct key *key = target;
    const char *text = NULL;
    if (json_text_read_word(value, where, &text, err) < 0) {
        return -1;
    }
    bool good = strlen(text) == 2 * (size_t)KEY_DIGEST_SIZE;
    for (size_t i = 0; good && i < KEY_DIGEST_SIZE; i++) {
        const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        good = high >= 0 && low >= 0;
        key->digest[i] = good ? (uint8_t)(high << 4 | low) : 0;
    }
    return good ? 0 : json_text_fail(err, where, "must be a SHA-256 in hexadecimal digits");
}

static int read_policy(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct key *key = target;
    if (key->policy_count == KEY_POLICY_MAX) {
        return json_text_fail(err, where, "is one more than the %u that there may be",
                              KEY_POLICY_MAX);
    }
    return read_name(key->policies[key->policy_count++], value, where, err);
}

static int read_policies(void *target, json_t *value, const struct json_where *where,
                         struct cella_error *err)
{
    return json_text_read_array(value, target, read_policy, where, err);
}

static int read_bound(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    struct key *key = target;
    enum key_bound bound = 0; /* one of them it is, or this would not be called */
    while (bound + 1 < KEY_BOUND_COUNT && strcmp(bounds[bound].name, where->key) != 0) {
        bound++;
    }
    const json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 1 || (uint64_t)number > bounds[bound].max) {
        return json_text_fail(err, where, "must be a whole number from 1 to %llu",
                              (unsigned long long)bounds[bound].max);
    }
    key->bounds[bound] = (uint64_t)number;
    return 0;
}

static int read_metrics(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    return json_text_read_bool(value, where, &((struct key *)target)->metrics, err);
}

static int read_created(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    const char *text = NULL;
    if (json_text_read_word(value, where, &text, err) < 0) {
        return -1;
    }
    (void)snprintf(((struct key *)target)->created_at, KEY_TIME_SIZE, "%s", text);
    return 0;
}

static bool has_digest(const struct key *key)
{
    static const uint8_t none[KEY_DIGEST_SIZE];
    return memcmp(key->digest, none, sizeof(none)) != 0;
}

static int read_key(void *target, json_t *value, const struct json_where *where,
                    struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"name", read_key_name},
        {"sha256", read_digest},
        {"policies", read_policies},
#define KEY_BOUND_FIELD(id, name, max, meaning) {name, read_bound},
        KEY_BOUNDS(KEY_BOUND_FIELD)
#undef KEY_BOUND_FIELD
            {"metrics", read_metrics},
        {"created_at", read_created},
    };
    struct keys *keys = target;
    if (keys->count == KEYS_MAX) {
        return json_text_fail(err, where, "is one more than the %u that there may be", KEYS_MAX);
    }
    struct key *items = alloc_grow(keys->items, keys->count, sizeof(*items));
    if (items == NULL) {
        return error_set_memory(err);
    }
    keys->items = items;
    struct key *key = &items[keys->count];
    *key = (struct key){.name = ""};
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), key, where, err) < 0) {
        return -1;
    }
    if (key->name[0] == '\0' || key->policy_count == 0 || !has_digest(key)) {
        return json_text_fail(err, where, "must have name, sha256 and policies");
    }
    if ((key->bounds[KEY_RATE] == 0) != (key->bounds[KEY_RATE_SECONDS] == 0)) {
        return json_text_fail(err, where, "must have rate and rate_seconds, or neither");
    }
    if (keys_find_name(keys, key->name) != NULL) {
        return json_text_fail(err, where, "has the name of another: '%s'", key->name);
    }
    keys->count++;
    return 0;
}

static int read_keys(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    return json_text_read_array(value, target, read_key, where, err);
}

static int parse(const char *text, size_t size, struct keys *ret_keys, struct cella_error *err)
{
    static const struct json_field fields[] = {{"keys", read_keys}};
    AUTO_JSON json_t *value = NULL;
    struct cella_error problem;
    struct keys keys = {.demanded = true};
    if (json_text_parse_values(text, size, KEYS_FILE_MAX, VALUES_MAX, &value, &problem) < 0 ||
        json_text_read_object(value, fields, 1, &keys, NULL, &problem) < 0) {
        keys_done(&keys);
        (void)error_set(err, CELLA_ERROR_HOST, 0, KEYS_FILE ": %s", problem.text);
        return error_set_hint(err,
                              "nobody gets in with keys until it is mended; 'cella key' writes "
                              "it");
    }
    *ret_keys = keys;
    return 0;
}

/* Whoever could change it could let himself in. */
static int check_file(int fd, size_t *ret_size, struct cella_error *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot look at " KEYS_FILE);
    }
    if (!S_ISREG(status.st_mode) || status.st_size > (off_t)KEYS_FILE_MAX) {
        return error_set(err, CELLA_ERROR_HOST, 0, KEYS_FILE " is no file of at most %zu MiB",
                         KEYS_FILE_MAX >> 20);
    }
    if ((status.st_mode & 077) != 0) {
        (void)error_set(err, CELLA_ERROR_HOST, 0, KEYS_FILE " is open to other users");
        return error_set_hint(err, "chmod 600 it, in the state directory");
    }
    *ret_size = (size_t)status.st_size;
    return 0;
}

int keys_read(int directory, struct keys *ret_keys, struct cella_error *err)
{
    size_t size = 0;
    AUTO_CLOSE int fd =
        openat(directory, KEYS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        *ret_keys = (struct keys){.demanded = false};
        return 0;
    }
    if (fd < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot open " KEYS_FILE);
    }
    if (check_file(fd, &size, err) < 0) {
        return -1;
    }
    AUTO_FREE char *text = malloc(size + 1);
    if (text == NULL) {
        return error_set_memory(err);
    }
    const ssize_t got = fd_read_full(fd, text, size);
    if (got < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot read " KEYS_FILE);
    }
    return parse(text, (size_t)got, ret_keys, err);
}

void keys_done(struct keys *keys)
{
    free(keys->items);
    *keys = (struct keys){.items = NULL};
}

/* ---- the file, written ---- */

static void write_digest(struct json_writer *json, const struct key *key)
{
    char hex[2 * KEY_DIGEST_SIZE + 1];
    hex_write(key->digest, sizeof(key->digest), hex);
    json_write_key(json, "sha256");
    json_write_string(json, hex);
}

static void write_key(struct json_writer *json, const struct key *key, bool with_digest)
{
    json_write_open(json, '{');
    json_write_key(json, "name");
    json_write_string(json, key->name);
    if (with_digest) {
        write_digest(json, key);
    }
    json_write_key(json, "policies");
    json_write_open(json, '[');
    for (size_t i = 0; i < key->policy_count; i++) {
        json_write_string(json, key->policies[i]);
    }
    json_write_close(json, ']');
    for (enum key_bound bound = 0; bound < KEY_BOUND_COUNT; bound++) {
        if (key->bounds[bound] > 0) {
            json_write_key(json, bounds[bound].name);
            json_write_unsigned(json, key->bounds[bound]);
        }
    }
    if (key->metrics) {
        json_write_key(json, "metrics");
        json_write_bool(json, true);
    }
    json_write_key(json, "created_at");
    json_write_string(json, key->created_at);
    json_write_close(json, '}');
}

static int make_text(const struct keys *keys, bool with_digests, struct buffer *text,
                     struct cella_error *err)
{
    struct json_writer json;
    json_write_init(&json, text);
    json_write_open(&json, '{');
    json_write_key(&json, "keys");
    json_write_open(&json, '[');
    for (size_t i = 0; i < keys->count; i++) {
        write_key(&json, &keys->items[i], with_digests);
    }
    json_write_close(&json, ']');
    json_write_close(&json, '}');
    return json.failed || buffer_add_string(text, "\n") < 0 ? error_set_memory(err) : 0;
}

int keys_print(const struct keys *keys, FILE *out)
{
    struct cella_error err;
    CLEANUP(buffer_done) struct buffer text;
    buffer_init(&text, 0);
    if (make_text(keys, false, &text, &err) < 0) {
        return -1;
    }
    return fwrite(text.data, 1, text.size, out) == text.size ? 0 : -1;
}

int keys_lock(int directory, int *ret_fd, struct cella_error *err)
{
    AUTO_CLOSE int fd =
        openat(directory, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot lock the keys");
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

/* A server that runs as another user than root must be able to read what root has written. */
static int give_to_owner(int directory, int fd)
{
    struct stat status;
    if (geteuid() != 0) {
        return 0;
    }
    return fstat(directory, &status) == 0 ? fchown(fd, status.st_uid, status.st_gid) : -1;
}

static int write_new(int directory, const struct buffer *text, struct cella_error *err)
{
    (void)unlinkat(directory, NEW_FILE, 0); /* of one that was killed; we have the lock */
    AUTO_CLOSE int fd =
        openat(directory, NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fchmod(fd, 0600) < 0 || give_to_owner(directory, fd) < 0 ||
        fd_write_full(fd, text->data, text->size) < 0 || fsync(fd) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot write the keys");
    }
    return 0;
}

int keys_write(int directory, const struct keys *keys, struct cella_error *err)
{
    CLEANUP(buffer_done) struct buffer text;
    buffer_init(&text, 0);
    if (make_text(keys, true, &text, err) < 0 || write_new(directory, &text, err) < 0) {
        return -1;
    }
    if (renameat(directory, NEW_FILE, directory, KEYS_FILE) < 0 || fsync(directory) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot write the keys");
    }
    return 0;
}

/* ---- keys ---- */

static void make_digest(const char *text, uint8_t ret_digest[KEY_DIGEST_SIZE])
{
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *)text, strlen(text));
    SHA256Final(ret_digest, &context);
}

/* All of every digest is looked at, whatever was found before. */
const struct key *keys_find(const struct keys *keys, const char *text)
{
    uint8_t digest[KEY_DIGEST_SIZE];
    const struct key *found = NULL;
    make_digest(text, digest);
    for (size_t i = 0; i < keys->count; i++) {
        unsigned differs = 0;
        for (size_t j = 0; j < KEY_DIGEST_SIZE; j++) {
            differs |= (unsigned)(digest[j] ^ keys->items[i].digest[j]);
        }
        found = differs == 0 ? &keys->items[i] : found;
    }
    return found;
}

const struct key *keys_find_name(const struct keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->items[i].name, name) == 0) {
            return &keys->items[i];
        }
    }
    return NULL;
}

static int make_text_of_key(char ret_text[KEY_TEXT_SIZE], struct cella_error *err)
{
    uint8_t random[KEY_DIGEST_SIZE];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return error_set(err, CELLA_ERROR_HOST, errno, "the kernel gives no random numbers");
    }
    (void)snprintf(ret_text, KEY_TEXT_SIZE, KEY_PREFIX);
    hex_write(random, sizeof(random), ret_text + strlen(KEY_PREFIX));
    return 0;
}

int keys_add(struct keys *keys, const struct key *key, char ret_text[KEY_TEXT_SIZE],
             struct cella_error *err)
{
    struct tm parts;
    const time_t now = time(NULL);
    if (keys_find_name(keys, key->name) != NULL) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "there is a key of '%s' already", key->name);
        return error_set_hint(err, "'cella key revoke %s' makes way for another", key->name);
    }
    if (keys->count == KEYS_MAX) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "there are %u keys, and no more may be",
                         KEYS_MAX);
    }
    struct key *items = alloc_grow(keys->items, keys->count, sizeof(*items));
    if (items == NULL) {
        return error_set_memory(err);
    }
    keys->items = items;
    if (make_text_of_key(ret_text, err) < 0) {
        return -1;
    }
    items[keys->count] = *key;
    make_digest(ret_text, items[keys->count].digest);
    (void)strftime(items[keys->count].created_at, KEY_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ",
                   gmtime_r(&now, &parts));
    keys->count++;
    return 0;
}

int keys_remove(struct keys *keys, const char *name, struct cella_error *err)
{
    struct key *items = keys->items;
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(items[i].name, name) == 0) {
            memmove(&items[i], &items[i + 1], (keys->count - i - 1) * sizeof(*items));
            keys->count--;
            return 0;
        }
    }
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "there is no key of '%s'", name);
    return error_set_hint(err, "'cella key list' prints those that there are");
}
