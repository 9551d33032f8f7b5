/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a path segment to a libvirt object. See include/virtgate/object.h.
 */
#include "virtgate/object.h"

#include "server/core/request.h"
#include "server/libvirt/domain/cache.h"
#include "virtgate/host.h"

#include <ctype.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

bool vg_is_uuid(const char *s)
{
    size_t n = strlen(s);
    if (n != 36 && n != 32)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool dash = n == 36 && (i == 8 || i == 13 || i == 18 || i == 23);
        if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    }
    return true;
}

bool vg_is_segment(const char *name)
{
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strlen(name) <= 1024;
}

/* Digits that are a domain id; -1 for others. */
static int parse_id(const char *s)
{
    int64_t id = 0;
    size_t n = strlen(s);
    if (n == 0 || n > 10 || strspn(s, "0123456789") != n)
        return -1;
    for (; *s; s++)
        id = id * 10 + (*s - '0');
    return id <= INT32_MAX ? (int)id : -1;
}

static bool not_found(void)
{
    return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
}

static virDomainPtr find_any(virConnectPtr conn, const char *s)
{
    virDomainPtr dom = NULL;
    int id = parse_id(s);

    if (vg_is_uuid(s))
        dom = virDomainLookupByUUIDString(conn, s);
    else if (id >= 0)
        dom = virDomainLookupByID(conn, id);
    else
        return virDomainLookupByName(conn, s);
    return dom || !not_found() ? dom : virDomainLookupByName(conn, s);
}

virDomainPtr vg_path_domain(struct vg_request *rq)
{
    const char *segment = vg_path(rq, "domain");
    virDomainPtr dom = vg_domain_cache_domain(rq, segment);

    if (!dom && (dom = vg_find_domain(rq, segment)))
        vg_domain_cache_keep_domain(rq, segment, dom);
    return dom;
}

virDomainPtr vg_find_domain(struct vg_request *rq, const char *s)
{
    virConnectPtr conn = vg_conn(rq);
    virDomainPtr dom = NULL;

    switch (rq->by) {
    case VG_LOOKUP_NAME:
        dom = virDomainLookupByName(conn, s);
        break;
    case VG_LOOKUP_UUID:
        dom = virDomainLookupByUUIDString(conn, s);
        break;
    case VG_LOOKUP_ID:
        if (parse_id(s) < 0) {
            vg_error_set(
                &rq->error, VG_E_INVALID_VALUE,
                "'%s' is not a domain id; with by=id, a number up to %d is accepted", s,
                INT32_MAX);
            return NULL;
        }
        dom = virDomainLookupByID(conn, parse_id(s));
        break;
    default: /* the only other that domains have */
        dom = find_any(conn, s);
        break;
    }
    if (!dom && rq->by == VG_LOOKUP_UUID && virGetLastErrorCode() == VIR_ERR_INVALID_ARG)
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "'%s' is not a UUID; with by=uuid, 32 hexadecimal digits are "
                     "accepted, with or without dashes",
                     s);
    else if (!dom)
        vg_error_set_virt(&rq->error);
    return dom;
}

virDomainPtr vg_args_domain(struct vg_request *rq, const struct vg_field *fields)
{
    return vg_args(rq, fields) < 0 ? NULL : vg_path_domain(rq);
}

virDomainPtr vg_flags_domain(struct vg_request *rq, const struct vg_enum *names,
                             unsigned int *ret_flags)
{
    const struct vg_field args[] = {VG_NAMES("flags", ret_flags, names), VG_END};
    return vg_args_domain(rq, args);
}

char *vg_domain_child_href(const struct vg_request *rq, virDomainPtr dom,
                           const char *collection, const char *name, const char *tail)
{
    vg_autofree char *domain = vg_domain_href(rq, dom);
    vg_autofree char *encoded = name ? vg_percent_encode(name) : NULL;
    char *href = NULL;

    if (!domain || (name && !encoded) ||
        asprintf(&href, "%s/%s%s%s%s", domain, collection, name ? "/" : "",
                 name ? encoded : "", tail) < 0)
        return NULL;
    return href;
}

/* Whether a path with this name leads to the domain of this name: not where it may be
 * taken for an id or a UUID. */
static bool is_plain(const char *name)
{
    return !vg_is_uuid(name) && parse_id(name) < 0 && vg_is_segment(name);
}

char *vg_domain_href(const struct vg_request *rq, virDomainPtr dom)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "", *href = NULL;
    bool plain = is_plain(virDomainGetName(dom));

    if (!plain && virDomainGetUUIDString(dom, uuid) < 0)
        return NULL;
    vg_autofree char *name = vg_percent_encode(plain ? virDomainGetName(dom) : uuid);

    if (!name || asprintf(&href, "%s/domains/%s", vg_host_prefix(rq), name) < 0)
        return NULL;
    return href;
}
