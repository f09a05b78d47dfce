/*
 * The guest side of zygotes: a library that is preloaded into an interpreter (isolate/zygote.h).
 *
 * How it works: the interpreter starts as it always does, up to the moment when it opens its
 * script, or when it comes to read it.  There the library takes over (hooks.c): it lets the
 * language load what is to be loaded before, says READY, and forks a child for each order.  A
 * child locks itself down (lock_down() in zygote.c), parks, and when it is let go returns into the
 * interpreter, which opens the script of its run.  So a program is run by the interpreter's own
 * code.
 *
 * No function that libraries register for the time after a fork runs before the lock-down: the
 * child is made by the bare system call.
 *
 * An interpreter that cannot fork is a one-shot: it is started like any program, locked down, in
 * the sandbox of a run that nobody has asked for yet, parks, and is let go likewise.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "base/attributes.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct guest_language {
    /* A symbol that the interpreter, and no other, exports. */
    const char *symbol;
    /* It cannot fork.  It is started in its run's sandbox, before there is a run, goes as far as it
     * can without that, and waits: guest_wait_for_run().  `load` then only makes ready and sees
     * whether this is an interpreter that we know; of the others `opened` and `run` are called. */
    bool one_shot;
    /* What it reads in place of its script, from a pipe; NULL: what `opened` says. */
    const char *stand_in;
    /* For an interpreter that opens its script long before it reads it: called in the zygote with
     * the descriptor of what it is given in place of the script, to see to it that
     * guest_take_over() is called when the time has come.  That is a regular file of one byte, a
     * newline.  NULL: the time is when it is opened. */
    void (*opened)(int stand_in);
    /* In the zygote: loads `modules`, names separated by commas.  Called where the interpreter
     * stands, so its locks are taken here for good. */
    int (*load)(const char *modules, struct cella_error *err);
    /* Calls fork() the language's own way, so that it makes ready for that and for being a child:
     * it returns in each of them.  NULL: there is nothing to make ready. */
    void (*call_fork)(void);
    /* In a child, locked down and before that fork() returns: what the language does after a fork,
     * and fresh random states.  Every descriptor of the zygote's but the standard streams is
     * closed. */
    void (*after_fork)(void);
    /* In a child of which no run comes: what a run of a small program does, up to its end.  Returns
     * -1; or the descriptor of a program that the interpreter is to run in place of its script,
     * when pages_tell() will be called at its end.  NULL: nothing. */
    int (*rehearse)(void);
    /* In a child, let go: `argv`, with the script at `script`, and the environment are the run's.
     * May run the program and never return; else the interpreter goes on. */
    void (*run)(int argc, char **argv, int script);
    /* In the zygote: the interpreter is about to read a line from the stand-in.  NULL: so what. */
    void (*reads)(FILE *stream);
    /* In a child: it is about to run a command.  True: that has been done.  NULL: it may. */
    bool (*runs)(const char *command);
    /* In a child: it is about to unload a library.  True: that need not be.  NULL: it may. */
    bool (*unloads)(void);
};

extern const struct guest_language guest_java, guest_node, guest_php, guest_python, guest_r,
    guest_ruby;

/* ---- for hooks.c ---- */

/* The interpreter is about to open `path`.  Returns the descriptor of what it is to be given in
 * place of it; -1: it may open it, being no zygote, or a child that has been let go. */
int guest_opens(const char *path);
/* It asks what `path` is: a one-shot that asks for its script can go no further without a run. */
void guest_looks_at(const char *path);
/* Java's launcher asks for a class of its own, to load the program's main class by. */
void guest_java_asks(void *env);
/* It is about to read a line from `stream`. */
void guest_reads(FILE *stream);
/* It is about to run a command.  True: that has been done, with success. */
bool guest_runs(const char *command);
/* It is about to unload a library.  True: it need not. */
bool guest_unloads(void);
/* It calls fork().  True: that has been done, and this is a child. */
bool guest_forks(void);

/* ---- process.c ---- */

/* Whether the process can be forked as it is: it has one thread, and no memory that children would
 * share with each other and write to.  Its own files in /proc must be open to it. */
bool guest_has_one_thread(void);
bool guest_has_shared_mapping(void);
/* Of libraries that can do without them until they are used again. */
void guest_end_threads(void);

/* ---- for the languages ---- */

/* Returns in a child that has been let go, with -1; in the one that rehearses with the descriptor
 * of a program that the interpreter is to run in place of its script. */
int guest_take_over(void);
/* In a one-shot that can go no further without a run: returns when it has one. */
void guest_wait_for_run(void);
/* In a child that has been let go, and cannot run what it is to run as the interpreter would that
 * starts anew: starts that. */
NORETURN void guest_start_anew(void);

/* What main() has been given, as it was; ends with NULL. */
char *const *guest_arguments(void);

/* Finds functions and variables by name, and puts their addresses into a table of pointers. */
struct guest_symbol {
    const char *name;
    size_t offset; /* in the table */
};
bool guest_find_symbols(void *table, const struct guest_symbol *symbols, size_t count) MUST_CHECK;

#endif
