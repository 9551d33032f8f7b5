/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /node/memory, its stats and parameters, /node/cells/free-memory, /node/pages: the
 * host's memory, whole and by NUMA cell.
 */
#include "routes/routes.h"
#include "virtgate/cleanup.h"
#include "virtgate/host.h"
#include "virtgate/params.h"
#include "virtgate/xml_json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libvirt's protocol has room for (remote_protocol.x): cells, and counts of pages of
 * all cells. */
#define MAX_CELLS 1024
/* More than any host has. */
#define MAX_STATS      64
#define MAX_PAGE_SIZES 16

/* ---- what the host has ------------------------------------------------------------- */

struct topology {
    unsigned int kib[MAX_PAGE_SIZES]; /* sizes of pages */
    unsigned int sizes;
    int64_t cells; /* one more than the highest number; 0: it does not tell */
};

static unsigned long number_of(const json_t *element, const char *attribute)
{
    const char *text = json_string_value(json_object_get(element, attribute));

    errno = 0;
    unsigned long number = text ? strtoul(text, NULL, 10) : 0;
    return errno ? 0 : number;
}

static void add_size(struct topology *t, const json_t *pages)
{
    unsigned long kib = number_of(pages, "@size");

    if (kib > 0 && kib <= UINT_MAX && t->sizes < MAX_PAGE_SIZES)
        t->kib[t->sizes++] = (unsigned int)kib;
}

static void add_cell(struct topology *t, const json_t *cell)
{
    unsigned long id = number_of(cell, "@id");

    if (id < MAX_CELLS && (int64_t)id >= t->cells)
        t->cells = (int64_t)id + 1;
}

/* Calls `add` with each of the elements of a name, which are an array or one alone. */
static void each(struct topology *t, const json_t *elements,
                 void (*add)(struct topology *t, const json_t *element))
{
    const json_t *item;
    size_t i;

    if (json_is_object(elements))
        add(t, elements);
    json_array_foreach (elements, i, item)
        add(t, item);
}

/* From the host's capabilities. -1: *reterr says why not. */
static int read_topology(virConnectPtr conn, struct topology *ret,
                         struct vg_error *reterr)
{
    vg_autofree char *xml = virConnectGetCapabilities(conn);
    if (!xml)
        return vg_error_set_virt(reterr);
    json_auto_t *document = vg_xml_to_json(xml, reterr);
    if (!document)
        return -1;
    const json_t *host = vg_json_inner(document, "capabilities", "host");
    each(ret, vg_json_inner(host, "cpu", "pages"), add_size);
    const json_t *cells = vg_json_inner(host, "topology", "cells");
    each(ret, json_object_get(cells, "cell"), add_cell);
    return 0;
}

static bool has_size(const struct topology *t, int64_t kib)
{
    for (unsigned int i = 0; i < t->sizes; i++)
        if (t->kib[i] == kib)
            return true;
    return false;
}

/* libvirt's error of a call with a cell that may be none of the host's, or with sizes of
 * pages (0: none was named): a wrong number is the client's. */
static struct vg_reply fail_topology(struct vg_request *rq, int64_t cell, int64_t kib)
{
    struct vg_error ignored = {0};
    struct topology t = {0};

    vg_error_set_virt(vg_request_error(rq));
    if (read_topology(vg_conn(rq), &t, &ignored) == 0 &&
        ((t.cells && cell >= t.cells) || (kib && !has_size(&t, kib))))
        vg_error_set_status(vg_request_error(rq), 400);
    vg_error_clear(&ignored);
    return vg_fail(rq);
}

/* ---- memory ------------------------------------------------------------------------ */

static struct vg_reply get_memory(struct vg_request *rq)
{
    unsigned long long bytes = virNodeGetFreeMemory(vg_conn(rq));
    if (bytes == 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_uint(&w, "freeBytes", bytes);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ?cell=0; without it of the whole host. */
static struct vg_reply get_memory_stats(struct vg_request *rq)
{
    virNodeMemoryStats stats[MAX_STATS];
    int64_t cell = VIR_NODE_MEMORY_STATS_ALL_CELLS;
    int n = 0;
    const struct vg_field args[] = {VG_NUMBER("cell", &cell, 0, MAX_CELLS - 1), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (virNodeGetMemoryStats(vg_conn(rq), (int)cell, NULL, &n, 0) < 0)
        return vg_fail_virt(rq);
    if (n > MAX_STATS)
        n = MAX_STATS;
    if (n > 0 && virNodeGetMemoryStats(vg_conn(rq), (int)cell, stats, &n, 0) < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    for (int i = 0; i < n; i++) {
        char key[VIR_NODE_MEMORY_STATS_FIELD_LENGTH + sizeof("KiB")];
        snprintf(key, sizeof(key), "%.*sKiB", VIR_NODE_MEMORY_STATS_FIELD_LENGTH,
                 stats[i].field);
        vg_json_uint(&w, key, stats[i].value);
    }
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* -1: the request's error is libvirt's. */
static int read_parameters(struct vg_request *rq, struct vg_params *ret)
{
    int n = 0;

    if (virNodeGetMemoryParameters(vg_conn(rq), NULL, &n, 0) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (n <= 0)
        return 0;
    ret->v = calloc((size_t)n, sizeof(*ret->v));
    if (!ret->v)
        return vg_error_set_memory(vg_request_error(rq));
    if (virNodeGetMemoryParameters(vg_conn(rq), ret->v, &n, 0) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    ret->n = n;
    return 0;
}

static struct vg_reply get_memory_parameters(struct vg_request *rq)
{
    vg_auto_params list = {0};
    return read_parameters(rq, &list) < 0 ? vg_fail(rq)
                                          : vg_ok(rq, vg_params_to_json(list.v, list.n));
}

/* {"shmPagesToScan": 100}; those that are not named stay. */
static struct vg_reply patch_memory_parameters(struct vg_request *rq)
{
    json_t *object = NULL;
    vg_auto_params current = {0};
    vg_auto_params wanted = {0};
    const struct vg_field args[] = {VG_REST(&object), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (json_object_size(object) == 0)
        return vg_no_content(rq);
    if (read_parameters(rq, &current) < 0 ||
        vg_params_from_json(object, current.v, current.n, &wanted.v, &wanted.n,
                            vg_request_error(rq)) < 0)
        return vg_fail(rq);
    return vg_done(rq, virNodeSetMemoryParameters(vg_conn(rq), wanted.v, wanted.n, 0));
}

/* ---- cells ------------------------------------------------------------------------- */

/* ?start=0&max=8 */
static struct vg_reply get_cells_free_memory(struct vg_request *rq)
{
    unsigned long long bytes[MAX_CELLS];
    int64_t start = 0, max = MAX_CELLS;
    const struct vg_field args[] = {VG_NUMBER("start", &start, 0, MAX_CELLS - 1),
                                    VG_NUMBER("max", &max, 1, MAX_CELLS), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    int n = virNodeGetCellsFreeMemory(vg_conn(rq), bytes, (int)start, (int)max);
    if (n < 0)
        return fail_topology(rq, start, 0);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "cells");
    for (int i = 0; i < n; i++) {
        vg_json_begin_object(&w, NULL);
        vg_json_int(&w, "cell", start + i);
        vg_json_uint(&w, "freeBytes", bytes[i]);
        vg_json_end_object(&w);
    }
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ---- pages ------------------------------------------------------------------------- */

static void write_cell(struct vg_json *w, int64_t cell, const struct topology *t,
                       const unsigned long long *free_pages)
{
    vg_json_begin_object(w, NULL);
    vg_json_int(w, "cell", cell);
    vg_json_begin_array(w, "pages");
    for (unsigned int i = 0; i < t->sizes; i++) {
        vg_json_begin_object(w, NULL);
        vg_json_uint(w, "sizeKiB", t->kib[i]);
        vg_json_uint(w, "free", free_pages[i]);
        vg_json_end_object(w);
    }
    vg_json_end_array(w);
    vg_json_end_object(w);
}

/* ?sizeKiB=2048&startCell=0&cellCount=1 */
static struct vg_reply get_pages(struct vg_request *rq)
{
    unsigned long long counts[MAX_CELLS];
    struct topology t = {0};
    int64_t size = 0, start = 0, cells = 0;
    const struct vg_field args[] = {VG_NUMBER("sizeKiB", &size, 1, UINT_MAX),
                                    VG_NUMBER("startCell", &start, 0, MAX_CELLS - 1),
                                    VG_NUMBER("cellCount", &cells, 1, MAX_CELLS), VG_END};

    if (vg_args(rq, args) < 0 || read_topology(vg_conn(rq), &t, vg_request_error(rq)) < 0)
        return vg_fail(rq);
    if (size) {
        t.kib[0] = (unsigned int)size;
        t.sizes = 1;
    }
    if (cells == 0 || cells > t.cells - start)
        cells = t.cells > start ? t.cells - start : 1; /* libvirt says what is wrong */
    if (t.sizes && cells > MAX_CELLS / t.sizes)
        cells = MAX_CELLS / t.sizes;
    int n = t.sizes ? virNodeGetFreePages(vg_conn(rq), t.sizes, t.kib, (int)start,
                                          (unsigned int)cells, counts, 0)
                    : 0;
    if (n < 0)
        return fail_topology(rq, start, size);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "cells");
    for (unsigned int at = 0; t.sizes && at + t.sizes <= (unsigned int)n; at += t.sizes)
        write_cell(&w, start++, &t, &counts[at]);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static const struct vg_enum_value mode_values[] = {
    {"add", "VIR_NODE_ALLOC_PAGES_ADD", VIR_NODE_ALLOC_PAGES_ADD},
    {"set", "VIR_NODE_ALLOC_PAGES_SET", VIR_NODE_ALLOC_PAGES_SET},
};
static const struct vg_enum modes = {"mode", mode_values, 2};

struct pools {
    unsigned int kib[MAX_PAGE_SIZES];
    unsigned long long counts[MAX_PAGE_SIZES];
    unsigned int n;
};

/* [{"sizeKiB": 2048, "count": 8}] */
static int read_pools(struct vg_request *rq, json_t *given, struct pools *ret)
{
    json_t *item;
    size_t i;

    if (json_array_size(given) == 0 || json_array_size(given) > MAX_PAGE_SIZES) {
        vg_error_set(vg_request_error(rq), given ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                     "'pages' is an array of 1 to %d of {\"sizeKiB\", \"count\"}",
                     MAX_PAGE_SIZES);
        return -1;
    }
    json_array_foreach (given, i, item) {
        int64_t size = 0, count = 0;
        char where[sizeof("pages/") + 10];
        const struct vg_field fields[] = {VG_NEED_NUMBER("sizeKiB", &size, 1, UINT_MAX),
                                          VG_NEED_NUMBER("count", &count, 0, INT64_MAX),
                                          VG_END};

        snprintf(where, sizeof(where), "pages/%u", ret->n);
        if (vg_args_object(rq, where, item, fields) < 0)
            return -1;
        ret->kib[ret->n] = (unsigned int)size;
        ret->counts[ret->n++] = (unsigned long long)count;
    }
    return 0;
}

/* {"pages": [{"sizeKiB": 2048, "count": 8}], "mode": "add"}; without `startCell` of the
 * whole host. */
static struct vg_reply allocate_pages(struct vg_request *rq)
{
    json_t *given = NULL;
    int64_t start = -1, cells = 1;
    int mode = VIR_NODE_ALLOC_PAGES_ADD;
    struct pools pools = {0};
    const struct vg_field args[] = {VG_JSON("pages", &given),
                                    VG_NUMBER("startCell", &start, 0, MAX_CELLS - 1),
                                    VG_NUMBER("cellCount", &cells, 1, MAX_CELLS),
                                    VG_ONE_OF("mode", &mode, &modes), VG_END};

    if (vg_args(rq, args) < 0 || read_pools(rq, given, &pools) < 0)
        return vg_fail(rq);
    int n = virNodeAllocPages(vg_conn(rq), pools.n, pools.kib, pools.counts, (int)start,
                              (unsigned int)cells, (unsigned int)mode);
    if (n < 0)
        return fail_topology(rq, start, pools.kib[0]);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_int(&w, "changed", n);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* clang-format off */
const struct vg_route vg_routes_numa[] = {
    {VG_GET, "/node/memory", "getNodeMemory", get_memory,
     .needs = "connect:read", .shared = true},
    {VG_GET, "/node/memory/stats", "getNodeMemoryStats", get_memory_stats,
     .needs = "connect:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_GET, "/node/memory/parameters", "getNodeMemoryParameters", get_memory_parameters,
     .needs = "connect:read", .shared = true},
    {VG_PATCH, "/node/memory/parameters", "setNodeMemoryParameters", patch_memory_parameters,
     .needs = "connect:read connect:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/node/cells/free-memory", "getNodeCellsFreeMemory", get_cells_free_memory,
     .needs = "connect:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_GET, "/node/pages", "getNodePages", get_pages,
     .needs = "connect:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/node/pages", "allocateNodePages", allocate_pages,
     .needs = "connect:read connect:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
