/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watchers PORT N PID DOMAIN: N idle clients of GET /events?event=lifecycle at
 * 127.0.0.1:PORT; prints what each costs the gateway (process PID) in KiB, and how many
 * milliseconds after a change of DOMAIN (suspend and resume, through the gateway) the
 * event had reached all of them: the median of 5.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS     5
#define LIMIT_MS   20000
#define AT_ONCE    200 /* connections that are opened before the next ones are */
#define GET_EVENTS "GET /events?event=lifecycle HTTP/1.1\r\nHost: localhost\r\n\r\n"

struct client {
    int fd;
    unsigned int seen; /* "data: " lines */
    unsigned int matched;
    bool begun;
};

static struct sockaddr_in address;
static int epoll_fd;
static unsigned int n_begun, n_reached;

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void fail(const char *what)
{
    fprintf(stderr, "watchers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long rss_kib(const char *pid)
{
    char path[64], line[128];
    long kib = 0;
    snprintf(path, sizeof(path), "/proc/%s/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        (void)sscanf(line, "VmRSS: %ld", &kib);
    if (f)
        fclose(f);
    return kib;
}

static void open_client(struct client *c)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 ||
        connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        write(c->fd, GET_EVENTS, sizeof(GET_EVENTS) - 1) < 0)
        fail("connect");
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
}

/* Counts the beginnings of "\ndata: ", which may come in pieces. */
static void count(struct client *c, const char *text, ssize_t n)
{
    static const char wanted[] = "\ndata: ";
    for (ssize_t i = 0; i < n; i++) {
        c->matched = text[i] == wanted[c->matched] ? c->matched + 1 : text[i] == '\n';
        if (wanted[c->matched] != '\0')
            continue;
        c->matched = 0;
        c->seen++;
    }
}

static void read_client(struct client *c, unsigned int wanted)
{
    char text[4096];
    unsigned int before = c->seen;
    ssize_t n = recv(c->fd, text, sizeof(text), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN))
        fail("a watcher was cut off");
    if (n > 0 && !c->begun) {
        c->begun = true;
        n_begun++;
    }
    count(c, text, n);
    n_reached += before < wanted && c->seen >= wanted;
}

/* Until *counter is `enough`; false: it took too long. */
static bool wait_for(const unsigned int *counter, unsigned int enough,
                     unsigned int wanted)
{
    struct epoll_event events[256];
    double end = now_ms() + LIMIT_MS;
    while (*counter < enough && now_ms() < end) {
        int n = epoll_wait(epoll_fd, events, 256, 100);
        for (int i = 0; i < n; i++)
            read_client(events[i].data.ptr, wanted);
    }
    return *counter >= enough;
}

static void change(int fd, const char *domain, const char *action)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "POST /domains/%s/%s HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Length: 0\r\n\r\n",
                     domain, action);
    if (write(fd, text, (size_t)n) != n || recv(fd, text, sizeof(text), 0) <= 0 ||
        strncmp(text, "HTTP/1.1 204", 12) != 0)
        fail("the change was not made");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    double took[ROUNDS];
    struct rlimit limit;

    if (argc != 5)
        return 2;
    unsigned int n = (unsigned int)strtoul(argv[2], NULL, 10);
    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)atoi(argv[1])),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct client *clients = calloc(n, sizeof(*clients));
    int writer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!clients ||
        connect(writer, (const struct sockaddr *)&address, sizeof(address)) < 0)
        fail("connect");

    long before = rss_kib(argv[3]);
    for (unsigned int i = 0; i < n; i++) {
        open_client(&clients[i]);
        if (i + 1 > n_begun + AT_ONCE && !wait_for(&n_begun, i + 1 - AT_ONCE / 2, 1))
            fail("a stream did not begin");
    }
    if (!wait_for(&n_begun, n, 1))
        fail("a stream did not begin");
    double each = (double)(rss_kib(argv[3]) - before) / n;
    for (unsigned int round = 0; round < ROUNDS; round++) {
        n_reached = 0;
        double begun = now_ms();
        change(writer, argv[4], round % 2 ? "resume" : "suspend");
        if (!wait_for(&n_reached, n, round + 1))
            fail("an event did not reach all");
        took[round] = now_ms() - begun;
    }
    qsort(took, ROUNDS, sizeof(*took), by_value);
    printf("%.1f %.0f\n", each, took[ROUNDS / 2]);
    return 0;
}
