/*
 * PHP: the interpreter runs the program itself, with all that it does before and after.
 *
 * How it works: PHP opens its script when its modules have been started and nothing of the request
 * has.  In a child it goes on from there.  The one thing that it has taken from its command line
 * and will not look at again is how many arguments there are: those of the run are put in their
 * place when it asks its own module for the command line whether there is anything to do at the
 * start of a request.  When it begins to unload its extensions the program's end is over, and the
 * process ends.
 *
 * The two tables are found by name in the interpreter that we are loaded into; their first members,
 * which are all that is looked at, are those of every PHP since 5.
 */
#include "base/error.h"
#include "guest.h"
#include "pages.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* main/SAPI.h: struct _sapi_module_struct. */
struct sapi_module {
    char *name;
    char *pretty_name;
    int (*startup)(struct sapi_module *module);
    int (*shutdown)(struct sapi_module *module);
    int (*activate)(void);
};

/* main/SAPI.h: sapi_globals_struct, with sapi_request_info. */
struct sapi_globals {
    void *server_context;
    const char *request_method;
    char *query_string, *cookie_data;
    long content_length;
    char *path_translated, *request_uri;
    void *request_body;
    const char *content_type;
    bool headers_only, no_headers, headers_read;
    void *post_entry;
    char *content_type_dup;
    char *auth_user, *auth_password, *auth_digest;
    char *argv0;
    char *current_user;
    int current_user_length;
    int argc;
    char **argv;
};

/* What the engine's state has at least. */
#define STATE_SIZE 1024

#define REHEARSED_STATUS 1912860203 /* as in php.php */

static struct {
    struct sapi_module *sapi_module;
    struct sapi_globals *sapi_globals;
    void *executor_globals;
} php;

extern const char guest_php_source[]; /* php.php, with a NUL */

static int arguments_count; /* the run's, the script among them */
static char **arguments;
static bool rehearses;

static int load(const char *modules, struct cella_error *err)
{
    static const struct guest_symbol symbols[] = {
        {"sapi_module", (size_t)((char *)&php.sapi_module - (char *)&php)},
        {"sapi_globals", (size_t)((char *)&php.sapi_globals - (char *)&php)},
        {"executor_globals", (size_t)((char *)&php.executor_globals - (char *)&php)},
    };
    if (!guest_find_symbols(&php, symbols, ARRAY_LENGTH(symbols)) ||
        strcmp(php.sapi_module->name, "cli") != 0 || php.sapi_module->activate != NULL) {
        return error_set(err, CELLA_ERROR_RUNTIME, 0, "this PHP is made otherwise than we know");
    }
    return *modules == '\0' ? 0
                            : error_set(err, CELLA_ERROR_RUNTIME, 0,
                                        "PHP can load nothing before its program: '%s'", modules);
}

static void after_fork(void)
{
    /* Nothing: until the request begins there are no random states, and its module for OpenSSL
     * looks at the number of the process. */
}

/* At the start of the request.  There was but the script on the zygote's command line. */
static int activate(void)
{
    php.sapi_module->activate = NULL;
    if (php.sapi_globals->argc != 1 || php.sapi_globals->argv == NULL ||
        strcmp(php.sapi_globals->argv[0], arguments[0]) != 0) {
        guest_start_anew();
    }
    php.sapi_globals->argc = arguments_count;
    php.sapi_globals->argv = arguments;
    return 0;
}

static void run(int argc, char **argv, int script)
{
    arguments_count = argc - script;
    arguments = argv + script;
    php.sapi_module->activate = activate;
}

/* ---- its end ---- */

/* Where the number is that PHP will exit with, in its table of the engine's state: the rehearsal's
 * program exits with one that stands nowhere else in it. */
static size_t find_exit_status(void)
{
    size_t found = 0, count = 0;
    for (size_t at = 0; at + sizeof(int) <= STATE_SIZE; at += sizeof(int)) {
        int value = 0;
        memcpy(&value, (const char *)php.executor_globals + at, sizeof(value));
        if (value == REHEARSED_STATUS) {
            found = at;
            count++;
        }
    }
    return count == 1 ? found : 0;
}

/* When its modules go the request is over: nothing that comes can be seen by anybody. */
static bool unloads(void)
{
    int status = 0;
    if (rehearses) {
        pages_tell(find_exit_status());
    }
    if (pages_note() == 0) {
        return true; /* it ends as it always does */
    }
    IGNORE(fflush(NULL) != 0); /* as PHP at its exit */
    memcpy(&status, (const char *)php.executor_globals + pages_note(), sizeof(status));
    _exit(status);
}

static int rehearse(void)
{
    const size_t size = strlen(guest_php_source);
    const int program = memfd_create("rehearsal", MFD_CLOEXEC);
    if (program < 0 || write(program, guest_php_source, size) != (ssize_t)size ||
        lseek(program, 0, SEEK_SET) != 0) {
        return -1;
    }
    rehearses = true;
    return program;
}

const struct guest_language guest_php = {
    .symbol = "sapi_module",
    .load = load,
    .after_fork = after_fork,
    .rehearse = rehearse,
    .run = run,
    .unloads = unloads,
};
