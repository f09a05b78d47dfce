/*
 * A plan as text: see explain.h.
 *
 * Sections in the order in which things happen: what runs, under which policy, each stage with its
 * limits, then what both stages share.  The tables of limits, protections and set-up steps are
 * printed from the rows that the code itself uses.
 */
#include "policy/explain.h"

#include "base/error.h"
#include "base/utf8.h"
#include "isolate/protections.h"
#include "isolate/steps.h"
#include "isolate/syscall_names.h"
#include "policy/plan_limits.h"
#include "policy/read.h"
#include "request/limit_value.h"
#include "runtime/expand.h"

#include <string.h>

/* Everything that the sections need: each takes what it wants. */
struct explanation {
    const struct policy *policy;
    const struct spec *spec;
    const struct runtime *runtime;
    const struct plan *compile;
    const struct plan *run;
    const char *program;
    struct buffer *out;
};

/* Fills `err` when a text did not fit or memory was short.  Returns `status`. */
static int checked(int status, struct cella_error *err)
{
    return status < 0 ? error_set_memory(err) : 0;
}

/* ---- what runs ---- */

/* Whether a shell would take the word as it stands. */
static bool is_simple(const char *word)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
    return word[0] != '\0' && word[strspn(word, letters)] == '\0';
}

/* A word as one would write it in a shell; what would steer a terminal becomes '?'. */
static int add_word(struct buffer *out, const char *word)
{
    bool simple = is_simple(word);
    if (!simple && buffer_add(out, "'", 1) < 0) {
        return -1;
    }
    const size_t size = strlen(word);
    for (size_t at = 0, length = 0; at < size; at += length) { /* each turn passes a byte or more */
        uint32_t code = 0;
        length = utf8_decode(word + at, size - at, &code);
        const bool good = length > 0 && !utf8_is_control(code);
        length = length > 0 ? length : 1;
        int added = word[at] == '\'' ? buffer_add_string(out, "'\\''")
                    : good           ? buffer_add(out, word + at, length)
                                     : buffer_add(out, "?", 1);
        if (added < 0) {
            return -1;
        }
    }
    return simple ? 0 : buffer_add(out, "'", 1);
}

static int add_words(struct buffer *out, const char *label, const struct spec_strings *words)
{
    if (buffer_add_format(out, "  %-10s", label) < 0) {
        return -1;
    }
    for (size_t i = 0; i < words->count; i++) {
        if (buffer_add(out, " ", 1) < 0 || add_word(out, words->items[i]) < 0) {
            return -1;
        }
    }
    return buffer_add(out, "\n", 1);
}

static int add_argv(const struct explanation *what, const char *label,
                    const struct spec_strings *argv, const struct plan *plan,
                    struct cella_error *err)
{
    const struct expand_values values = {.runtime = what->runtime,
                                         .spec = what->spec,
                                         .path = what->program,
                                         .limits = &plan->limits};
    CLEANUP(spec_strings_done) struct spec_strings words = {0};
    if (expand_words(argv, &values, &words, err) < 0) {
        return -1;
    }
    return checked(add_words(what->out, label, &words), err);
}

static int add_what_runs(const struct explanation *what, struct cella_error *err)
{
    const struct runtime *runtime = what->runtime;
    if (checked(buffer_add_string(what->out, "What runs\n"), err) < 0) {
        return -1;
    }
    if (runtime == NULL) {
        return checked(add_words(what->out, "command", &what->spec->command), err);
    }
    if (checked(buffer_add_format(what->out, "  %-10s %s, from %s\n  %-10s %s\n", "language",
                                  runtime->name, runtime->file, "program", what->program),
                err) < 0) {
        return -1;
    }
    if (what->compile != NULL &&
        add_argv(what, "compile", &runtime->compile, what->compile, err) < 0) {
        return -1;
    }
    return add_argv(what, "run", &runtime->run, what->run, err);
}

/* ---- the policy ---- */

static int add_policy(const struct explanation *what, struct cella_error *err)
{
    const struct policy *policy = what->policy;
    char digest[POLICY_DIGEST_SIZE];
    plan_digest(what->run, digest);
    int status = buffer_add_format(what->out, "\nPolicy\n  %-10s %s, from %s\n  %-10s %s\n", "name",
                                   policy->name, policy->file, "digest", policy->digest);
    if (status == 0 && what->compile == NULL) {
        status = buffer_add_format(what->out, "  %-10s %s\n", "plan", digest);
    } else if (status == 0) {
        char compile_digest[POLICY_DIGEST_SIZE];
        plan_digest(what->compile, compile_digest);
        status = buffer_add_format(what->out, "  %-10s %s\n  %-10s %s\n", "compile", compile_digest,
                                   "run", digest);
    }
    return checked(status, err);
}

/* ---- limits ---- */

static int add_limits(const struct explanation *what, const char *title, enum policy_stage stage,
                      struct cella_error *err)
{
    struct plan_limit limits[LIMIT_COUNT];
    if (plan_limits(what->policy, what->spec, what->runtime, stage, limits, err) < 0) {
        return -1;
    }
    if (checked(buffer_add_format(what->out, "\n%s\n  %-14s %12s %12s  %s\n", title, "limit",
                                  "value", "cap", "from"),
                err) < 0) {
        return -1;
    }
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        char value[UNITS_TEXT_SIZE];
        char cap[UNITS_TEXT_SIZE];
        limit_value_format(limit, limits[limit].value, value);
        limit_value_format(limit, limits[limit].cap, cap);
        if (checked(buffer_add_format(what->out, "  %-14s %12s %12s  %s\n", limit_table[limit].name,
                                      value, cap, plan_limit_source_text(limits[limit].source)),
                    err) < 0) {
            return -1;
        }
    }
    const struct plan *plan = stage == POLICY_STAGE_COMPILE ? what->compile : what->run;
    return checked(
        buffer_add_format(what->out, "  over an output limit %s\n",
                          plan->stop_on_output ? "the program is ended" : "the rest is dropped"),
        err);
}

/* ---- what the sandbox is ---- */

static int add_mount(const struct explanation *what, const struct plan_mount *mount)
{
    const bool optional = (mount->flags & PLAN_MOUNT_OPTIONAL) != 0;
    const bool writable = (mount->flags & PLAN_MOUNT_WRITABLE) != 0;
    const bool moved = strcmp(mount->source, mount->target) != 0;
    switch ((enum plan_mount_kind)mount->kind) {
    case PLAN_MOUNT_SYMLINK:
        return buffer_add_format(what->out, "  %-24s a link to %s\n", mount->target, mount->source);
    case PLAN_MOUNT_HIDE:
        return buffer_add_format(what->out, "  %-24s hidden\n", mount->target);
    case PLAN_MOUNT_BIND:
        break;
    }
    if (moved || writable) {
        return buffer_add_format(what->out, "  %-24s %s%s%s\n", mount->target,
                                 moved ? mount->source : "", moved && writable ? ", " : "",
                                 writable ? "writable, disk_bytes by supervision" : "");
    }
    return buffer_add_format(what->out, optional ? "  %-24s where the host has it\n" : "  %s\n",
                             mount->target);
}

static int add_files(const struct explanation *what, struct cella_error *err)
{
    int status = buffer_add_string(what->out, "\nFiles of the host, read-only\n");
    for (uint32_t i = 0; status == 0 && i < what->run->mount_count; i++) {
        status = add_mount(what, &what->run->mounts[i]);
    }
    if (status == 0) {
        status = buffer_add_format(what->out,
                                   "Files of its own\n"
                                   "  %-24s writable, limited by "
                                   "disk_bytes and inodes\n"
                                   "  /dev/shm                 writable, limited by "
                                   "memory_bytes\n"
                                   "  /dev, /proc, /etc        minimal\n",
                                   plan_has_workspace(what->run) ? "/program, /tmp"
                                   : what->run->files_apart != 0 ? "/workspace, /program, /tmp"
                                                                 : "/workspace, /tmp");
    }
    return checked(status, err);
}

static int add_calls(const struct explanation *what, const char *word, const uint32_t *calls,
                     uint32_t count)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = buffer_add_format(what->out, "%s %s", i == 0 ? word : ",", syscall_name(calls[i]));
    }
    return status;
}

static const char *network_text(const struct plan *plan)
{
    if (plan->network == PLAN_NETWORK_HOST) {
        return "the host's";
    }
    return plan->loopback ? "none but its own loopback" : "none at all";
}

static int add_world(const struct explanation *what, struct cella_error *err)
{
    const struct plan *plan = what->run;
    int status = buffer_add_format(
        what->out, "\nNetwork          %s\nSystem calls     the set '%s'", network_text(plan),
        request_choice_word(policy_syscalls_words, (int)plan->syscalls));
    if (status == 0) {
        status = add_calls(what, ", with", plan->allowed_calls, plan->allowed_count);
    }
    if (status == 0) {
        status = add_calls(what, ", without", plan->denied_calls, plan->denied_count);
    }
    if (status == 0) {
        status = buffer_add_format(what->out,
                                   "\nControl groups   %s\nProcessors       %s\n"
                                   "Terminal         %s\nHost name        %s\n",
                                   plan->control_groups == PLAN_CONTROL_GROUPS_REQUIRED
                                       ? "required: without them the run is refused"
                                       : "where they can be had, else rlimits and supervision",
                                   plan->one_processor != 0 ? "one, which it cannot leave"
                                                            : "any, within cpus",
                                   plan->terminal_rows > 0 ? "its own" : "none", plan->hostname);
    }
    return checked(status, err);
}

static int add_protections(const struct explanation *what, struct cella_error *err)
{
    int status = buffer_add_string(what->out, "\nProtections\n");
    for (enum protection i = 0; status == 0 && i < PROTECTION_COUNT; i++) {
        const struct protection_info *row = &protection_table[i];
        bool waived = (what->run->waived & protection_bit(i)) != 0;
        const char *need = row->need == PROTECTION_REQUIRED ? "required" : "where available";
        status = buffer_add_format(what->out, "  %-18s %-16s %s\n", row->name,
                                   waived ? "WAIVED" : need, row->what);
    }
    return checked(status, err);
}

static int add_steps(const struct explanation *what, struct cella_error *err)
{
    static const char *const places[] = {
        [STEP_PLACE_HOST] = "host",       [STEP_PLACE_NEST] = "nest",
        [STEP_PLACE_SANDBOX] = "sandbox", [STEP_PLACE_INIT] = "init",
        [STEP_PLACE_PROGRAM] = "program",
    };
    int status = buffer_add_string(what->out, "\nSet-up, in this order\n");
    for (size_t i = 0; status == 0 && i < STEP_COUNT; i++) {
        status = buffer_add_format(what->out, "  %2zu %-20s %-8s %s\n", i + 1, step_table[i].name,
                                   places[step_table[i].place], step_table[i].what);
    }
    return checked(status, err);
}

int explain_text(const struct policy *policy, const struct spec *spec,
                 const struct runtime *runtime, const struct plan *compile_or_null,
                 const struct plan *run, const char *program, struct buffer *out,
                 struct cella_error *err)
{
    const struct explanation what = {policy, spec, runtime, compile_or_null, run, program, out};
    if (add_what_runs(&what, err) < 0 || add_policy(&what, err) < 0) {
        return -1;
    }
    if (compile_or_null != NULL &&
        add_limits(&what, "Limits when compiling", POLICY_STAGE_COMPILE, err) < 0) {
        return -1;
    }
    if (add_limits(&what, compile_or_null == NULL ? "Limits" : "Limits when running",
                   POLICY_STAGE_RUN, err) < 0) {
        return -1;
    }
    if (add_files(&what, err) < 0 || add_world(&what, err) < 0 || add_protections(&what, err) < 0 ||
        add_steps(&what, err) < 0) {
        return -1;
    }
    return 0;
}
