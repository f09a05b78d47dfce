/*
 * The attack program within the process of an interpreter that can load a library and at most call
 * a function without arguments: its words are in a file of the workspace, each with a NUL after it.
 */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORDS_MAX  16
#define WORDS_SIZE 4096

void attack_words(void);
void *napi_register_module_v1(void *environment, void *exports);
int JNI_OnLoad(void *machine, void *reserved);

void attack_words(void)
{
    static char text[WORDS_SIZE];
    char *argv[WORDS_MAX + 1] = {"attack"};
    int argc = 1;
    FILE *file = fopen("/workspace/words", "re");
    const size_t size = file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file);
    if (file == NULL || fclose(file) != 0 || size == 0) {
        _exit(90);
    }
    for (size_t at = 0; at < size && argc < WORDS_MAX; argc++) {
        argv[argc] = text + at;
        while (text[at++] != '\0') {
        }
    }
    const int code = attack_main(argc, argv);
    fflush(NULL);
    _exit(code);
}

/* What node calls when it has loaded an addon. */
void *napi_register_module_v1(void *environment, void *exports)
{
    (void)environment;
    attack_words();
    return exports;
}

/* What the Java virtual machine calls when it has loaded a library. */
int JNI_OnLoad(void *machine, void *reserved)
{
    (void)machine;
    (void)reserved;
    attack_words();
    return 0;
}
