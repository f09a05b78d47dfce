/* The words of a request's fields: see fields.h. */
#include "request/fields.h"

#include <string.h>

const struct request_choice request_encodings[] = {{"utf-8", false}, {"base64", true}};
const struct request_choice request_networks[] = {{"none", SPEC_NETWORK_NONE},
                                                  {"host", SPEC_NETWORK_HOST}};
const struct request_choice request_output_limits[] = {{"truncate", SPEC_OUTPUT_TRUNCATE},
                                                       {"stop", SPEC_OUTPUT_STOP}};
const struct request_choice request_text_errors[] = {{"base64", SPEC_TEXT_BASE64},
                                                     {"replace", SPEC_TEXT_REPLACE}};

int request_choice_value(const struct request_choice choices[REQUEST_CHOICES], const char *word)
{
    for (size_t i = 0; i < REQUEST_CHOICES; i++) {
        if (strcmp(choices[i].word, word) == 0) {
            return choices[i].value;
        }
    }
    return -1;
}

const char *request_choice_word(const struct request_choice choices[REQUEST_CHOICES], int value)
{
    for (size_t i = 0; i < REQUEST_CHOICES; i++) {
        if (choices[i].value == value) {
            return choices[i].word;
        }
    }
    return "";
}

int request_choice_read(json_t *value, const struct json_where *where,
                        const struct request_choice choices[REQUEST_CHOICES], int *ret_value,
                        struct cella_error *err)
{
    const char *word;
    if (json_text_read_word(value, where, &word, err) < 0) {
        return -1;
    }
    int found = request_choice_value(choices, word);
    if (found < 0) {
        return json_text_fail(err, where, "must be '%s' or '%s'", choices[0].word, choices[1].word);
    }
    *ret_value = found;
    return 0;
}
