/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See new_volume.h.
 */
#include "routes/storage/new_volume.h"

#include "routes/storage/receive.h"
#include "virtgate/autoptr.h"
#include "virtgate/body_stream.h"
#include "virtgate/conflict.h"
#include "virtgate/host.h"
#include "virtgate/object_class.h"
#include "virtgate/operation.h"
#include "virtgate/transfer.h"
#include "virtgate/volume.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- sizes ------------------------------------------------------------------------- */

static int count_given(const struct vg_size *s)
{
    return (s->bytes >= 0) + (s->kib >= 0) + (s->mib >= 0) + (s->gib >= 0);
}

bool vg_size_is_given(const struct vg_size *size)
{
    return count_given(size) > 0;
}

int vg_size_check(struct vg_request *rq, const char *name, const struct vg_size *size,
                  bool needed)
{
    int n = count_given(size);

    if (n == 1 || (n == 0 && !needed))
        return 0;
    vg_error_set(vg_request_error(rq), n ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                 "One of '%sBytes', '%sKiB', '%sMiB' and '%sGiB' is %s", name, name, name,
                 name, n ? "accepted" : "missing");
    return -1;
}

uint64_t vg_size_bytes(const struct vg_size *s)
{
    return s->bytes >= 0 ? (uint64_t)s->bytes
           : s->kib >= 0 ? (uint64_t)s->kib << 10
           : s->mib >= 0 ? (uint64_t)s->mib << 20
                         : (uint64_t)s->gib << 30;
}

/* ---- the short form ---------------------------------------------------------------- */

/* {"name": "web.qcow2", "capacityGiB": 20, "format": "qcow2", "backing": "debian.qcow2"}
 */
struct form {
    const char *name, *format, *backing, *backing_format;
    struct vg_size capacity, allocation;
    json_t *permissions;
    const char *clone;
    json_t *import;
    virStorageVolPtr source;     /* of `clone`; owned */
    struct vg_volume_hold *hold; /* of that one; owned */
};

static void clear_form(struct form *f)
{
    vg_volume_release(f->hold);
    if (f->source)
        (void)virStorageVolFree(f->source);
}

void vg_image_clear(struct vg_image *image)
{
    free(image->path);
    free(image->format);
}

virStorageVolPtr vg_find_volume(struct vg_request *rq, virStoragePoolPtr pool,
                                const char *key, const char *text)
{
    const char *slash = strchr(text, '/');

    if (slash ? slash == text || !slash[1] : !pool || !*text) {
        (void)vg_args_fail_member(rq, key,
                                  pool ? "VOLUME or POOL/VOLUME" : "POOL/VOLUME");
        return NULL;
    }
    vg_autofree char *name = slash ? strndup(text, (size_t)(slash - text)) : NULL;
    vg_autoptr(virStoragePool) other =
        name ? virStoragePoolLookupByName(vg_conn(rq), name) : NULL;
    virStorageVolPtr volume = NULL;
    if (!slash || other)
        volume =
            virStorageVolLookupByName(slash ? other : pool, slash ? slash + 1 : text);
    if (!volume)
        (void)vg_error_set_virt(vg_request_error(rq));
    return volume;
}

int vg_image_read(struct vg_request *rq, virStorageVolPtr volume, struct vg_image *ret)
{
    json_auto_t *root = vg_volume_document(rq, volume);
    if (!root)
        return -1;
    const json_t *target = json_object_get(root, "target");
    const char *path = json_string_value(json_object_get(target, "path"));
    const char *format = vg_volume_format(root);
    json_auto_t *capacity = vg_json_digits(vg_json_inner(root, "capacity", "#text"));

    ret->path = strdup(path ? path : "");
    ret->format = strdup(format ? format : "raw");
    ret->capacity = (uint64_t)json_integer_value(capacity);
    return ret->path && ret->format ? 0 : vg_error_set_memory(vg_request_error(rq));
}

/* What the new volume stands on. A format is always said: an image whose format is
 * guessed may be taken for another by its own content. */
static int find_backing(struct vg_request *rq, const struct form *f,
                        virStoragePoolPtr pool, struct vg_image *ret)
{
    bool is_path = f->backing[0] == '/';
    vg_autoptr(virStorageVol) volume = NULL;

    if (is_path && vg_host_file_check(rq, "backing", f->backing) < 0)
        return -1;
    volume = is_path ? virStorageVolLookupByPath(vg_conn(rq), f->backing)
                     : vg_find_volume(rq, pool, "backing", f->backing);
    if (volume ? vg_image_read(rq, volume, ret) < 0 : !is_path)
        return -1;
    if (!ret->path)
        ret->path = strdup(f->backing);
    if (f->backing_format) {
        free(ret->format);
        ret->format = strdup(f->backing_format);
    }
    if (ret->path && ret->format)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                 "'%s' is no volume of a pool: its format is needed, 'backingFormat'",
                 f->backing);
    return -1;
}

/* The pool's document, without its root. NULL: the request's error is set. */
static json_t *read_pool(struct vg_request *rq, virStoragePoolPtr pool)
{
    vg_autofree char *xml = virStoragePoolGetXMLDesc(pool, 0);
    if (!xml) {
        (void)vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    json_auto_t *document = vg_xml_to_json(xml, vg_request_error(rq));
    return json_incref(json_object_get(document, "pool"));
}

static bool has_files(const json_t *pool)
{
    static const char *const types[] = {"dir", "fs", "netfs", "gluster", "vstorage"};
    const char *type = json_string_value(json_object_get(pool, "@type"));

    for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

int vg_pool_has_files(struct vg_request *rq, virStoragePoolPtr pool)
{
    json_auto_t *document = read_pool(rq, pool);
    return document ? has_files(document) : -1;
}

json_t *vg_volume_size(uint64_t bytes)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, bytes);
    return json_pack("{s:s, s:s}", "@unit", "bytes", "#text", text);
}

/* The daemon of a session cannot give files away. -1: the request's error is set. */
static int gives_away(struct vg_request *rq)
{
    struct vg_host_facts *facts = vg_host_facts(rq);
    int gives = facts ? strstr(facts->uri, "/system") != NULL : -1;

    if (facts)
        vg_host_facts_unref(facts);
    return gives;
}

/* {"owner", "group"} of the pool's folder where it is not root's, which files are anyway.
 */
static json_t *get_owner(const json_t *pool)
{
    const json_t *permissions = vg_json_inner(pool, "target", "permissions");
    json_t *owner = json_object_get(permissions, "owner");
    json_t *group = json_object_get(permissions, "group");
    const char *user = json_string_value(owner);

    return has_files(pool) && user && strcmp(user, "0") != 0
               ? json_pack("{s:O, s:O*}", "owner", owner, "group", group)
               : NULL;
}

/* What the request says, over what the pool says. */
static int read_permissions(struct vg_request *rq, json_t *given, json_t *permissions)
{
    const char *mode = NULL, *label = NULL;
    int64_t owner = -1, group = -1;
    char owner_text[24], group_text[24];
    const struct vg_field args[] = {
        VG_TEXT("mode", &mode), VG_NUMBER("owner", &owner, 0, UINT32_MAX - 1),
        VG_NUMBER("group", &group, 0, UINT32_MAX - 1), VG_TEXT("label", &label), VG_END};

    if (vg_args_object(rq, "permissions", given, args) < 0)
        return -1;
    size_t digits = mode ? strspn(mode, "01234567") : 0;
    if (mode && (digits < 3 || digits > 4 || mode[digits]))
        return vg_args_fail_member(rq, "permissions/mode", "an octal mode like \"0640\"");
    snprintf(owner_text, sizeof(owner_text), "%" PRId64, owner);
    snprintf(group_text, sizeof(group_text), "%" PRId64, group);
    json_auto_t *wanted = json_pack("{s:s*, s:s*, s:s*, s:s*}", "mode", mode, "owner",
                                    owner < 0 ? NULL : owner_text, "group",
                                    group < 0 ? NULL : group_text, "label", label);
    return json_object_update(permissions, wanted) < 0
               ? vg_error_set_memory(vg_request_error(rq))
               : 0;
}

int vg_volume_permissions(struct vg_request *rq, virStoragePoolPtr pool, json_t *given,
                          json_t **ret)
{
    int gives = gives_away(rq);
    json_auto_t *document = gives < 0 ? NULL
                            : gives   ? read_pool(rq, pool)
                                      : json_object();
    json_t *owner = document ? get_owner(document) : NULL;
    json_auto_t *permissions = owner ? owner : json_object();

    if (!document || (given && read_permissions(rq, given, permissions) < 0))
        return -1;
    *ret = json_object_size(permissions) ? json_incref(permissions) : NULL;
    return 0;
}

/* What the words do not say: the capacity of what it is a copy of, or stands on; a copy's
 * format, where volumes have formats, is its source's, on a backing store it is qcow2. */
struct made {
    struct vg_image source, backing;
    uint64_t capacity;
    const char *format; /* NULL: the pool's own */
};

static void clear_made(struct made *m)
{
    vg_image_clear(&m->source);
    vg_image_clear(&m->backing);
}

/* libvirt makes a copy as large as its source: larger is a second step, smaller is none.
 */
static int check_copy(struct vg_request *rq, uint64_t capacity, uint64_t source)
{
    if (capacity >= source)
        return capacity == source
                   ? 0
                   : vg_request_ask(rq, "storage_vol:resize", "a larger copy is resized");
    return vg_fail_value(rq, "The source has %llu bytes, and a copy no less",
                         (unsigned long long)source);
}

static int complete(struct vg_request *rq, const struct form *f, virStoragePoolPtr pool,
                    struct made *m)
{
    bool known = vg_size_is_given(&f->capacity);

    if (f->source && vg_image_read(rq, f->source, &m->source) < 0)
        return -1;
    if (f->source && known &&
        check_copy(rq, vg_size_bytes(&f->capacity), m->source.capacity) < 0)
        return -1;
    if (f->backing && find_backing(rq, f, pool, &m->backing) < 0)
        return -1;
    m->capacity = known                ? vg_size_bytes(&f->capacity)
                  : m->source.capacity ? m->source.capacity
                                       : m->backing.capacity;
    if (!known && !m->capacity)
        return vg_size_check(rq, "capacity", &f->capacity, true);
    m->format = f->format ? f->format : f->backing ? "qcow2" : NULL;
    if (m->format || !m->source.format || strcmp(m->source.format, "raw") == 0)
        return 0;
    int files = vg_pool_has_files(rq, pool);
    m->format = files == 1 ? m->source.format : NULL;
    return files < 0 ? -1 : 0;
}

static json_t *make_format(const char *format)
{
    return format ? json_pack("{s:s}", "@type", format) : NULL;
}

static char *make_document(struct vg_request *rq, void *form)
{
    const struct form *f = form;
    VG_CLEANUP(clear_made) struct made m = {0};
    json_t *permissions = NULL;

    if (!f->name) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY, "'name' is missing");
        return NULL;
    }
    vg_autoptr(virStoragePool) pool = vg_path_object(rq, VG_KIND_STORAGE_POOL);
    if (!pool || vg_size_check(rq, "capacity", &f->capacity, false) < 0 ||
        vg_size_check(rq, "allocation", &f->allocation, false) < 0 ||
        complete(rq, f, pool, &m) < 0 ||
        vg_volume_permissions(rq, pool, f->permissions, &permissions) < 0)
        return NULL;
    json_t *backing = f->backing ? json_pack("{s:s, s:o}", "path", m.backing.path,
                                             "format", make_format(m.backing.format))
                                 : NULL;
    json_t *allocation = vg_size_is_given(&f->allocation)
                             ? vg_volume_size(vg_size_bytes(&f->allocation))
                             : NULL;
    json_auto_t *document =
        json_pack("{s:{s:s, s:o, s:o*, s:{s:o*, s:o*}, s:o*}}", "volume", "name", f->name,
                  "capacity", vg_volume_size(m.capacity), "allocation", allocation,
                  "target", "format", make_format(m.format), "permissions", permissions,
                  "backingStore", backing);
    if (!document) {
        (void)vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    return vg_xml_from_json(document, vg_request_error(rq));
}

/* ---- making ------------------------------------------------------------------------ */

static int find_source(struct vg_request *rq, void *form)
{
    struct form *f = form;

    if (!f->clone)
        return 0;
    f->source = vg_find_volume(rq, NULL, "clone", f->clone);
    f->hold = f->source ? vg_volume_hold(rq, f->source, VG_VOLUME_READ) : NULL;
    return f->hold ? 0 : -1;
}

static void *create(void *pool, const char *xml, unsigned int flags, void *form)
{
    const struct form *f = form;
    return f->source ? virStorageVolCreateXMLFrom(pool, xml, f->source, flags)
                     : virStorageVolCreateXML(pool, xml, flags);
}

/* A copy gets the capacity that was asked for. */
static int grow_copy(void *volume, void *form)
{
    const struct form *f = form;
    virStorageVolInfo info;

    if (!f->source || !vg_size_is_given(&f->capacity))
        return 0;
    if (virStorageVolGetInfo(volume, &info) < 0)
        return -1;
    uint64_t capacity = vg_size_bytes(&f->capacity);
    return info.capacity >= capacity ? 0 : virStorageVolResize(volume, capacity, 0);
}

static void delete_new(struct vg_request *rq, void *volume)
{
    (void)vg_volume_undo(rq, volume);
}

int vg_new_volume_check(struct vg_request *rq, json_t *document)
{
    const char *path = vg_json_inner_text(document, "backingStore", "path");

    if (!vg_host_is_local(rq) || !json_object_get(document, "backingStore"))
        return 0;
    if (!path)
        return vg_args_fail_member(rq, "backingStore", "one with a path");
    vg_autoptr(virStorageVol) volume = virStorageVolLookupByPath(vg_conn(rq), path);
    return volume ? 0 : vg_host_file_check(rq, "backingStore/path", path);
}

/* ---- made and filled in one request --------------------------------------------------
 */

/* Of a copy libvirt says but "internal error" where there is a volume of that name. */
static void set_error(struct vg_request *rq, virStoragePoolPtr pool, const char *xml)
{
    vg_autofree char *name = NULL;

    (void)vg_error_set_virt(vg_request_error(rq));
    (void)vg_xml_identity(xml, &name, NULL);
    vg_autoptr(virStorageVol) same = name ? virStorageVolLookupByName(pool, name) : NULL;
    vg_error_explain(rq, same != NULL);
}

virStorageVolPtr vg_volume_make(struct vg_request *rq, virStoragePoolPtr pool,
                                const char *xml, virStorageVolPtr source,
                                vg_volume_fill fill, void *data)
{
    vg_autoptr(virStorageVol) volume =
        source ? virStorageVolCreateXMLFrom(pool, xml, source, 0)
               : virStorageVolCreateXML(pool, xml, 0);

    if (!volume)
        set_error(rq, pool, xml);
    else if (!fill || fill(rq, volume, data) == 0)
        return vg_take(&volume);
    else
        (void)vg_volume_undo(rq, volume);
    return NULL;
}

/* Its capacity is as many bytes as come, unless the client says more. */
static int read_capacity(struct vg_request *rq, struct form *f, uint64_t *ret_limit)
{
    int64_t length = vg_body_length(rq);
    bool given = vg_size_is_given(&f->capacity);

    if (vg_size_check(rq, "capacity", &f->capacity, false) < 0)
        return -1;
    if (!given && length < 0) {
        vg_error_set(
            vg_request_error(rq), VG_E_LENGTH_REQUIRED,
            "How large the volume is to be is not known: send Content-Length, or "
            "say ?capacityBytes=");
        return -1;
    }
    if (!given)
        f->capacity.bytes = length;
    *ret_limit = vg_size_bytes(&f->capacity);
    if (length < 0 || (uint64_t)length <= *ret_limit)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_BEYOND_CAPACITY,
                 "%lld bytes come, and the volume is to have %llu", (long long)length,
                 (unsigned long long)*ret_limit);
    return -1;
}

struct filling {
    uint64_t limit;
    unsigned int flags; /* of virStorageVolUpload() */
    struct vg_announced announced;
    /* Ended after a volume that failed is gone: until then nobody else may take it. */
    struct vg_transfer *transfer;
};

/* Where all bytes of a file come, its zeros need not be sent, nor kept. -1: the request's
 * error is set. */
static int choose_holes(struct vg_request *rq, virStoragePoolPtr pool, struct form *f,
                        struct filling *filling)
{
    bool whole = filling->limit && vg_body_length(rq) == (int64_t)filling->limit;
    int files = whole ? vg_pool_has_files(rq, pool) : 0;

    if (files <= 0)
        return files;
    f->allocation.bytes = 0;
    filling->flags = VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM;
    return 0;
}

static int fill(struct vg_request *rq, virStorageVolPtr volume, void *data)
{
    struct filling *f = data;
    int64_t length = vg_body_length(rq);
    uint64_t total = length < 0 ? VG_TOTAL_UNKNOWN : (uint64_t)length, came;

    f->transfer = vg_transfer_begin(rq, volume, VG_VOLUME_WRITE, total);
    return f->transfer ? vg_content_receive(rq, f->transfer, volume, 0, f->limit,
                                            f->flags, &f->announced, &came)
                       : -1;
}

static void clear_filling(struct filling *f)
{
    vg_announced_clear(&f->announced);
}

/* As raw bytes: what is in them, libvirt sees when it reads the pool again, as it does
 * after each upload. */
static struct vg_reply make_filled(struct vg_request *rq)
{
    struct form f = {.capacity = VG_SIZE, .allocation = VG_SIZE};
    VG_CLEANUP(clear_filling) struct filling filling = {0};
    const struct vg_field args[] = {VG_NEED_TEXT("name", &f.name),
                                    VG_SIZE_FIELDS("capacity", f.capacity), VG_END};

    if (vg_args(rq, args) < 0 || read_capacity(rq, &f, &filling.limit) < 0 ||
        vg_announced_read(rq, false, &filling.announced) < 0 ||
        vg_request_ask(rq, "storage_vol:data_write", "The body fills the volume") < 0)
        return vg_fail(rq);
    vg_autoptr(virStoragePool) pool = vg_path_object(rq, VG_KIND_STORAGE_POOL);
    if (!pool || choose_holes(rq, pool, &f, &filling) < 0)
        return vg_fail(rq);
    vg_autofree char *xml = make_document(rq, &f);
    if (!xml)
        return vg_fail(rq);
    vg_autoptr(virStorageVol) same = virStorageVolLookupByName(pool, f.name);
    if (vg_request_check_new(rq, same != NULL) < 0 || vg_operation_begin_call(rq) < 0)
        return vg_fail(rq);
    vg_autoptr(virStorageVol) volume =
        vg_volume_make(rq, pool, xml, NULL, fill, &filling);
    vg_transfer_end(filling.transfer, volume != NULL);
    return volume ? vg_object_created(rq, VG_KIND_VOLUME, volume) : vg_fail(rq);
}

struct vg_reply vg_new_volume(struct vg_request *rq)
{
    if (vg_body_is_stream(rq))
        return make_filled(rq);
    VG_CLEANUP(clear_form)
    struct form f = {.capacity = VG_SIZE, .allocation = VG_SIZE};
    const struct vg_field members[] = {
        VG_TEXT("name", &f.name),
        VG_SIZE_FIELDS("capacity", f.capacity),
        VG_SIZE_FIELDS("allocation", f.allocation),
        VG_TEXT("format", &f.format),
        VG_TEXT("backing", &f.backing),
        VG_TEXT("backingFormat", &f.backing_format),
        VG_JSON("permissions", &f.permissions),
        VG_END,
    };
    /* import: never here, but named where a key is unknown (import.c) */
    const struct vg_field options[] = {VG_TEXT("clone", &f.clone),
                                       VG_JSON("import", &f.import), VG_END};
    const struct vg_object_form form = {.fields = members,
                                        .make = make_document,
                                        .form = &f,
                                        .options = options,
                                        .begin = find_source,
                                        .create = create,
                                        .prepare = grow_copy,
                                        .undo = delete_new};
    return vg_object_post_form(rq, &form);
}
