/*
 * An event loop around libcella: the program's output as it comes, and our own standard input fed
 * to it line by line, with one poll() over the engine's descriptor and ours.
 *
 *     printf '1\n2\n3\n' | ./stream
 */
#include <cella/cella.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static const char program[] = "import sys\n"
                              "total = 0\n"
                              "for line in sys.stdin:\n"
                              "    total += int(line)\n"
                              "    print('so far', total, flush=True)\n";

/* What of our input is read and not yet taken. */
struct input {
    char data[4096];
    size_t size, taken;
    bool ended;
};

static void on_output(void *context, struct cella_run *run, enum cella_stream stream,
                      const void *data, size_t size)
{
    (void)context;
    (void)run;
    FILE *out = stream == CELLA_STDOUT ? stdout : stderr;
    fwrite(data, 1, size, out);
    fflush(out);
}

static void on_done(void *context, struct cella_run *run)
{
    (void)run;
    *(bool *)context = true;
}

/* Passes on what there is room for; reads more only when all of it is taken. */
static int pass_input(struct cella_run *run, struct input *input, bool readable,
                      struct cella_error *err)
{
    size_t taken = 0;
    if (readable && input->taken == input->size) {
        ssize_t got = read(STDIN_FILENO, input->data, sizeof(input->data));
        input->size = got > 0 ? (size_t)got : 0;
        input->taken = 0;
        if (got <= 0) {
            input->ended = true;
            cella_run_close_stdin(run);
        }
    }
    if (input->taken < input->size &&
        cella_run_write_stdin(run, input->data + input->taken, input->size - input->taken, &taken,
                              err) < 0) {
        return -1;
    }
    input->taken += taken;
    return 0;
}

static int follow(struct cella_engine *engine, struct cella_run *run, const bool *done,
                  struct cella_error *err)
{
    struct input input = {.size = 0};
    while (!*done) {
        bool wanted = !input.ended && input.taken == input.size;
        struct pollfd watched[] = {
            {.fd = cella_engine_fd(engine), .events = POLLIN},
            {.fd = wanted ? STDIN_FILENO : -1, .events = POLLIN},
        };
        if (poll(watched, 2, -1) < 0 ||
            (watched[0].revents != 0 && cella_engine_process(engine, err) < 0) ||
            pass_input(run, &input, watched[1].revents != 0, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int main(void)
{
    struct cella_engine *engine = NULL;
    struct cella_request *request = NULL;
    struct cella_run *run = NULL;
    struct cella_error err = {.text = "cannot wait"};
    bool done = false;
    int code = 1;
    const struct cella_callbacks callbacks = {
        .size = sizeof(callbacks),
        .context = &done,
        .output = on_output,
        .done = on_done,
    };

    if (cella_engine_open(NULL, &engine, &err) == 0 && cella_request_create(&request, &err) == 0 &&
        cella_request_set(request, "language", "python", &err) == 0 &&
        cella_request_set(request, "code", program, &err) == 0 &&
        cella_run_start(engine, request, CELLA_RUN_STDIN_OPEN, &callbacks, &run, &err) == 0 &&
        follow(engine, run, &done, &err) == 0) {
        const struct cella_result *result = cella_run_result(run);
        fprintf(stderr, "%s: %s\n", cella_result_status(result), cella_result_message(result));
        code = cella_result_cli_code(result);
    } else {
        fprintf(stderr, "%s\n%s\n", err.text, err.hint);
    }
    cella_run_free(run);
    cella_request_destroy(request);
    cella_engine_close(engine);
    return code;
}
