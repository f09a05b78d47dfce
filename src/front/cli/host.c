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

static void print_language(void *context, const struct cella_language *language)
{
    (void)context;
    bool present = language->path[0] != '\0';
    (void)printf("%-12s %-10s ", language->name, present ? language->version : "-");
    if (present) {
        (void)printf("%-22s", language->path);
    } else {
        (void)printf("not installed: apt install %s", language->package);
    }
    for (size_t i = 0; i < language->alias_count; i++) {
        (void)printf("%s%s", i == 0 ? "  also " : ", ", language->aliases[i]);
    }
    (void)printf("\n             %s\n", language->file);
}

int command_languages(const struct invocation *invocation)
{
    struct cella_error err;
    char *json;
    if (invocation_has(invocation, OPTION_JSON)) {
        return cella_languages_json(NULL, &json, &err) < 0 ? report_error(&err) : print_text(json);
    }
    bool names = invocation_has(invocation, OPTION_NAMES);
    if (cella_languages(NULL, names ? print_name : print_language, NULL, &err) < 0) {
        return report_error(&err);
    }
    return 0;
}

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
