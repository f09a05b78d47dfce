/* Compiler attributes under names that say what they are for, and the cleanup idiom. */
#ifndef BASE_ATTRIBUTES_H
#define BASE_ATTRIBUTES_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_arg)                                                       \
    __attribute__((format(printf, format_index, first_arg)))
#define NORETURN __attribute__((noreturn))

/* Runs `function(&variable)` when the variable goes out of scope. */
#define CLEANUP(function) __attribute__((cleanup(function)))

/* Says that a MUST_CHECK result does not matter here; the reason stands beside it. */
#define IGNORE(expression)                                                                         \
    do {                                                                                           \
        if (expression) {                                                                          \
        }                                                                                          \
    } while (0)

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
