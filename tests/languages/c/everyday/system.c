#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int total;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *add(void *argument)
{
    pthread_mutex_lock(&lock);
    total += *(int *)argument;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void)
{
    pthread_t threads[10];
    int number = 3;
    for (int i = 0; i < 10; i++) {
        pthread_create(&threads[i], NULL, add, &number);
    }
    for (int i = 0; i < 10; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%d %.3f\n", total, sqrt(2));
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ends[2], status;
    char text[10] = "";
    if (pipe(ends) != 0) {
        return 1;
    }
    fflush(stdout);
    if (fork() == 0) {
        if (shared != MAP_FAILED) {
            *shared = 42;
        }
        _exit(write(ends[1], "child", 5) == 5 ? 7 : 8);
    }
    wait(&status);
    if (read(ends[0], text, 5) != 5) {
        return 1;
    }
    printf("%s %d\n", text, WEXITSTATUS(status));
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    bind(server, (struct sockaddr *)&address, size);
    listen(server, 1);
    getsockname(server, (struct sockaddr *)&address, &size);
    printf("%d\n", connect(client, (struct sockaddr *)&address, size));
    FILE *command = popen("echo from a shell", "r");
    printf("%s\n", fgets(text, sizeof(text), command));
    pclose(command);
    return 0;
}
// Output:
// 30 1.414
// child 7
// 0
// from a sh
