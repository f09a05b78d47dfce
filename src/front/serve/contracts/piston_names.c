/* The languages of this host as Piston's clients know them.  See piston.h. */
#include "front/serve/api/languages.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/contracts/piston.h"
#include "front/serve/contracts/semver.h"
#include "front/serve/fail.h"
#include "front/serve/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where Piston's packages have other names than Cella: of the language, of the package that it is
 * a part of, and further ones, with a space between. */
static const struct {
    const char *cella, *name, *runtime, *aliases;
} known[] = {
    {"awk", "awk", "", "gawk"},
    {"c", "c", "gcc", "gcc"},
    {"cpp", "c++", "gcc", "cpp g++"},
    {"fortran", "fortran", "gcc", "fortran f90"},
    {"go", "go", "", "go golang"},
    {"haskell", "haskell", "", "haskell hs"},
    {"javascript", "javascript", "node", "node-javascript node-js javascript js"},
    {"kotlin", "kotlin", "", "kt"},
    {"ocaml", "ocaml", "", "ocaml ml"},
    {"octave", "octave", "", "matlab m"},
    {"pascal", "pascal", "", "freepascal pp pas"},
    {"perl", "perl", "", "pl"},
    {"python", "python", "", "py py3 python3"},
    {"r", "rscript", "", "r"},
    {"ruby", "ruby", "", "ruby3 rb"},
    {"rust", "rust", "", "rs"},
    {"scala", "scala", "", "sc"},
    {"sh", "dash", "", "dash"},
    {"sqlite", "sqlite3", "", "sqlite sql"},
    {"typescript", "typescript", "", "ts node-ts tsc"},
};

static void put(char name[PISTON_NAME_MAX], const char *text)
{
    (void)snprintf(name, PISTON_NAME_MAX, "%s", text); /* names of files of ours: they fit */
}

static bool has_name(const struct piston_language *language, const char *name)
{
    if (strcmp(language->name, name) == 0) {
        return true;
    }
    for (size_t i = 0; i < language->alias_count; i++) {
        if (strcmp(language->aliases[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_alias(struct piston_language *language, const char *alias)
{
    if (language->alias_count < PISTON_ALIASES_MAX && strlen(alias) < PISTON_NAME_MAX &&
        !has_name(language, alias)) {
        put(language->aliases[language->alias_count++], alias);
    }
}

static void add_aliases(struct piston_language *language, const char *aliases)
{
    char alias[PISTON_NAME_MAX];
    while (*aliases != '\0') {
        const size_t size = strcspn(aliases, " ");
        (void)snprintf(alias, sizeof(alias), "%.*s", (int)size, aliases);
        add_alias(language, alias);
        aliases += size + (aliases[size] == ' ');
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* What the list of languages says of one.  -1: memory is short. */
static int add_language(struct piston_names *names, const json_t *found)
{
    const json_t *aliases = json_object_get(found, "aliases");
    const char *name = text_of(found, "name");
    if (text_of(found, "problem")[0] != '\0' || text_of(found, "path")[0] == '\0') {
        return 0;
    }
    struct piston_language *items =
        realloc(names->items, (names->count + 1) * sizeof(names->items[0]));
    if (items == NULL) {
        return -1;
    }
    names->items = items;
    struct piston_language *language = &items[names->count++];
    const struct semver version = semver_of(text_of(found, "version"));
    const char *extension =
        json_string_value(json_array_get(json_object_get(found, "extensions"), 0));
    *language =
        (struct piston_language){.compiled = json_is_true(json_object_get(found, "compiled"))};
    put(language->cella, name);
    put(language->name, name);
    put(language->entry, text_of(found, "entry"));
    put(language->extension, extension != NULL ? extension : "");
    (void)snprintf(language->version, sizeof(language->version), "%u.%u.%u", version.part[0],
                   version.part[1], version.part[2]);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].cella, name) == 0) {
            put(language->name, known[i].name);
            put(language->runtime, known[i].runtime);
            add_aliases(language, known[i].aliases);
        }
    }
    add_alias(language, name);
    for (size_t i = 0; i < json_array_size(aliases); i++) {
        add_alias(language, json_string_value(json_array_get(aliases, i)));
    }
    return 0;
}

static int make_names(const char *list, struct piston_names **ret_names, struct cella_error *err)
{
    AUTO_JSON json_t *found = NULL;
    struct piston_names *names = calloc(1, sizeof(*names));
    int added = names != NULL ? 0 : -1;
    if (contract_read_own(list, strlen(list), &found, err) < 0) {
        free(names);
        return -1;
    }
    const json_t *languages = json_object_get(found, "languages");
    for (size_t i = 0; added == 0 && i < json_array_size(languages); i++) {
        added = add_language(names, json_array_get(languages, i));
    }
    if (added < 0) {
        piston_names_destroy(names);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *ret_names = names;
    return 0;
}

int piston_names_get(struct server *server, const struct piston_names **ret_names,
                     struct cella_error *err)
{
    const char *list = languages_list(server);
    if (server->piston == NULL && list == NULL) {
        return 1;
    }
    if (server->piston == NULL && make_names(list, &server->piston, err) < 0) {
        return -1;
    }
    *ret_names = server->piston;
    return 0;
}

void piston_names_destroy(struct piston_names *names)
{
    if (names != NULL) {
        free(names->items);
        free(names);
    }
}

/* Whether a selector takes a version.  One that names a version in full also takes a later one of
 * the same major number: a host has one version of each language, and clients that write "3.10.0"
 * mean the Python that they were once tried with. */
static bool takes(const char *selector, const char *version)
{
    const struct semver is = semver_of(version);
    struct semver exact;
    return semver_satisfies(&is, selector) ||
           (semver_is_exact(selector, &exact) && exact.part[0] > 0 && exact.part[0] == is.part[0] &&
            semver_compare(&exact, &is) <= 0);
}

const struct piston_language *piston_names_find(const struct piston_names *names,
                                                const json_t *policy, const char *name,
                                                const char *selector)
{
    const struct piston_language *found = NULL;
    for (size_t i = 0; i < names->count; i++) {
        const struct piston_language *language = &names->items[i];
        if (!has_name(language, name) || !contract_allows(policy, language->cella) ||
            !takes(selector, language->version)) {
            continue;
        }
        /* "sh" is a name of bash to Piston's clients, and of a language of its own here. */
        if (found == NULL || strcmp(language->name, name) == 0) {
            found = language;
        }
    }
    return found;
}
