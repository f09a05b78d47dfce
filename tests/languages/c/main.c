#include "sub/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void copy(FILE *from)
{
    for (int letter; (letter = getc(from)) != EOF;) {
        putchar(letter);
    }
}

static int ordinary(int argc, char **argv)
{
    puts("hello");
    for (int i = 2; i < argc; i++) {
        printf("%s%s", i > 2 ? "|" : "", argv[i]);
    }
    puts("");
    FILE *file = fopen("data/in.txt", "r");
    copy(file);
    puts(größe());
    copy(stdin);
    return 3;
}

int main(int argc, char **argv)
{
    const char *mode = argv[1];
    if (strcmp(mode, "ordinary") == 0) {
        return ordinary(argc, argv);
    }
    if (strcmp(mode, "raise") == 0) {
        fputs("boom é\n", stderr);
        abort();
    }
    if (strcmp(mode, "sleep") == 0) {
        puts("before");
        fflush(stdout);
        sleep(60);
    }
    if (strcmp(mode, "memory") == 0) {
        for (;;) {
            memset(malloc(1 << 20), 1, 1 << 20);
        }
    }
    for (;;) {
        puts("floodfloodfloodfloodfloodfloodfloodfloodfloodflood");
    }
}
