/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/trust.h"

#include "server/base/utf8.h"

#include <gnutls/crypto.h>
#include <string.h>

/* A header field that a proxy sets. */
struct field {
    const char *name;
    const char *value; /* the last one; borrowed. NULL: none came */
    unsigned int n;
};

static enum MHD_Result note(void *data, enum MHD_ValueKind kind, const char *name,
                            const char *value)
{
    struct field *field = data;
    (void)kind;

    if (strcasecmp(name, field->name) == 0) {
        field->value = value ? value : "";
        field->n++;
    }
    return MHD_YES;
}

static struct field find_field(struct vg_http_call *call, const char *name)
{
    struct field field = {.name = name};

    if (name)
        MHD_get_connection_values(call->connection, MHD_HEADER_KIND, note, &field);
    return field;
}

static const struct vg_rights *refuse(struct vg_request *rq, const char *why)
{
    rq->via = VG_VIA_NONE;
    rq->principal[0] = '\0';
    memset(rq->caller, 0, sizeof(rq->caller));
    rq->no_role = why;
    return vg_rights_of_role(VG_ROLE_NONE);
}

/* It stands in logs, in JSON and in libvirt's identity: never cut, so that nobody passes
 * for somebody else. */
static bool is_name(const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n >= VG_TOKEN_NAME_SIZE)
        return false;
    for (size_t at = 0, length; at < n; at += length) {
        length = vg_utf8_length((const unsigned char *)text + at, n - at);
        if (length == 0 || (unsigned char)text[at] < ' ' || text[at] == 0x7F)
            return false;
    }
    return true;
}

static enum vg_role lower(enum vg_role a, enum vg_role b)
{
    return a < b ? a : b;
}

/* -1: it is said, and is none. */
static int read_role(const struct field *field, enum vg_role *ret)
{
    return field->name && (field->n != 1 || vg_role_parse(field->value, ret) < 0) ? -1
                                                                                  : 0;
}

/* Of another kind than the hash of a token, whatever its text. -1: no memory. */
static int hash_name(const char *name, unsigned char ret[VG_CALLER_SIZE])
{
    static const char kind[] = "header";
    gnutls_hash_hd_t hash;

    if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
        return -1;
    gnutls_hash(hash, kind, sizeof(kind));
    gnutls_hash(hash, name, strlen(name));
    gnutls_hash_deinit(hash, ret);
    return 0;
}

static const struct vg_rights *take_name(struct vg_request *rq, const char *name,
                                         enum vg_role role)
{
    if (hash_name(name, rq->caller) < 0)
        return refuse(rq, "There is no memory to know you by");
    memcpy(rq->principal, name, strlen(name) + 1);
    rq->via = VG_VIA_HEADER;
    return vg_rights_of_role(role);
}

const struct vg_rights *vg_http_trust(struct vg_http_call *call,
                                      const struct vg_config *config,
                                      const struct vg_rights *of_connection)
{
    struct vg_request *rq = call->rq;

    if (!config->trust_header)
        return of_connection;
    struct field name = find_field(call, config->trust_header);
    struct field said = find_field(call, config->trust_role_header);
    enum vg_role role = VG_ROLE_ADMIN;
    if (!call->conn->local)
        return name.n || said.n
                   ? refuse(rq,
                            "The headers that name a caller (--trust-header, "
                            "--trust-role-header) are believed on a unix socket alone")
                   : of_connection;
    if (of_connection->role == VG_ROLE_NONE)
        return of_connection; /* a process that is nobody's proxy */
    if (name.n == 0)
        return refuse(rq, "The proxy names no caller (--trust-header)");
    if (name.n > 1 || !is_name(name.value))
        return refuse(rq, "The caller's name (--trust-header) is no text of 1 to 63 "
                          "bytes, or comes twice");
    if (read_role(&said, &role) < 0)
        return refuse(rq, "The caller's role (--trust-role-header) is none of viewer, "
                          "operator and admin, or is missing");
    return take_name(rq, name.value, lower(role, of_connection->role));
}

const struct vg_rights *vg_http_trust_ticket(struct vg_http_call *call,
                                             const struct vg_caller *named,
                                             const struct vg_rights *of_connection)
{
    if (!call->conn->local || of_connection->role == VG_ROLE_NONE)
        return vg_rights_of_role(VG_ROLE_NONE);
    return take_name(call->rq, named->principal, lower(named->role, of_connection->role));
}
