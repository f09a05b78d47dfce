/*
 * `cella key`: the keys by which others may use a server, in the state directory of that server,
 * which sees at once what is changed here, and need not run.  Where that is its program says, as
 * its configuration has it.
 */
#include "front/cli/options.h"
#include "front/cli/places.h"
#include "front/cli/report.h"
#include "front/keys.h"
#include "front/places.h"

#include <cella/policy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_POLICY "default"

/* ---- what is asked for ---- */

static int read_count(const char *name, const char *text, size_t size, uint64_t max,
                      uint64_t *ret_count, struct cella_error *err)
{
    char *end = NULL;
    const unsigned long long count = strtoull(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || end != text + size || count > max) {
        return cli_fail(err, CELLA_ERROR_CALLER, NULL, "--%s %s is no whole number from 1 to %llu",
                        name, text, (unsigned long long)max);
    }
    *ret_count = count;
    return 0;
}

/* "10", "10/s", "100/m", "1000/h" */
static int read_rate(const char *text, struct key *key, struct cella_error *err)
{
    static const struct {
        const char *ending;
        uint64_t seconds;
    } units[] = {{"", 1}, {"/s", 1}, {"/m", 60}, {"/h", 3600}};
    const size_t size = strcspn(text, "/");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + size, units[i].ending) == 0) {
            key->bounds[KEY_RATE_SECONDS] = units[i].seconds;
            return read_count("rate", text, size, 1000000, &key->bounds[KEY_RATE], err);
        }
    }
    return cli_fail(err, CELLA_ERROR_CALLER, "give it as 10, 100/m or 1000/h",
                    "--rate %s is no number of requests in a second, minute or hour", text);
}

static int add_policy(struct key *key, const char *name, struct cella_error *err)
{
    if (!key_name_is_good(name) || strstr(name, ".yaml") != NULL) { /* that would be a file's */
        return cli_fail(err, CELLA_ERROR_CALLER, "'cella policy list' prints those that there are",
                        "--key-policy '%s' is no policy's name", name);
    }
    if (key->policy_count == KEY_POLICY_MAX) {
        return cli_fail(err, CELLA_ERROR_CALLER, NULL, "a key has at most %u policies",
                        KEY_POLICY_MAX);
    }
    (void)snprintf(key->policies[key->policy_count++], KEY_NAME_SIZE, "%s", name);
    return 0;
}

static int read_bounds(const struct invocation *invocation, struct key *key,
                       struct cella_error *err)
{
    for (size_t i = 0; i < invocation->given_count; i++) {
        const char *value = invocation->given[i].value;
        int result = 0;
        switch (invocation->given[i].id) {
        case OPTION_KEY_POLICY:
            result = add_policy(key, value, err);
            break;
        case OPTION_RATE:
            result = read_rate(value, key, err);
            break;
        case OPTION_CONCURRENCY:
            result = read_count("concurrency", value, strlen(value), 100000,
                                &key->bounds[KEY_CONCURRENCY], err);
            break;
        case OPTION_CPU_SECONDS:
            result = read_count("cpu-seconds-per-day", value, strlen(value), 100000000,
                                &key->bounds[KEY_CPU_SECONDS], err);
            break;
        default:
            break;
        }
        if (result < 0) {
            return -1;
        }
    }
    key->metrics = invocation_has(invocation, OPTION_METRICS);
    return key->policy_count > 0 ? 0 : add_policy(key, DEFAULT_POLICY, err);
}

static int read_name(const char *name, struct key *key, struct cella_error *err)
{
    if (!key_name_is_good(name) || strcmp(name, KEY_NAME_RESERVED) == 0) {
        return cli_fail(err, CELLA_ERROR_CALLER,
                        KEY_NAME_TEXT "; '" KEY_NAME_RESERVED "' is the operator's",
                        "a key cannot be of '%s'", name);
    }
    (void)snprintf(key->name, sizeof(key->name), "%s", name);
    return 0;
}

/* As place_of_server_state(). */
static int find_state(const struct invocation *invocation, char ret_path[PATH_MAX],
                      struct cella_error *err)
{
    const char *given = invocation_value(invocation, OPTION_KEY_STATE);
    if (given == NULL) {
        return place_of_server_state(invocation_value(invocation, OPTION_CONFIG), ret_path, err);
    }
    if (given[0] == '\0' || strlen(given) >= PATH_MAX) {
        return cli_fail(err, CELLA_ERROR_CALLER, "leave it out, or give a directory",
                        "--state '%.64s' is no directory", given);
    }
    (void)snprintf(ret_path, PATH_MAX, "%s", given);
    return 0;
}

/* ---- what is done ---- */

/* One that nobody knows would refuse every run.  Of a policy that is there and wrong `cella policy
 * check` tells; and those of a server that is another user's cannot be seen from here. */
static int check_policies(int directory, const struct key *key, struct cella_error *err)
{
    struct stat status;
    if (fstat(directory, &status) < 0 || status.st_uid != geteuid()) {
        return 0;
    }
    for (size_t i = 0; i < key->policy_count; i++) {
        char *text = NULL;
        const char *name = key->policies[i];
        const bool is_made = strcmp(name, SERVER_WORKSPACE_POLICY) == 0; /* when it starts */
        if (!is_made && cella_policy_show(NULL, name, CELLA_POLICY_YAML, &text, err) < 0 &&
            err->kind == CELLA_ERROR_POLICY) {
            err->field[0] = '\0'; /* it is an option's */
            return -1;
        }
        free(text);
    }
    return 0;
}

static int create_key(int directory, const struct key *key, struct cella_error *err)
{
    struct keys keys = {.items = NULL};
    char text[KEY_TEXT_SIZE];
    if (check_policies(directory, key, err) < 0) {
        return -1;
    }
    int result = keys_read(directory, &keys, err);
    if (result == 0) {
        result = keys_add(&keys, key, text, err);
    }
    if (result == 0) {
        result = keys_write(directory, &keys, err);
    }
    if (result == 0) {
        (void)puts(text);
        if (isatty(STDOUT_FILENO)) {
            report_note("this is the only time that the key is shown");
        }
    }
    keys_done(&keys);
    return result;
}

static int revoke_key(int directory, const char *name, struct cella_error *err)
{
    struct keys keys = {.items = NULL};
    int result = keys_read(directory, &keys, err);
    if (result == 0) {
        result = keys_remove(&keys, name, err);
    }
    if (result == 0) {
        result = keys_write(directory, &keys, err);
    }
    keys_done(&keys);
    return result;
}

static void print_bound(uint64_t bound, const char *unit)
{
    char text[32] = "-";
    if (bound > 0) {
        (void)snprintf(text, sizeof(text), "%llu%s", (unsigned long long)bound, unit);
    }
    (void)printf(" %12s", text);
}

static void print_key(const struct key *key)
{
    const uint64_t seconds = key->bounds[KEY_RATE_SECONDS];
    (void)printf("%-20s", key->name);
    print_bound(key->bounds[KEY_RATE], seconds == 3600 ? "/h" : seconds == 60 ? "/m" : "/s");
    print_bound(key->bounds[KEY_CONCURRENCY], "");
    print_bound(key->bounds[KEY_CPU_SECONDS], " s");
    (void)printf("  %s  ", key->created_at);
    for (size_t i = 0; i < key->policy_count; i++) {
        (void)printf("%s%s", i > 0 ? "," : "", key->policies[i]);
    }
    (void)puts(key->metrics ? " (metrics)" : "");
}

static int list_keys(int directory, bool json, struct cella_error *err)
{
    struct keys keys = {.items = NULL};
    if (keys_read(directory, &keys, err) < 0) {
        return -1;
    }
    int result = 0;
    if (json) {
        result = keys_print(&keys, stdout) < 0
                     ? cli_fail_errno(err, CELLA_ERROR_HOST, "cannot print the keys")
                     : 0;
    } else if (keys.count == 0) {
        (void)puts(keys.demanded ? "none: nobody may use the server by TCP"
                                 : "none: whoever can connect may use the server");
    } else {
        (void)printf("%-20s %12s %12s %12s  %-20s  %s\n", "key", "requests", "runs", "cpu a day",
                     "created", "policies");
        for (size_t i = 0; i < keys.count; i++) {
            print_key(&keys.items[i]);
        }
    }
    keys_done(&keys);
    return result;
}

/* ---- the command ---- */

enum key_action { ACTION_CREATE, ACTION_LIST, ACTION_REVOKE };

static int read_action(const struct invocation *invocation, enum key_action *ret_action,
                       struct cella_error *err)
{
    static const struct {
        const char *name;
        size_t operands; /* with itself */
    } actions[] = {[ACTION_CREATE] = {"create", 2},
                   [ACTION_LIST] = {"list", 1},
                   [ACTION_REVOKE] = {"revoke", 2}};
    const char *word = invocation->operand_count > 0 ? invocation->operands[0] : "";
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(word, actions[i].name) == 0 &&
            invocation->operand_count == actions[i].operands && invocation->rest_count == 0) {
            *ret_action = (enum key_action)i;
            return 0;
        }
    }
    return cli_fail(err, CELLA_ERROR_CALLER, "'cella help key' has its options",
                    "it is 'cella key create NAME', 'cella key list' or 'cella key revoke NAME'");
}

static int carry_out(const struct invocation *invocation, enum key_action action, const char *state,
                     const struct key *key, struct cella_error *err)
{
    int lock = -1;
    int directory = place_open_directory(state, err);
    if (directory < 0) {
        return -1;
    }
    int result = action == ACTION_LIST ? 0 : keys_lock(directory, &lock, err);
    if (result == 0) {
        result = action == ACTION_CREATE ? create_key(directory, key, err)
                 : action == ACTION_LIST
                     ? list_keys(directory, invocation_has(invocation, OPTION_JSON), err)
                     : revoke_key(directory, invocation->operands[1], err);
    }
    if (lock >= 0) {
        (void)close(lock);
    }
    (void)close(directory);
    return result;
}

int command_key(const struct invocation *invocation)
{
    struct key key = {.name = ""};
    struct cella_error err;
    enum key_action action = ACTION_LIST;
    char state[PATH_MAX];
    int code = 0;
    if (read_action(invocation, &action, &err) < 0 || read_bounds(invocation, &key, &err) < 0 ||
        (action == ACTION_CREATE && read_name(invocation->operands[1], &key, &err) < 0) ||
        (code = find_state(invocation, state, &err)) < 0 ||
        (code == 0 && carry_out(invocation, action, state, &key, &err) < 0)) {
        return report_error(&err);
    }
    return code;
}
