/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * delay URI PORT DOMAIN N: suspends and resumes a domain N times through libvirt, and
 * takes the time between the event's arrival at this process by libvirt itself and by the
 * gateway's GET /events at 127.0.0.1:PORT. Prints p50 and p99 of what the gateway adds,
 * in milliseconds.
 */
#include <arpa/inet.h>
#include <libvirt/libvirt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static _Atomic double native_ms, gateway_ms; /* 0: not arrived */

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void pause_ms(long ms)
{
    const struct timespec ts = {.tv_nsec = ms * 1000000};
    nanosleep(&ts, NULL);
}

static void *run_loop(void *data)
{
    (void)data;
    for (;;)
        virEventRunDefaultImpl();
    return NULL;
}

static int on_event(virConnectPtr conn, virDomainPtr dom, int event, int detail,
                    void *name)
{
    (void)conn, (void)event, (void)detail;
    if (strcmp(virDomainGetName(dom), name) == 0)
        native_ms = now_ms();
    return 0;
}

static void *read_stream(void *data)
{
    char text[4096];
    const int fd = *(const int *)data;
    for (;;) {
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
        if (n <= 0)
            return NULL;
        text[n] = '\0';
        if (strstr(text, "data: "))
            gateway_ms = now_ms();
    }
}

static int open_stream(const char *port, const char *domain)
{
    char text[512];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(
        text, sizeof(text),
        "GET /events?event=lifecycle&domain=%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
        domain);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        write(fd, text, (size_t)n) != n)
        exit(1);
    return fd;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What is there already makes no event. */
static int toggle(virDomainPtr dom)
{
    int state;

    if (virDomainGetState(dom, &state, NULL, 0) < 0)
        return -1;
    return state == VIR_DOMAIN_PAUSED ? virDomainResume(dom) : virDomainSuspend(dom);
}

int main(int argc, char **argv)
{
    pthread_t loop, reader;

    if (argc != 5 || virEventRegisterDefaultImpl() < 0)
        return 2;
    int n = atoi(argv[4]), fd = open_stream(argv[2], argv[3]);
    double *added = calloc((size_t)n, sizeof(*added));
    pthread_create(&loop, NULL, run_loop, NULL);
    virConnectPtr listening = virConnectOpen(argv[1]), calling = virConnectOpen(argv[1]);
    virDomainPtr dom = calling ? virDomainLookupByName(calling, argv[3]) : NULL;
    if (!added || !listening || !dom ||
        virConnectDomainEventRegisterAny(listening, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(on_event), argv[3],
                                         NULL) < 0)
        return 1;
    pthread_create(&reader, NULL, read_stream, &fd);
    pause_ms(200);
    for (int i = 0; i < n; i++) {
        native_ms = gateway_ms = 0;
        if (toggle(dom) < 0)
            return 1;
        for (int k = 0; k < 200 && !(native_ms > 0 && gateway_ms > 0); k++)
            pause_ms(5);
        if (!(native_ms > 0 && gateway_ms > 0))
            return 1;
        added[i] = gateway_ms - native_ms;
        pause_ms(5); /* idle */
    }
    qsort(added, (size_t)n, sizeof(*added), by_value);
    printf("%.2f %.2f\n", added[n / 2], added[n * 99 / 100]);
    return 0;
}
