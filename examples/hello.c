/*
 * The smallest use of libcella: run a Python program and say what came of it.
 *
 *     cc hello.c $(pkg-config --cflags --libs cella) && ./a.out
 */
#include <cella/cella.h>
#include <stdio.h>

int main(void)
{
    struct cella_engine *engine = NULL;
    struct cella_request *request = NULL;
    struct cella_result *result = NULL;
    struct cella_error err;
    int code = 1;

    if (cella_engine_open(NULL, &engine, &err) == 0 && cella_request_create(&request, &err) == 0 &&
        cella_request_set(request, "language", "python", &err) == 0 &&
        cella_request_set(request, "code", "print('hello from', __name__)", &err) == 0 &&
        cella_request_set(request, "limits.wall_ms", "5s", &err) == 0 &&
        cella_run(engine, request, &result, &err) == 0) {
        size_t size;
        const char *output = cella_result_stdout(result, &size);
        fwrite(output, 1, size, stdout);
        printf("%s: %s\n", cella_result_status(result), cella_result_message(result));
        code = cella_result_cli_code(result);
    } else {
        fprintf(stderr, "%s\n%s\n", err.text, err.hint);
    }
    cella_result_destroy(result);
    cella_request_destroy(request);
    cella_engine_close(engine);
    return code;
}
