/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/nbd.h. libnbd's own calls wait for ever: here each is begun, and
 * the wait for it has an end.
 */
#include "virtgate/nbd.h"

#include "server/base/clock.h"
#include "virtgate/cleanup.h"

#include <libnbd.h>
#include <string.h>

/* What one question for extents is about. */
#define STEP ((uint64_t)1024 * 1024 * 1024)

struct vg_nbd {
    struct nbd_handle *handle;
    uint64_t size;
    const char *context;

    /* of the call for extents that runs */
    int (*found)(void *data, uint64_t offset, uint64_t length, uint32_t flags);
    void *data;
    uint64_t at;
    bool enough;
};

void vg_nbd_export_clear(struct vg_nbd_export *e)
{
    free(e->socket);
    free(e->address);
    free(e->port);
    free(e->name);
    free(e->bitmap);
    *e = (struct vg_nbd_export){0};
}

void vg_nbd_close(struct vg_nbd **nbd)
{
    if (*nbd)
        nbd_close((*nbd)->handle);
    free(*nbd);
    *nbd = NULL;
}

uint64_t vg_nbd_size(const struct vg_nbd *nbd)
{
    return nbd->size;
}

/* libnbd's last error of this thread. -1. */
static int fail(struct vg_error *reterr, const char *what)
{
    const char *why = nbd_get_error();
    vg_error_set(reterr, VG_E_BAD_ANSWER, "The backup's NBD server: %s: %s", what,
                 why ? why : "no answer");
    return -1;
}

static int fail_silent(struct vg_error *reterr, const char *what)
{
    vg_error_set(reterr, VG_E_BAD_ANSWER,
                 "The backup's NBD server: %s: no answer in %d seconds", what,
                 VG_NBD_SILENCE);
    return -1;
}

/* One turn of a wait that ends at `until_ns`. -1: *reterr. */
static int turn(struct vg_nbd *nbd, int64_t until_ns, const char *what,
                struct vg_error *reterr)
{
    if (vg_now_ns() >= until_ns)
        return fail_silent(reterr, what);
    return nbd_poll(nbd->handle, 1000) < 0 ? fail(reterr, what) : 0;
}

static int64_t silence_ends(void)
{
    return vg_now_ns() + VG_NBD_SILENCE * VG_SECOND_NS;
}

/* Until the command is done. -1: *reterr. */
static int await(struct vg_nbd *nbd, int64_t cookie, const char *what,
                 struct vg_error *reterr)
{
    int64_t until_ns = silence_ends();
    int done = 0;

    if (cookie < 0)
        return fail(reterr, what);
    while ((done = nbd_aio_command_completed(nbd->handle, (uint64_t)cookie)) == 0)
        if (turn(nbd, until_ns, what, reterr) < 0)
            return -1;
    return done < 0 ? fail(reterr, what) : 0;
}

/* ---- connecting -------------------------------------------------------------------- */

static int connect_to(struct vg_nbd *nbd, const struct vg_nbd_export *from,
                      struct vg_error *reterr)
{
    int64_t until_ns = silence_ends();
    int rc = from->socket ? nbd_aio_connect_unix(nbd->handle, from->socket)
                          : nbd_aio_connect_tcp(nbd->handle, from->address, from->port);

    if (rc < 0)
        return fail(reterr, "connecting");
    while (nbd_aio_is_connecting(nbd->handle) == 1)
        if (turn(nbd, until_ns, "connecting", reterr) < 0)
            return -1;
    return nbd_aio_is_ready(nbd->handle) == 1 ? 0 : fail(reterr, "connecting");
}

/* -1: *reterr. */
static int set_up(struct vg_nbd *nbd, const struct vg_nbd_export *from,
                  struct vg_error *reterr)
{
    if (nbd_set_export_name(nbd->handle, from->name) < 0 ||
        (nbd->context && nbd_add_meta_context(nbd->handle, nbd->context) < 0))
        return fail(reterr, "export");
    if (connect_to(nbd, from, reterr) < 0)
        return -1;
    int64_t size = nbd_get_size(nbd->handle);
    if (size < 0)
        return fail(reterr, "size");
    nbd->size = (uint64_t)size;
    if (!nbd->context || nbd_can_meta_context(nbd->handle, nbd->context) == 1)
        return 0;
    vg_error_set(reterr, VG_E_BAD_ANSWER,
                 "The backup's NBD server does not tell of '%.200s'", nbd->context);
    return -1;
}

struct vg_nbd *vg_nbd_open(const struct vg_nbd_export *from, const char *context,
                           struct vg_error *reterr)
{
    vg_auto_nbd *nbd = calloc(1, sizeof(*nbd));

    if (!nbd || !(nbd->handle = nbd_create())) {
        vg_error_set_memory(reterr);
        return NULL;
    }
    nbd->context = context;
    return set_up(nbd, from, reterr) < 0 ? NULL : vg_take(&nbd);
}

/* ---- reading ----------------------------------------------------------------------- */

int vg_nbd_read(struct vg_nbd *nbd, uint64_t offset, void *ret, size_t n,
                struct vg_error *reterr)
{
    int64_t cookie = nbd_aio_pread(nbd->handle, ret, n, offset, NBD_NULL_COMPLETION, 0);
    return await(nbd, cookie, "reading", reterr);
}

static int take_extents(void *data, const char *context, uint64_t offset,
                        uint32_t *entries, size_t n, int *error)
{
    struct vg_nbd *nbd = data;
    (void)error;

    if (strcmp(context, nbd->context) != 0 || offset != nbd->at)
        return 0;
    for (size_t i = 0; i + 1 < n && !nbd->enough; i += 2) {
        uint64_t left = nbd->size - nbd->at;
        uint64_t length = entries[i] < left ? entries[i] : left;
        if (!length)
            break;
        nbd->enough = nbd->found(nbd->data, nbd->at, length, entries[i + 1]) != 0;
        if (!nbd->enough)
            nbd->at += length;
    }
    return 0;
}

int vg_nbd_extents(struct vg_nbd *nbd, uint64_t offset,
                   int (*found)(void *data, uint64_t offset, uint64_t length,
                                uint32_t flags),
                   void *data, struct vg_error *reterr)
{
    nbd->found = found;
    nbd->data = data;
    nbd->at = offset;
    nbd->enough = false;
    while (nbd->at < nbd->size && !nbd->enough) {
        uint64_t from = nbd->at, left = nbd->size - from;
        const nbd_extent_callback taker = {.callback = take_extents, .user_data = nbd};
        int64_t cookie = nbd_aio_block_status(nbd->handle, left < STEP ? left : STEP,
                                              from, taker, NBD_NULL_COMPLETION, 0);
        if (await(nbd, cookie, "extents", reterr) < 0)
            return -1;
        if (nbd->at == from && !nbd->enough)
            return fail_silent(reterr, "extents"); /* an answer without any */
    }
    return 0;
}
