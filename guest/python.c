/*
 * Python: runs the program with the interpreter's own functions, found by name in the interpreter
 * that we are loaded into, so that no header or library of a version is needed to build this.
 *
 * How it works: at the moment when the interpreter opens its script there is no frame of Python's,
 * so a traceback begins with the program's own, and the program is run in the real __main__.  What
 * the interpreter would do at its end is done here in the same order, but for freeing what the
 * zygote has loaded: that would touch every page of it.  What is easier said in Python is in
 * python.py.
 */
#include "base/error.h"
#include "guest.h"
#include "isolate/init/protocol.h"
#include "park.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the interpreter's headers: pointers that we hand on and never look into. */
struct object;
struct thread_state;

#define FILE_INPUT   257 /* Py_file_input: a whole file */
#define FLUSH_FAILED 120 /* the interpreter's exit code when its last output is lost */

/* X(result, name, parameters): the stable interface (docs.python.org/3/c-api) and what PyRun_*
 * is. */
#define FUNCTIONS(X)                                                                               \
    X(struct thread_state *, PyGILState_GetThisThreadState, (void))                                \
    X(void, PyEval_RestoreThread, (struct thread_state *))                                         \
    X(struct object *, PyImport_AddModule, (const char *))                                         \
    X(struct object *, PyModule_GetDict, (struct object *))                                        \
    X(struct object *, PyImport_GetModuleDict, (void))                                             \
    X(struct object *, PyObject_GetAttrString, (struct object *, const char *))                    \
    X(struct object *, PyUnicode_AsUTF8String, (struct object *))                                  \
    X(char *, PyBytes_AsString, (struct object *))                                                 \
    X(struct object *, PyDict_New, (void))                                                         \
    X(struct object *, PyDict_GetItemString, (struct object *, const char *))                      \
    X(int, PyDict_SetItemString, (struct object *, const char *, struct object *))                 \
    X(struct object *, PyRun_StringFlags,                                                          \
      (const char *, int, struct object *, struct object *, void *))                               \
    X(struct object *, PyRun_FileExFlags,                                                          \
      (FILE *, const char *, int, struct object *, struct object *, int, void *))                  \
    X(struct object *, PyObject_CallFunction, (struct object *, const char *, ...))                \
    X(struct object *, PyList_New, (long))                                                         \
    X(int, PyList_Append, (struct object *, struct object *))                                      \
    X(struct object *, PyBytes_FromString, (const char *))                                         \
    X(struct object *, PyBytes_FromStringAndSize, (const char *, long))                            \
    X(struct object *, PyUnicode_DecodeFSDefault, (const char *))                                  \
    X(int, PyList_SetItem, (struct object *, long, struct object *))                               \
    X(int, PySys_SetObject, (const char *, struct object *))                                       \
    X(int, PyDict_SetItem, (struct object *, struct object *, struct object *))                    \
    X(void, PyDict_Clear, (struct object *))                                                       \
    X(long, PyLong_AsLong, (struct object *))                                                      \
    X(void, Py_DecRef, (struct object *))                                                          \
    X(int, PyErr_ExceptionMatches, (struct object *))                                              \
    X(void, PyErr_Fetch, (struct object **, struct object **, struct object **))                   \
    X(void, PyErr_NormalizeException, (struct object **, struct object **, struct object **))      \
    X(void, PyErr_Print, (void))                                                                   \
    X(void, PyErr_WriteUnraisable, (struct object *))                                              \
    X(int, PyObject_IsTrue, (struct object *))                                                     \
    X(struct object *, PyObject_CallMethod, (struct object *, const char *, const char *, ...))    \
    X(struct object *, PySys_GetObject, (const char *))                                            \
    X(void, PyErr_Clear, (void))

#define FIELD(result, name, parameters) result(*name) parameters;
static struct {
    FUNCTIONS(FIELD)
} py;
#undef FIELD

extern const char guest_python_source[]; /* python.py, with a NUL */

static struct object *helpers; /* its dictionary */
static struct object *system_exit, *keyboard_interrupt, *none;
static struct object *environment; /* posix.environ */
static struct object *loader;      /* the class SourceFileLoader */
static const char *ahead;          /* ",a,b,": modules that were loaded for a program */
static bool has_hooks;             /* to be called in a child */

static bool find_functions(void)
{
    static const struct guest_symbol symbols[] = {
#define ROW(result, name, parameters) {#name, (size_t)((char *)&py.name - (char *)&py)},
        FUNCTIONS(ROW)
#undef ROW
    };
    return guest_find_symbols(&py, symbols, ARRAY_LENGTH(symbols));
}

/* The name of a built-in exception is a variable of the interpreter's. */
static struct object *exception(const char *name)
{
    struct object *found = NULL;
    void *address = dlsym(RTLD_DEFAULT, name);
    if (address != NULL) {
        memcpy(&found, address, sizeof(found));
    }
    return found;
}

/* The result is a new reference; NULL with the exception left. */
static struct object *call(const char *name, const char *format, void *a, void *b)
{
    struct object *function = py.PyDict_GetItemString(helpers, name);
    return function == NULL ? NULL : py.PyObject_CallFunction(function, format, a, b);
}

static int load(const char *modules, struct cella_error *err)
{
    if (!find_functions()) {
        return error_set(err, CELLA_ERROR_RUNTIME, 0, "this Python lacks a function that we need");
    }
    /* The interpreter lets go of its lock while it opens a file. */
    py.PyEval_RestoreThread(py.PyGILState_GetThisThreadState());
    system_exit = exception("PyExc_SystemExit");
    keyboard_interrupt = exception("PyExc_KeyboardInterrupt");
    none = dlsym(RTLD_DEFAULT, "_Py_NoneStruct");
    helpers = py.PyDict_New();
    struct object *builtins = py.PyImport_AddModule("builtins");
    struct object *names = NULL;
    if (helpers == NULL || builtins == NULL ||
        py.PyDict_SetItemString(helpers, "__builtins__", builtins) != 0 ||
        py.PyRun_StringFlags(guest_python_source, FILE_INPUT, helpers, helpers, NULL) == NULL ||
        (names = call("load", "(s)", (void *)(uintptr_t)modules, NULL)) == NULL ||
        (names = py.PyUnicode_AsUTF8String(names)) == NULL ||
        (ahead = py.PyBytes_AsString(names)) == NULL) {
        py.PyErr_Print();
        return error_set(err, CELLA_ERROR_RUNTIME, 0, "cannot load the modules '%s'", modules);
    }
    has_hooks = py.PyObject_IsTrue(py.PyDict_GetItemString(helpers, "hooks")) != 0;
    environment = py.PyDict_GetItemString(helpers, "environment");
    loader = py.PyDict_GetItemString(helpers, "SourceFileLoader");
    return 0;
}

/* Not PyOS_AfterFork_Child(): it makes locks anew that nobody but this one thread can hold, and
 * calls what modules have registered, of which python.py knows what is to be done. */
static void after_fork(void)
{
    if (has_hooks && call("after_fork", NULL, NULL, NULL) == NULL) {
        py.PyErr_Print();
    }
}

/* Gives away what was made: `value` may be NULL, then nothing is set. */
static void set_item(struct object *dict, const char *name, struct object *value)
{
    if (value != NULL && py.PyDict_SetItemString(dict, name, value) == 0) {
        py.Py_DecRef(value);
    }
    py.PyErr_Clear();
}

static void set_words(const char *name, char **words)
{
    struct object *list = py.PyList_New(0);
    for (; list != NULL && *words != NULL; words++) {
        struct object *word = py.PyUnicode_DecodeFSDefault(*words);
        if (word != NULL && py.PyList_Append(list, word) == 0) {
            py.Py_DecRef(word);
        }
    }
    if (list != NULL && py.PySys_SetObject(name, list) == 0) {
        py.Py_DecRef(list);
    }
    py.PyErr_Clear();
}

/* os.environ is made of the dictionary posix.environ, and goes on with it. */
static void set_environment(void)
{
    py.PyDict_Clear(environment);
    for (char **variable = environ; *variable != NULL; variable++) {
        const char *equals = strchr(*variable, '=');
        if (equals == NULL) {
            continue;
        }
        struct object *name = py.PyBytes_FromStringAndSize(*variable, (long)(equals - *variable));
        struct object *value = py.PyBytes_FromString(equals + 1);
        if (name != NULL && value != NULL && py.PyDict_SetItem(environment, name, value) == 0) {
            py.Py_DecRef(name);
            py.Py_DecRef(value);
        }
    }
    py.PyErr_Clear();
}

/* What differs from run to run, as the interpreter sets it before it opens its script.
 * `directory` is the script's; NULL: it is not there, which will be told. */
static void set_run(struct object *dict, char **argv, const char *path, const char *directory)
{
    struct object *paths = py.PySys_GetObject("path");
    set_words("orig_argv", argv);
    set_words("argv", argv + 1);
    set_environment();
    if (directory != NULL && paths != NULL) {
        struct object *first = py.PyUnicode_DecodeFSDefault(directory);
        IGNORE(py.PyList_SetItem(paths, 0, first) != 0); /* takes it */
        py.PyErr_Clear();
    }
    set_item(dict, "__file__", py.PyUnicode_DecodeFSDefault(path));
    set_item(dict, "__cached__", py.PyDict_GetItemString(dict, "__spec__")); /* None */
    set_item(dict, "__loader__", py.PyObject_CallFunction(loader, "ss", "__main__", path));
}

/* As an uncaught KeyboardInterrupt ends the interpreter, so that whoever waits can see it. */
static void die_of_interrupt(void)
{
    IGNORE(sigaction(SIGINT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL) != 0);
    IGNORE(kill(getpid(), SIGINT) != 0);
}

/* What the interpreter does with what a program raises; returns the exit code. */
static int handle_exception(bool *ret_interrupted)
{
    *ret_interrupted = py.PyErr_ExceptionMatches(keyboard_interrupt) != 0;
    if (py.PyErr_ExceptionMatches(system_exit) == 0) {
        py.PyErr_Print();
        return 1;
    }
    struct object *type = NULL, *value = NULL, *trace = NULL;
    py.PyErr_Fetch(&type, &value, &trace);
    py.PyErr_NormalizeException(&type, &value, &trace);
    struct object *code = call("exit_code", "(O)", value, NULL);
    const int result = code != NULL ? (int)py.PyLong_AsLong(code) : 1;
    py.PyErr_Clear();
    py.Py_DecRef(type); /* what they hold on to may have something to say at its end */
    py.Py_DecRef(value);
    py.Py_DecRef(trace);
    return result;
}

/* As file_is_closed() says it: what cannot tell is open. */
static bool is_open_stream(struct object *stream)
{
    if (stream == NULL || stream == none) {
        return false;
    }
    struct object *closed = py.PyObject_GetAttrString(stream, "closed");
    const bool is_closed = closed != NULL && py.PyObject_IsTrue(closed) > 0;
    py.PyErr_Clear();
    py.Py_DecRef(closed);
    return !is_closed;
}

/* Whether it could; a failure is told where the interpreter tells of it. */
static bool flush_stream(const char *name)
{
    struct object *stream = py.PySys_GetObject(name);
    const bool is_open = is_open_stream(stream);
    struct object *flushed = is_open ? py.PyObject_CallMethod(stream, "flush", NULL) : NULL;
    if (is_open && flushed == NULL) {
        if (strcmp(name, "stdout") == 0) {
            py.PyErr_WriteUnraisable(stream);
        }
        py.PyErr_Clear();
        return false;
    }
    py.PyErr_Clear();
    return true;
}

static bool flush_streams(void)
{
    const bool out = flush_stream("stdout");
    return flush_stream("stderr") && out;
}

static void call_of_module(const char *module, const char *function)
{
    struct object *found = py.PyDict_GetItemString(py.PyImport_GetModuleDict(), module);
    if (found != NULL && py.PyObject_IsTrue(found) == 1 &&
        py.PyObject_CallMethod(found, function, NULL) == NULL) {
        py.PyErr_WriteUnraisable(found);
    }
    py.PyErr_Clear();
}

/* The interpreter's end, as far as a program can see it (Py_FinalizeEx): whether all was written.
 * */
static bool end_program(void)
{
    call_of_module("threading", "_shutdown");
    call_of_module("atexit", "_run_exitfuncs");
    const bool written = flush_streams();
    if (call("clear", NULL, NULL, NULL) == NULL) {
        py.PyErr_Clear();
    }
    return flush_streams() && written;
}

/* Of a file; NULL: it is not there. */
static char *directory_of(const char *path)
{
    char *real = realpath(path, NULL);
    char *slash = real != NULL ? strrchr(real, '/') : NULL;
    if (slash != NULL) {
        slash[slash == real ? 1 : 0] = '\0';
    }
    return real;
}

/* Runs the script that argv names, in __main__: the exit code. */
static int run_file(char **argv, const char *directory, bool *ret_interrupted)
{
    static char path[PATH_MAX];
    struct object *dict = py.PyModule_GetDict(py.PyImport_AddModule("__main__"));
    const bool whole = argv[1][0] == '/';
    (void)snprintf(path, sizeof(path), "%s%s", whole ? "" : INIT_WORKSPACE "/", argv[1]);
    set_run(dict, argv, path, directory);
    FILE *file = fopen(path, "rb");
    *ret_interrupted = false;
    if (file == NULL) { /* as the interpreter says it */
        (void)fprintf(stderr, "%s: can't open file '%s': [Errno %d] %s\n", argv[0], path, errno,
                      strerror(errno));
        _exit(2);
    }
    return py.PyRun_FileExFlags(file, path, FILE_INPUT, dict, dict, 1, NULL) != NULL
               ? 0
               : handle_exception(ret_interrupted);
}

/* Whether a file of this name is what a program would import in place of what was loaded ahead. */
static bool shadows(const char *name)
{
    const size_t length = strcspn(name, ".");
    for (const char *at = ahead + 1; *at != '\0'; at += strcspn(at, ",") + 1) {
        if (strcspn(at, ",") == length && memcmp(at, name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* By what lies beside the script. */
static bool is_shadowed(const char *directory)
{
    DIR *dir = directory != NULL ? opendir(directory) : NULL;
    bool found = false;
    if (dir == NULL) {
        return false;
    }
    for (struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
        found = shadows(entry->d_name);
    }
    (void)closedir(dir); /* read */
    return found;
}

static void run(int argc, char **argv, int script)
{
    bool interrupted = false;
    char *directory = directory_of(argv[1]);
    (void)argc;
    (void)script; /* the second word */
    if (is_shadowed(directory)) {
        guest_start_anew();
    }
    const int code = run_file(argv, directory, &interrupted);
    free(directory);
    const bool written = end_program();
    IGNORE(fflush(NULL) != 0); /* what was written past Python is lost as it would be */
    if (interrupted) {
        die_of_interrupt();
    }
    _exit(written ? code : FLUSH_FAILED);
}

/* By the ways of a run, up to its end. */
static int rehearse(void)
{
    static const char program[] = "import sys\ndef f(x):\n    return {str(x): [x, f'{x}']}\n"
                                  "print(f(1), 6 * 7)\nclass C:\n    pass\nC()\n";
    char path[32];
    bool interrupted = false;
    const int file = memfd_create("rehearsal", MFD_CLOEXEC);
    if (file < 0 || write(file, program, sizeof(program) - 1) < 0) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    park_words.argv[1] = path;
    char *directory = directory_of(INIT_WORKSPACE);
    IGNORE(is_shadowed(directory));
    if (run_file(park_words.argv, directory, &interrupted) == 0) {
        IGNORE(end_program()); /* whether all was written */
    }
    free(directory);
    return -1;
}

const struct guest_language guest_python = {
    .symbol = "PyRun_FileExFlags",
    .load = load,
    .after_fork = after_fork,
    .rehearse = rehearse,
    .run = run,
};
