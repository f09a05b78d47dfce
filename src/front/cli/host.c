/*
 * The commands that run nothing of the caller's: languages, doctor, version.
 */
#include "front/cli/options.h"
#include "front/cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int print_text(char *json)
{
    (void)puts(json);
    free(json);
    return 0;
}

static void print_name(void *context, const struct cella_language *language)
{
    (void)context;
    (void)puts(language->name);
}

/* ---- languages ---- */

#define DIRECTORIES_MAX 8 /* there are three standard ones */

struct listing {
    size_t count;
    size_t present;
    struct {
        char path[1024];
        size_t count;
    } directories[DIRECTORIES_MAX];
};

/* Where runtimes come from; more places than there can be are left out. */
static void count_directory(struct listing *listing, const char *file)
{
    const char *slash = strrchr(file, '/');
    int length = slash == NULL ? 0 : (int)(slash - file);
    char path[sizeof(listing->directories[0].path)];
    (void)snprintf(path, sizeof(path), "%.*s", length, file); /* cut is still told apart */
    size_t i = 0;
    while (i < DIRECTORIES_MAX && listing->directories[i].count > 0 &&
           strcmp(listing->directories[i].path, path) != 0) {
        i++;
    }
    if (i < DIRECTORIES_MAX) {
        memcpy(listing->directories[i].path, path, sizeof(path));
        listing->directories[i].count++;
    }
}

static void print_language(void *context, const struct cella_language *language)
{
    struct listing *listing = context;
    bool present = language->path[0] != '\0';
    if (language->problem[0] != '\0') {
        (void)printf("%-12s wrong: %s\n", language->name, language->problem);
        return;
    }
    listing->count++;
    listing->present += present;
    count_directory(listing, language->file);
    (void)printf("%-12s %-10s ", language->name, present ? language->version : "-");
    if (present) {
        (void)printf("%-22s", language->path);
    } else {
        (void)printf("apt install %-10s", language->package);
    }
    for (size_t i = 0; i < language->alias_count; i++) {
        (void)printf("%s%s", i == 0 ? "  also " : ", ", language->aliases[i]);
    }
    (void)putchar('\n');
}

static int list_languages(void)
{
    struct cella_error err;
    struct listing listing = {.count = 0};
    if (cella_languages(NULL, print_language, &listing, &err) < 0) {
        return report_error(&err);
    }
    (void)printf("\n%zu languages, %zu of them installed\n", listing.count, listing.present);
    for (size_t i = 0; i < DIRECTORIES_MAX && listing.directories[i].count > 0; i++) {
        (void)printf("  %zu described in %s\n", listing.directories[i].count,
                     listing.directories[i].path);
    }
    return 0;
}

static void report_problem(void *context, const struct cella_error *problem)
{
    (void)context;
    (void)report_error(problem);
}

static void print_checked(void *context, const struct cella_language *language)
{
    (void)context;
    if (language->path[0] != '\0') {
        (void)printf("%s: ok: %s by %s\n", language->file, language->name, language->path);
    } else {
        (void)printf("%s: ok: %s, which is not installed here: apt install %s\n", language->file,
                     language->name, language->package);
    }
}

/* 0 when the file is good, 1 when it is not. */
static int check_language(const char *file)
{
    struct cella_error err;
    int result = cella_language_check(NULL, file, report_problem, print_checked, NULL, &err);
    return result < 0 ? report_error(&err) : result;
}

int command_languages(const struct invocation *invocation)
{
    struct cella_error err;
    char *json;
    bool plain = invocation->given_count == 0;
    if (plain && invocation->operand_count == 2 && strcmp(invocation->operands[0], "check") == 0) {
        return check_language(invocation->operands[1]);
    }
    if (invocation->operand_count > 0) {
        (void)cli_fail(&err, CELLA_ERROR_CALLER, "cella languages check FILE",
                       "'cella languages' lists them, or checks one file of a language");
        return report_error(&err);
    }
    if (invocation_has(invocation, OPTION_JSON)) {
        return cella_languages_json(NULL, &json, &err) < 0 ? report_error(&err) : print_text(json);
    }
    if (!invocation_has(invocation, OPTION_NAMES)) {
        return list_languages();
    }
    return cella_languages(NULL, print_name, NULL, &err) < 0 ? report_error(&err) : 0;
}

/* ---- doctor ---- */

struct fitness_info {
    const char *word;
    const char *color;
};
static const struct fitness_info fitness_table[] = {
    [CELLA_FIT] = {"ok", "\033[32m"},
    [CELLA_PARTIAL] = {"warn", "\033[33m"},
    [CELLA_UNFIT] = {"missing", "\033[1;31m"},
};

struct doctor_summary {
    bool color;
    size_t counts[CELLA_UNFIT + 1]; /* by enum cella_fitness */
};

static void print_finding(void *context, const struct cella_finding *finding)
{
    struct doctor_summary *summary = context;
    const struct fitness_info *info = &fitness_table[finding->fitness];
    summary->counts[finding->fitness]++;
    (void)printf("%s%-8s%s%s: %s\n", summary->color ? info->color : "", info->word,
                 summary->color ? "\033[0m" : "", finding->name, finding->found);
    if (finding->meaning[0] != '\0') {
        (void)printf("          means: %s\n", finding->meaning);
    }
    if (finding->remedy[0] != '\0') {
        (void)printf("          do:    %s\n", finding->remedy);
    }
}

/* 0 when programs can be run here, even with less than there could be; else 1. */
int command_doctor(const struct invocation *invocation)
{
    struct cella_error err;
    if (invocation_has(invocation, OPTION_JSON)) {
        char *json;
        enum cella_fitness worst;
        if (cella_doctor_json(NULL, &json, &worst, &err) < 0) {
            return report_error(&err);
        }
        (void)print_text(json);
        return worst == CELLA_UNFIT;
    }
    struct doctor_summary summary = {.color = report_has_color(STDOUT_FILENO)};
    if (cella_doctor(NULL, print_finding, &summary, &err) < 0) {
        return report_error(&err);
    }
    (void)printf("%zu ok, %zu with less than there could be, %zu missing\n",
                 summary.counts[CELLA_FIT], summary.counts[CELLA_PARTIAL],
                 summary.counts[CELLA_UNFIT]);
    return summary.counts[CELLA_UNFIT] > 0;
}

int command_version(const struct invocation *invocation)
{
    (void)invocation;
    (void)printf("cella %s\n", cella_version());
    return 0;
}
