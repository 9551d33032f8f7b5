/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /storage-pools and /storage-pools/{pool}: the class of storage pools. Their volumes are
 * in volume.c.
 */
#include "routes/routes.h"
#include "routes/storage/pool.h"
#include "virtgate/autoptr.h"
#include "virtgate/failure.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/object_class.h"
#include "virtgate/operation.h"
#include "virtgate/used_by.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <string.h>

#define LIST(what) VIR_CONNECT_LIST_STORAGE_POOLS_##what

/* ---- fields ------------------------------------------------------------------------ */

/* What types are called in documents, the commonest first: lists ask for one after the
 * other. */
static const struct vg_enum_value type_values[] = {
    {"dir", NULL, LIST(DIR)},
    {"fs", NULL, LIST(FS)},
    {"netfs", NULL, LIST(NETFS)},
    {"logical", NULL, LIST(LOGICAL)},
    {"rbd", NULL, LIST(RBD)},
    {"iscsi", NULL, LIST(ISCSI)},
    {"iscsi-direct", NULL, LIST(ISCSI_DIRECT)},
    {"zfs", NULL, LIST(ZFS)},
    {"gluster", NULL, LIST(GLUSTER)},
    {"disk", NULL, LIST(DISK)},
    {"scsi", NULL, LIST(SCSI)},
    {"mpath", NULL, LIST(MPATH)},
    {"sheepdog", NULL, LIST(SHEEPDOG)},
    {"vstorage", NULL, LIST(VSTORAGE)},
};
static const struct vg_enum types = {"types", type_values,
                                     sizeof(type_values) / sizeof(type_values[0])};

/* Why it is not running, where somebody tried to start it here. */
static int write_failure(struct vg_request *rq, struct vg_json *w, virStoragePoolPtr pool,
                         int state)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (virStoragePoolGetUUIDString(pool, uuid) < 0)
        return -1;
    if (state == VIR_STORAGE_POOL_RUNNING)
        vg_json_null(w, "failure");
    else
        vg_failure_write(rq, w, "failure", VG_KIND_STORAGE_POOL, uuid);
    return 0;
}

static int write_info(struct vg_request *rq, struct vg_json *w, void *pool,
                      const struct vg_wanted *wanted)
{
    virStoragePoolInfo info;

    if (virStoragePoolGetInfo(pool, &info) < 0)
        return -1;
    if (vg_wants(wanted, "state"))
        vg_json_enum(w, "state", &vg_enum_virStoragePoolState, info.state);
    if (vg_wants(wanted, "capacityBytes"))
        vg_json_uint(w, "capacityBytes", info.capacity);
    if (vg_wants(wanted, "allocationBytes"))
        vg_json_uint(w, "allocationBytes", info.allocation);
    if (vg_wants(wanted, "availableBytes"))
        vg_json_uint(w, "availableBytes", info.available);
    return vg_wants(wanted, "failure") ? write_failure(rq, w, pool, info.state) : 0;
}

static json_t *get_path(const json_t *document)
{
    return json_incref(vg_json_inner(document, "target", "path"));
}

/* The folder that only volumes of this pool are in. Borrowed; NULL: there is none, links
 * to all disks are in one. */
static const char *own_folder(const json_t *document)
{
    const char *path = vg_json_inner_text(document, "target", "path");
    const char *type = json_string_value(json_object_get(document, "@type"));
    bool shared = path && strncmp(path, "/dev/", 5) == 0;

    return shared && !(type && strcmp(type, "logical") == 0) ? NULL : path;
}

static int write_used_by(struct vg_request *rq, struct vg_json *w, void *pool,
                         const struct vg_wanted *wanted)
{
    vg_autofree char *xml = virStoragePoolGetXMLDesc(pool, 0);
    struct vg_error ignored = {0};
    json_auto_t *document = xml ? vg_xml_to_json(xml, &ignored) : NULL;
    const struct vg_use use = {.pool = virStoragePoolGetName(pool),
                               .path = own_folder(json_object_get(document, "pool"))};

    (void)wanted;
    vg_error_clear(&ignored); /* then by its name alone */
    return xml ? vg_write_used_by(rq, w, &use) : -1;
}

static json_t *get_type(const json_t *document)
{
    return json_incref(json_object_get(document, "@type"));
}

/* The element, or the first where several may stand. Borrowed. */
static json_t *first_of(const json_t *parent, const char *name)
{
    json_t *element = json_object_get(parent, name);
    return json_is_array(element) ? json_array_get(element, 0) : element;
}

/* What of <source> the short form has, too, by the same names; of several hosts the
 * first: the document has them all. */
static json_t *get_source(const json_t *document)
{
    const json_t *from = json_object_get(document, "source");
    json_t *source = json_object();

    json_object_set(source, "host", json_object_get(first_of(from, "host"), "@name"));
    json_object_set(source, "name", first_of(from, "name"));
    json_object_set(source, "dir", json_object_get(first_of(from, "dir"), "@path"));
    json_object_set(source, "device", json_object_get(first_of(from, "device"), "@path"));
    json_object_set(source, "format", json_object_get(first_of(from, "format"), "@type"));
    json_object_set(source, "adapter",
                    json_object_get(first_of(from, "adapter"), "@name"));
    if (json_object_size(source))
        return source;
    json_decref(source);
    return NULL;
}

/* ---- what a host may be given ------------------------------------------------------ */

/* Paths of a document are opened by the driver: where that is the gateway's own process,
 * --local-dir holds for them as for every other path. iSCSI's names are no paths. */
static int check_paths(struct vg_request *rq, const char *key, json_t *value)
{
    const char *text = json_string_value(value), *name;
    json_t *member;
    size_t i;

    if (text && (strcmp(key, "path") == 0 || strcmp(key, "@path") == 0))
        return strncmp(text, "iqn.", 4) == 0 ? 0 : vg_host_folder_check(rq, key, text);
    json_array_foreach (value, i, member)
        if (check_paths(rq, key, member) < 0)
            return -1;
    json_object_foreach (value, name, member)
        if (check_paths(rq, strcmp(name, "#text") == 0 ? key : name, member) < 0)
            return -1;
    return 0;
}

static int check_document(struct vg_request *rq, json_t *document)
{
    return vg_host_is_local(rq) ? check_paths(rq, "pool", document) : 0;
}

bool vg_pool_is_unsupported(struct vg_request *rq, const char *type)
{
    vg_autofree char *xml = virConnectGetStoragePoolCapabilities(vg_conn(rq), 0);
    struct vg_error ignored = {0};
    json_auto_t *all = xml ? vg_xml_to_json(xml, &ignored) : NULL;
    const json_t *known = json_object_get(all, "storagepoolCapabilities"), *pool;
    size_t i;

    vg_error_clear(&ignored);
    json_array_foreach (json_object_get(known, "pool"), i, pool) {
        const char *name = json_string_value(json_object_get(pool, "@type"));
        const char *supported = json_string_value(json_object_get(pool, "@supported"));
        if (type && name && supported && strcmp(name, type) == 0)
            return strcmp(supported, "no") == 0;
    }
    return false;
}

/* Whether a pool is there that has what this document names: where nothing is started,
 * failed operations are about nothing else (conf/virstorageobj.c). */
static bool is_conflict(struct vg_request *rq, const json_t *document)
{
    const struct vg_error *e = vg_request_error(rq);
    const char *path = vg_json_inner_text(document, "target", "path");

    if (!vg_error_is_virt(e, VIR_ERR_OPERATION_FAILED) ||
        !vg_error_is_from(e, VIR_FROM_STORAGE))
        return false;
    if (!vg_peek_true(rq, "transient"))
        return true;
    vg_autoptr(virStoragePool) other =
        path ? virStoragePoolLookupByTargetPath(vg_conn(rq), path) : NULL;
    return other != NULL;
}

static int status_of(struct vg_request *rq, const json_t *document)
{
    if (is_conflict(rq, document))
        return 409;
    return vg_pool_is_unsupported(rq,
                                  json_string_value(json_object_get(document, "@type")))
               ? 501
               : 0;
}

/* ---- the class --------------------------------------------------------------------- */

static bool is_path(const char *text)
{
    return text[0] == '/';
}

VG_OBJECT_FREE(free_pool, virStoragePoolFree)
VG_OBJECT_TEXT(get_name, virStoragePoolGetName)
VG_OBJECT_UUID(get_uuid, virStoragePoolGetUUIDString)
VG_OBJECT_FIND(find_by_name, virStoragePoolLookupByName)
VG_OBJECT_FIND(find_by_uuid, virStoragePoolLookupByUUIDString)
VG_OBJECT_FIND(find_by_path, virStoragePoolLookupByTargetPath)
VG_OBJECT_LIST(list_pools, virStoragePool, virConnectListAllStoragePools)
VG_OBJECT_XML(get_xml, virStoragePoolGetXMLDesc)
VG_OBJECT_MAKE(define_pool, virStoragePoolDefineXML)
VG_OBJECT_MAKE(create_pool, virStoragePoolCreateXML)
VG_OBJECT_CHANGE(start_pool, virStoragePoolCreate)
VG_OBJECT_CHANGE_PLAIN(destroy_pool, virStoragePoolDestroy)
VG_OBJECT_CHANGE_PLAIN(undefine_pool, virStoragePoolUndefine)
VG_OBJECT_ASK(is_active, virStoragePoolIsActive)
VG_OBJECT_ASK(is_persistent, virStoragePoolIsPersistent)
VG_OBJECT_AUTOSTART(virStoragePoolGetAutostart, virStoragePoolSetAutostart)

static const struct vg_object_field fields[] = {
    {.name = "name", .view = VG_VIEW_BRIEF, .covered = true},
    {.name = "uuid", .view = VG_VIEW_BRIEF, .covered = true},
    {.name = "active",
     .view = VG_VIEW_BRIEF,
     .covered = true,
     .ask = is_active,
     .yes = LIST(ACTIVE),
     .no = LIST(INACTIVE)},
    {.name = "persistent",
     .view = VG_VIEW_BRIEF,
     .covered = true,
     .ask = is_persistent,
     .yes = LIST(PERSISTENT),
     .no = LIST(TRANSIENT)},
    {.name = "type",
     .view = VG_VIEW_BRIEF,
     .covered = true,
     .values = &types,
     .from = get_type},
    {.name = "autostart",
     .ask = is_autostart,
     .yes = LIST(AUTOSTART),
     .no = LIST(NO_AUTOSTART)},
    {.name = "state", .read = write_info},
    {.name = "capacityBytes", .read = write_info},
    {.name = "allocationBytes", .read = write_info},
    {.name = "availableBytes", .read = write_info},
    {.name = "failure", .read = write_info},
    {.name = "path", .view = VG_VIEW_ONE, .from = get_path},
    {.name = "source", .view = VG_VIEW_ONE, .from = get_source},
    {.name = "usedBy", .view = VG_VIEW_USE, .read = write_used_by},
    {.name = "lastEvent", .view = VG_VIEW_NAMED, .read = vg_object_write_last_event},
    {0},
};

static const struct vg_object_choice choices[] = {
    {.name = "type", .flags = &types, .covered = true},
    {0},
};

const struct vg_object_class vg_storage_pool_class = {
    .kind = VG_KIND_STORAGE_POOL,
    .root = "pool",
    .check = check_document,
    .free = free_pool,
    .name = get_name,
    .uuid = get_uuid,
    .lookups = {{VG_LOOKUP_UUID, find_by_uuid, vg_is_uuid},
                {VG_LOOKUP_PATH, find_by_path, is_path},
                {VG_LOOKUP_NAME, find_by_name, NULL}},
    .list = list_pools,
    .list_flags = &vg_enum_virConnectListAllStoragePoolsFlags,
    .choices = choices,
    .fields = fields,
    .xml = get_xml,
    .xml_flags = &vg_enum_virStorageXMLFlags,
    .xml_next = VIR_STORAGE_XML_INACTIVE,
    .define = {define_pool, &vg_enum_virStoragePoolDefineFlags},
    .create = {create_pool, &vg_enum_virStoragePoolCreateFlags},
    .start = {start_pool, &vg_enum_virStoragePoolCreateFlags},
    .destroy = {destroy_pool, NULL},
    .undefine = {undefine_pool, NULL},
    .keeps_failure = true,
    .status_of = status_of,
    .is_active = is_active,
    .is_persistent = is_persistent,
    .get_autostart = get_autostart,
    .set_autostart = set_autostart,
};

/* ---- GET /storage-pools?targetPath= ------------------------------------------------ */

static int find_by_target(struct vg_request *rq, void *conn, void *data, void **ret_pool)
{
    const char *const *path = data;

    if (!*path)
        return 0;
    *ret_pool = virStoragePoolLookupByTargetPath(conn, *path);
    return *ret_pool ? 0 : vg_error_set_virt(vg_request_error(rq));
}

static struct vg_reply list_storage_pools(struct vg_request *rq)
{
    const char *path = NULL;
    const struct vg_field own[] = {VG_TEXT("targetPath", &path), VG_END};

    return vg_object_list_found(rq, own, find_by_target, &path);
}

/* ---- the short form ---------------------------------------------------------------- */

/* {"name": "iso", "type": "dir", "path": "/srv/iso", "build": true, "start": true}; what
 * is not a folder has a `source`. */
struct source {
    const char *host, *name, *dir, *device, *format, *initiator, *adapter;
    int64_t port; /* 0: the protocol's own */
};

struct form {
    const char *name, *path;
    int type; /* a value of `types` */
    json_t *source;
    bool build;
};

static int read_source(struct vg_request *rq, json_t *given, struct source *ret)
{
    const struct vg_field args[] = {
        VG_TEXT("host", &ret->host),
        VG_NUMBER("port", &ret->port, 1, 65535),
        VG_TEXT("name", &ret->name),
        VG_TEXT("dir", &ret->dir),
        VG_TEXT("device", &ret->device),
        VG_TEXT("format", &ret->format),
        VG_TEXT("initiator", &ret->initiator),
        VG_TEXT("adapter", &ret->adapter),
        VG_END,
    };
    return given ? vg_args_object(rq, "source", given, args) : 0;
}

static json_t *make_host(const struct source *s)
{
    char port[24];

    if (!s->host)
        return NULL;
    snprintf(port, sizeof(port), "%lld", (long long)s->port);
    return json_pack("{s:s, s:s*}", "@name", s->host, "@port", s->port ? port : NULL);
}

/* {KEY: text}; NULL for none. */
static json_t *make_attribute(const char *key, const char *text)
{
    return text ? json_pack("{s:s}", key, text) : NULL;
}

static json_t *make_source(const struct source *s)
{
    json_t *initiator =
        s->initiator ? json_pack("{s:{s:s}}", "iqn", "@name", s->initiator) : NULL;
    json_t *adapter =
        s->adapter ? json_pack("{s:s, s:s}", "@type", "scsi_host", "@name", s->adapter)
                   : NULL;
    json_t *source = json_pack(
        "{s:o*, s:s*, s:o*, s:o*, s:o*, s:o*, s:o*}", "host", make_host(s), "name",
        s->name, "dir", make_attribute("@path", s->dir), "device",
        make_attribute("@path", s->device), "format", make_attribute("@type", s->format),
        "initiator", initiator, "adapter", adapter);
    if (json_object_size(source))
        return source;
    json_decref(source);
    return NULL;
}

static int fail_missing(struct vg_request *rq, const char *name)
{
    vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY, "'%s' is missing", name);
    return -1;
}

/* What is said here libvirt would say of an element of a document. */
static int check_form(struct vg_request *rq, const struct form *f)
{
    bool folder = f->type == LIST(DIR) || f->type == LIST(FS) || f->type == LIST(NETFS);

    if (!f->name)
        return fail_missing(rq, "name");
    if (folder && !f->path)
        return fail_missing(rq, "path");
    return f->path ? vg_host_folder_check(rq, "path", f->path) : 0;
}

static const char *type_name(int type)
{
    for (size_t i = 0; i < types.count; i++)
        if (types.values[i].value == type)
            return types.values[i].name;
    return NULL;
}

static char *make_document(struct vg_request *rq, void *form)
{
    const struct form *f = form;
    struct source source = {0};

    if (check_form(rq, f) < 0 || read_source(rq, f->source, &source) < 0)
        return NULL;
    json_auto_t *document =
        json_pack("{s:{s:s, s:s, s:o*, s:o*}}", "pool", "@type", type_name(f->type),
                  "name", f->name, "source", make_source(&source), "target",
                  f->path ? json_pack("{s:s}", "path", f->path) : NULL);
    if (!document) {
        vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    return vg_xml_from_json(document, vg_request_error(rq));
}

static int begin_pool(struct vg_request *rq, void *form)
{
    const struct form *f = form;

    if (!f->build)
        return 0;
    if (vg_peek_true(rq, "transient"))
        return vg_fail_value(rq, "'build' is for what is defined; with 'transient' say "
                                 "\"flags\": [\"with-build\"]");
    return vg_request_ask(rq, "storage_pool:format", "'build' makes the pool's storage");
}

/* A device gets a file system only where it is said whether one may be there: none that
 * is there is lost. Without one there is a folder to make. */
static int build_file_system(void *pool)
{
    if (virStoragePoolBuild(pool, VIR_STORAGE_POOL_BUILD_NO_OVERWRITE) == 0)
        return 0;
    return virGetLastErrorCode() == VIR_ERR_STORAGE_POOL_BUILT
               ? virStoragePoolBuild(pool, 0)
               : -1;
}

static int build_new(void *pool, void *form)
{
    const struct form *f = form;

    if (!f->build)
        return 0;
    return f->type == LIST(FS) ? build_file_system(pool) : virStoragePoolBuild(pool, 0);
}

static struct vg_reply define_storage_pool(struct vg_request *rq)
{
    struct form f = {.type = LIST(DIR)};
    const struct vg_field members[] = {
        VG_TEXT("name", &f.name), VG_ONE_OF("type", &f.type, &types),
        VG_TEXT("path", &f.path), VG_JSON("source", &f.source), VG_END};
    const struct vg_field options[] = {VG_BOOL("build", &f.build), VG_END};
    const struct vg_object_form form = {
        .fields = members,
        .make = make_document,
        .form = &f,
        .options = options,
        .begin = begin_pool,
        .prepare = build_new,
    };
    return vg_object_post_form(rq, &form);
}

/* ---- build, refresh, delete-data --------------------------------------------------- */

/* A call on the pool's storage, which may take long; libvirt's flags by their names. Why
 * it failed is kept as that of `operation`, NULL: not. */
static struct vg_reply work(struct vg_request *rq, const char *operation,
                            int (*call)(virStoragePoolPtr pool, unsigned int flags),
                            const struct vg_enum *names, bool needs_active)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    unsigned int flags = 0;
    const struct vg_field args[] = {
        names ? (struct vg_field)VG_NAMES("flags", &flags, names)
              : (struct vg_field)VG_END,
        VG_END};

    vg_autoptr(virStoragePool) pool = vg_args_path_object(rq, VG_KIND_STORAGE_POOL, args);
    if (!pool || vg_operation_begin_call(rq) < 0)
        return vg_fail(rq);
    struct vg_reply reply =
        call(pool, flags) < 0
            ? vg_object_fail(rq, VG_KIND_STORAGE_POOL, pool, needs_active)
            : vg_no_content(rq);
    if (operation && virStoragePoolGetUUIDString(pool, uuid) == 0)
        vg_failure_note(rq, VG_KIND_STORAGE_POOL, uuid, operation);
    return reply;
}

static struct vg_reply build_storage_pool(struct vg_request *rq)
{
    return work(rq, "build", virStoragePoolBuild, &vg_enum_virStoragePoolBuildFlags,
                false);
}

static struct vg_reply refresh_storage_pool(struct vg_request *rq)
{
    return work(rq, "refresh", virStoragePoolRefresh, NULL, true);
}

static struct vg_reply delete_data(struct vg_request *rq)
{
    return work(rq, NULL, virStoragePoolDelete, &vg_enum_virStoragePoolDeleteFlags,
                false);
}

/* clang-format off */
const struct vg_route vg_routes_storage_pool[] = {
    {VG_GET, "/storage-pools", "listStoragePools", list_storage_pools,
     .needs = "connect:search_storage_pools storage_pool:getattr storage_pool:read",
     .takes = VG_TAKES_ARGS, .hosts = VG_ONE_OR_ALL_HOSTS, .shared = true},
    {VG_POST, "/storage-pools", "defineStoragePool", define_storage_pool,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:write storage_pool:save "
              "storage_pool:start gateway:document",
     .runs_on = VG_ON_LONG, .takes = VG_TAKES_XML},
    {VG_GET, "/storage-pools/{pool}", "getStoragePool", vg_object_get,
     .needs = "storage_pool:getattr storage_pool:read", .gives = VG_GIVES_JSON_OR_XML,
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/storage-pools/{pool}", "replaceStoragePool", vg_object_put,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:write storage_pool:save "
              "gateway:document",
     .takes = VG_TAKES_DOCUMENT},
    {VG_PATCH, "/storage-pools/{pool}", "patchStoragePool", vg_object_patch,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:save storage_pool:write",
     .takes = VG_TAKES_DOCUMENT},
    {VG_DELETE, "/storage-pools/{pool}", "undefineStoragePool", vg_object_delete,
     .needs = "storage_pool:getattr storage_pool:delete"},
    {VG_GET, "/storage-pools/{pool}/xml", "getStoragePoolXml", vg_object_get_xml,
     .needs = "storage_pool:getattr storage_pool:read", .gives = VG_GIVES_XML_OR_JSON,
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/storage-pools/{pool}/xml", "redefineStoragePool", vg_object_put_xml,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:write storage_pool:save "
              "gateway:document",
     .takes = VG_TAKES_XML},
    {VG_POST, "/storage-pools/{pool}/start", "startStoragePool", vg_object_start,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:start", .runs_on = VG_ON_LONG,
     .takes = VG_TAKES_ARGS},
    {VG_POST, "/storage-pools/{pool}/destroy", "destroyStoragePool", vg_object_destroy,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:stop"},
    {VG_POST, "/storage-pools/{pool}/build", "buildStoragePool", build_storage_pool,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:format", .runs_on = VG_ON_LONG,
     .takes = VG_TAKES_ARGS},
    {VG_POST, "/storage-pools/{pool}/refresh", "refreshStoragePool", refresh_storage_pool,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:refresh", .runs_on = VG_ON_LONG},
    {VG_POST, "/storage-pools/{pool}/delete-data", "deleteStoragePoolData", delete_data,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:format", .runs_on = VG_ON_LONG,
     .takes = VG_TAKES_ARGS},
    {VG_GET, "/storage-pools/{pool}/autostart", "getStoragePoolAutostart", vg_object_get_autostart,
     .needs = "storage_pool:getattr storage_pool:read", .shared = true},
    {VG_PUT, "/storage-pools/{pool}/autostart", "setStoragePoolAutostart", vg_object_put_autostart,
     .needs = "storage_pool:getattr storage_pool:read storage_pool:write",
     .takes = VG_TAKES_ARGS},
    {VG_GET, "/storage-pools/{pool}/events", "watchStoragePoolEvents", vg_object_watch,
     .needs = "storage_pool:getattr", .runs_on = VG_ON_FAST, .gives = VG_GIVES_EVENTS,
     .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
