/* See calls.h. */
#include "policy/calls.h"

#include "base/names.h"
#include "isolate/calls.h"

#include <string.h>

int policy_call_by_name(const char *name, const struct json_where *where, uint32_t *ret_number,
                        struct cella_error *err)
{
    const int number = syscall_number(name);
    if (number >= 0) {
        *ret_number = (uint32_t)number;
        return 0;
    }
    struct names_guess guess;
    names_guess_init(&guess, name);
    for (unsigned i = 0; i < syscall_numbers_end; i++) {
        if (syscall_name(i) != NULL) {
            names_guess_offer(&guess, syscall_name(i));
        }
    }
    (void)json_text_fail(err, where, "is no system call: '%s'", name);
    return names_guess_hint(&guess, err);
}

static bool is_among(uint32_t number, const char *const *names, size_t count)
{
    const char *name = syscall_name(number);
    size_t i = 0;
    while (i < count && (name == NULL || strcmp(names[i], name) != 0)) {
        i++;
    }
    return i < count;
}

const char *policy_call_allow_problem(uint32_t number)
{
#define ADDABLE(name, what) #name,
    static const char *const addable[] = {CALLS_ADDABLE(ADDABLE)};
    switch (syscall_in_set(SYSCALL_SET_DEFAULT, number)) {
    case SYSCALL_ALLOWED:
        if (syscall_in_set(SYSCALL_SET_STRICT, number) == SYSCALL_ALLOWED) {
            return NULL; /* every set has it */
        }
        return "is in the set 'default' and cannot be added to another alone";
    case SYSCALL_BY_ARGUMENTS:
        return "is allowed by its arguments, as far as it can be";
    case SYSCALL_REFUSED:
        break;
    }
    return is_among(number, addable, ARRAY_LENGTH(addable)) ? NULL
                                                            : "can never be allowed to a run";
}

const char *policy_call_deny_problem(uint32_t number)
{
#define OF_INIT(name) #name,
    static const char *const of_init[] = {CALLS_OF_INIT(OF_INIT)};
    return is_among(number, of_init, ARRAY_LENGTH(of_init))
               ? "cannot be denied: no program could be started without it"
               : NULL;
}

bool policy_calls_have(const struct policy_call_list *list, uint32_t number)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->numbers[i] == number) {
            return true;
        }
    }
    return false;
}

bool policy_calls_add(struct policy_call_list *list, uint32_t number)
{
    if (policy_calls_have(list, number)) {
        return true;
    }
    if (list->count == PLAN_CALLS_MAX) {
        return false;
    }
    size_t at = list->count++;
    for (; at > 0 && list->numbers[at - 1] > number; at--) {
        list->numbers[at] = list->numbers[at - 1];
    }
    list->numbers[at] = number;
    return true;
}

static enum syscall_verdict set_verdict(const struct policy *policy, uint32_t number)
{
    return syscall_in_set(policy->syscalls == PLAN_SYSCALLS_STRICT ? SYSCALL_SET_STRICT
                                                                   : SYSCALL_SET_DEFAULT,
                          number);
}

enum syscall_verdict policy_call_verdict(const struct policy *policy, uint32_t number)
{
    if (policy_calls_have(&policy->denied_calls, number)) {
        return SYSCALL_REFUSED;
    }
    return policy_calls_have(&policy->allowed_calls, number) ? SYSCALL_ALLOWED
                                                             : set_verdict(policy, number);
}

void policy_calls_fill(const struct policy *policy, struct plan *plan)
{
    for (size_t i = 0; i < policy->allowed_calls.count; i++) {
        const uint32_t number = policy->allowed_calls.numbers[i];
        if (set_verdict(policy, number) != SYSCALL_ALLOWED &&
            policy_call_verdict(policy, number) == SYSCALL_ALLOWED) {
            plan->allowed_calls[plan->allowed_count++] = number;
        }
    }
    for (size_t i = 0; i < policy->denied_calls.count; i++) {
        const uint32_t number = policy->denied_calls.numbers[i];
        if (set_verdict(policy, number) != SYSCALL_REFUSED) {
            plan->denied_calls[plan->denied_count++] = number;
        }
    }
}
