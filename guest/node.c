/*
 * JavaScript by node: everything up to the moment when it looks for its script is done before
 * there is a run.  What it has taken from its command line by then are the arguments: those of the
 * run are added by a line of JavaScript.  The environment it asks for when a program does.
 *
 * V8 is used as an addon would: by functions that node exports and whose names and parameters are
 * the interface of addons (v8.h).  A Local<T> or MaybeLocal<T> is one pointer, and passed as one.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "guest.h"

#include <stdlib.h>
#include <string.h>

/* v8.h: class HandleScope, and room for what it may grow by. */
struct handle_scope {
    void *fields[8];
};

static struct {
    void *(*current_isolate)(void);
    void *(*current_context)(void *isolate);
    void *(*new_string)(void *isolate, const char *data, int type, int length);
    void *(*compile)(void *context, void *source, void *origin);
    void *(*run_script)(void *script, void *context);
    void (*open_scope)(struct handle_scope *scope, void *isolate);
    void (*close_scope)(struct handle_scope *scope);
} v8;

#define AT(member) ((size_t)((char *)&v8.member - (char *)&v8))

extern const char guest_node_source[]; /* node.js, with a NUL */

static bool evaluate(const char *text)
{
    struct handle_scope scope = {{NULL}};
    void *isolate = v8.current_isolate();
    v8.open_scope(&scope, isolate);
    void *context = v8.current_context(isolate);
    void *source = v8.new_string(isolate, text, 0, (int)strlen(text));
    void *script = source == NULL ? NULL : v8.compile(context, source, NULL);
    void *result = script == NULL ? NULL : v8.run_script(script, context);
    v8.close_scope(&scope);
    return result != NULL;
}

static int load(const char *modules, struct cella_error *err)
{
    static const struct guest_symbol symbols[] = {
        {"_ZN2v87Isolate10GetCurrentEv", AT(current_isolate)},
        {"_ZN2v87Isolate17GetCurrentContextEv", AT(current_context)},
        {"_ZN2v86String11NewFromUtf8EPNS_7IsolateEPKcNS_13NewStringTypeEi", AT(new_string)},
        {"_ZN2v86Script7CompileENS_5LocalINS_7ContextEEENS1_INS_6StringEEEPNS_12ScriptOriginE",
         AT(compile)},
        {"_ZN2v86Script3RunENS_5LocalINS_7ContextEEE", AT(run_script)},
        {"_ZN2v811HandleScopeC1EPNS_7IsolateE", AT(open_scope)},
        {"_ZN2v811HandleScopeD1Ev", AT(close_scope)},
    };
    (void)modules; /* a program requires what it needs */
    return guest_find_symbols(&v8, symbols, ARRAY_LENGTH(symbols)) && evaluate(guest_node_source)
               ? 0
               : error_set(err, CELLA_ERROR_RUNTIME, 0, "this node is made otherwise than we know");
}

/* As a string of JavaScript.  Bytes from 0x80 on are UTF-8, which it may hold. */
static int add_quoted(struct buffer *text, const char *word)
{
    int result = buffer_add_string(text, "\"");
    for (const char *at = word; *at != '\0' && result == 0; at++) {
        const unsigned char byte = (unsigned char)*at;
        result = byte < ' ' || byte == '"' || byte == '\\'
                     ? buffer_add_format(text, "\\x%02x", byte)
                     : buffer_add(text, at, 1);
    }
    return result == 0 ? buffer_add_string(text, "\",") : -1;
}

static void run(int argc, char **argv, int script)
{
    struct buffer text;
    buffer_init(&text, 0);
    int added = buffer_add_string(&text, "process.argv.push(");
    for (int i = script + 1; i < argc && added == 0; i++) {
        added = add_quoted(&text, argv[i]);
    }
    if (added != 0 || buffer_add_string(&text, ")") != 0 ||
        (script + 1 < argc && !evaluate(text.data))) {
        guest_start_anew();
    }
    buffer_done(&text);
}

const struct guest_language guest_node = {
    .symbol = "node_module_register",
    .one_shot = true,
    .load = load,
    .run = run,
};
