/*
 * The program in what a model wrote as one: code as it is; a literal {'generated_code': '...'} of
 * Python's or JSON's; or a Markdown block, with or without the name of its language.  Pure.
 */
#ifndef SERVE_EXECUTE_CODE_H
#define SERVE_EXECUTE_CODE_H

#include "base/buffer.h"

#include <stddef.h>

/* Adds the program to `code`.  -1 when memory is short. */
int execute_code_find(const char *text, size_t size, struct buffer *code)
    __attribute__((warn_unused_result));

#endif
