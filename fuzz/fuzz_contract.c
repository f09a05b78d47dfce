/*
 * What clients of other servers write, in the forms that are read by hand: a program in whatever a
 * model has put around it, halves of characters in JSON, versions and their selectors.
 */
#include "base/utf8.h"
#include "front/serve/contracts/execute_code.h"
#include "front/serve/contracts/semver.h"
#include "front/serve/contracts/surrogates.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

/* What comes out is text when what went in was, and never much more. */
static void find_code(const char *text, size_t size)
{
    struct buffer code;
    buffer_init(&code, 0);
    require(execute_code_find(text, size, &code) == 0);
    require(code.size <= 3 * size);
    require(!utf8_is_valid(text, size) ||
            utf8_is_valid(code.data != NULL ? code.data : "", code.size));
    buffer_done(&code);
}

/* Mended once it stays as it is. */
static void mend(const char *text, size_t size)
{
    char *once = malloc(size + 1);
    char *again = malloc(size + 1);
    require(once != NULL && again != NULL);
    memcpy(once, text, size);
    surrogates_mend(once, size);
    memcpy(again, once, size);
    surrogates_mend(again, size);
    require(memcmp(once, again, size) == 0);
    free(once);
    free(again);
}

static void select_version(const char *text, size_t size)
{
    static const struct semver version = {{3, 11, 2}};
    char *selector = malloc(size + 1);
    struct semver exact;
    require(selector != NULL);
    memcpy(selector, text, size);
    selector[size] = '\0';
    (void)semver_of(selector);
    const bool taken = semver_satisfies(&version, selector);
    if (semver_is_exact(selector, &exact)) {
        require(taken == (semver_compare(&exact, &version) == 0));
    }
    free(selector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    find_code((const char *)data, size);
    mend((const char *)data, size);
    select_version((const char *)data, size);
    return 0;
}
