/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * startup PROGRAM ARGS... --listen 127.0.0.1:PORT ...: milliseconds from fork to the
 * first answer 200 to GET /version (503 is none: a host is not connected yet); ends the
 * program.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* True once a good answer came. */
static bool try_once(const struct sockaddr_in *address)
{
    static const char get[] = "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char wanted[] = "HTTP/1.1 200";
    char answer[sizeof(wanted) - 1];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answered =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
        write(fd, get, sizeof(get) - 1) > 0 &&
        recv(fd, answer, sizeof(answer), MSG_WAITALL) == (ssize_t)sizeof(answer) &&
        memcmp(answer, wanted, sizeof(answer)) == 0;
    close(fd);
    return answered;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const struct timespec pause = {.tv_nsec = 200000};
    const char *colon = NULL;

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "127.0.0.1:", 10) == 0)
            colon = argv[i] + 10;
    if (!colon)
        return 2;
    address.sin_port = htons((uint16_t)strtoul(colon, NULL, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    double start = now_ms();
    pid_t pid = fork();
    if (pid == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    bool answered = false;
    while (!answered && now_ms() - start < 5000) {
        answered = try_once(&address);
        if (!answered)
            nanosleep(&pause, NULL);
    }
    printf("%.1f\n", now_ms() - start);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return answered ? 0 : 1;
}
