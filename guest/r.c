/*
 * R: the interpreter runs the program itself, with all that it does before and after.
 *
 * How it works: R opens its script as soon as it has read its command line, loads its packages,
 * and then reads the script line by line. When it comes to read the first, children are forked;
 * in each the stand-in's place is taken by the script. What R has made of its command line and
 * environment until then is made anew: the arguments behind "--args", the variables, the
 * directory for temporary files, which has a random name, and the time from which it counts. R's
 * random numbers need nothing: it seeds them when they are first asked for, by the time and its
 * pid. Those of the C library, by which it names temporary files, are seeded anew.
 *
 * The shell script that stands before R, and sets variables for it, hands on what it has been given
 * (zygote.c).  The functions are found by name in the library that R is.
 */
#include "base/error.h"
#include "guest.h"
#include "pages.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct object; /* Of R's headers: what we hand on and never look into. */

#define RANDOM_LETTERS "XXXXXX" /* at the end of the directory's name, as mkdtemp() wants them */

#define REMOVE               "rm -Rf " /* as R calls it */
#define OPEN_DIRECTORIES_MAX 16

#define SESSION_DIRECTORY "R_SESSION_TMPDIR"

static struct {
    struct object *(*R_ParseEvalString)(const char *text, struct object *environment);
    void (*R_gc)(void);
    void (*R_set_command_line_arguments)(int argc, char **argv);
    void (*R_setStartTime)(void);
    void (*R_RunExitFinalizers)(void);
    void (*R_CleanTempDir)(void);
    struct object **R_BaseEnv;
    char **R_TempDir;
} r;

extern const char guest_r_source[]; /* r.R, with a NUL */

static char **variables; /* the zygote's, with those that the shell script and R have set */
static int stand_in = -1;

static bool find_functions(void)
{
#define ROW(name)                                                                                  \
    {                                                                                              \
#name, (size_t)((char *)&r.name - (char *)&r)                                              \
    }
    static const struct guest_symbol symbols[] = {
        ROW(R_ParseEvalString),
        ROW(R_gc),
        ROW(R_set_command_line_arguments),
        ROW(R_setStartTime),
        ROW(R_RunExitFinalizers),
        ROW(R_CleanTempDir),
        ROW(R_BaseEnv),
        ROW(R_TempDir),
    };
#undef ROW
    return guest_find_symbols(&r, symbols, ARRAY_LENGTH(symbols));
}

/* ---- in the zygote ---- */

static void opened(int descriptor)
{
    stand_in = descriptor;
}

static void reads(FILE *stream)
{
    (void)stream;                   /* the stand-in, whose descriptor we have */
    IGNORE(guest_take_over() >= 0); /* it rehearses another way */
}

static int load(const char *modules, struct cella_error *err)
{
    if (!find_functions() || *r.R_TempDir == NULL || guest_arguments()[0] == NULL) {
        return error_set(err, CELLA_ERROR_RUNTIME, 0, "this R is made otherwise than we know");
    }
    if (*modules != '\0') {
        return error_set(err, CELLA_ERROR_RUNTIME, 0, "R can load nothing before its program: '%s'",
                         modules);
    }
    variables = environ;
    r.R_ParseEvalString(guest_r_source, *r.R_BaseEnv);
    r.R_gc(); /* what a program's collections look at is what it made itself */
    r.R_gc();
    return 0;
}

/* ---- in a child ---- */

/* Its directory for temporary files, in a /tmp of its own. */
static void make_directory(void)
{
    char *name = *r.R_TempDir;
    const size_t length = strlen(name);
    if (length > strlen(RANDOM_LETTERS)) {
        memcpy(name + length - strlen(RANDOM_LETTERS), RANDOM_LETTERS, strlen(RANDOM_LETTERS));
        IGNORE(mkdtemp(name) == NULL); /* R will say that it lacks it */
    }
}

static void after_fork(void)
{
    unsigned seed = 0;
    IGNORE(getrandom(&seed, sizeof(seed), 0) < 0); /* cannot fail with these arguments */
    srand(seed);
    make_directory();
}

/* What all programs do, and no more, is made ready: to take a page apart that was not needed costs
 * a run as much as one that was.  A program of some length does what the zygote has done, too. */
static int rehearse(void)
{
    r.R_ParseEvalString("local({ f <- function(n) n + 1\n"
                        "x <- f(1)\n"
                        "cat(paste0(x, sprintf('%d', 1L)), '\\n')\n"
                        "print(x) }, envir = new.env(parent = globalenv()))",
                        *r.R_BaseEnv);
    r.R_RunExitFinalizers();
    r.R_CleanTempDir();
    pages_look();
    r.R_ParseEvalString(guest_r_source, *r.R_BaseEnv);
    pages_look_later();
    return -1;
}

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *place)
{
    (void)file;
    (void)type;
    (void)place;
    return remove(path);
}

/* At its end R has its directory removed by a shell, which takes longer than all the rest.  What we
 * cannot remove is left to that: it may have something to say. */
static bool runs(const char *command)
{
    const size_t length = strlen(REMOVE);
    return strncmp(command, REMOVE, length) == 0 && strcmp(command + length, *r.R_TempDir) == 0 &&
           nftw(*r.R_TempDir, remove_one, OPEN_DIRECTORIES_MAX, FTW_DEPTH | FTW_PHYS) == 0;
}

static bool is_set(const char *variable)
{
    const size_t length = strcspn(variable, "=");
    for (char **known = environ; *known != NULL; known++) {
        if (strncmp(*known, variable, length) == 0 && (*known)[length] == '=') {
            return true;
        }
    }
    return false;
}

/* The run's own variables stay; a run that sets one by which the others are made starts cold. */
static void add_variables(void)
{
    size_t count = 0, added = 0;
    while (environ[count] != NULL) {
        count++;
    }
    while (variables[added] != NULL) {
        added++;
    }
    char **all = calloc(count + added + 1, sizeof(*all));
    if (all == NULL) {
        guest_start_anew();
    }
    memcpy(all, environ, count * sizeof(*all));
    for (char **variable = variables; *variable != NULL; variable++) {
        if (!is_set(*variable)) {
            all[count++] = *variable;
        }
    }
    environ = all;
    if (setenv(SESSION_DIRECTORY, *r.R_TempDir, 1) != 0) {
        guest_start_anew();
    }
}

/* As its front end gives them to R: behind "--args", if there are any. */
static void set_arguments(int argc, char **argv)
{
    static char separator[] = "--args";
    char *const *own = guest_arguments();
    int count = 0;
    while (own[count] != NULL) {
        count++;
    }
    char **all = calloc((size_t)(count + argc) + 2, sizeof(*all));
    if (all == NULL) {
        guest_start_anew();
    }
    memcpy(all, own, (size_t)count * sizeof(*all));
    if (argc > 0) {
        all[count++] = separator;
        memcpy(all + count, argv, (size_t)argc * sizeof(*all));
    }
    r.R_set_command_line_arguments(count + argc, all);
    free(all); /* R has copied them */
}

static void open_script(const char *path)
{
    const int file = open(path, O_RDONLY); /* what R starts inherits it, as always */
    if (file < 0 || (file != stand_in && dup2(file, stand_in) < 0)) {
        guest_start_anew(); /* R will say what it lacks */
    }
    if (file != stand_in) {
        (void)close(file); /* its duplicate stays */
    }
}

static void run(int argc, char **argv, int script)
{
    add_variables();
    set_arguments(argc - script - 1, argv + script + 1);
    open_script(argv[script]);
    r.R_setStartTime();
}

const struct guest_language guest_r = {
    .symbol = "Rf_mainloop",
    .opened = opened,
    .load = load,
    .after_fork = after_fork,
    .rehearse = rehearse,
    .run = run,
    .reads = reads,
    .runs = runs,
};
