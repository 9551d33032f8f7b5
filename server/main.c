/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtgate: argv, signals, the order of starting and stopping. The main thread is also
 * the watchdog: every WATCH_NS it looks for what is late.
 */
#include "server/app.h"
#include "server/core/event.h"
#include "server/http/limit.h"
#include "server/http/door.h"
#include "server/http/server.h"
#include "server/core/idempotency.h"
#include "server/core/operation.h"
#include "server/core/request.h"
#include "server/sampler.h"
#include "server/ticket.h"
#include "server/upload_expiry.h"
#include "server/libvirt/domain/console.h"
#include "server/libvirt/transfer.h"
#include "server/transfer/allow.h"
#include "server/joined.h"
#include "server/libvirt/host.h"
#include "server/libvirt/loop.h"
#include "server/xml/log.h"
#include "virtgate/cleanup.h"
#include "virtgate/object_class.h"
#include "server/config/config.h"
#include "server/config/token_command.h"
#include "server/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define WATCH_NS   50000000
#define EXIT_USAGE 2

static void block_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ret, NULL); /* every thread inherits it */
    signal(SIGPIPE, SIG_IGN);
    /* Other daemons reopen logs or tell their state by these, and whoever tries that here
     * means no harm. */
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
}

/* One descriptor for each connection, and some for hosts. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void watch(void)
{
    int64_t now = vg_now_ns();
    vg_http_tick(now);
    vg_hosts_tick(now);
    vg_operation_jobs_tick(now);
    vg_operations_tick(now);
    vg_idempotency_tick(now);
    vg_upload_expiry_tick(now);
}

static void reload(void)
{
    vg_log_reopen();
    unsigned int read = vg_http_reload();
    vg_events_end_all(false); /* who watches is asked for its token again */
    vg_log(VG_LOG_INFO, "main", "reopening logs%s%s",
           read & VG_RELOADED_TOKENS ? ", tokens read again" : "",
           read & VG_RELOADED_CERTIFICATE ? ", certificate and key read again" : "");
}

/* systemd's watchdog is told by this thread, which takes the locks of all that it
 * watches: one that is never given back stops it. */
static void feed_watchdog(void)
{
    static uint64_t limit_us;
    static int64_t next_ns;

    if (!next_ns && sd_watchdog_enabled(0, &limit_us) <= 0)
        next_ns = INT64_MAX;
    int64_t now = vg_now_ns();
    if (now < next_ns)
        return;
    sd_notify(0, "WATCHDOG=1");
    next_ns = now + (int64_t)limit_us * 1000 / 3;
}

static void serve(const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = WATCH_NS};
    for (;;) {
        int sig = sigtimedwait(signals, NULL, &pause);
        if (sig == SIGTERM || sig == SIGINT)
            return;
        if (sig == SIGHUP)
            reload();
        watch();
        feed_watchdog();
    }
}

static void exit_now(int sig)
{
    (void)sig;
    _exit(EXIT_SUCCESS);
}

/* Whatever does not end by then (a log that nobody reads, a call that cannot be cut) goes
 * with the process: the rest of stopping is tidiness. */
static void exit_after(int64_t seconds)
{
    const struct itimerval timer = {.it_value.tv_sec = seconds};
    signal(SIGALRM, exit_now);
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* Until there are no requests, or it is time. */
static void finish_requests(int64_t end_ns)
{
    const struct timespec pause = {.tv_nsec = WATCH_NS / 5};
    while (vg_http_active() && vg_now_ns() < end_ns) {
        nanosleep(&pause, NULL);
        watch();
    }
}

/* Until their answers are on the wire, or it is time. What a client has begun to send by
 * then has its time limits as ever. */
static void flush_answers(int64_t end_ns)
{
    const struct timespec pause = {.tv_nsec = WATCH_NS / 5};
    while ((vg_http_active() || vg_http_in_flight()) && vg_now_ns() < end_ns) {
        nanosleep(&pause, NULL);
        vg_http_tick(vg_now_ns());
    }
}

/* New connections are not accepted, requests in flight are answered: by their hosts as
 * long as there is time, else with 503. The last quarter of the time, two seconds at
 * most, is for their answers and for what comes after. */
static void drain(int64_t seconds)
{
    int64_t reserve = seconds < 8 ? seconds * VG_SECOND_NS / 4 : 2 * VG_SECOND_NS;
    int64_t end = vg_now_ns() + seconds * VG_SECOND_NS;

    exit_after(seconds);
    sd_notify(0, "STOPPING=1");
    vg_log(VG_LOG_INFO, "main", "stopping: %u requests in flight", vg_http_active());
    vg_events_end_all(true);
    vg_fetch_stop();
    vg_http_drain();
    unsigned int at_work = vg_operations_drain();
    if (at_work)
        vg_log(VG_LOG_WARNING, "main", "%u operations are left to their hosts", at_work);
    finish_requests(end - reserve);
    vg_http_shut();
    vg_hosts_stop();
    vg_sampler_stop();
    flush_answers(end - reserve / 2);
    if (vg_http_in_flight()) {
        vg_log(VG_LOG_ERROR, "main", "stopped, %u requests not answered",
               vg_http_in_flight());
        return; /* their threads go with the process */
    }
    vg_http_stop();
    if (!vg_consoles_gone()) {
        vg_log(VG_LOG_ERROR, "main", "stopped, consoles not closed");
        return;
    }
    vg_virt_stop();
    vg_operations_clear();
    vg_joined_free();
    vg_hosts_free();
    vg_idempotency_clear();
    vg_tickets_clear();
    vg_log(VG_LOG_INFO, "main", "stopped");
}

#define STRAY "no option has the name of this variable; --help lists them"

static void log_unknown(const char *name)
{
    vg_log(VG_LOG_WARNING, "main", "%s: " STRAY, name);
}

static void print_unknown(const char *name)
{
    fprintf(stderr, "virtgate: %s: " STRAY "\n", name);
}

static const struct vg_http_app http_app = {
    .route = vg_app_route,
    .hide = vg_app_hide,
    .answers_here = vg_app_answers_here,
    .remember = vg_app_remember,
    .dispatch = vg_app_dispatch,
    .take_ticket = vg_ticket_take,
};

static int start_log(const struct vg_config *config, char **reterr)
{
    const struct vg_log_options options = {
        .level = (enum vg_log_level)config->log_level,
        .json = strcmp(config->log_format, "json") == 0,
        .filters = config->log_filters,
        .outputs = config->log_outputs,
    };
    return vg_log_start(&options, reterr);
}

static int start_import(const struct vg_config *config)
{
    const struct vg_fetch_options options = {
        .patterns = config->import_from.v,
        .n_patterns = config->import_from.n,
        .networks = config->import_networks.v,
        .n_networks = config->import_networks.n,
        .deadline_ns = config->transfer_deadline * VG_SECOND_NS,
    };
    if (vg_fetch_start(&options) == 0)
        return 0;
    vg_log(VG_LOG_ERROR, "main", "import-from: libcurl cannot be used");
    return -1;
}

static int run(struct vg_config *config)
{
    vg_autofree char *message = NULL;
    sigset_t signals;

    vg_object_classes_start(vg_object_classes);
    if (vg_app_start(config, vg_route_tables) < 0)
        return EXIT_FAILURE;
    block_signals(&signals);
    raise_file_limit();
    if (start_log(config, &message) < 0) {
        fprintf(stderr, "virtgate: %s\n", message ? message : "out of memory");
        return EXIT_USAGE;
    }
    vg_xml_log_errors();
    vg_log(VG_LOG_INFO, "main", "virtgate " VG_VERSION);
    vg_config_find_unknown(log_unknown);
    vg_http_limit_fit(config);
    int rc = EXIT_FAILURE;
    vg_consoles_limit((unsigned int)config->consoles);
    vg_transfers_start(config->transfer_deadline * VG_SECOND_NS);
    vg_upload_expiry_start(config);
    if (start_import(config) == 0 &&
        vg_events_start((size_t)config->event_buffer * config->hosts.n) == 0 &&
        vg_virt_start() == 0 && vg_hosts_start(config) == 0 && vg_sampler_start() == 0 &&
        vg_http_start(config, &http_app) == 0) {
        sd_notify(0, "READY=1");
        serve(&signals);
        drain(config->drain_seconds);
        rc = EXIT_SUCCESS;
    }
    vg_log_stop();
    return rc;
}

int main(int argc, char **argv)
{
    struct vg_config config = {0};
    enum vg_config_action action = VG_CONFIG_RUN;
    vg_autofree char *message = NULL;
    int rc = EXIT_SUCCESS;

    if (argc == 2 && strcmp(argv[1], "--dump-routes") == 0) {
        return vg_app_dump_routes(vg_route_tables) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--dump-options") == 0) {
        vg_config_dump(stdout);
        return EXIT_SUCCESS;
    }
    if (argc >= 2 && strcmp(argv[1], "token") == 0)
        return vg_token_command(argc, argv);
    if (vg_config_read(argc, argv, &config, &action, &message) < 0) {
        fprintf(stderr, "virtgate: %s\n", message ? message : "out of memory");
        return EXIT_USAGE;
    }
    switch (action) {
    case VG_CONFIG_HELP:
        vg_config_help(stdout);
        break;
    case VG_CONFIG_VERSION:
        puts("virtgate " VG_VERSION);
        break;
    case VG_CONFIG_CHECK:
        vg_config_find_unknown(print_unknown);
        puts("configuration is valid");
        break;
    case VG_CONFIG_RUN:
        rc = run(&config);
        break;
    }
    vg_config_clear(&config);
    return rc;
}
