/* The program of the soak test: does one small thing, by its argument. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words)
{
    static const char chunk[4096];
    const char *what = count > 1 ? words[1] : "";

    if (strcmp(what, "exit") == 0) {
        return 3;
    }
    if (strcmp(what, "crash") == 0) {
        abort();
    }
    if (strcmp(what, "orphan") == 0 && fork() == 0) {
        setsid();
        for (;;) {
            pause();
        }
    }
    while (strcmp(what, "spin") == 0) {
    }
    while (strcmp(what, "sleep") == 0) {
        pause();
    }
    while (strcmp(what, "flood") == 0 && write(1, chunk, sizeof(chunk)) > 0) {
    }
    while (strcmp(what, "fork") == 0) {
        if (fork() == 0) {
            pause();
        }
    }
    while (strcmp(what, "allocate") == 0) {
        char *memory = malloc(1 << 20);
        memset(memory != NULL ? memory : words[0], 1, memory != NULL ? 1 << 20 : 0);
    }
    if (strcmp(what, "file") == 0) {
        FILE *file = fopen("out.txt", "w");
        fputs("collected\n", file);
        return fclose(file);
    }
    puts("hello");
    return 0;
}
