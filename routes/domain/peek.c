/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /domains/{domain}/disks/{disk}/peek and /domains/{domain}/memory/peek:
 * virDomainBlockPeek, virDomainMemoryPeek. What a guest holds may be secret: not for
 * viewers.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"

/* libvirt's protocol carries no more at a time. */
#define MAX_PEEK ((int64_t)4 * 1024 * 1024)

static struct vg_reply peek_disk(struct vg_request *rq)
{
    int64_t offset = 0, size = 0;
    const struct vg_field args[] = {
        VG_NUMBER("offset", &offset, 0, INT64_MAX),
        VG_NEED_NUMBER("size", &size, 1, MAX_PEEK),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    vg_autofree char *bytes = malloc((size_t)size);
    if (!bytes)
        return vg_fail_memory(rq);
    if (virDomainBlockPeek(dom, vg_path(rq, "disk"), (unsigned long long)offset,
                           (size_t)size, bytes, 0) < 0)
        return vg_fail_virt(rq);
    return vg_ok_bytes(rq, "application/octet-stream", vg_take(&bytes), (size_t)size);
}

static struct vg_reply peek_memory(struct vg_request *rq)
{
    uint64_t start = 0; /* of a kernel, in virtual addresses, mostly beyond 2^63 */
    int64_t size = 0;
    int mode = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_UNSIGNED("start", &start),
        VG_NEED_NUMBER("size", &size, 1, MAX_PEEK),
        VG_ENUM("mode", &mode, virDomainMemoryFlags),
        VG_FLAGS("flags", &flags, virDomainMemoryFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    flags |= (unsigned int)mode;
    if (!flags)
        flags = VIR_MEMORY_PHYSICAL;
    vg_autofree char *bytes = malloc((size_t)size);
    if (!bytes)
        return vg_fail_memory(rq);
    if (virDomainMemoryPeek(dom, start, (size_t)size, bytes, flags) < 0)
        return vg_fail_virt(rq);
    return vg_ok_bytes(rq, "application/octet-stream", vg_take(&bytes), (size_t)size);
}

/* clang-format off */
const struct vg_route vg_routes_domain_peek[] = {
    {VG_GET, "/domains/{domain}/disks/{disk}/peek", "peekDomainDisk", peek_disk,
     .needs = "domain:getattr domain:block_read", .gives = VG_GIVES_BYTES, .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/memory/peek", "peekDomainMemory", peek_memory,
     .needs = "domain:getattr domain:mem_read", .gives = VG_GIVES_BYTES, .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
