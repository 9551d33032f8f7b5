/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /metrics: the gateway's own counters, its hosts, their domains (one
 * virConnectGetAllDomainStats a host), and the machine, networks and storage pools of
 * each, for Prometheus. ?host= has only that host's.
 */
#include "routes/routes.h"
#include "virtgate/host.h"
#include "virtgate/metrics.h"
#include "virtgate/scope.h"

#include <string.h>

/* One gauge or counter of a host that the gateway knows without asking it. */
struct host_row {
    struct vg_family family;
    uint64_t (*value)(const struct vg_host_status *status, const struct vg_part *part);
};

#define VALUE(name, expression)                                                          \
    static uint64_t name(const struct vg_host_status *status,                            \
                         const struct vg_part *part)                                     \
    {                                                                                    \
        (void)status;                                                                    \
        (void)part;                                                                      \
        return expression;                                                               \
    }
VALUE(is_up, part->status == 200)
VALUE(is_open, status->state == VG_HOST_DOWN)
VALUE(pool_size, status->pool_size)
VALUE(pool_in_use, status->in_use)
VALUE(pool_idle, status->idle)
VALUE(queue_waiting, status->waiting)
VALUE(queue_size, status->queue_size)
VALUE(events_received, status->events)
VALUE(history_domains, status->history_domains)
VALUE(history_bytes, status->history_bytes)

static const struct host_row host_rows[] = {
    {{"libvirt_up", VG_METRIC_GAUGE, "Whether the host answered this scrape in time."},
     is_up},
    {{"virtgate_host_up", VG_METRIC_GAUGE,
      "Whether the host answered this scrape in time."},
     is_up},
    {{"virtgate_host_breaker_open", VG_METRIC_GAUGE,
      "Whether requests for the host are answered 503 at once, as it cannot be reached."},
     is_open},
    {{"virtgate_host_pool_size", VG_METRIC_GAUGE,
      "Calls of libvirt that may run at a time."},
     pool_size},
    {{"virtgate_host_pool_in_use", VG_METRIC_GAUGE, "Calls of libvirt that run."},
     pool_in_use},
    {{"virtgate_host_pool_idle", VG_METRIC_GAUGE, "Workers that wait for a call."},
     pool_idle},
    {{"virtgate_host_queue_waiting", VG_METRIC_GAUGE, "Calls that wait for a worker."},
     queue_waiting},
    {{"virtgate_host_queue_size", VG_METRIC_GAUGE, "Calls that may wait."}, queue_size},
    {{"virtgate_host_events_received_total", VG_METRIC_COUNTER,
      "Events received from the host."},
     events_received},
    {{"virtgate_history_domains", VG_METRIC_GAUGE,
      "Domains of the host whose last hour is kept."},
     history_domains},
    {{"virtgate_history_bytes", VG_METRIC_GAUGE, "Memory that it takes."}, history_bytes},
};

static void write_host_rows(struct vg_request *rq, struct vg_exposition *x)
{
    struct vg_part part;
    for (size_t r = 0; r < sizeof(host_rows) / sizeof(host_rows[0]); r++) {
        vg_exposition_family(x, &host_rows[r].family);
        for (size_t i = 0; vg_part_at(rq, i, &part); i++) {
            vg_auto_host_status status;
            if (!vg_host_status_of(part.host, &status))
                continue;
            vg_exposition_name(x, host_rows[r].family.name, NULL);
            vg_exposition_label(x, "host", part.host);
            vg_exposition_uint(x, host_rows[r].value(&status, &part));
        }
    }
}

static void write_versions(struct vg_request *rq, struct vg_exposition *x)
{
    static const struct vg_family family = {
        "libvirt_versions_info", VG_METRIC_GAUGE,
        "Versions of the hypervisor, the daemon and the client library; always 1."};
    struct vg_part part;

    vg_exposition_family(x, &family);
    for (size_t i = 0; vg_part_at(rq, i, &part); i++) {
        vg_auto_host_status status;
        if (!vg_host_status_of(part.host, &status) || !status.facts)
            continue;
        vg_exposition_name(x, family.name, NULL);
        vg_exposition_label(x, "host", part.host);
        vg_exposition_label(x, "hypervisor_running", status.facts->hypervisor.text);
        vg_exposition_label(x, "libvirtd_running", status.facts->libvirt.text);
        vg_exposition_label(x, "libvirt_library", status.facts->client.text);
        vg_exposition_uint(x, 1);
    }
}

/* The block of a family in a host's part, and its length. */
static const char *block_of(const struct vg_part *part, size_t family, size_t *ret_length)
{
    const char *p = part->text, *end = part->text + part->length;
    for (size_t i = 0; part->status == 200 && p < end; i++) {
        const char *stop = memchr(p, VG_METRICS_SEPARATOR, (size_t)(end - p));
        if (!stop)
            break;
        *ret_length = (size_t)(stop - p);
        if (i == family)
            return p;
        p = stop + 1;
    }
    *ret_length = 0;
    return "";
}

/* The family of block `f`; NULL past the last. */
static const struct vg_family *family_at(size_t f)
{
    if (f < vg_host_families_count)
        return &vg_host_families[f];
    f -= vg_host_families_count;
    return f < vg_host_object_families_count ? &vg_host_object_families[f] : NULL;
}

/* A family's samples stand together, whatever host they are of. */
static void write_objects(struct vg_request *rq, struct vg_exposition *x)
{
    const struct vg_family *family;
    struct vg_part part;
    size_t length;

    for (size_t f = 0; (family = family_at(f)); f++) {
        bool begun = false;
        for (size_t i = 0; vg_part_at(rq, i, &part); i++) {
            const char *block = block_of(&part, f, &length);
            if (length && !begun)
                vg_exposition_family(x, family);
            begun = begun || length;
            vg_exposition_raw(x, block, length);
        }
    }
}

static struct vg_reply get_metrics(struct vg_request *rq)
{
    const char *host = NULL;
    const struct vg_field args[] = {VG_TEXT("host", &host), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (vg_conn(rq))
        return vg_metrics_of_host(rq);
    vg_auto_host_status status = {0};
    if (host && !(vg_sees_host(rq, host) && vg_host_status_of(host, &status))) {
        vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND,
                     "There is no host '%s'; /hosts lists them", host);
        return vg_fail(rq);
    }
    bool openmetrics = vg_wants_openmetrics(rq);
    vg_auto_exposition x = {.openmetrics = openmetrics};
    if (!host)
        vg_metrics_write(&x);
    write_host_rows(rq, &x);
    write_versions(rq, &x);
    write_objects(rq, &x);
    return vg_ok_text(rq, openmetrics ? VG_TYPE_OPENMETRICS : VG_TYPE_METRICS,
                      vg_exposition_finish(&x));
}

/* clang-format off */
const struct vg_route vg_routes_metrics[] = {
    {VG_GET, "/metrics", "getMetrics", get_metrics,
     .needs = "connect:read connect:search_domains connect:search_networks "
              "connect:search_storage_pools network:read storage_pool:read",
     .gives = VG_GIVES_METRICS, .takes = VG_TAKES_ARGS, .hosts = VG_EVERY_HOST, .shared = true},
    {0},
};
/* clang-format on */
