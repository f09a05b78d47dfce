/*
 * Runs a fuzz target over the files named as arguments, without a fuzzer: the corpora are replayed
 * by the ordinary tests, with every compiler and sanitizer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *data = malloc(INPUT_MAX);
    int result = -1;
    if (file != NULL && data != NULL) {
        size_t size = fread(data, 1, INPUT_MAX, file);
        /* A copy of its very size, so that the sanitizer sees a read behind its end. */
        uint8_t *exact = realloc(data, size > 0 ? size : 1);
        if (exact != NULL) {
            data = exact;
            result = ferror(file) ? -1 : LLVMFuzzerTestOneInput(data, size);
        }
    }
    free(data);
    if (file != NULL) {
        (void)fclose(file); /* only read from */
    }
    if (result != 0) {
        fprintf(stderr, "replay: %s failed\n", path);
    }
    return result;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (replay(argv[i]) != 0) {
            return EXIT_FAILURE;
        }
    }
    printf("%d files replayed\n", argc - 1);
    return EXIT_SUCCESS;
}
