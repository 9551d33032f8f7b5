/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a path segment to a libvirt object. See include/virtgate/object.h.
 */
#include "virtgate/object.h"

#include "server/core/scope.h"
#include "server/libvirt/absent.h"
#include "server/libvirt/domain/cache.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"

#include <ctype.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void vg_make_uuid(char ret[static VG_UUID_SIZE])
{
    unsigned char b[16];

    while (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
        ;
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    snprintf(ret, VG_UUID_SIZE,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
             b[13], b[14], b[15]);
}

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

bool vg_is_mac(const char *text)
{
    for (int i = 0; i < 6; i++) {
        size_t digits = strspn(text, "0123456789abcdefABCDEF");
        if (digits < 1 || digits > 2 || text[digits] != (i < 5 ? ':' : '\0'))
            return false;
        text += digits + 1;
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

static virDomainPtr look_up(virConnectPtr conn, enum vg_lookup by, const char *s)
{
    switch (by) {
    case VG_LOOKUP_UUID:
        return virDomainLookupByUUIDString(conn, s);
    case VG_LOOKUP_ID:
        return virDomainLookupByID(conn, parse_id(s));
    default:
        return virDomainLookupByName(conn, s);
    }
}

/* What a path's text may be beside a name. */
static enum vg_lookup likely(const char *s)
{
    return vg_is_uuid(s)      ? VG_LOOKUP_UUID
           : parse_id(s) >= 0 ? VG_LOOKUP_ID
                              : VG_LOOKUP_NAME;
}

static virDomainPtr find_any(virConnectPtr conn, const char *s)
{
    virDomainPtr dom = look_up(conn, likely(s), s);

    return dom || likely(s) == VG_LOOKUP_NAME || !not_found()
               ? dom
               : look_up(conn, VG_LOOKUP_NAME, s);
}

/* ---- within a scope ---------------------------------------------------------------- */

/* A domain outside of the caller's scope is looked up as one that is not there: by a text
 * that no domain has, so that the error is the driver's own, with the text that was asked
 * for in its place. What is in no scope by its name is not looked up at all. */

/* The domain, unless it is outside: then it is NULL, as if it were not there. */
static virDomainPtr drop_hidden(struct vg_request *rq, virDomainPtr dom)
{
    if (!dom || vg_sees_domain(rq, virDomainGetName(dom)))
        return dom;
    virDomainFree(dom);
    return NULL;
}

static void set_absent(struct vg_request *rq, enum vg_lookup by, const char *s)
{
    struct vg_absent absent;

    vg_absent_make(&absent, by);
    vg_autoptr(virDomain) dom = look_up(vg_conn(rq), by, absent.text);
    if (dom) { /* of the last id that there can be */
        vg_error_set(&rq->error, VG_E_NOT_FOUND, "There is no domain '%.200s'", s);
        return;
    }
    vg_error_set_virt(&rq->error);
    vg_absent_show(&absent, &rq->error, s);
}

static virDomainPtr find_seen_name(struct vg_request *rq, const char *s)
{
    virDomainPtr dom = NULL;

    if (!vg_sees_domain(rq, s))
        set_absent(rq, VG_LOOKUP_NAME, s);
    else if (!(dom = look_up(vg_conn(rq), VG_LOOKUP_NAME, s)))
        vg_error_set_virt(&rq->error);
    return dom;
}

/* By UUID or id, then, unless `only`, by name. As many calls for a domain that is hidden
 * as for one that is not there. */
static virDomainPtr find_seen_by(struct vg_request *rq, enum vg_lookup by, bool only,
                                 const char *s)
{
    virDomainPtr dom = look_up(vg_conn(rq), by, s);

    if (!dom && !not_found()) {
        vg_error_set_virt(&rq->error);
        return NULL;
    }
    dom = drop_hidden(rq, dom);
    if (dom || !only)
        return dom ? dom : find_seen_name(rq, s);
    set_absent(rq, by, s);
    return NULL;
}

static virDomainPtr find_seen(struct vg_request *rq, const char *s)
{
    enum vg_lookup by = rq->by ? rq->by : likely(s);

    return by == VG_LOOKUP_NAME ? find_seen_name(rq, s)
                                : find_seen_by(rq, by, rq->by != 0, s);
}

/* ---- finding ----------------------------------------------------------------------- */

virDomainPtr vg_path_domain(struct vg_request *rq)
{
    const char *segment = vg_path(rq, "domain");
    virDomainPtr dom = drop_hidden(rq, vg_domain_cache_domain(rq, segment));

    if (!dom && (dom = vg_find_domain(rq, segment)))
        vg_domain_cache_keep_domain(rq, segment, dom);
    return dom;
}

static int fail_id(struct vg_request *rq, const char *s)
{
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 "'%s' is not a domain id; with by=id, a number up to %d is accepted", s,
                 INT32_MAX);
    return -1;
}

/* The request's error when nothing was found, whose libvirt error is set. */
static int fail_lookup(struct vg_request *rq, const char *s)
{
    if (rq->by != VG_LOOKUP_UUID || !vg_error_is_virt(&rq->error, VIR_ERR_INVALID_ARG))
        return -1;
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 "'%s' is not a UUID; with by=uuid, 32 hexadecimal digits are "
                 "accepted, with or without dashes",
                 s);
    return -1;
}

static virDomainPtr find_all(struct vg_request *rq, const char *s)
{
    virConnectPtr conn = vg_conn(rq);
    virDomainPtr dom = rq->by ? look_up(conn, rq->by, s) : find_any(conn, s);

    if (!dom)
        vg_error_set_virt(&rq->error);
    return dom;
}

virDomainPtr vg_find_domain(struct vg_request *rq, const char *s)
{
    if (rq->by == VG_LOOKUP_ID && parse_id(s) < 0) {
        (void)fail_id(rq, s);
        return NULL;
    }
    virDomainPtr dom = vg_sees_all_domains(rq) ? find_all(rq, s) : find_seen(rq, s);
    if (!dom)
        (void)fail_lookup(rq, s);
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
