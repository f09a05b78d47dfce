/*
 * Java by its launcher: the virtual machine is made, and what it does to be ready is done, before
 * there is a run.  Then the launcher has its own class found by which it loads the program's main
 * class, and there it waits.
 *
 * The name of that class stands in a file that the launcher has read by then, @FILE on its command
 * line: it has been given another, and the arguments are none.  Both go to the virtual machine by
 * three calls of JNI, the first of their kind; these are ours for that long.  The functions of JNI
 * are a table, and their places in it are part of its specification.
 */
#include "base/error.h"
#include "base/utf8.h"
#include "guest.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Java Native Interface Specification, chapter 4: places in the table. */
enum jni_function {
    JNI_NEW_STRING = 163,
    JNI_NEW_OBJECT_ARRAY = 172,
    JNI_SET_OBJECT_ARRAY_ELEMENT = 174,
    JNI_NEW_BYTE_ARRAY = 176,
    JNI_SET_BYTE_ARRAY_REGION = 208,
    JNI_FUNCTIONS = 234 /* of version 9, the least that we know */
};

typedef void *new_string(void *env, const uint16_t *text, int32_t length);
typedef void *new_object_array(void *env, int32_t length, void *class, void *element);
typedef void set_object_array_element(void *env, void *array, int32_t index, void *value);
typedef void *new_byte_array(void *env, int32_t length);
typedef void set_byte_array_region(void *env, void *array, int32_t start, int32_t length,
                                   const signed char *bytes);

/* What the launcher is given as the name: that of no class. */
#define STAND_IN "cella"

#define NAME_MAX_BYTES 4096 /* with its NUL, and below */
#define PATH_MAX_BYTES 4096

union function {
    void *address;
    new_string *new_string;
    new_object_array *new_object_array;
    set_object_array_element *set_object_array_element;
    new_byte_array *new_byte_array;
    set_byte_array_region *set_byte_array_region;
};

static struct {
    bool waits; /* the launcher has read its command line, and no run is there */
    void *env;
    const union function *functions; /* the machine's own */
    union function ours[JNI_FUNCTIONS];
    char name[NAME_MAX_BYTES]; /* of the main class */
    int count;                 /* of the arguments */
    char **arguments;
} java;

/* Puts a table of functions in place of the one that is there. */
static void use(const union function *functions)
{
    memcpy(java.env, &functions, sizeof(functions));
}

/* ---- the three calls ---- */

static void *make_name(void *env, int32_t length)
{
    (void)length;
    java.ours[JNI_NEW_BYTE_ARRAY] = java.functions[JNI_NEW_BYTE_ARRAY];
    return java.functions[JNI_NEW_BYTE_ARRAY].new_byte_array(env, (int32_t)strlen(java.name));
}

static void fill_name(void *env, void *array, int32_t start, int32_t length,
                      const signed char *bytes)
{
    (void)length;
    (void)bytes;
    java.ours[JNI_SET_BYTE_ARRAY_REGION] = java.functions[JNI_SET_BYTE_ARRAY_REGION];
    java.functions[JNI_SET_BYTE_ARRAY_REGION].set_byte_array_region(
        env, array, start, (int32_t)strlen(java.name), (const signed char *)java.name);
}

/* NULL: no memory, of which the machine has told. */
static void *make_string(void *env, const char *text)
{
    const size_t size = strlen(text);
    uint16_t *units = calloc(size + 1, sizeof(*units));
    int32_t count = 0;
    for (size_t at = 0; units != NULL && at < size;) { /* ends: each turn passes a byte */
        uint32_t code = 0;
        const size_t length = utf8_decode(text + at, size - at, &code);
        at += length > 0 ? length : 1;
        if (code < 0x10000) {
            units[count++] = (uint16_t)code;
        } else {
            units[count++] = (uint16_t)(0xd800 + ((code - 0x10000) >> 10));
            units[count++] = (uint16_t)(0xdc00 + ((code - 0x10000) & 0x3ff));
        }
    }
    void *string =
        units == NULL ? NULL : java.functions[JNI_NEW_STRING].new_string(env, units, count);
    free(units);
    return string;
}

/* Whether that code is the launcher's. */
static bool is_launchers(void *address)
{
    Dl_info asked, launcher;
    void *known = dlsym(RTLD_DEFAULT, "JLI_Launch");
    return known != NULL && dladdr(address, &asked) != 0 && dladdr(known, &launcher) != 0 &&
           asked.dli_fbase == launcher.dli_fbase;
}

/* For its arguments, of which it knows none. */
static void *make_array(void *env, int32_t length, void *class, void *element)
{
    const union function *own = java.functions;
    if (length != 0 || !is_launchers(__builtin_return_address(0))) {
        return own[JNI_NEW_OBJECT_ARRAY].new_object_array(env, length, class, element);
    }
    use(own);
    void *array =
        own[JNI_NEW_OBJECT_ARRAY].new_object_array(env, (int32_t)java.count, class, element);
    for (int i = 0; i < java.count && array != NULL; i++) {
        void *string = make_string(env, java.arguments[i]);
        if (string == NULL) {
            return NULL;
        }
        own[JNI_SET_OBJECT_ARRAY_ELEMENT].set_object_array_element(env, array, i, string);
    }
    return array;
}

/* ---- the way there ---- */

/* The machine looks once whether a place of the class path is a directory: those that the run will
 * have must be there. */
static void make_directories(const char *class_path)
{
    char path[PATH_MAX_BYTES];
    for (const char *at = class_path; *at != '\0'; at += at[0] == ':' ? 1 : 0) {
        const size_t length = strcspn(at, ":");
        if (length > 0 && length < sizeof(path)) {
            memcpy(path, at, length);
            path[length] = '\0';
            IGNORE(mkdir(path, 0755) != 0); /* it may be there, or none of the run's */
        }
        at += length;
    }
}

static void opened(int stand_in)
{
    char *const *arguments = guest_arguments();
    (void)stand_in;
    for (size_t i = 0; arguments[i] != NULL; i++) {
        if (strcmp(arguments[i], "-cp") == 0 && arguments[i + 1] != NULL) {
            make_directories(arguments[i + 1]);
        }
    }
    java.waits = true;
}

void guest_java_asks(void *env)
{
    if (java.waits) {
        java.waits = false;
        java.env = env;
        guest_wait_for_run();
    }
}

static int load(const char *modules, struct cella_error *err)
{
    (void)modules; /* the machine has its classes at hand */
    (void)err;
    return 0;
}

/* One word, in quotes or not, alone in its file.  Anything else is for the launcher to read. */
static bool read_name(const char *path)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = file < 0 ? -1 : read(file, java.name, sizeof(java.name) - 1);
    if (file >= 0) {
        (void)close(file); /* opened for reading */
    }
    if (got <= 0) {
        return false;
    }
    java.name[got] = '\0';
    char *word = java.name + (java.name[0] == '"' ? 1 : 0);
    const size_t length = strcspn(word, "\"'\\# \t\r\n\f");
    const char *rest = word + length + (word != java.name && word[length] == '"' ? 1 : 0);
    if (length == 0 || word[0] == '-' || word[0] == '@' || strspn(rest, "\r\n") != strlen(rest)) {
        return false;
    }
    memmove(java.name, word, length);
    java.name[length] = '\0';
    return true;
}

static void run(int argc, char **argv, int script)
{
    if (argv[script][0] != '@' || !read_name(argv[script] + 1)) {
        guest_start_anew();
    }
    java.count = argc - script - 1;
    java.arguments = argv + script + 1;
    memcpy(&java.functions, java.env, sizeof(java.functions));
    memcpy(java.ours, java.functions, sizeof(java.ours));
    java.ours[JNI_NEW_BYTE_ARRAY].new_byte_array = make_name;
    java.ours[JNI_SET_BYTE_ARRAY_REGION].set_byte_array_region = fill_name;
    java.ours[JNI_NEW_OBJECT_ARRAY].new_object_array = make_array;
    use(java.ours);
}

const struct guest_language guest_java = {
    .symbol = "JLI_Launch",
    .one_shot = true,
    .stand_in = STAND_IN "\n",
    .opened = opened,
    .load = load,
    .run = run,
};
