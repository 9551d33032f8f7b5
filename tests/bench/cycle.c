/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * cycle WHERE WORK WRITERS SECONDS [READ-NAME]: each writer has a domain of its own and
 * does WORK with it again and again: "define" defines and undefines it, "start" starts
 * (paused) and destroys it in between. One reader beside them asks for the state of
 * READ-NAME every 2 ms. WHERE is a libvirt URI (a connection for each thread), or the
 * port of a gateway at 127.0.0.1. Prints rounds per second, and p50, p99 and the longest
 * time of a read in milliseconds.
 */
#include "virtgate/autoptr.h"

#include <arpa/inet.h>
#include <libvirt/virterror.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_WRITERS 64
#define MAX_READS   100000

static const char *where, *read_name;
static bool starts;
static atomic_bool ends;
static atomic_ulong rounds;
static double read_ms[MAX_READS];
static size_t n_reads;

/* One thread's way to the host. */
struct way {
    virConnectPtr conn; /* NULL: by the gateway */
    int fd;
    char name[32], xml[512];
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "cycle: %s: %s\n", what, why);
    exit(1);
}

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* ---- by the gateway ---------------------------------------------------------------- */

static int open_gateway(const char *port)
{
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        fail("connect", "no gateway at this port");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* Takes one answer, head and body, off the connection. */
static void take_answer(int fd, const char *what)
{
    char text[16384];
    size_t have = 0, want = sizeof(text) - 1;
    bool head = true;

    while (have < want) {
        ssize_t n = recv(fd, text + have, sizeof(text) - 1 - have, 0);
        if (n <= 0)
            fail(what, "the connection ended");
        have += (size_t)n;
        text[have] = '\0';
        const char *end = head ? strstr(text, "\r\n\r\n") : NULL;
        const char *length = end ? strstr(text, "Content-Length: ") : NULL;
        if (!end)
            continue;
        head = false;
        want = (size_t)(end + 4 - text) +
               (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
    }
    if (strncmp(text, "HTTP/1.1 2", 10) != 0)
        fail(what, text);
}

static void ask(struct way *w, const char *method, const char *name, const char *action,
                const char *body)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "%s /domains%s%s%s HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Type: application/xml\r\nContent-Length: %zu\r\n\r\n%s",
                     method, *name ? "/" : "", name, action, strlen(body), body);
    if (write(w->fd, text, (size_t)n) != n)
        fail(method, "the connection ended");
    take_answer(w->fd, text);
}

static void read_by_gateway(struct way *w)
{
    char text[256];
    int n = snprintf(text, sizeof(text),
                     "GET /domains/%s/state HTTP/1.1\r\nHost: localhost\r\n"
                     "Cache-Control: no-cache\r\n\r\n",
                     read_name);
    if (write(w->fd, text, (size_t)n) != n)
        fail("read", "the connection ended");
    take_answer(w->fd, "read");
}

static void write_by_gateway(struct way *w)
{
    ask(w, "POST", "", "", w->xml);
    if (starts) {
        ask(w, "POST", w->name, "/start?flags=paused", "");
        ask(w, "POST", w->name, "/destroy", "");
    }
    ask(w, "DELETE", w->name, "", "");
}

/* ---- by libvirt -------------------------------------------------------------------- */

static void check(int rc)
{
    if (rc < 0)
        fail("libvirt", virGetLastErrorMessage());
}

static void read_by_libvirt(struct way *w)
{
    int state, reason;
    vg_autoptr(virDomain) dom = virDomainLookupByName(w->conn, read_name);
    check(dom ? virDomainGetState(dom, &state, &reason, 0) : -1);
}

/* Each call with a look-up of its own, as a program makes it that keeps no handles. */
static void write_by_libvirt(struct way *w)
{
    vg_autoptr(virDomain) defined = virDomainDefineXML(w->conn, w->xml);
    check(defined ? 0 : -1);
    if (starts) {
        vg_autoptr(virDomain) off = virDomainLookupByName(w->conn, w->name);
        check(off ? virDomainCreateWithFlags(off, VIR_DOMAIN_START_PAUSED) : -1);
        vg_autoptr(virDomain) on = virDomainLookupByName(w->conn, w->name);
        check(on ? virDomainDestroy(on) : -1);
    }
    vg_autoptr(virDomain) dom = virDomainLookupByName(w->conn, w->name);
    check(dom ? virDomainUndefine(dom) : -1);
}

/* ---- threads ----------------------------------------------------------------------- */

static void open_way(struct way *w)
{
    if (!strchr(where, ':')) {
        w->fd = open_gateway(where);
        return;
    }
    w->conn = virConnectOpen(where);
    if (!w->conn)
        fail("open", virGetLastErrorMessage());
}

static void *run_writer(void *data)
{
    struct way *w = data;
    while (!ends) {
        if (w->conn)
            write_by_libvirt(w);
        else
            write_by_gateway(w);
        atomic_fetch_add(&rounds, 1);
    }
    return NULL;
}

static void *run_reader(void *data)
{
    struct way *w = data;
    const struct timespec pause = {.tv_nsec = 2000000};
    while (!ends && n_reads < MAX_READS) {
        double began = now_ms();
        if (w->conn)
            read_by_libvirt(w);
        else
            read_by_gateway(w);
        read_ms[n_reads++] = now_ms() - began;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void *run_loop(void *data)
{
    (void)data;
    for (;;)
        virEventRunDefaultImpl();
    return NULL;
}

static void describe(struct way *w, int i)
{
    snprintf(w->name, sizeof(w->name), "cycle%d", i);
    snprintf(w->xml, sizeof(w->xml),
             "<domain type='qemu'><name>%s</name><memory unit='MiB'>16</memory>"
             "<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>"
             "<devices><controller type='usb' model='none'/><memballoon model='none'/>"
             "</devices></domain>",
             w->name);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(double seconds)
{
    size_t n = n_reads;
    qsort(read_ms, n, sizeof(*read_ms), by_value);
    printf("%.2f", (double)rounds / seconds);
    if (n)
        printf(" %.3f %.3f %.3f", read_ms[n / 2], read_ms[n * 99 / 100], read_ms[n - 1]);
    puts("");
}

int main(int argc, char **argv)
{
    static struct way ways[MAX_WRITERS + 1];
    pthread_t threads[MAX_WRITERS + 1], loop;
    int writers = argc > 3 ? atoi(argv[3]) : 0, seconds = argc > 4 ? atoi(argv[4]) : 0;

    if (writers < 1 || writers > MAX_WRITERS || seconds < 1 || seconds > 60 ||
        virEventRegisterDefaultImpl() < 0)
        return 2;
    where = argv[1];
    starts = strcmp(argv[2], "start") == 0;
    read_name = argc > 5 ? argv[5] : NULL;
    pthread_create(&loop, NULL, run_loop, NULL);
    int n = writers + (read_name != NULL);
    for (int i = 0; i < n; i++) {
        describe(&ways[i], i);
        open_way(&ways[i]);
    }
    double began = now_ms();
    for (int i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, i < writers ? run_writer : run_reader,
                           &ways[i]) != 0)
            return 1;
    sleep((unsigned int)seconds);
    ends = true;
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    report((now_ms() - began) / 1e3);
    return 0;
}
