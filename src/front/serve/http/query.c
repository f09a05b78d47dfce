/* See query.h. */
#include "front/serve/http/query.h"

#include "base/hex.h"
#include "base/names.h"
#include "front/serve/fail.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Whether it is rightly encoded and fits. */
static bool decode(const char *text, size_t size, char ret_value[QUERY_VALUE_MAX])
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        char byte = text[i];
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            const int high = i + 1 < size ? hex_value(text[i + 1]) : -1;
            const int low = i + 2 < size ? hex_value(text[i + 2]) : -1;
            byte = (char)(high * 16 + low);
            if (high < 0 || low < 0 || byte == '\0') {
                return false;
            }
            i += 2;
        }
        if (length + 1 == QUERY_VALUE_MAX) {
            return false;
        }
        ret_value[length++] = byte;
    }
    ret_value[length] = '\0';
    return true;
}

static int fail_unknown(const char *text, size_t size, const struct query_field *fields,
                        size_t count, struct cella_error *err)
{
    char name[NAMES_LENGTH_MAX + 2]; /* a longer one is near to none */
    char known[sizeof(err->hint)] = "";
    struct names_guess guess;
    size_t at = 0;
    (void)snprintf(name, sizeof(name), "%.*s", (int)(size < 64 ? size : 64), text);
    names_guess_init(&guess, name);
    for (size_t i = 0; i < count; i++) {
        names_guess_offer_shortened(&guess, fields[i].name);
        at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", i > 0 ? ", " : "",
                               fields[i].name);
        assert(at < sizeof(known)); /* we know them all */
    }
    (void)serve_fail(err, CELLA_ERROR_CALLER, "'%s' is not known behind the '?'", name);
    if (guess.best != NULL) {
        return serve_hint(err, "did you mean '%s'?", guess.best);
    }
    return count == 0 ? -1 : serve_hint(err, "these are: %s", known);
}

static int read_one(const char *text, size_t size, struct query_field *fields, size_t count,
                    struct cella_error *err)
{
    const char *equals = memchr(text, '=', size);
    const size_t name_size = equals != NULL ? (size_t)(equals - text) : size;
    for (size_t i = 0; i < count; i++) {
        struct query_field *field = &fields[i];
        if (strlen(field->name) != name_size || memcmp(field->name, text, name_size) != 0) {
            continue;
        }
        if (equals == NULL) {
            (void)serve_fail(err, CELLA_ERROR_CALLER, "'%s' has no value behind the '?'",
                             field->name);
            return serve_hint(err, "give it as %s=VALUE", field->name);
        }
        if (field->value[0] != '\0') {
            return serve_fail(err, CELLA_ERROR_CALLER, "'%s' comes twice behind the '?'",
                              field->name);
        }
        return decode(equals + 1, size - name_size - 1, field->value)
                   ? 0
                   : serve_fail(err, CELLA_ERROR_CALLER,
                                "the value of '%s' is not percent-encoded text of at most %u bytes",
                                field->name, QUERY_VALUE_MAX - 1);
    }
    return fail_unknown(text, name_size, fields, count, err);
}

int query_read(const char *query, struct query_field *fields, size_t count, struct cella_error *err)
{
    while (*query != '\0') {
        const size_t size = strcspn(query, "&");
        if (size > 0 && read_one(query, size, fields, count, err) < 0) {
            return -1;
        }
        query += query[size] == '&' ? size + 1 : size;
    }
    return 0;
}
