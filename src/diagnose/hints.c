/*
 * Hints: see hints.h.  The first that applies of: the rows of the runtime's file, the report's own
 * proposal, what every language says of the sandbox's bounds, the cause, refused system calls.
 */
#include "diagnose/hints.h"

#include "base/alloc.h"
#include "diagnose/sources.h"
#include "diagnose/text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKAGE_SIZE    64
#define CALLS_NAMED_MAX 6

/* ---- the rows of a runtime's file ---- */

static bool limit_is_likely(const struct diagnose_case *it, const struct errors_hint *row)
{
    const uint64_t peak = it->stage->usage.memory_peak_bytes;
    if (row->limit != ERRORS_LIMIT_MEMORY || row->peak_percent == 0) {
        return true;
    }
    /* Unknown is what nobody had the time to measure: it was not much for long. */
    return peak != RESULT_UNKNOWN && peak >= it->memory_max_bytes / 100 * row->peak_percent;
}

static struct pattern_piece row_group(const struct errors_hint *row, const char *group)
{
    return text_trim(pattern_group(row->match, group, strlen(group)));
}

/* The closest name for the row's group; false when there is none, or the row wants none. */
static bool find_closest(const struct diagnose_case *it, const struct errors_hint *row,
                         char ret_name[SOURCE_NAME_SIZE])
{
    const struct errors *errors = it->errors;
    const char *names[2];
    size_t count = 0;
    if (errors->names != NULL) {
        names[count++] = errors->names;
    }
    if (errors->like_errors != NULL && errors->like_errors->names != NULL) {
        names[count++] = errors->like_errors->names;
    }
    source_closest(it->sources, names, count, row_group(row, row->closest), ret_name);
    return ret_name[0] != '\0';
}

/* The package of a module, from lines "MODULE PACKAGE". */
static bool find_package_in(const char *lines, struct pattern_piece module,
                            char ret_package[PACKAGE_SIZE])
{
    for (const char *line = lines; line != NULL && *line != '\0';) {
        size_t size = strcspn(line, "\n");
        size_t name_size = strcspn(line, " \n");
        if (name_size == module.size && memcmp(line, module.data, name_size) == 0 &&
            name_size < size && size - name_size - 1 < PACKAGE_SIZE) {
            (void)snprintf(ret_package, PACKAGE_SIZE, "%.*s", (int)(size - name_size - 1),
                           line + name_size + 1); /* fits */
            return true;
        }
        line += size + (line[size] == '\n');
    }
    return false;
}

static bool find_package(const struct diagnose_case *it, const struct errors_hint *row,
                         char ret_package[PACKAGE_SIZE])
{
    const struct errors *like = it->errors->like_errors;
    struct pattern_piece module = row_group(row, row->package);
    if (module.data == NULL) {
        return false;
    }
    return find_package_in(it->errors->packages, module, ret_package) ||
           (like != NULL && find_package_in(like->packages, module, ret_package));
}

static int set_hint(struct result_diagnosis *diagnosis, const char *text,
                    const struct text_values *values)
{
    CLEANUP(buffer_done) struct buffer hint;
    buffer_init(&hint, 0);
    if (text_fill(&hint, text, values) < 0) {
        return -1;
    }
    struct pattern_piece piece = {hint.data, hint.size};
    diagnosis->hint = text_copy(text_trim(piece), DIAGNOSE_HINT_MAX);
    return hint.size > 0 && diagnosis->hint == NULL ? -1 : 0;
}

/* A row whose pattern matched: what it looks up, and its text. */
static int apply_row(const struct diagnose_case *it, const struct errors_hint *row,
                     struct result_diagnosis *diagnosis)
{
    char closest[SOURCE_NAME_SIZE];
    char package[PACKAGE_SIZE];
    struct text_values values = {.pattern = row->match, .entry = it->sources->entry};
    if (row->hint == NULL || diagnosis->hint != NULL) {
        return 0;
    }
    if (row->closest != NULL) {
        if (!find_closest(it, row, closest)) {
            return 0;
        }
        values.closest = closest;
    }
    if (row->package != NULL) {
        if (!find_package(it, row, package)) {
            return 0;
        }
        values.package = package;
    }
    return set_hint(diagnosis, row->hint, &values);
}

static int apply_rows(const struct diagnose_case *it, const struct errors *errors,
                      const struct buffer *subject, const struct pattern_budget *budget,
                      struct result_diagnosis *diagnosis, enum errors_limit *limit)
{
    for (size_t i = 0; errors != NULL && i < errors->hint_count; i++) {
        const struct errors_hint *row = &errors->hints[i];
        if (!pattern_find(row->match, subject->data, subject->size, 0, budget) ||
            !limit_is_likely(it, row)) {
            continue;
        }
        *limit = *limit == ERRORS_NO_LIMIT ? row->limit : *limit;
        if (apply_row(it, row, diagnosis) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- what every language says of a sandbox ---- */

static const struct {
    const char *text; /* in the message; mostly the C library's words */
    const char *hint;
} common[] = {
    {"Temporary failure in name resolution", "there is no network in the sandbox"},
    {"Name or service not known", "there is no network in the sandbox"},
    {"Network is unreachable", "there is no network in the sandbox"},
    {"ENOTFOUND", "there is no network in the sandbox"},
    {"EAI_AGAIN", "there is no network in the sandbox"},
    {"ENETUNREACH", "there is no network in the sandbox"},
    {"UnknownHostException", "there is no network in the sandbox"},
    {"No space left on device", "the limits disk_bytes and inodes bound what is written"},
    {"ENOSPC", "the limits disk_bytes and inodes bound what is written"},
    {"File too large", "the limit file_bytes bounds a file"},
    {"Too many open files", "the limit open_files bounds how many files are open at one time"},
    {"EMFILE", "the limit open_files bounds how many files are open at one time"},
    {"No such file or directory", "the sandbox has the request's files, and nothing else of yours"},
    {"no such file or directory", "the sandbox has the request's files, and nothing else of yours"},
    {"Read-only file system", "only the workspace and /tmp can be written"},
    {"EROFS", "only the workspace and /tmp can be written"},
    {"can't start new thread", "the limit processes counts threads too"},
    {"Resource temporarily unavailable", "the limit processes bounds processes and threads"},
};

static int apply_common(struct result_diagnosis *diagnosis, const struct buffer *subject)
{
    const struct text_values none = {.pattern = NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(common) && diagnosis->hint == NULL; i++) {
        if (strstr(subject->data, common[i].text) != NULL &&
            set_hint(diagnosis, common[i].hint, &none) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- the report's own, and refused calls ---- */

static int apply_own(const struct diagnose_case *it, const struct report *report,
                     struct result_diagnosis *diagnosis)
{
    const struct text_values values = {.pattern = report->rule->match, .entry = it->sources->entry};
    const char *text = report->rule->hint;
    return diagnosis->hint == NULL && text != NULL && text_can_fill(text, &values)
               ? set_hint(diagnosis, text, &values)
               : 0;
}

/* Whether a cause is "CLASS: MESSAGE" or "CLASS" of what it led to: an error raised anew. */
static bool says_the_same(const struct pattern_piece *cause,
                          const struct result_diagnosis *diagnosis)
{
    size_t size = strlen(diagnosis->class);
    if (cause->size < size || memcmp(cause->data, diagnosis->class, size) != 0) {
        return false;
    }
    struct pattern_piece rest = {cause->data + size, cause->size - size};
    size = strlen(diagnosis->message);
    return rest.size == 0 ? size == 0
                          : rest.size == size + 2 && memcmp(rest.data, ": ", 2) == 0 &&
                                memcmp(rest.data + 2, diagnosis->message, size) == 0;
}

static int apply_cause(const struct report *report, struct result_diagnosis *diagnosis)
{
    struct pattern_piece cause = text_trim(report->parts[ERRORS_GROUP_CAUSE]);
    CLEANUP(buffer_done) struct buffer hint;
    buffer_init(&hint, 0);
    if (diagnosis->hint != NULL || cause.size == 0 || says_the_same(&cause, diagnosis)) {
        return 0;
    }
    if (buffer_add_string(&hint, "caused by ") < 0 ||
        buffer_add(&hint, cause.data, cause.size) < 0) {
        return -1;
    }
    struct pattern_piece piece = {hint.data, hint.size};
    diagnosis->hint = text_copy(piece, DIAGNOSE_HINT_MAX);
    return diagnosis->hint == NULL ? -1 : 0;
}

/* "the sandbox refused system calls: socket, ptrace" */
static int apply_refused_calls(const struct diagnose_case *it, struct result_diagnosis *diagnosis)
{
    CLEANUP(buffer_done) struct buffer hint;
    buffer_init(&hint, DIAGNOSE_HINT_MAX);
    if (buffer_add_string(&hint, "the sandbox refused system calls: ") < 0) {
        return -1;
    }
    for (size_t i = 0; i < it->refused_call_count && i < CALLS_NAMED_MAX; i++) {
        if (buffer_add_format(&hint, "%s%s", i == 0 ? "" : ", ", it->refused_calls[i].name) < 0) {
            return -1;
        }
    }
    diagnosis->hint = hint.data;
    hint.data = NULL;
    return 0;
}

static bool is_about_permission(const struct buffer *subject)
{
    static const char *const words[] = {"not permitted", "EPERM",           "Permission denied",
                                        "EACCES",        "not implemented", "ENOSYS"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strstr(subject->data, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool has_stack_overflow(const struct diagnose_case *it)
{
    return it->stage->signal == SIGSEGV &&
           (it->stage->limits_hit & status_hit_bit(STATUS_HIT_STACK)) != 0;
}

static int apply_signal(const struct diagnose_case *it, const struct buffer *subject,
                        struct result_diagnosis *diagnosis)
{
    const struct text_values none = {.pattern = NULL};
    if (diagnosis->hint != NULL) {
        return 0;
    }
    if (has_stack_overflow(it)) {
        return set_hint(diagnosis,
                        "the stack overflowed: a recursion without an end, or very large local "
                        "variables; the limit is stack_bytes",
                        &none);
    }
    bool explains = it->stage->status == STATUS_SIGNAL || is_about_permission(subject);
    return it->refused_call_count > 0 && explains ? apply_refused_calls(it, diagnosis) : 0;
}

/* ---- the whole ---- */

int hints_apply(const struct diagnose_case *it, const struct report *report,
                const struct pattern_budget *budget, struct result_diagnosis *diagnosis,
                enum errors_limit *ret_limit)
{
    enum errors_limit limit = ERRORS_NO_LIMIT;
    CLEANUP(buffer_done) struct buffer subject;
    buffer_init(&subject, 0);
    if (buffer_add_format(&subject, "%s: %s", diagnosis->class, diagnosis->message) < 0) {
        return -1;
    }
    if (it->errors != NULL &&
        (apply_rows(it, it->errors, &subject, budget, diagnosis, &limit) < 0 ||
         apply_rows(it, it->errors->like_errors, &subject, budget, diagnosis, &limit) < 0)) {
        return -1;
    }
    if ((report != NULL && apply_own(it, report, diagnosis) < 0) ||
        apply_common(diagnosis, &subject) < 0 ||
        (report != NULL && apply_cause(report, diagnosis) < 0) ||
        apply_signal(it, &subject, diagnosis) < 0) {
        return -1;
    }
    *ret_limit = limit;
    return 0;
}
