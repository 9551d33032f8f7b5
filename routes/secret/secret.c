/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /secrets and /secrets/{secret}: the class of secrets, which go by their UUID, or by
 * what they are for; and their values, which nothing but their own path shows.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/cleanup.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/object_class.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <string.h>

/* ---- what a secret is for ---------------------------------------------------------- */

/* The element that has the id, by type; NULL: there is none. */
static const char *usage_element(int type)
{
    static const char *const elements[] = {
        [VIR_SECRET_USAGE_TYPE_VOLUME] = "volume", [VIR_SECRET_USAGE_TYPE_CEPH] = "name",
        [VIR_SECRET_USAGE_TYPE_ISCSI] = "target",  [VIR_SECRET_USAGE_TYPE_TLS] = "name",
        [VIR_SECRET_USAGE_TYPE_VTPM] = "name",
    };
    size_t n = sizeof(elements) / sizeof(elements[0]);
    return type >= 0 && (size_t)type < n ? elements[type] : NULL;
}

/* What a document says of its usage. */
struct stated {
    int type;
    const char *element; /* NULL: a type without one, or none that is known */
    const char *id;      /* NULL: it does not say */
};

static struct stated read_stated(const json_t *document)
{
    const json_t *usage = json_object_get(document, "usage");
    const char *name = json_string_value(json_object_get(usage, "@type"));
    const struct vg_enum_value *type =
        name ? vg_enum_lookup(&vg_enum_virSecretUsageType, name, strlen(name)) : NULL;
    struct stated ret = {.type = type ? (int)type->value : -1};

    ret.element = usage_element(ret.type);
    ret.id = ret.element ? json_string_value(json_object_get(usage, ret.element)) : NULL;
    return ret;
}

/* The one that a document's usage belongs to already; NULL: none. */
static void *find_same(void *conn, const json_t *document)
{
    const struct stated usage = read_stated(document);
    return usage.id ? virSecretLookupByUsage(conn, usage.type, usage.id) : NULL;
}

/* A usage without what it is used for. */
static int status_of(struct vg_request *rq, const json_t *document)
{
    const struct stated usage = read_stated(document);

    (void)rq;
    return usage.element && (!usage.id || !*usage.id) ? 422 : 0;
}

/* ---- fields ------------------------------------------------------------------------ */

static const char *usage_name(int type)
{
    const struct vg_enum_value *value = vg_enum_find(&vg_enum_virSecretUsageType, type);
    return value ? value->name : NULL;
}

static const char *get_usage_type(void *secret)
{
    return usage_name(virSecretGetUsageType(secret));
}

static json_t *get_yes(const json_t *document, const char *attribute)
{
    const char *value = json_string_value(json_object_get(document, attribute));
    return json_boolean(value && strcmp(value, "yes") == 0);
}

static json_t *get_ephemeral(const json_t *document)
{
    return get_yes(document, "@ephemeral");
}

static json_t *get_private(const json_t *document)
{
    return get_yes(document, "@private");
}

static json_t *get_description(const json_t *document)
{
    return json_incref(json_object_get(document, "description"));
}

/* ---- the class --------------------------------------------------------------------- */

VG_OBJECT_FREE(free_secret, virSecretFree)
VG_OBJECT_TEXT(get_usage_id, virSecretGetUsageID)
VG_OBJECT_UUID(get_uuid, virSecretGetUUIDString)
VG_OBJECT_FIND(find_by_uuid, virSecretLookupByUUIDString)
VG_OBJECT_LIST(list_all, virSecret, virConnectListAllSecrets)
VG_OBJECT_XML(get_xml, virSecretGetXMLDesc)
VG_OBJECT_MAKE(define, virSecretDefineXML)
VG_OBJECT_CHANGE_PLAIN(undefine, virSecretUndefine)

#define LIST(what) VIR_CONNECT_LIST_SECRETS_##what

static const struct vg_object_field fields[] = {
    {.name = "uuid", .view = VG_VIEW_BRIEF, .covered = true},
    {.name = "usageType", .view = VG_VIEW_BRIEF, .covered = true, .text = get_usage_type},
    {.name = "usageId", .view = VG_VIEW_BRIEF, .covered = true, .text = get_usage_id},
    {.name = "ephemeral",
     .view = VG_VIEW_BRIEF,
     .covered = true,
     .from = get_ephemeral,
     .yes = LIST(EPHEMERAL),
     .no = LIST(NO_EPHEMERAL)},
    {.name = "private",
     .view = VG_VIEW_BRIEF,
     .covered = true,
     .from = get_private,
     .yes = LIST(PRIVATE),
     .no = LIST(NO_PRIVATE)},
    {.name = "description", .covered = true, .from = get_description},
    {.name = "lastEvent", .view = VG_VIEW_NAMED, .read = vg_object_write_last_event},
    {0},
};

const struct vg_object_class vg_secret_class = {
    .kind = VG_KIND_SECRET,
    .root = "secret",
    .free = free_secret,
    .uuid = get_uuid,
    .lookups = {{VG_LOOKUP_UUID, find_by_uuid, vg_is_uuid}},
    .find_same = find_same,
    .list = list_all,
    .list_flags = &vg_enum_virConnectListAllSecretsFlags,
    .fields = fields,
    .xml = get_xml,
    .define = {define, &vg_enum_virSecretDefineFlags},
    .undefine = {undefine, NULL},
    .status_of = status_of,
};

/* ---- GET /secrets?usageType=&usageId= ---------------------------------------------- */

struct usage {
    int type; /* -1: not given */
    const char *id;
};

static int find_by_usage(struct vg_request *rq, void *conn, void *data, void **ret_secret)
{
    const struct usage *usage = data;

    if (usage->type < 0 && !usage->id)
        return 0;
    if (usage->type < 0 || !usage->id) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                     "'usageType' and 'usageId' name a secret together");
        return -1;
    }
    *ret_secret = virSecretLookupByUsage(conn, usage->type, usage->id);
    return *ret_secret ? 0 : vg_error_set_virt(vg_request_error(rq));
}

static struct vg_reply list_secrets(struct vg_request *rq)
{
    struct usage usage = {-1, NULL};
    const struct vg_field own[] = {VG_ENUM("usageType", &usage.type, virSecretUsageType),
                                   VG_TEXT("usageId", &usage.id), VG_END};

    return vg_object_list_found(rq, own, find_by_usage, &usage);
}

/* ---- POST /secrets ----------------------------------------------------------------- */

struct form {
    int type; /* -1: not given */
    const char *id, *uuid, *description;
    bool ephemeral, is_private;
};

static int check_form(struct vg_request *rq, const struct form *f)
{
    bool has_id = usage_element(f->type) != NULL;

    if (f->type >= 0 && has_id == (f->id != NULL))
        return 0;
    vg_error_set(vg_request_error(rq),
                 f->type < 0 || !f->id ? VG_E_MISSING_KEY : VG_E_INVALID_VALUE,
                 "The short form is 'usageType' and, of all types but none, 'usageId', "
                 "and where wished 'description', 'ephemeral', 'private', 'uuid'");
    return -1;
}

static char *make_document(struct vg_request *rq, void *data)
{
    const struct form *f = data;

    if (check_form(rq, f) < 0)
        return NULL;
    json_t *usage = NULL;
    if (f->id)
        usage = json_pack("{s:s, s:s}", "@type", usage_name(f->type),
                          usage_element(f->type), f->id);
    json_auto_t *document =
        json_pack("{s:{s:s, s:s, s:s*, s:s*, s:o*}}", "secret", "@ephemeral",
                  f->ephemeral ? "yes" : "no", "@private", f->is_private ? "yes" : "no",
                  "uuid", f->uuid, "description", f->description, "usage", usage);
    if (!document) {
        vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    return vg_xml_from_json(document, vg_request_error(rq));
}

static struct vg_reply define_secret(struct vg_request *rq)
{
    struct form form = {.type = -1};
    const struct vg_field short_form[] = {
        VG_ENUM("usageType", &form.type, virSecretUsageType),
        VG_TEXT("usageId", &form.id),
        VG_TEXT("uuid", &form.uuid),
        VG_TEXT("description", &form.description),
        VG_BOOL("ephemeral", &form.ephemeral),
        VG_BOOL("private", &form.is_private),
        VG_END};

    return vg_object_post_form(rq, &(struct vg_object_form){.fields = short_form,
                                                            .make = make_document,
                                                            .form = &form});
}

/* ---- the value --------------------------------------------------------------------- */

static struct vg_reply get_value(struct vg_request *rq)
{
    vg_autoptr(virSecret) secret = vg_path_object(rq, VG_KIND_SECRET);
    size_t n = 0;

    if (!secret)
        return vg_fail(rq);
    unsigned char *value = virSecretGetValue(secret, &n, 0);
    if (value)
        return vg_ok_secret(rq, value, n);
    vg_error_set_virt(vg_request_error(rq));
    if (vg_error_is_virt(vg_request_error(rq), VIR_ERR_INVALID_SECRET)) /* private */
        vg_error_set_status(vg_request_error(rq), 403);
    return vg_fail(rq);
}

static struct vg_reply set_value(struct vg_request *rq)
{
    static const struct vg_field none[] = {VG_END};
    vg_autoptr(virSecret) secret = vg_args_path_object(rq, VG_KIND_SECRET, none);
    size_t n = 0;
    const unsigned char *value = vg_bytes_body(rq, &n);

    if (!secret)
        return vg_fail(rq);
    if (!value) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                     "The value is missing: send it as the body, of type "
                     "application/octet-stream");
        return vg_fail(rq);
    }
    if (virSecretSetValue(secret, value, n, 0) == 0)
        return vg_no_content(rq);
    vg_error_set_virt(vg_request_error(rq));
    if (vg_error_is_unsendable(vg_request_error(rq))) /* more than 64 KiB */
        vg_error_set_status(vg_request_error(rq), 413);
    return vg_fail(rq);
}

/* clang-format off */
const struct vg_route vg_routes_secret[] = {
    {VG_GET, "/secrets", "listSecrets", list_secrets,
     .needs = "connect:search_secrets secret:getattr secret:read", .runs_on = VG_ON_FAST, .takes = VG_TAKES_ARGS, .hosts = VG_ONE_OR_ALL_HOSTS, .shared = true},
    {VG_POST, "/secrets", "defineSecret", define_secret,
     .needs = "secret:getattr secret:read secret:write secret:save gateway:document", .takes = VG_TAKES_XML},
    {VG_GET, "/secrets/{secret}", "getSecret", vg_object_get,
     .needs = "secret:getattr secret:read", .gives = VG_GIVES_JSON_OR_XML, .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/secrets/{secret}", "replaceSecret", vg_object_put,
     .needs = "secret:getattr secret:read secret:write secret:save gateway:document", .takes = VG_TAKES_DOCUMENT},
    {VG_PATCH, "/secrets/{secret}", "patchSecret", vg_object_patch,
     .needs = "secret:getattr secret:read secret:write secret:save gateway:document", .takes = VG_TAKES_DOCUMENT},
    {VG_DELETE, "/secrets/{secret}", "undefineSecret", vg_object_delete,
     .needs = "secret:getattr secret:delete"},
    {VG_GET, "/secrets/{secret}/xml", "getSecretXml", vg_object_get_xml,
     .needs = "secret:getattr secret:read", .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {VG_PUT, "/secrets/{secret}/xml", "redefineSecret", vg_object_put_xml,
     .needs = "secret:getattr secret:read secret:write secret:save gateway:document", .takes = VG_TAKES_XML},
    {VG_GET, "/secrets/{secret}/value", "getSecretValue", get_value,
     .needs = "secret:getattr secret:read_secure", .gives = VG_GIVES_BYTES},
    {VG_PUT, "/secrets/{secret}/value", "setSecretValue", set_value,
     .needs = "secret:getattr secret:write", .takes = VG_TAKES_BYTES},
    {VG_GET, "/secrets/{secret}/events", "watchSecretEvents", vg_object_watch,
     .needs = "secret:getattr", .runs_on = VG_ON_FAST, .gives = VG_GIVES_EVENTS, .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
