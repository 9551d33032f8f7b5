/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * paced PORT PATH CONNECTIONS RATE SECONDS: an open loop. Each connection asks when its
 * turn has come, whether or not the server keeps up, and the time of an answer counts
 * from that turn: a stall is seen by all that were due while it lasted. (wrk asks when
 * the last answer has come, and so asks least while a server is slow.) RATE 0 asks again
 * at once, which tells the peak. Prints requests per second, p50 and p99 in milliseconds.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_SAMPLES 1000000

static char request[512];
static in_port_t port;
static int64_t begun_ns, until_ns, interval_ns; /* between two of one connection */

struct client {
    pthread_t thread;
    int64_t first_ns; /* its first turn */
    size_t n;
    double *ms;
};

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void wait_until(int64_t ns)
{
    const struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int connect_to_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        perror("paced: connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* One answer with a Content-Length: the header is in the first piece that has its end. */
static void read_answer(int fd)
{
    char text[16384];
    size_t have = 0, whole = 0;

    while (whole == 0 || have < whole) {
        ssize_t n =
            recv(fd, text + (whole ? 0 : have), sizeof(text) - 1 - (whole ? 0 : have), 0);
        if (n <= 0 || (!whole && have + (size_t)n == sizeof(text) - 1)) {
            fputs("paced: no answer\n", stderr);
            exit(1);
        }
        have += (size_t)n;
        if (whole)
            continue;
        text[have] = '\0';
        const char *end = strstr(text, "\r\n\r\n"),
                   *length = strcasestr(text, "\r\ncontent-length:");
        if (end)
            whole = (size_t)(end + 4 - text) +
                    (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    }
}

static void *ask(void *data)
{
    struct client *client = data;
    int fd = connect_to_server();
    size_t length = strlen(request);

    for (int64_t due = client->first_ns; client->n < MOST_SAMPLES; due += interval_ns) {
        if (interval_ns == 0)
            due = now_ns();
        if (due >= until_ns)
            break;
        if (now_ns() < due)
            wait_until(due);
        if (send(fd, request, length, 0) != (ssize_t)length)
            exit(1);
        read_answer(fd);
        client->ms[client->n++] = (double)(now_ns() - due) / 1e6;
    }
    close(fd);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_result(struct client *clients, size_t n_clients)
{
    size_t n = 0;
    double seconds = (double)(now_ns() - begun_ns) / 1e9;

    for (size_t i = 0; i < n_clients; i++)
        n += clients[i].n;
    double *all = calloc(n + 1, sizeof(*all));
    if (!all)
        exit(1);
    n = 0;
    for (size_t i = 0; i < n_clients; i++) {
        memcpy(all + n, clients[i].ms, clients[i].n * sizeof(*all));
        n += clients[i].n;
        free(clients[i].ms);
    }
    qsort(all, n, sizeof(*all), by_value);
    printf("%.0f %.3f %.3f\n", (double)n / seconds, all[n / 2], all[n * 99 / 100]);
    free(all);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    port = (in_port_t)atoi(argv[1]);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
             argv[2]);
    size_t n = strtoul(argv[3], NULL, 10);
    double rate = atof(argv[4]);
    struct client *clients = calloc(n, sizeof(*clients));
    if (n == 0 || !clients)
        return 2;
    interval_ns = rate > 0 ? (int64_t)((double)n * 1e9 / rate) : 0;
    begun_ns = now_ns();
    until_ns = begun_ns + (int64_t)(atof(argv[5]) * 1e9);
    for (size_t i = 0; i < n; i++) {
        clients[i].first_ns = begun_ns + interval_ns * (int64_t)i / (int64_t)n;
        clients[i].ms = malloc(MOST_SAMPLES * sizeof(double));
        if (!clients[i].ms ||
            pthread_create(&clients[i].thread, NULL, ask, &clients[i]) != 0)
            return 1;
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(clients[i].thread, NULL);
    print_result(clients, n);
    free(clients);
    return 0;
}
