/*
 * Any bytes as a policy's file: refused with a proper error, or a policy that `cella policy show`
 * prints so that it is read back as the same, and whose plans keep within it.
 */
#include "base/utf8.h"
#include "policy/policy.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

/* A policy is read from a file; one in memory is as good. */
static struct policy *load(const void *data, size_t size)
{
    struct policy *policy = NULL;
    struct cella_error err;
    char path[32];
    const int fd = memfd_create("policy", MFD_CLOEXEC);
    require(fd >= 0 && fchmod(fd, 0600) == 0);
    require(size == 0 || write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (policy_load_file(NULL, path, &policy, &err) < 0) {
        require(err.kind == CELLA_ERROR_HOST);
        require(strncmp(err.text, path, strlen(path)) == 0);
        require(utf8_is_valid(err.text, strnlen(err.text, sizeof(err.text))));
        require(utf8_is_valid(err.hint, strnlen(err.hint, sizeof(err.hint))));
    }
    (void)close(fd); /* memory */
    return policy;
}

static void check_shown(const struct policy *policy)
{
    struct cella_error err;
    struct buffer shown;
    buffer_init(&shown, 0);
    require(policy_show(policy, POLICY_YAML, &shown, &err) == 0);
    struct policy *again = load(shown.data, shown.size);
    require(again != NULL);
    require(strcmp(again->digest, policy->digest) == 0);
    require(policy_check_tighter(again, policy, &err) == 0);
    require(policy_check_tighter(policy, again, &err) == 0);
    policy_destroy(again);
    buffer_done(&shown);
}

static void check_plan(const struct policy *policy)
{
    struct cella_error err;
    struct plan plan;
    struct spec *spec = spec_create();
    require(spec != NULL && spec_add_command_word(spec, "/bin/true", &err) == 0);
    spec->network = SPEC_NETWORK_HOST;
    if (policy_plan(policy, spec, NULL, POLICY_STAGE_RUN, &plan, &err) == 0) {
        require(policy->host_network && plan.waived == policy->waived);
        for (enum limit i = 0; i < LIMIT_COUNT; i++) {
            require(plan.limits.value[i] <= policy->caps.value[i]);
        }
        require(plan_writable_count(&plan) <= PLAN_WRITABLE_MAX);
    }
    spec_destroy(spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *policy = load(data, size);
    if (policy != NULL) {
        check_shown(policy);
        check_plan(policy);
        policy_destroy(policy);
    }
    return 0;
}
