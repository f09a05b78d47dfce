/*
 * The languages of this host, for people and fronts.
 */
#include "engine/engine.h"
#include "runtime/runtime.h"

#include <cella/host.h>
#include <stdio.h>

#define VERSION_MAX 64

enum give { GIVE_ALL, GIVE_WITHOUT_VERSION };

static void give_runtime(const struct runtime *runtime, enum give give,
                         void (*row)(void *context, const struct cella_language *language),
                         void *context)
{
    char version[VERSION_MAX] = "";
    const char *path = "";
    struct cella_error absent;
    if (runtime_locate(runtime, &path, &absent) < 0) {
        path = "";
    } else if (give == GIVE_ALL) {
        runtime_version(runtime, path, version, sizeof(version));
    }
    struct cella_language language = {
        .name = runtime->name,
        .aliases = (const char *const *)runtime->aliases.items,
        .alias_count = runtime->aliases.count,
        .version = version,
        .path = path,
        .package = runtime->package != NULL ? runtime->package : "",
        .file = runtime->file,
        .entry = runtime->entry,
        .extensions = (const char *const *)runtime->extensions.items,
        .extension_count = runtime->extensions.count,
        .compiled = runtime_is_compiled(runtime),
        .problem = "",
    };
    row(context, &language);
}

static void give_broken(const struct runtime_broken *broken,
                        void (*row)(void *context, const struct cella_language *language),
                        void *context)
{
    const struct cella_language language = {
        .name = broken->name,
        .version = "",
        .path = "",
        .package = "",
        .file = "",
        .entry = "",
        .problem = broken->error.text,
    };
    row(context, &language);
}

int cella_languages(const struct cella_options *options,
                    void (*row)(void *context, const struct cella_language *language),
                    void *context, struct cella_error *err)
{
    struct runtime_set *set;
    const struct runtime *const *runtimes;
    size_t count;
    struct cella_options known;
    if (engine_options(options, &known, err) < 0 ||
        runtime_set_open(known.runtimes_dir, &set, err) < 0) {
        return -1;
    }
    int result = runtime_all(set, &runtimes, &count, err);
    for (size_t i = 0; result == 0 && i < count; i++) {
        give_runtime(runtimes[i], GIVE_ALL, row, context);
    }
    const struct runtime_broken *broken;
    const size_t broken_count = runtime_broken(set, &broken);
    for (size_t i = 0; result == 0 && i < broken_count; i++) {
        give_broken(&broken[i], row, context);
    }
    runtime_set_close(set);
    return result;
}

int cella_language_check(const struct cella_options *options, const char *file,
                         void (*problem)(void *context, const struct cella_error *problem),
                         void (*row)(void *context, const struct cella_language *language),
                         void *context, struct cella_error *err)
{
    struct runtime_set *set;
    struct runtime *runtime = NULL;
    struct cella_options known;
    const struct runtime_problems problems = {problem, context};
    if (engine_options(options, &known, err) < 0 ||
        runtime_set_open(known.runtimes_dir, &set, err) < 0) {
        return -1;
    }
    int result = runtime_check(set, file, &problems, &runtime, err);
    if (result == 0) {
        give_runtime(runtime, GIVE_WITHOUT_VERSION, row, context);
    }
    runtime_destroy(runtime);
    runtime_set_close(set);
    return result;
}

int cella_engine_read_languages(struct cella_engine *engine, struct cella_error *err)
{
    struct runtime_set *fresh = NULL;
    if (runtime_set_read_again(engine->runtimes, &fresh, err) < 0) {
        return -1;
    }
    runtime_set_close(engine->runtimes); /* runs that are on their way hold it */
    engine->runtimes = fresh;
    return 0;
}

int cella_language_guess(struct cella_engine *engine, const char *file_name, const char *head,
                         size_t head_size, char ret_name[CELLA_LANGUAGE_NAME_MAX],
                         struct cella_error *err)
{
    const struct runtime *runtime;
    if (runtime_guess(engine->runtimes, file_name, head, head_size, &runtime, err) < 0) {
        return -1;
    }
    (void)snprintf(ret_name, CELLA_LANGUAGE_NAME_MAX, "%s", runtime->name);
    return 0;
}

int cella_language_has_file(struct cella_engine *engine, const char *language,
                            const char *file_name)
{
    struct cella_error ignored; /* what is wrong with the language the run itself says */
    const struct runtime *runtime;
    return runtime_find(engine->runtimes, language, &runtime, &ignored) == 0 &&
           runtime_has_extension(runtime, file_name);
}
