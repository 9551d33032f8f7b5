/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See receive.h.
 */
#include "routes/storage/receive.h"

#include "virtgate/body_stream.h"
#include "virtgate/digest.h"
#include "virtgate/autoptr.h"
#include "virtgate/error.h"
#include "virtgate/used_by.h"

#include <libvirt/virterror.h>

/* The test driver has only the older call. */
int vg_volume_info(virStorageVolPtr volume, virStorageVolInfo *ret)
{
    int rc = virStorageVolGetInfoFlags(volume, ret, 0);
    if (rc < 0 && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        rc = virStorageVolGetInfo(volume, ret);
    return rc;
}

int vg_volume_check_unused(struct vg_request *rq, virStorageVolPtr volume, bool force)
{
    vg_autofree char *guest = NULL;

    if (force)
        return 0;
    if (vg_volume_running_guest(rq, volume, &guest) < 0)
        return -1;
    if (!guest)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_VOLUME_IN_USE,
                 "The guest '%s' runs and uses the volume; stop it, or say ?force=true",
                 guest);
    return -1;
}

int vg_volume_check_bytes(struct vg_request *rq, virStorageVolPtr volume,
                          virStorageVolInfo *ret)
{
    if (vg_volume_info(volume, ret) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (ret->type != VIR_STORAGE_VOL_DIR && ret->type != VIR_STORAGE_VOL_NETDIR)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The volume '%s' is a folder, which has no bytes of its own",
                 virStorageVolGetName(volume));
    return -1;
}

/* ---- digests ------------------------------------------------------------------------
 */

void vg_announced_clear(struct vg_announced *announced)
{
    vg_digest_free(announced->content);
    vg_digest_free(announced->repr);
}

int vg_announced_read(struct vg_request *rq, bool part, struct vg_announced *ret)
{
    const struct vg_body_fields fields = vg_body_fields(rq);
    struct vg_error *e = vg_request_error(rq);

    if (part && fields.repr_digest) {
        vg_error_set(e, VG_E_INVALID_VALUE,
                     "Repr-Digest is of the whole content, and this is a part of it; "
                     "Content-Digest is accepted");
        return -1;
    }
    if (fields.content_digest &&
        vg_digest_read(&ret->content, "Content-Digest", fields.content_digest, e) < 0)
        return -1;
    return fields.repr_digest
               ? vg_digest_read(&ret->repr, "Repr-Digest", fields.repr_digest, e)
               : 0;
}

static int check_digests(struct vg_request *rq, const struct vg_announced *announced)
{
    struct vg_error *e = vg_request_error(rq);
    return vg_digest_check(announced->content, e) < 0
               ? -1
               : vg_digest_check(announced->repr, e);
}

/* ---- receiving ----------------------------------------------------------------------
 */

/* A body that has nothing, as it must. */
static int expect_nothing(struct vg_request *rq, const struct vg_announced *announced)
{
    const char *data;
    size_t n;
    int rc = vg_body_read(rq, &data, &n);

    if (rc > 0) {
        vg_error_set(vg_request_error(rq), VG_E_BEYOND_CAPACITY,
                     "There is no room for a byte");
        return -1;
    }
    return rc < 0 ? -1 : check_digests(rq, announced);
}

/* Until the body's end. */
static int pass_on(struct vg_request *rq, struct vg_upload *upload,
                   const struct vg_announced *announced, uint64_t *ret_n)
{
    const char *data;
    size_t n;
    int rc;

    while ((rc = vg_body_read(rq, &data, &n)) > 0) {
        vg_digest_add(announced->content, data, n);
        vg_digest_add(announced->repr, data, n);
        if (vg_upload_write(upload, data, n) < 0)
            return -1;
        *ret_n += n;
    }
    return rc < 0 ? -1 : check_digests(rq, announced);
}

int vg_content_receive(struct vg_request *rq, struct vg_transfer *transfer,
                       virStorageVolPtr volume, uint64_t offset, uint64_t limit,
                       unsigned int flags, const struct vg_announced *announced,
                       uint64_t *ret_n)
{
    *ret_n = 0;
    if (!limit) /* libvirt takes that for no limit */
        return expect_nothing(rq, announced);
    struct vg_upload *upload = vg_upload_open(rq, transfer, volume, offset, limit, flags);
    if (!upload)
        return -1;
    if (pass_on(rq, upload, announced, ret_n) == 0)
        return vg_upload_finish(upload);
    vg_upload_abort(upload);
    return -1;
}
