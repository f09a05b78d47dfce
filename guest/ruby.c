/*
 * Ruby: the interpreter runs the program itself, with all that it does before and after.
 *
 * How it works: Ruby opens its script, reads the first byte of it to see whether that is the "#!"
 * of a line with options, and only then loads RubyGems and what belongs to it, which is most of its
 * start.  Then it calls set_encoding() of its file, with two arguments, and reads on.  That call we
 * make our own, and are where Ruby may be called: there the children are forked.  In a child the
 * file is opened anew by IO#reopen.  The fork itself is in a fork() that Ruby calls, so that it
 * makes new timers, pipes and random numbers in the child.
 *
 * The functions are found by name in the interpreter that we are loaded into.  Warmed is what no
 * program can see: a library that is loaded for it would be there without `require`.
 */
#include "base/error.h"
#include "guest.h"
#include "pages.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of Ruby's headers: an object, and two of them. */
typedef uintptr_t value;
#define NIL ((value)8)

/* A first line as long as no other. */
#define SHEBANG_MAX 1024

/* X(result, name, parameters): doc/extension.rdoc of Ruby has them. */
#define FUNCTIONS(X)                                                                               \
    X(void, rb_define_method, (value, const char *, value (*)(int, value *, value), int))          \
    X(void, rb_remove_method, (value, const char *))                                               \
    X(value, rb_call_super, (int, const value *))                                                  \
    X(value, rb_funcall, (value, uintptr_t, int, ...))                                             \
    X(uintptr_t, rb_intern, (const char *))                                                        \
    X(long, rb_num2long, (value))                                                                  \
    X(value, rb_str_new_cstr, (const char *))                                                      \
    X(value, rb_eval_string_protect, (const char *, int *))                                        \
    X(value, rb_protect, (value(*)(value), value, int *))                                          \
    X(value, rb_require, (const char *))                                                           \
    X(value, rb_set_errinfo, (value))                                                              \
    X(void, ruby_vm_at_exit, (void (*)(void *)))                                                   \
    X(int, ruby_cleanup, (int))                                                                    \
    X(void, ruby_set_argv, (int, char **))

#define FIELD(result, name, parameters) result(*name) parameters;
static struct {
    FUNCTIONS(FIELD)
    value *rb_cFile, *rb_mProcess;
} ruby;
#undef FIELD

extern const char guest_ruby_source[]; /* ruby.rb, with a NUL */

static int stand_in = -1; /* the descriptor of the file that Ruby takes for its script */
static value script;      /* that file */

static bool find_functions(void)
{
    static const struct guest_symbol symbols[] = {
#define ROW(result, name, parameters) {#name, (size_t)((char *)&ruby.name - (char *)&ruby)},
        FUNCTIONS(ROW)
#undef ROW
            {"rb_cFile", (size_t)((char *)&ruby.rb_cFile - (char *)&ruby)},
        {"rb_mProcess", (size_t)((char *)&ruby.rb_mProcess - (char *)&ruby)},
    };
    return guest_find_symbols(&ruby, symbols, ARRAY_LENGTH(symbols));
}

static value call(value object, const char *method)
{
    return ruby.rb_funcall(object, ruby.rb_intern(method), 0);
}

/* ---- where the interpreter is taken over ---- */

static value set_encoding(int argc, value *argv, value self)
{
    const bool ours =
        stand_in >= 0 && argc == 2 && ruby.rb_num2long(call(self, "fileno")) == stand_in;
    if (ours) {
        script = self;
        IGNORE(guest_take_over() >= 0); /* it rehearses another way */
    }
    const value result = ruby.rb_call_super(argc, argv);
    if (ours) {
        ruby.rb_remove_method(*ruby.rb_cFile, "set_encoding");
    }
    return result;
}

static void opened(int descriptor)
{
    if (find_functions()) {
        stand_in = descriptor;
        ruby.rb_define_method(*ruby.rb_cFile, "set_encoding", set_encoding, -1);
    }
}

/* ---- in the zygote ---- */

static value require(value name)
{
    return ruby.rb_require((const char *)name);
}

static int load(const char *modules, struct cella_error *err)
{
    char *names = strdup(modules), *rest = names;
    int state = names == NULL ? -1 : 0;
    for (const char *name; state == 0 && (name = strsep(&rest, ",")) != NULL;) {
        if (*name != '\0') {
            ruby.rb_protect(require, (value)name, &state);
        }
    }
    free(names);
    if (state != 0) {
        return error_set(err, CELLA_ERROR_RUNTIME, 0, "cannot load the libraries '%s'", modules);
    }
    ruby.rb_eval_string_protect(guest_ruby_source, &state);
    ruby.rb_set_errinfo(NIL);
    return state == 0 ? 0 : error_set(err, CELLA_ERROR_RUNTIME, 0, "cannot warm this Ruby");
}

/* ---- in a child ---- */

static void call_fork(void)
{
    call(*ruby.rb_mProcess, "fork");
}

/* What Ruby has had open it wants to close, or to put others in place of. */
static void after_fork(void)
{
    for (int descriptor = STDERR_FILENO + 1; descriptor <= stand_in; descriptor++) {
        IGNORE(dup2(STDIN_FILENO, descriptor) < 0); /* then Ruby will say what it lacks */
    }
}

static void before_memory_goes(void *vm)
{
    (void)vm;
    pages_look();
}

/* At its end Ruby frees what it has, object by object. */
static int rehearse(void)
{
    int state = 0;
    ruby.rb_eval_string_protect(guest_ruby_source, &state);
    ruby.ruby_vm_at_exit(before_memory_goes);
    IGNORE(ruby.ruby_cleanup(0) != 0); /* nobody asks how it ended */
    return -1;
}

/* A first line with options for Ruby, or one for another interpreter: Ruby looks at it before all
 * that has been done already. */
static bool has_options(const char *path)
{
    char line[SHEBANG_MAX + 1];
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = file < 0 ? -1 : read(file, line, SHEBANG_MAX);
    if (file >= 0) {
        (void)close(file); /* read */
    }
    if (size < 0) {
        return true; /* Ruby will say what it lacks */
    }
    line[size] = '\0';
    if (strncmp(line, "#!", 2) != 0) {
        return false;
    }
    char *end = strchr(line, '\n');
    if (end == NULL) {
        return true;
    }
    *end = '\0';
    return strchr(line, '\r') != NULL || strstr(line, "ruby") == NULL || strstr(line, " -") != NULL;
}

static void run(int argc, char **argv, int at)
{
    if (has_options(argv[at])) {
        guest_start_anew();
    }
    ruby.ruby_set_argv(argc - at - 1, argv + at + 1);
    ruby.rb_funcall(script, ruby.rb_intern("reopen"), 1, ruby.rb_str_new_cstr(argv[at]));
    script = NIL;
}

const struct guest_language guest_ruby = {
    .symbol = "ruby_set_argv",
    .opened = opened,
    .load = load,
    .call_fork = call_fork,
    .after_fork = after_fork,
    .rehearse = rehearse,
    .run = run,
};
