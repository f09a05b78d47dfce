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
