/* What it means when a signal ended a program: see signals.h. */
#include "diagnose/signals.h"

#include "base/attributes.h"

#include <signal.h>
#include <stddef.h>

static const struct {
    int number;
    const char *meaning;
} meanings[] = {
    {SIGSEGV, "the program used memory that is not its own: a null or stale pointer, or an index "
              "out of bounds"},
    {SIGBUS, "the program used an address that cannot be: a misaligned pointer, or a mapped file "
             "that became shorter"},
    {SIGFPE, "a whole number was divided by zero, or the quotient does not fit"},
    {SIGILL, "the processor met an instruction that it does not know: a jump through a stale "
             "pointer, or a trap that the compiler put where the program cannot be"},
    {SIGABRT, "the program gave up by itself: abort(), a failed assertion, or damage that the C "
              "library has seen"},
    {SIGTRAP, "the program ran into a trap: a check of the compiler's, or a breakpoint"},
    {SIGSYS, "the program made a system call that does not exist here"},
    {SIGPIPE, "the program wrote to a pipe or socket that nobody reads"},
    {SIGALRM, "the program's own alarm went off"},
    {SIGKILL, "the program, or one of its own processes, killed it"},
    {SIGTERM, "the program, or one of its own processes, ended it"},
    {SIGINT, "the program, or one of its own processes, interrupted it"},
    {SIGHUP, "the program, or one of its own processes, hung it up"},
    {SIGQUIT, "the program, or one of its own processes, ended it"},
    {SIGUSR1, "the program sent itself a signal that it does not handle"},
    {SIGUSR2, "the program sent itself a signal that it does not handle"},
    {SIGXCPU, "the program reached a limit on processor time that it set itself"},
};

const char *signal_meaning(int number)
{
    for (size_t i = 0; i < ARRAY_LENGTH(meanings); i++) {
        if (meanings[i].number == number) {
            return meanings[i].meaning;
        }
    }
    return "a signal that the program does not handle ended it";
}
