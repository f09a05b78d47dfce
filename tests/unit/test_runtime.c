/*
 * Runtimes: the files that are shipped, finding one in every way, what a file may not say.
 */
#include "base/alloc.h"
#include "runtime/definition.h"
#include "runtime/runtime.h"
#include "runtime/version_cache.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define GOOD "package: p\npath: [/usr/bin/true]\nentry: main.x\nrun: [\"{path}\", \"{entry}\"]\n"

static char shipped[SCRATCH_PATH_SIZE];

static int set_up(void **state)
{
    scratch_source("runtimes", shipped);
    int result = scratch_set_up(state);
    scratch_mkdir(scratch, "r");
    return result;
}

static struct runtime_set *opened(const char *dir)
{
    struct runtime_set *set = NULL;
    struct cella_error err;
    assert_int_equal(runtime_set_open(dir, &set, &err), 0);
    return set;
}

static struct runtime_set *opened_scratch(void)
{
    char dir[SCRATCH_PATH_SIZE];
    scratch_path(scratch, "r", dir);
    return opened(dir);
}

static const struct runtime *found(struct runtime_set *set, const char *name)
{
    const struct runtime *runtime = NULL;
    struct cella_error err;
    if (runtime_find(set, name, &runtime, &err) < 0) {
        fail_msg("%s: %s", name, err.text);
    }
    return runtime;
}

/* ---- the shipped ones ---- */

static void test_shipped(void **state)
{
    (void)state;
    static const char *const names[] = {"bash", "c", "javascript", "python", "ruby"};
    struct runtime_set *set = opened(shipped);
    const struct runtime *const *all;
    size_t count;
    struct cella_error err;
    if (runtime_all(set, &all, &count, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_true(count >= ARRAY_LENGTH(names));
    for (size_t i = 1; i < count; i++) {
        assert_true(strcmp(all[i - 1]->name, all[i]->name) < 0);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_string_equal(found(set, names[i])->name, names[i]);
    }
    const struct runtime *c = found(set, "c");
    assert_string_equal(c->output, "program");
    assert_string_equal(c->outputs.items[0], "program");
    assert_string_equal(c->run.items[0], "/workspace/{output}");
    const struct runtime *python = found(set, "python");
    assert_int_equal(python->compile.count, 0);
    assert_null(python->output);
    assert_string_equal(python->entry, "main.py");
    assert_string_equal(python->path.items[0], "/usr/bin/python3");
    assert_string_equal(python->env[0].name, "PYTHONDONTWRITEBYTECODE");
    assert_int_equal(python->limits.value[LIMIT_MEMORY], LIMIT_UNSET);
    assert_true(python->mount_count > 0);
    assert_int_equal(python->mounts[0].flags, PLAN_MOUNT_OPTIONAL);
    runtime_set_close(set);
    runtime_set_close(NULL);
}

static void test_aliases(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"py", "python"},
        {"python3", "python"},
        {" Python\n", "python"},
        {"JS", "javascript"},
        {"nodejs", "javascript"},
        {"rb", "ruby"},
        {"gcc", "c"},
        {"C", "c"},
        {"shell", "bash"},
        {"c++", "cpp"},
        {"golang", "go"},
        {"ts", "typescript"},
        {"sql", "sqlite"},
    };
    struct runtime_set *set = opened(shipped);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_string_equal(found(set, rows[i][0])->name, rows[i][1]);
    }
    assert_ptr_equal(found(set, "py"), found(set, "python"));
    runtime_set_close(set);
}

static void unknown(const char *name, const char *text, const char *hint)
{
    struct runtime_set *set = opened(shipped);
    const struct runtime *runtime = NULL;
    struct cella_error err;
    assert_int_equal(runtime_find(set, name, &runtime, &err), -1);
    assert_null(runtime);
    assert_int_equal(err.kind, CELLA_ERROR_RUNTIME);
    assert_string_equal(err.field, "language");
    has_text(err.text, text);
    assert_string_equal(err.hint, hint);
    runtime_set_close(set);
}

static void test_unknown(void **state)
{
    (void)state;
    unknown("pyton", "unknown language 'pyton'; there are awk, bash, c, cpp, ",
            "did you mean 'python'?");
    unknown("nodesj", "unknown language 'nodesj'", "did you mean 'nodejs'?");
    unknown("", "unknown language ''", "");
    unknown("cobol60", "unknown language 'cobol60'", "");
    unknown("typscript", "unknown language 'typscript'", "did you mean 'typescript'?");
    unknown("../../etc/passwd", "unknown language '../../etc/passwd'", "");
    unknown("0123456789012345678901234567890123456789012345678901234567890123456789", "unknown",
            "");
}

/* Looking up by name reads one file.  A broken neighbour matters only where nothing is found, which
 * may be what its file says. */
static void test_fast_path(void **state)
{
    (void)state;
    scratch_write(scratch, "r/good.yaml", GOOD "aliases: [fine]\n", 0644);
    scratch_write(scratch, "r/broken.yaml", "run: [", 0644);
    struct runtime_set *set = opened_scratch();
    assert_string_equal(found(set, "good")->name, "good");
    const struct runtime *runtime;
    struct cella_error err;
    assert_string_equal(found(set, "fine")->name, "good");
    const struct runtime_broken *broken;
    assert_int_equal(runtime_broken(set, &broken), 1);
    assert_string_equal(broken->name, "broken");
    assert_int_equal(runtime_find(set, "absent", &runtime, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    has_text(err.text, "r/broken.yaml:");
    assert_int_equal(runtime_guess(set, "x.absent", "", 0, &runtime, &err), -1);
    has_text(err.text, "r/broken.yaml:");
    runtime_set_close(set);
}

static void test_first_directory_wins(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_SIZE];
    scratch_mkdir(scratch, "share");
    scratch_mkdir(scratch, "share/runtimes");
    scratch_write(scratch, "share/runtimes/one.yaml", GOOD, 0644);
    scratch_write(scratch, "share/runtimes/two.yaml", GOOD, 0644);
    scratch_write(scratch, "r/one.yaml", GOOD, 0644);
    scratch_write(scratch, "r/README.txt", "not one", 0644);
    scratch_write(scratch, "r/.yaml", "not one", 0644);
    scratch_write(scratch, "r/Upper.yaml", "not one", 0644);
    struct runtime_set *set = opened_scratch();
    const struct runtime *const *all;
    size_t count;
    struct cella_error err;
    assert_int_equal(runtime_all(set, &all, &count, &err), 0);
    assert_int_equal(count, 2);
    scratch_path(scratch, "r/one.yaml", path);
    assert_string_equal(all[0]->file, path);
    scratch_path(scratch, "share/runtimes/two.yaml", path);
    assert_string_equal(all[1]->file, path);
    runtime_set_close(set);
}

/* ---- by file ---- */

static void guessed(struct runtime_set *set, const char *file, const char *head, const char *name)
{
    const struct runtime *runtime = NULL;
    struct cella_error err;
    int status = runtime_guess(set, file, head, head == NULL ? 0 : strlen(head), &runtime, &err);
    if (name == NULL) {
        assert_int_equal(status, -1);
        assert_int_equal(err.kind, CELLA_ERROR_RUNTIME);
        has_text(err.text, file);
    } else {
        if (status < 0) {
            fail_msg("%s: %s", file, err.text);
        }
        assert_string_equal(runtime->name, name);
    }
}

static void test_guess(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"a.py", "", "python"},
        {"dir.rb/a.PY", "#!/bin/bash", "python"},
        {"a.tar.mjs", NULL, "javascript"},
        {"a.c", NULL, "c"},
        {".py", "", NULL},
        {"py", "", NULL},
        {"a.cc", "", "cpp"},
        {"a.R", "", "r"},
        {"a.sh", "#!/bin/sh", "bash"},
        {"a.d.ts", "", "typescript"},
        {"a.xx", "", NULL},
        {"x", "#!/usr/bin/python3 -u\n", "python"},
        {"x", "#! /usr/bin/env python3.11\r\n", "python"},
        {"x", "#!/usr/bin/env -S A=1 ruby -w", "ruby"},
        {"x", "#!/bin/bash", "bash"},
        {"x", "#!/bin/sh", "sh"},
        {"x", "#!/bin/nosh", NULL},
        {"x", "#!", NULL},
        {"x", "#!/usr/bin/env", NULL},
        {"x", "#!/usr/bin/env -S", NULL},
        {"x", "#!/usr/bin/3.11", NULL},
        {"x", " #!/bin/bash", NULL},
        {"x", "\n#!/bin/bash", NULL},
    };
    struct runtime_set *set = opened(shipped);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        guessed(set, rows[i][0], rows[i][1], rows[i][2]);
    }
    /* Of a line without an end only so much counts; its bytes need no NUL. */
    char head[4096];
    memset(head, 'x', sizeof(head));
    memcpy(head, "#!/bin/bash ", 12);
    const struct runtime *runtime;
    struct cella_error err;
    assert_int_equal(runtime_guess(set, "x", head, sizeof(head), &runtime, &err), 0);
    assert_string_equal(runtime->name, "bash");
    runtime_set_close(set);
}

/* ---- what a file may not say ---- */

static void refused(const char *text, const char *message, const char *hint)
{
    scratch_write(scratch, "r/x.yaml", text, 0644);
    struct runtime_set *set = opened_scratch();
    const struct runtime *runtime;
    struct cella_error err = {0};
    assert_int_equal(runtime_find(set, "x", &runtime, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    has_text(err.text, "r/x.yaml:");
    has_text(err.text, message);
    assert_string_equal(err.hint, hint);
    runtime_set_close(set);
}

static void test_refused_files(void **state)
{
    (void)state;
    refused(GOOD "exetnsions: [.x]\n", ":5:1: exetnsions is not a field",
            "did you mean 'extensions'?");
    refused("package: p\n", ":1:1: entry is missing", "");
    refused("entry: a\n", "package is missing", "");
    refused("package: p\nentry: a\n", "path is missing", "");
    refused("package: p\nentry: a\npath: [/usr/bin/x]\n", "run is missing", "");
    refused("package: ''\n", ":1:1: package must not be empty", "");
    refused("package: 3\n", "package must be a string, not a number", "");
    refused("entry: ../x\n", ":1:1: entry", "");
    refused("path: [bin/x]\n", ":1:8: path[0] must be an absolute path", "");
    refused("package: p\nentry: a\nrun: [a]\npath:\n  - /usr/bin/x\n  - /home/me/x\n",
            ":6:5: path[1] is not in the sandbox", "add its directory to mounts");
    refused("run: ['{pth}']\n", ":1:7: run[0] has an unknown name in braces", "");
    refused("run: ['{cpus:50}']\n", "run[0] must have a percentage from 1 to 100, of memory_bytes",
            "");
    refused("run: ['{memory_mib:0}']\n", "run[0] must have a percentage", "");
    refused("run: ['{memory_mib:101}']\n", "run[0] must have a percentage", "");
    refused("run: ['{args:1}']\n", "run[0] must have a percentage", "");
    refused("run: ['{memory:50}']\n", "run[0] has an unknown name in braces", "");
    refused("needs: [x]\n", "needs[0] must be an absolute path", "");
    refused("package: p\nentry: a\nrun: [a]\npath: [/bin/x]\nneeds: [/bin/y, /srv/x]\n",
            ":5:17: needs[1] is not in the sandbox", "add its directory to mounts");
    refused("run: [a, 'x{args}']\n",
            ":1:10: run[1] must have {args}, {compile_args} and {sources} as words", "");
    refused("aliases: [Py]\n", "aliases[0] must be of lower-case letters", "");
    refused("extensions: [py]\n", "extensions[0] must begin with a dot", "");
    refused("shebangs: [/bin/x]\n", "shebangs[0] must be a name without directories", "");
    refused("env: [a]\n", "env must be a mapping", "");
    refused("env: {A: 1}\n", "env.A must be a string", "");
    refused("env: {A: '{args}'}\n", "env.A must not have {args}, {compile_args} or {sources}", "");
    refused("env: {A-B: x}\n", "env.A-B must not have a '-'", "");
    refused("limits: {memory_byte: 1g}\n", ":1:10: limits.memory_byte is not a limit",
            "did you mean 'memory_bytes'?");
    refused("limits: {memory_bytes: 0}\n", "limits.memory_bytes must be more than 0", "");
    refused("limits: {wall_ms: 5 s}\n", "limits.wall_ms is not a duration", "");
    refused("compile: {run: [a], output: b}\n", ":1:1: compile.outputs is missing", "");
    refused("compile: {run: [a], outputs: [b]}\n", "compile.output is missing", "");
    refused("compile: {output: a, outputs: [b]}\n", "compile.run is missing", "");
    refused("compile: {outputs: ['/b']}\n", "compile.outputs[0]", "");
    refused("compile: {uncached: ['']}\n", "compile.uncached[0]", "");
    refused("warm: {start: never}\n", "warm.start must be 'zygote' or 'one_shot'", "");
    refused("warm: {preload: [a]}\n", "warm.start is missing", "");
    refused("warm: {start: zygote, preload: ['a,b']}\n", "warm.preload[0] must be one name", "");
    refused("warm: {start: one_shot, preload: [a]}\n", "warm.preload is for zygotes", "");
}

static void test_refused_mounts(void **state)
{
    (void)state;
    static const char *const forbidden[] = {
        "/",    "/home", "/home/me",    "/root",      "/var",          "/var/lib/x",
        "/run", "/proc", "/sys/fs",     "/dev/shm",   "/etc",          "/etc/passwd",
        "/tmp", "/boot", "/etc/shadow", "/workspace", "/usr/..",       "/usr/./x",
        "etc",  "/a//b", "/a/",         "/var/lib",   "/var/lib/ghcx",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(forbidden); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "mounts: ['%s']\n", forbidden[i]);
        refused(text, ":1:10: mounts[0] ", "");
    }
    char text[PLAN_PATH_MAX + 32];
    (void)snprintf(text, sizeof(text), "mounts: ['/%0*d']\n", PLAN_PATH_MAX - 1, 0);
    refused(text, "mounts[0] is too long", "");
}

static void test_accepted_mounts(void **state)
{
    (void)state;
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "package: p\nentry: a\nrun: [a]\npath: [/opt/x/bin/x, /opt/y]\n"
                   "mounts: [/opt/x, /opt/y, /etc/x, '/opt/%0*d']\n",
                   PLAN_PATH_MAX - 1 - (int)strlen("/opt/"), 0);
    scratch_write(scratch, "r/x.yaml", text, 0644);
    struct runtime_set *set = opened_scratch();
    const struct runtime *runtime = found(set, "x");
    assert_int_equal(runtime->mount_count, 4);
    assert_string_equal(runtime->mounts[0].source, "/opt/x");
    assert_string_equal(runtime->mounts[0].target, "/opt/x");
    assert_int_equal(strlen(runtime->mounts[3].target), PLAN_PATH_MAX - 1);
    runtime_set_close(set);
}

static void test_needs(void **state)
{
    (void)state;
    scratch_write(scratch, "r/x.yaml",
                  GOOD "limits: {memory_bytes: 1g, wall_ms: 1500, cpus: 1.5}\n"
                       "compile: {run: [a], output: b, outputs: [b], limits: {wall_ms: 1m}}\n",
                  0644);
    struct runtime_set *set = opened_scratch();
    const struct runtime *runtime = found(set, "x");
    assert_int_equal(runtime->limits.value[LIMIT_MEMORY], LIMIT_GIB);
    assert_int_equal(runtime->limits.value[LIMIT_WALL], 1500000);
    assert_int_equal(runtime->limits.value[LIMIT_CPUS], 1500);
    assert_int_equal(runtime->limits.value[LIMIT_DISK], LIMIT_UNSET);
    assert_int_equal(runtime->compile_limits.value[LIMIT_WALL], 60 * LIMIT_SECOND);
    assert_int_equal(runtime->compile_limits.value[LIMIT_MEMORY], LIMIT_UNSET);
    runtime_set_close(set);
}

static void test_list_length(void **state)
{
    (void)state;
    char text[1024] = "";
    size_t size = (size_t)snprintf(text, sizeof(text), GOOD "shebangs: [a");
    for (size_t i = 1; i < DEFINITION_WORDS_MAX; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, ",a");
    }
    (void)snprintf(text + size, sizeof(text) - size, "]\n");
    scratch_write(scratch, "r/ok.yaml", text, 0644);
    struct runtime_set *set = opened_scratch();
    assert_int_equal(found(set, "ok")->shebangs.count, DEFINITION_WORDS_MAX);
    runtime_set_close(set);
    (void)snprintf(text + size, sizeof(text) - size, ",a]\n");
    refused(text, "shebangs[64] is one too many: at most 64 are allowed", "");
}

/* ---- odd files ---- */

static void unreadable(const char *message)
{
    struct runtime_set *set = opened_scratch();
    const struct runtime *runtime;
    struct cella_error err;
    assert_int_equal(runtime_find(set, "odd", &runtime, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    has_text(err.text, message);
    runtime_set_close(set);
}

static void test_odd_files(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_SIZE];
    scratch_path(scratch, "r/odd.yaml", path);
    scratch_write(scratch, "r/odd.yaml", GOOD, 0646);
    unreadable("r/odd.yaml can be written by everybody");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    unreadable("r/odd.yaml is not a regular file"); /* and does not wait for a writer */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    unreadable("is not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink(path, path), 0);
    unreadable("cannot be opened");
    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0); /* read no further than allowed */
    (void)close(fd);
    unreadable("at most 65536 are allowed");
}

static void test_file_count(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < DEFINITION_FILES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "r/r%d.yaml", i);
        scratch_write(scratch, name, GOOD, 0644);
    }
    struct runtime_set *set = opened_scratch();
    const struct runtime *const *all;
    size_t count;
    struct cella_error err;
    assert_int_equal(runtime_all(set, &all, &count, &err), 0);
    assert_int_equal(count, DEFINITION_FILES_MAX);
    runtime_set_close(set);
    scratch_write(scratch, "r/onemore.yaml", GOOD, 0644);
    set = opened_scratch();
    assert_int_equal(runtime_all(set, &all, &count, &err), -1);
    has_text(err.text, "there are more than 256 files");
    runtime_set_close(set);
}

/* ---- on the host ---- */

static void test_locate(void **state)
{
    (void)state;
    const char *path = NULL;
    struct cella_error err;
    scratch_write(scratch, "r/here.yaml",
                  "package: p\nentry: a\nrun: [a]\n"
                  "path: [/usr/nonexistent/x, /usr/bin, /usr/bin/env]\n",
                  0644);
    scratch_write(scratch, "r/gone.yaml",
                  "package: a-package\nentry: a\nrun: [a]\npath: [/usr/nonexistent/x]\n", 0644);
    struct runtime_set *set = opened_scratch();
    assert_int_equal(runtime_locate(found(set, "here"), &path, &err), 0);
    assert_string_equal(path, "/usr/bin/env");
    path = NULL;
    assert_int_equal(runtime_locate(found(set, "gone"), &path, &err), -1);
    assert_null(path);
    assert_int_equal(err.kind, CELLA_ERROR_RUNTIME);
    assert_string_equal(err.text, "gone is not installed: there is no /usr/nonexistent/x");
    assert_string_equal(err.hint, "apt install a-package");
    scratch_write(scratch, "r/half.yaml", GOOD "needs: [/usr/bin/env, /usr/bin]\n", 0644);
    scratch_write(scratch, "r/whole.yaml", GOOD "needs: [/usr/bin/env, /bin/sh]\n", 0644);
    assert_int_equal(runtime_locate(found(set, "half"), &path, &err), -1);
    assert_null(path);
    assert_string_equal(err.text, "half is not installed: there is no /usr/bin");
    assert_int_equal(runtime_locate(found(set, "whole"), &path, &err), 0);
    assert_string_equal(path, "/usr/bin/true");
    runtime_set_close(set);
}

static void test_real_versions(void **state)
{
    (void)state;
    struct runtime_set *set = opened(shipped);
    const struct runtime *const *all;
    size_t count;
    struct cella_error err;
    assert_int_equal(runtime_all(set, &all, &count, &err), 0);
    for (size_t i = 0; i < count; i++) {
        const char *path;
        char version[VERSION_SIZE_MAX];
        if (runtime_locate(all[i], &path, &err) == 0) {
            runtime_version(all[i], path, version, sizeof(version));
            assert_true(version[0] >= '0' && version[0] <= '9');
            assert_non_null(strchr(version, '.'));
        }
    }
    runtime_set_close(set);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_shipped),
        TEST(test_aliases),
        TEST(test_unknown),
        TEST(test_fast_path),
        TEST(test_first_directory_wins),
        TEST(test_guess),
        TEST(test_refused_files),
        TEST(test_refused_mounts),
        TEST(test_accepted_mounts),
        TEST(test_needs),
        TEST(test_list_length),
        TEST(test_odd_files),
        TEST(test_file_count),
        TEST(test_locate),
        TEST(test_real_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
