/* From a request and a runtime to a pack: argv, environment, files, globs. */
#include "engine/recipe.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB UINT64_C(1048576)

/* A compiled language that uses every kind of placeholder. */
#define WORD(text) ((char[]){text})
static char *run_words[] = {WORD("/workspace/{output}"), WORD("-m{memory_mib}"), WORD("{args}")};
static char *compile_words[] = {WORD("{path}"), WORD("-o"), WORD("{output}"), WORD("{entry}"),
                                WORD("{compile_args}")};
static char *output_globs[] = {WORD("prog"), WORD("*.class")};
static struct spec_variable variables[] = {
    {WORD("HEAP"), WORD("{memory_bytes}/{cpus}")},
    {WORD("LANG"), WORD("C")},
};
static const struct runtime compiled = {
    .name = WORD("x"),
    .file = WORD("x.yaml"),
    .entry = WORD("main.x"),
    .run = {run_words, ARRAY_LENGTH(run_words)},
    .compile = {compile_words, ARRAY_LENGTH(compile_words)},
    .outputs = {output_globs, ARRAY_LENGTH(output_globs)},
    .output = WORD("prog"),
    .env = variables,
    .env_count = ARRAY_LENGTH(variables),
};

static struct spec *new_spec(void)
{
    struct spec *spec = spec_create();
    assert_non_null(spec);
    return spec;
}

/* `err` is the test's own. */
#define GOOD(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", err.field, err.text);                                               \
        }                                                                                          \
    } while (0)

/* The pack as text, a line for each record: "arg hello", "file a.txt 644 content". */
static void describe(int fd, char *text, size_t size)
{
    static const char *const names[] = {"end", "program", "arg", "env", "collect", "file"};
    static unsigned char pack[262144];
    struct stat file;
    struct pack_record record;
    size_t offset = 0, used = 0;
    int next;
    assert_int_equal(fstat(fd, &file), 0);
    assert_true(file.st_size > 0 && (size_t)file.st_size <= sizeof(pack));
    assert_int_equal(pread(fd, pack, sizeof(pack), 0), file.st_size);
    text[0] = '\0';
    while ((next = pack_next(pack, (size_t)file.st_size, &offset, &record)) > 0) {
        const char *payload = (const char *)record.payload;
        size_t path = record.header.path_size;
        assert_true(record.header.type < ARRAY_LENGTH(names));
        if (record.header.type == PACK_FILE) {
            used += (size_t)snprintf(text + used, size - used, "file %.*s %o %.*s\n", (int)path,
                                     payload, record.header.mode, (int)(record.header.size - path),
                                     payload + path);
        } else {
            assert_int_equal(payload[record.header.size - 1], '\0');
            used += (size_t)snprintf(text + used, size - used, "%s %s\n", names[record.header.type],
                                     payload);
        }
        assert_true(used < size);
    }
    assert_int_equal(next, 0);
}

static void assert_pack(const struct recipe *recipe, enum policy_stage stage, const char *want)
{
    struct cella_error err;
    struct limits limits;
    struct pack_writer writer;
    char text[4096];
    int fd = -1;
    limits_init(&limits);
    limits.value[LIMIT_MEMORY] = 256 * MIB;
    limits.value[LIMIT_CPUS] = 2000;
    pack_writer_init(&writer);
    GOOD(recipe_write(recipe, stage, &limits, &writer, &err));
    GOOD(pack_writer_seal(&writer, &fd, &err));
    describe(fd, text, sizeof(text));
    assert_string_equal(text, want);
    /* What was checked stays as it is. */
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    fd_close(&fd);
    pack_writer_done(&writer);
}

static void a_compiled_language(void **unused)
{
    (void)unused;
    struct cella_error err;
    struct spec *spec = new_spec();
    GOOD(spec_set_language(spec, "x", &err));
    GOOD(spec_set_code(spec, "code", 4, &err));
    GOOD(spec_add_arg(spec, "one", &err));
    GOOD(spec_add_arg(spec, "{path}", &err)); /* the request's words are never templates */
    GOOD(spec_add_compile_arg(spec, "-g", &err));
    GOOD(spec_add_env(spec, "PATH", "/bin", &err));
    GOOD(spec_add_env(spec, "MINE", "{entry}", &err));
    GOOD(spec_add_file(spec, "data/in", "123", 3, false, &err));
    GOOD(spec_add_file(spec, "tool", "#!", 2, true, &err));
    GOOD(spec_add_file(spec, "prog", "old", 3, false, &err));
    GOOD(spec_add_collect(spec, "out/*", &err));
    const struct recipe recipe = {spec, &compiled, "/usr/bin/xc", NULL};
    GOOD(recipe_check(&recipe, &err));
    assert_pack(&recipe, POLICY_STAGE_COMPILE,
                "program /usr/bin/xc\narg /usr/bin/xc\narg -o\narg prog\narg main.x\narg -g\n"
                "env HOME=/workspace\nenv HEAP=268435456/2\nenv LANG=C\n"
                "env PATH=/bin\nenv MINE={entry}\n"
                "file main.x 644 code\nfile data/in 644 123\nfile tool 755 #!\n"
                "file prog 644 old\ncollect prog\ncollect *.class\n");
    /* What compiling makes is added later, in place of the request's. */
    assert_pack(&recipe, POLICY_STAGE_RUN,
                "program /workspace/prog\narg /workspace/prog\narg -m256\narg one\narg {path}\n"
                "env HOME=/workspace\nenv HEAP=268435456/2\nenv LANG=C\n"
                "env PATH=/bin\nenv MINE={entry}\n"
                "file main.x 644 code\nfile data/in 644 123\nfile tool 755 #!\n"
                "collect out/*\n");
    spec_destroy(spec);
}

static void a_bare_command(void **unused)
{
    (void)unused;
    static const struct {
        const char *word, *program;
    } rows[] = {
        {"/bin/ls", "/bin/ls"},
        {"./tool", "/workspace/./tool"},
        {"bin/tool", "/workspace/bin/tool"},
        {"ls", "ls"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct spec *spec = new_spec();
        struct cella_error err;
        char want[256];
        GOOD(spec_add_command_word(spec, rows[i].word, &err));
        GOOD(spec_add_command_word(spec, "$(x) 'y'", &err));
        const struct recipe recipe = {spec, NULL, NULL, NULL};
        GOOD(recipe_check(&recipe, &err));
        (void)snprintf(want, sizeof(want),
                       "program %s\narg %s\narg $(x) 'y'\nenv LANG=C.UTF-8\nenv HOME=/workspace\n"
                       "env PATH=/usr/local/bin:/usr/bin:/bin\n",
                       rows[i].program, rows[i].word);
        assert_pack(&recipe, POLICY_STAGE_RUN, want);
        spec_destroy(spec);
    }
}

static void the_entry_file(void **unused)
{
    (void)unused;
    struct cella_error err;
    struct spec *spec = new_spec();
    const struct recipe recipe = {spec, &compiled, "/usr/bin/xc", NULL};
    GOOD(spec_set_language(spec, "x", &err));
    GOOD(spec_add_file(spec, "other.x", "", 0, false, &err));
    assert_int_equal(recipe_check(&recipe, &err), -1);
    assert_string_equal(err.text, "there is no code, and no file 'main.x' to run");
    assert_string_equal(err.field, "code");
    GOOD(spec_add_file(spec, "main.x", "", 0, false, &err));
    assert_int_equal(recipe_check(&recipe, &err), 0);
    GOOD(spec_set_code(spec, "", 0, &err));
    assert_int_equal(recipe_check(&recipe, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_string_equal(err.text, "'main.x' is also the name of the entry file");
    assert_string_equal(err.field, "files[1].path");
    GOOD(spec_set_entry(spec, "start.x", &err));
    assert_int_equal(recipe_check(&recipe, &err), 0);
    spec_destroy(spec);
}

static void nothing_to_execute(void **unused)
{
    (void)unused;
    struct runtime runtime = compiled;
    struct cella_error err;
    struct limits limits;
    struct pack_writer writer;
    struct spec *spec = new_spec();
    const struct recipe recipe = {spec, &runtime, "/usr/bin/xc", NULL};
    runtime.run.items += 2; /* "{args}" alone, and there are none */
    runtime.run.count = 1;
    limits_init(&limits);
    pack_writer_init(&writer);
    assert_int_equal(recipe_write(&recipe, POLICY_STAGE_RUN, &limits, &writer, &err), -1);
    assert_string_equal(err.text, "the runtime x.yaml has no program to execute");
    pack_writer_done(&writer);
    spec_destroy(spec);
}

/* Around the sizes at which a payload is no longer copied, and at which a batch is written. */
static void large_files(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {32767, 32768, 32769, 65535, 65536, 200000};
    static char content[200000];
    memset(content, 'z', sizeof(content));
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        static unsigned char pack[262144];
        struct cella_error err;
        struct pack_writer writer;
        struct pack_record record;
        size_t offset = 0;
        int fd = -1;
        pack_writer_init(&writer);
        GOOD(pack_writer_add_word(&writer, PACK_ARG, "before", &err));
        GOOD(pack_writer_add_file(&writer, "f", content, sizes[i], 0600, &err));
        GOOD(pack_writer_add_word(&writer, PACK_ARG, "after", &err));
        GOOD(pack_writer_seal(&writer, &fd, &err));
        ssize_t size = pread(fd, pack, sizeof(pack), 0);
        assert_true(size > 0);
        assert_int_equal(pack_next(pack, (size_t)size, &offset, &record), 1);
        assert_string_equal((const char *)record.payload, "before");
        assert_int_equal(pack_next(pack, (size_t)size, &offset, &record), 1);
        assert_int_equal(record.header.size, 1 + sizes[i]);
        assert_memory_equal(record.payload + 1, content, sizes[i]);
        assert_int_equal(pack_next(pack, (size_t)size, &offset, &record), 1);
        assert_string_equal((const char *)record.payload, "after");
        assert_int_equal(pack_next(pack, (size_t)size, &offset, &record), 0);
        fd_close(&fd);
        pack_writer_done(&writer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compiled_language), cmocka_unit_test(a_bare_command),
        cmocka_unit_test(the_entry_file),      cmocka_unit_test(nothing_to_execute),
        cmocka_unit_test(large_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
