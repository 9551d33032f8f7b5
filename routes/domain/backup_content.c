/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/backup/disks/{disk}/content: what a backup in pull mode exports by
 * NBD, as it was when the backup began; ?extents=true tells where there is data, and with
 * changed=true, what changed since the checkpoint that the backup is incremental to.
 */
#include "routes/routes.h"
#include "routes/storage/extent_text.h"
#include "virtgate/autoptr.h"
#include "virtgate/backup.h"
#include "virtgate/cleanup.h"
#include "virtgate/content.h"
#include "virtgate/host.h"
#include "virtgate/object.h"

#include <stdio.h>
#include <string.h>

/* What libnbd reads at once. */
#define PIECE ((size_t)4 * 1024 * 1024)
#define ZERO  2 /* a flag of base:allocation */
#define DIRTY 1 /* of a bitmap */

/* One disk of a backup, on its way. Between two windows no connection is held. */
struct reading {
    char uuid[VIR_UUID_STRING_BUFLEN];
    char *xml; /* of the backup: another one is not read in its place */
    struct vg_nbd_export from;
    uint64_t size;

    /* of extents alone */
    char *context;
    bool changed; /* asked for */
    struct vg_extents found;
    size_t enough; /* of its text */
};

static void free_reading(void *data)
{
    struct reading *r = data;
    if (!r)
        return;
    free(r->xml);
    free(r->context);
    vg_nbd_export_clear(&r->from);
    vg_extents_clear(&r->found);
    free(r);
}

static void end_reading(void *data, bool done)
{
    (void)done;
    free_reading(data);
}

/* ---- the backup -------------------------------------------------------------------- */

/* Whether the backup is still the same. -1: the request's error is set. */
static int check_same(struct vg_request *rq, const struct reading *r)
{
    vg_autoptr(virDomain) dom = virDomainLookupByUUIDString(vg_conn(rq), r->uuid);
    vg_autofree char *xml = dom ? virDomainBackupGetXMLDesc(dom, 0) : NULL;

    if (!xml)
        return vg_error_set_virt(vg_request_error(rq));
    if (strcmp(xml, r->xml) == 0)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The backup has ended, and there is another one");
    return -1;
}

/* -1: the request's error is set. */
static int describe(struct vg_request *rq, virDomainPtr dom, struct reading *r)
{
    struct vg_error *e = vg_request_error(rq);
    r->xml = virDomainBackupGetXMLDesc(dom, 0);
    if (!r->xml || virDomainGetUUIDString(dom, r->uuid) < 0)
        return vg_error_set_virt(e);
    if (vg_backup_find_export(r->xml, vg_path(rq, "disk"), &r->from, e) < 0)
        return -1;
    vg_auto_nbd *nbd = vg_nbd_open(&r->from, NULL, e);
    if (!nbd)
        return -1;
    r->size = vg_nbd_size(nbd);
    return 0;
}

/* ---- bytes ------------------------------------------------------------------------- */

static ssize_t read_disk(void *data, struct vg_request *rq, uint64_t offset, char *ret,
                         size_t n)
{
    const struct reading *r = data;
    struct vg_error *e = vg_request_error(rq);

    vg_auto_nbd *nbd = check_same(rq, r) < 0 ? NULL : vg_nbd_open(&r->from, NULL, e);
    if (!nbd)
        return -1;
    for (size_t at = 0; at < n; at += PIECE) {
        size_t piece = n - at < PIECE ? n - at : PIECE;
        if (vg_nbd_read(nbd, offset + at, ret + at, piece, e) < 0)
            return -1;
    }
    return (ssize_t)n;
}

/* Takes the reading. */
static struct vg_reply send_disk(struct vg_request *rq, struct reading *r)
{
    struct vg_content content = {
        .size = r->size,
        .version = strdup(r->xml),
        .data = r,
        .read = read_disk,
        .end = end_reading,
    };
    if (asprintf(&content.filename, "%s-%s.img", vg_path(rq, "domain"),
                 vg_path(rq, "disk")) < 0)
        content.filename = NULL;
    return vg_ok_content(rq, &content);
}

/* ---- extents ----------------------------------------------------------------------- */

/* Until there is enough text; one extent more than the server's answer holds is not
 * known, so they are asked for again from there. */
static int take_some(void *data, uint64_t offset, uint64_t length, uint32_t flags)
{
    struct reading *r = data;
    (void)offset;

    if (!vg_extents_want(&r->found, r->enough))
        return 1;
    vg_extents_add(&r->found, length, flags & (r->changed ? DIRTY : ZERO));
    return !vg_extents_want(&r->found, r->enough);
}

/* -1: the request's error is set. */
static int find_extents(struct reading *r, struct vg_request *rq, size_t enough)
{
    struct vg_error *e = vg_request_error(rq);

    r->enough = enough;
    vg_auto_nbd *nbd =
        check_same(rq, r) < 0 ? NULL : vg_nbd_open(&r->from, r->context, e);
    return nbd ? vg_nbd_extents(nbd, r->found.at, take_some, r, e) : -1;
}

static ssize_t read_extents(void *data, struct vg_request *rq, uint64_t offset, char *ret,
                            size_t n)
{
    struct reading *r = data;
    (void)offset;

    if (vg_extents_want(&r->found, n) && find_extents(r, rq, n) < 0)
        return -1;
    return vg_extents_give(&r->found, rq, ret, n);
}

/* Which extents: of the bitmap, or of data and holes. -1: the request's error is set. */
static int choose_context(struct vg_request *rq, struct reading *r)
{
    if (r->changed && !r->from.bitmap) {
        vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                     "This backup is full: it knows no changes; begin one with "
                     "'incremental', the name of a checkpoint");
        return -1;
    }
    int n = r->changed ? asprintf(&r->context, "qemu:dirty-bitmap:%s", r->from.bitmap)
                       : asprintf(&r->context, "base:allocation");
    if (n >= 0)
        return 0;
    r->context = NULL;
    return vg_error_set_memory(vg_request_error(rq));
}

/* Takes the reading. */
static struct vg_reply send_extents(struct vg_request *rq, struct reading *r)
{
    uint64_t size = r->size;
    struct vg_byte_range range;
    bool beyond = vg_request_range(rq, size, &range) == VG_RANGE_UNSATISFIABLE;

    if (beyond || choose_context(rq, r) < 0) {
        free_reading(r);
        return beyond ? vg_fail_range(rq, size) : vg_fail(rq);
    }
    vg_extents_init(&r->found, rq, r->changed ? "changed" : "zero", size, &range);
    struct vg_content content = {
        .size = VG_CONTENT_UNSIZED,
        .type = "application/json",
        .version = strdup(r->xml),
        .data = r,
        .read = read_extents,
        .end = end_reading,
    };
    return vg_ok_content(rq, &content);
}

static struct vg_reply get_disk(struct vg_request *rq)
{
    bool extents = false, changed = false;
    const struct vg_field args[] = {VG_BOOL("extents", &extents),
                                    VG_BOOL("changed", &changed), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (changed && !extents) {
        vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                     "'changed' is of ?extents=true: the content is that of the disk");
        return vg_fail(rq);
    }
    struct reading *r = calloc(1, sizeof(*r));
    if (!r)
        return vg_fail_memory(rq);
    r->changed = changed;
    if (describe(rq, dom, r) < 0) {
        free_reading(r);
        return vg_fail(rq);
    }
    return extents ? send_extents(rq, r) : send_disk(rq, r);
}

/* clang-format off */
const struct vg_route vg_routes_domain_backup_content[] = {
    {VG_GET, "/domains/{domain}/backup/disks/{disk}/content", "getBackupContent", get_disk,
     .needs = "domain:getattr domain:read domain:block_read", .runs_on = VG_ON_TRANSFER,
     .gives = VG_GIVES_CONTENT, .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
