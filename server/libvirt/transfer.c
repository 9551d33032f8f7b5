/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/transfer.h. Streams block: a worker's connection is used by it
 * alone, and has no handle in the event loop, so what waits is in the socket's buffer and
 * nowhere else.
 */
#include "virtgate/transfer.h"

#include "server/base/list.h"
#include "server/core/body_stream.h"
#include "server/core/operation.h"
#include "server/libvirt/conn.h"
#include "server/libvirt/transfer.h"
#include "virtgate/autoptr.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <xxhash.h>

/* A call that does not return is cut so long after its transfer was cancelled. */
#define CANCEL_LIMIT (2 * VG_SECOND_NS)
#define CANCELLED    "The transfer was cancelled; what was written stays written"

static int64_t deadline_ns = 60 * VG_SECOND_NS;

void vg_transfers_start(int64_t deadline)
{
    deadline_ns = deadline;
}

/* ---- who uses a volume ---------------------------------------------------------------
 */

struct vg_volume_hold {
    struct vg_volume_hold *next, **link;
    const struct vg_host *host;
    const struct vg_operation *op; /* whose it is; only to be compared; NULL: nobody's */
    char *key;                     /* owned */
    enum vg_volume_use use;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_volume_hold *holds;

/* How often volumes were held for writing; some share a counter, which costs their
 * readers a tag, and no memory. */
#define COUNTERS 1024
static atomic_uint_fast64_t writes[COUNTERS];

static atomic_uint_fast64_t *counter_of(const struct vg_host *host, const char *key)
{
    uint64_t hash = XXH3_64bits_withSeed(key, strlen(key), (uintptr_t)host);
    return &writes[hash % COUNTERS];
}

uint64_t vg_volume_writes(const struct vg_request *rq, virStorageVolPtr volume)
{
    const char *key = virStorageVolGetKey(volume);
    return atomic_load(counter_of(rq->host, key ? key : ""));
}

/* Whether the new one and one that there is exclude each other. Lock held. */
static const struct vg_volume_hold *find_conflict(const struct vg_volume_hold *hold)
{
    for (const struct vg_volume_hold *h = holds; h; h = h->next)
        if (h->host == hold->host && strcmp(h->key, hold->key) == 0 &&
            (h->use == VG_VOLUME_WRITE || hold->use == VG_VOLUME_WRITE))
            return h;
    return NULL;
}

static int enlist(struct vg_request *rq, struct vg_volume_hold *hold)
{
    VG_LOCK(&lock);
    const struct vg_volume_hold *other = find_conflict(hold);

    if (!other) {
        vg_list_insert(&holds, hold);
        if (hold->use == VG_VOLUME_WRITE)
            atomic_fetch_add(counter_of(hold->host, hold->key), 1);
        return 0;
    }
    vg_error_set(&rq->error, VG_E_VOLUME_IN_USE,
                 "The volume is being %s; try again when that is done, or cancel it "
                 "(/operations)",
                 other->use == VG_VOLUME_WRITE ? "written or changed" : "read");
    return -1;
}

struct vg_volume_hold *vg_volume_hold(struct vg_request *rq, virStorageVolPtr volume,
                                      enum vg_volume_use use)
{
    const char *key = virStorageVolGetKey(volume);
    struct vg_volume_hold *hold = calloc(1, sizeof(*hold));

    if (hold) {
        hold->host = rq->host;
        hold->op = rq->operation;
        hold->use = use;
        hold->key = strdup(key ? key : "");
    }
    if (!hold || !hold->key)
        (void)vg_error_set_memory(&rq->error);
    else if (enlist(rq, hold) == 0)
        return hold;
    if (hold)
        free(hold->key);
    free(hold);
    return NULL;
}

void vg_volume_release(struct vg_volume_hold *hold)
{
    if (!hold)
        return;
    {
        VG_LOCK(&lock);
        vg_list_remove(hold);
    }
    free(hold->key);
    free(hold);
}

/* Whether the request itself has it for writing. */
static bool has_held(const struct vg_request *rq, const char *key)
{
    VG_LOCK(&lock);

    for (const struct vg_volume_hold *h = holds; h; h = h->next)
        if (h->host == rq->host && h->op && h->op == rq->operation &&
            h->use == VG_VOLUME_WRITE && strcmp(h->key, key) == 0)
            return true;
    return false;
}

bool vg_volume_undo(struct vg_request *rq, virStorageVolPtr volume)
{
    const char *key = virStorageVolGetKey(volume);
    const struct vg_error kept = rq->error;

    rq->error = (struct vg_error){0};
    bool held = key && has_held(rq, key);
    vg_auto_hold *hold = held ? NULL : vg_volume_hold(rq, volume, VG_VOLUME_WRITE);
    vg_error_clear(&rq->error);
    rq->error = kept;
    return (held || hold) && virStorageVolDelete(volume, 0) == 0;
}

/* ---- transfers -----------------------------------------------------------------------
 */

struct vg_transfer {
    struct vg_volume_hold *hold;
    struct vg_operation *op; /* counted */
    atomic_bool cancelled;
    pthread_mutex_t lock;           /* of the two below, for who cancels */
    struct vg_virt_conn *virt_conn; /* on which a call is at work; NULL: none is */
    struct vg_request *rq;          /* whose body may be waited for; NULL: none */
};

/* The operation's hook: under the registry's lock. */
static void cancel(void *data)
{
    struct vg_transfer *transfer = data;

    atomic_store(&transfer->cancelled, true);
    VG_LOCK(&transfer->lock);
    if (transfer->virt_conn)
        atomic_store(&transfer->virt_conn->cut_at_ns, vg_now_ns() + CANCEL_LIMIT);
    if (transfer->rq && transfer->rq->stream)
        vg_body_stream_break(transfer->rq->stream, VG_E_JOB_CANCELLED, CANCELLED);
}

static void transfer_free(struct vg_transfer *transfer)
{
    vg_volume_release(transfer->hold);
    vg_operation_unref(transfer->op);
    pthread_mutex_destroy(&transfer->lock);
    free(transfer);
}

static int fail_cancelled(struct vg_request *rq)
{
    vg_error_set(&rq->error, VG_E_JOB_CANCELLED, CANCELLED);
    return -1;
}

/* Without a volume, NULL, it holds none. */
static struct vg_transfer *begin(struct vg_request *rq, virStorageVolPtr volume,
                                 enum vg_volume_use use, uint64_t total)
{
    struct vg_transfer *transfer = calloc(1, sizeof(*transfer));

    if (!transfer) {
        (void)vg_error_set_memory(&rq->error);
        return NULL;
    }
    pthread_mutex_init(&transfer->lock, NULL);
    transfer->op = vg_operation_ref(rq->operation);
    transfer->rq = rq;
    transfer->hold = volume ? vg_volume_hold(rq, volume, use) : NULL;
    bool held = transfer->hold || !volume;
    if (held && vg_operation_begin_transfer(rq, total, cancel, transfer) == 0) {
        atomic_store(&rq->virt_conn->cut_at_ns, 0);
        return transfer;
    }
    if (held)
        (void)fail_cancelled(rq);
    vg_operation_end_transfer(transfer->op, VG_OPERATION_FAILED);
    transfer_free(transfer);
    return NULL;
}

struct vg_transfer *vg_transfer_begin(struct vg_request *rq, virStorageVolPtr volume,
                                      enum vg_volume_use use, uint64_t total)
{
    return begin(rq, volume, use, total);
}

struct vg_transfer *vg_transfer_begin_without(struct vg_request *rq)
{
    return begin(rq, NULL, VG_VOLUME_WRITE, VG_TOTAL_UNKNOWN);
}

struct vg_transfer *vg_transfer_begin_held(struct vg_request *rq, uint64_t total)
{
    return begin(rq, NULL, VG_VOLUME_WRITE, total);
}

void vg_transfer_interrupt(struct vg_transfer *transfer)
{
    VG_LOCK(&transfer->lock);
    if (transfer->rq && transfer->rq->stream)
        vg_body_stream_break(transfer->rq->stream, VG_E_AT_WORK,
                             "Another request goes on with the upload; HEAD tells where");
}

int vg_transfer_take_volume(struct vg_transfer *transfer, struct vg_request *rq,
                            virStorageVolPtr volume, enum vg_volume_use use,
                            uint64_t total)
{
    vg_operation_set_total(transfer->op, total);
    transfer->hold = vg_volume_hold(rq, volume, use);
    return transfer->hold ? 0 : -1;
}

int vg_transfer_step(struct vg_transfer *transfer, struct vg_request *rq)
{
    {
        VG_LOCK(&transfer->lock);
        transfer->virt_conn = rq->virt_conn;
        atomic_store(&rq->virt_conn->cut_at_ns, vg_now_ns() + deadline_ns);
    }
    return vg_transfer_is_cancelled(transfer) ? fail_cancelled(rq) : 0;
}

void vg_transfer_moved(struct vg_transfer *transfer, struct vg_request *rq, uint64_t n)
{
    {
        VG_LOCK(&transfer->lock);
        transfer->virt_conn = NULL;
        atomic_store(&rq->virt_conn->cut_at_ns, 0);
    }
    vg_operation_count(transfer->op, n);
}

void vg_transfer_outlive(struct vg_transfer *transfer)
{
    {
        VG_LOCK(&transfer->lock);
        transfer->rq = NULL;
        transfer->virt_conn = NULL;
    }
    vg_operation_outlive(transfer->op);
}

bool vg_transfer_is_cancelled(const struct vg_transfer *transfer)
{
    return atomic_load(&transfer->cancelled);
}

void vg_transfer_end(struct vg_transfer *transfer, bool done)
{
    if (!transfer)
        return;
    vg_operation_end_transfer(transfer->op,
                              done ? VG_OPERATION_SUCCEEDED : VG_OPERATION_FAILED);
    transfer_free(transfer);
}

/* ---- into a volume -------------------------------------------------------------------
 */

struct vg_upload {
    struct vg_request *rq;
    struct vg_transfer *transfer;
    virStreamPtr stream;
    uint64_t left; /* that may still come */
    bool sparse;   /* pieces of zeros are sent as holes */
    uint64_t hole; /* that is not sent yet */
    size_t gathered;
    char piece[VG_PIECE_SIZE];
};

struct vg_upload *vg_upload_open(struct vg_request *rq, struct vg_transfer *transfer,
                                 virStorageVolPtr volume, uint64_t offset,
                                 uint64_t length, unsigned int flags)
{
    struct vg_upload *upload = malloc(sizeof(*upload));

    if (!upload) {
        (void)vg_error_set_memory(&rq->error);
        return NULL;
    }
    upload->rq = rq;
    upload->transfer = transfer;
    upload->left = length;
    upload->gathered = 0;
    upload->stream = NULL;
    upload->sparse = flags & VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM;
    upload->hole = 0;
    if (vg_transfer_step(transfer, rq) == 0) {
        upload->stream = virStreamNew(rq->virt_conn->conn, 0);
        if (upload->stream &&
            virStorageVolUpload(volume, upload->stream, offset, length, flags) == 0) {
            vg_transfer_moved(transfer, rq, 0);
            return upload;
        }
        (void)vg_error_set_virt(&rq->error);
    }
    if (upload->stream)
        virStreamFree(upload->stream);
    free(upload);
    return NULL;
}

static bool is_zero(const char *data, size_t n)
{
    return n && !data[0] && memcmp(data, data + 1, n - 1) == 0;
}

static int send_hole(struct vg_upload *upload)
{
    struct vg_request *rq = upload->rq;

    if (!upload->hole)
        return 0;
    if (vg_transfer_step(upload->transfer, rq) < 0)
        return -1;
    if (virStreamSendHole(upload->stream, (long long)upload->hole, 0) < 0)
        return vg_error_set_virt(&rq->error);
    vg_transfer_moved(upload->transfer, rq, upload->hole);
    upload->hole = 0;
    return 0;
}

static int send_piece(struct vg_upload *upload, const char *data, size_t n)
{
    struct vg_request *rq = upload->rq;

    while (n) {
        if (vg_transfer_step(upload->transfer, rq) < 0)
            return -1;
        int sent = virStreamSend(upload->stream, data, n);
        if (sent < 0)
            return vg_error_set_virt(&rq->error);
        vg_transfer_moved(upload->transfer, rq, (uint64_t)sent);
        data += sent;
        n -= (size_t)sent;
    }
    return 0;
}

/* Of a hole all pieces go in one message. */
static int send_pieces(struct vg_upload *upload, const char *data, size_t n)
{
    if (!upload->sparse)
        return send_piece(upload, data, n);
    while (n) {
        size_t part = n < VG_PIECE_SIZE ? n : VG_PIECE_SIZE;
        bool zero = is_zero(data, part);
        upload->hole += zero ? part : 0;
        if (!zero && (send_hole(upload) < 0 || send_piece(upload, data, part) < 0))
            return -1;
        data += part;
        n -= part;
    }
    return 0;
}

static int send_gathered(struct vg_upload *upload)
{
    size_t n = upload->gathered;
    upload->gathered = 0;
    return send_pieces(upload, upload->piece, n);
}

int vg_upload_write(struct vg_upload *upload, const char *data, size_t n)
{
    if (n > upload->left) {
        vg_error_set(&upload->rq->error, VG_E_BEYOND_CAPACITY,
                     "More bytes come than the volume has room for");
        return -1;
    }
    upload->left -= n;
    while (n) {
        if (!upload->gathered && n >= VG_PIECE_SIZE) {
            size_t whole = n - n % VG_PIECE_SIZE;
            if (send_pieces(upload, data, whole) < 0)
                return -1;
            data += whole;
            n -= whole;
            continue;
        }
        size_t room = VG_PIECE_SIZE - upload->gathered;
        size_t part = n < room ? n : room;
        memcpy(upload->piece + upload->gathered, data, part);
        upload->gathered += part;
        data += part;
        n -= part;
        if (upload->gathered == VG_PIECE_SIZE && send_gathered(upload) < 0)
            return -1;
    }
    return 0;
}

static void upload_free(struct vg_upload *upload)
{
    virStreamFree(upload->stream);
    free(upload);
}

int vg_upload_finish(struct vg_upload *upload)
{
    struct vg_request *rq = upload->rq;

    if (send_gathered(upload) < 0 || send_hole(upload) < 0 ||
        vg_transfer_step(upload->transfer, rq) < 0) {
        vg_upload_abort(upload);
        return -1;
    }
    int rc = virStreamFinish(upload->stream);
    if (rc < 0)
        (void)vg_error_set_virt(&rq->error);
    vg_transfer_moved(upload->transfer, rq, 0);
    upload_free(upload);
    return rc;
}

void vg_upload_abort(struct vg_upload *upload)
{
    if (!upload)
        return;
    (void)vg_transfer_step(upload->transfer, upload->rq);
    (void)virStreamAbort(upload->stream);
    vg_transfer_moved(upload->transfer, upload->rq, 0);
    upload_free(upload);
}
