/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Objects by their class: how they are found and called, and the handlers that show one.
 * Lists are in object_list.c, changes in object_change.c.
 */
#include "virtgate/object_class.h"

#include "server/libvirt/absent.h"
#include "server/libvirt/event_draft.h"
#include "server/libvirt/object_read.h"
#include "virtgate/conflict.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/scope.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static const struct vg_object_class *const *classes;

void vg_object_classes_start(const struct vg_object_class *const list[VG_KINDS])
{
    classes = list;
}

const struct vg_object_class *vg_class_of_kind(enum vg_kind kind)
{
    return classes[kind];
}

const struct vg_object_class *vg_class_of(const struct vg_request *rq)
{
    return classes[vg_kind_of(rq->route->pattern)];
}

/* ---- finding ----------------------------------------------------------------------- */

/* A daemon sends an error of nobody's for one that its driver did not set. */
static bool said_nothing(void)
{
    int code = virGetLastErrorCode();
    return code == VIR_ERR_OK ||
           (code == VIR_ERR_INTERNAL_ERROR && virGetLastErrorDomain() == VIR_FROM_NONE);
}

int vg_object_not_found(struct vg_request *rq, enum vg_kind kind, const char *text)
{
    if (!said_nothing())
        return vg_error_set_virt(&rq->error);
    vg_error_set(&rq->error, VG_E_NOT_FOUND, "There is no %s '%.200s'",
                 vg_kind_info(kind)->what, text);
    return -1;
}

bool vg_object_is_seen(const struct vg_request *rq, const struct vg_object_class *class,
                       void *object)
{
    if (!class->guest || vg_sees_all_domains(rq))
        return true;
    vg_autofree char *guest = class->guest(object);
    return vg_sees_domain(rq, guest);
}

/* What libvirt finds, unless the caller may not see it: then it is looked for again by a
 * text that no object has, for the driver's own words. */
static void *find_seen(struct vg_request *rq, const struct vg_object_class *class,
                       void *parent, const struct vg_object_lookup *l, const char *text)
{
    void *object = l->find(parent, text);
    struct vg_absent absent;

    if (!object || vg_object_is_seen(rq, class, object)) {
        if (!object)
            (void)vg_object_not_found(rq, class->kind, text);
        return object;
    }
    (void)class->free(object);
    vg_absent_make(&absent, l->by);
    object = l->find(parent, absent.text);
    if (object)
        (void)class->free(object); /* a random text: never */
    (void)vg_object_not_found(rq, class->kind, absent.text);
    vg_absent_show(&absent, &rq->error, text);
    return NULL;
}

static bool is_malformed(const struct vg_error *e)
{
    return vg_error_is_virt(e, VIR_ERR_INVALID_ARG);
}

static void *find_by(struct vg_request *rq, const struct vg_object_class *class,
                     void *parent, const char *text, enum vg_lookup by)
{
    size_t n = sizeof(class->lookups) / sizeof(class->lookups[0]);

    for (size_t i = 0; i < n && class->lookups[i].find; i++) {
        const struct vg_object_lookup *l = &class->lookups[i];
        if (by ? l->by != by : l->fits && !l->fits(text))
            continue;
        if (by && l->fits && !l->fits(text)) {
            vg_error_set(&rq->error, VG_E_INVALID_VALUE, "'%.200s' is no %s", text,
                         vg_lookup_name(by));
            return NULL;
        }
        vg_error_clear(&rq->error);
        void *object = find_seen(rq, class, parent, l, text);
        if (object)
            return object;
        if (rq->error.status != 404 && !is_malformed(&rq->error))
            return NULL;
    }
    if (!rq->error.status)
        vg_error_set(
            &rq->error, VG_E_NOT_FOUND, "There is no %s '%.200s'; it is found by its %s",
            vg_kind_info(class->kind)->what, text, vg_lookup_name(class->lookups[0].by));
    return NULL;
}

/* The path's word for one of a kind is "{network}"; vg_path() takes it without braces. */
static const char *path_text(const struct vg_request *rq, enum vg_kind kind)
{
    const char *variable = vg_kind_info(kind)->variable;
    char name[32];

    snprintf(name, sizeof(name), "%.*s", (int)strlen(variable) - 2, variable + 1);
    return vg_path(rq, name);
}

void *vg_object_parent(struct vg_request *rq, const struct vg_object_class *class,
                       struct vg_object *whole)
{
    enum vg_kind within = vg_kind_info(class->kind)->within;

    if (!within)
        return vg_conn(rq);
    whole->class = vg_class_of_kind(within);
    return whole->handle = vg_path_object(rq, within);
}

void *vg_path_object(struct vg_request *rq, enum vg_kind kind)
{
    const struct vg_object_class *class = vg_class_of_kind(kind);
    vg_auto_object whole = {0};
    void *parent = vg_object_parent(rq, class, &whole);
    /* ?by= is about the first object of a path */
    enum vg_lookup by = vg_kind_info(kind)->within ? VG_LOOKUP_DEFAULT : rq->by;

    return parent ? find_by(rq, class, parent, path_text(rq, kind), by) : NULL;
}

void *vg_args_path_object(struct vg_request *rq, enum vg_kind kind,
                          const struct vg_field *fields)
{
    return vg_args(rq, fields) < 0 ? NULL : vg_path_object(rq, kind);
}

/* ---- paths ------------------------------------------------------------------------- */

/* Whether a path with this name leads to the object of this name: not where it may be
 * taken for something else. */
static bool is_plain(const struct vg_object_class *class, const char *name)
{
    for (size_t i = 0; class->lookups[i].find && class->lookups[i].by != VG_LOOKUP_NAME;
         i++)
        if (!class->lookups[i].fits || class->lookups[i].fits(name))
            return false;
    return vg_is_segment(name);
}

char *vg_object_href(struct vg_request *rq, enum vg_kind kind, void *object,
                     const char *tail)
{
    const struct vg_object_class *class = vg_class_of_kind(kind);
    const struct vg_kind_info *info = vg_kind_info(kind);
    char uuid[VIR_UUID_STRING_BUFLEN] = "", *href = NULL;
    const char *name = class->name ? class->name(object) : NULL;

    if (class->uuid && (!name || !is_plain(class, name))) {
        if (class->uuid(object, uuid) < 0)
            return NULL;
        name = uuid;
    }
    vg_autofree char *last = vg_percent_encode(name);
    vg_autofree char *whole =
        info->within ? vg_percent_encode(path_text(rq, info->within)) : NULL;
    if (!last || (info->within && !whole))
        return NULL;
    const char *collection = whole ? strrchr(info->path, '/') : info->path;
    if (asprintf(&href, "%s%s%s%s%s/%s%s", vg_host_prefix(rq),
                 whole ? vg_kind_info(info->within)->path : "", whole ? "/" : "",
                 whole ? whole : "", collection, last, tail) < 0)
        return NULL;
    return href;
}

/* ---- one object -------------------------------------------------------------------- */

/* The document that an active object is started with next. No field shows it, but PUT and
 * PATCH change it, so If-Match has to guard it. NULL: there is no other document, or,
 * with *ret_failed, libvirt's last error. */
static char *read_next(const struct vg_object *o, bool *ret_failed)
{
    const struct vg_object_class *class = o->class;

    *ret_failed = false;
    if (!class->xml_next || !class->is_active || class->is_active(o->handle) != 1)
        return NULL;
    char *xml = vg_object_next_xml(o);
    *ret_failed = !xml;
    return xml;
}

/* The entity tag of an answer that shows a document depends on the other one, too. */
static struct vg_reply tag(struct vg_request *rq, const struct vg_object *o,
                           unsigned int flags, struct vg_reply reply)
{
    bool failed = false;
    vg_autofree char *next = reply.status == 200 && !(flags & o->class->xml_next)
                                 ? read_next(o, &failed)
                                 : NULL;
    if (!failed)
        return next ? vg_tagged_with(reply, next) : reply;
    vg_reply_clear(&reply);
    return vg_fail_virt(rq);
}

static int write_one(struct vg_request *rq, struct vg_json *w, const struct vg_object *o,
                     unsigned int fields)
{
    const struct vg_wanted wanted = {o->class, fields};
    return vg_object_write(rq, w, &wanted, o->handle, NULL) == VG_WRITTEN ? 0 : -1;
}

struct vg_reply vg_object_reply(struct vg_request *rq, enum vg_kind kind, void *object)
{
    const struct vg_object o = {vg_class_of_kind(kind), object};
    vg_auto_json w = vg_json_for(rq);

    return write_one(rq, &w, &o, vg_fields_in(o.class, VG_VIEWS_ONE)) < 0
               ? vg_fail(rq)
               : vg_ok_written(rq, &w);
}

struct vg_reply vg_object_created(struct vg_request *rq, enum vg_kind kind, void *object)
{
    const struct vg_object o = {vg_class_of_kind(kind), object};
    vg_auto_json w = vg_json_for(rq);

    return write_one(rq, &w, &o, vg_fields_in(o.class, VG_VIEWS_ONE)) < 0
               ? vg_fail(rq)
               : vg_created(rq, vg_object_href(rq, kind, object, ""), &w);
}

static struct vg_reply get_fields(struct vg_request *rq, const struct vg_object *o,
                                  unsigned int fields, bool all)
{
    vg_auto_json w = vg_json_for(rq);
    bool failed = false;

    if (write_one(rq, &w, o, fields) < 0)
        return vg_fail(rq);
    vg_autofree char *next = all ? read_next(o, &failed) : NULL;
    if (failed)
        return vg_fail_virt(rq);
    if (next)
        vg_json_etag_extra(&w, XXH3_64bits(next, strlen(next)));
    struct vg_reply reply = vg_ok_written(rq, &w);
    return vg_fields_covered(o->class, fields) ? vg_cacheable(reply) : reply;
}

static struct vg_reply get_document(struct vg_request *rq, const struct vg_object *o,
                                    unsigned int flags)
{
    char *xml = o->class->xml(o->handle, flags);
    return xml ? tag(rq, o, flags, vg_reply_document(rq, xml)) : vg_fail_virt(rq);
}

enum show { SHOW_DEFAULT, SHOW_FULL, SHOW_CONFIG };
static const struct vg_enum_value show_names[] = {{"default", NULL, SHOW_DEFAULT},
                                                  {"full", NULL, SHOW_FULL},
                                                  {"config", NULL, SHOW_CONFIG}};
static const struct vg_enum shows = {"views", show_names, 3};

/* Its fields, or the whole of libvirt's document: ?view=config, or as XML. */
struct vg_reply vg_object_get(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    unsigned int fields = 0, flags = 0;
    int show = SHOW_DEFAULT;
    struct vg_field_names names;
    vg_field_names_of(class, &names);
    const struct vg_field args[] = {
        VG_NAMES("fields", &fields, &names.names), VG_ONE_OF("view", &show, &shows),
        class->xml_flags ? (struct vg_field)VG_NAMES("flags", &flags, class->xml_flags)
                         : (struct vg_field)VG_END,
        VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    bool document = show == SHOW_CONFIG || vg_wants_xml(rq);
    if (document ? fields : flags) {
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "'fields' is for the default view, 'flags' for view=config and XML");
        return vg_fail(rq);
    }
    vg_auto_object o = {class, vg_path_object(rq, class->kind)};
    if (!o.handle)
        return vg_fail(rq);
    if (document)
        return get_document(rq, &o, flags);
    unsigned int view = show == SHOW_FULL ? VG_VIEWS_ALL : VG_VIEWS_ONE;
    return get_fields(rq, &o, fields ? fields : vg_fields_in(class, view), !fields);
}

struct vg_reply vg_object_get_xml(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    unsigned int flags = 0;
    const struct vg_field args[] = {
        class->xml_flags ? (struct vg_field)VG_NAMES("flags", &flags, class->xml_flags)
                         : (struct vg_field)VG_END,
        VG_END};

    vg_auto_object o = {class, vg_args_path_object(rq, class->kind, args)};
    if (!o.handle)
        return vg_fail(rq);
    char *xml = class->xml(o.handle, flags);
    return xml ? tag(rq, &o, flags, vg_reply_xml(rq, xml)) : vg_fail_virt(rq);
}

int vg_object_set_autostart(struct vg_request *rq, const struct vg_object *o,
                            int autostart)
{
    const struct vg_object_class *class = o->class;
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (class->set_autostart(o->handle, autostart) < 0)
        return -1;
    if (class->uuid)
        (void)class->uuid(o->handle, uuid);
    vg_event_object_autostart_changed(rq, class->kind, class->name(o->handle),
                                      class->uuid ? uuid : NULL, autostart);
    return 0;
}

static struct vg_reply reply_autostart(struct vg_request *rq, const struct vg_object *o)
{
    int autostart = 0;
    if (o->class->get_autostart(o->handle, &autostart) < 0)
        return vg_fail_virt(rq);
    return vg_ok(rq, json_pack("{s:b}", "autostart", autostart));
}

struct vg_reply vg_object_get_autostart(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    vg_auto_object o = {class, vg_path_object(rq, class->kind)};
    return o.handle ? reply_autostart(rq, &o) : vg_fail(rq);
}

struct vg_reply vg_object_put_autostart(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    bool autostart = false;
    const struct vg_field args[] = {VG_NEED_BOOL("autostart", &autostart), VG_END};

    vg_auto_object o = {class, vg_args_path_object(rq, class->kind, args)};
    if (!o.handle)
        return vg_fail(rq);
    if (vg_object_set_autostart(rq, &o, autostart) < 0)
        return vg_fail_virt(rq);
    return reply_autostart(rq, &o);
}

/* ---- events ------------------------------------------------------------------------ */

/* Events of one object, by its UUID if it has one: it may be renamed. */
struct vg_reply vg_object_watch(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    struct vg_event_manner manner = VG_EVENT_MANNER;
    struct vg_event_filter filter = {.objects = vg_kind_info(class->kind)->event,
                                     .hosts = vg_host_name(rq)};
    const struct vg_field args[] = {VG_TEXT("event", &filter.events),
                                    VG_EVENT_FIELDS(manner), VG_END};
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    vg_auto_object o = {class, vg_args_path_object(rq, class->kind, args)};
    if (!o.handle)
        return vg_fail(rq);
    if (class->uuid && class->uuid(o.handle, uuid) < 0)
        return vg_fail_virt(rq);
    filter.uuid = class->uuid ? uuid : class->name(o.handle);
    return vg_reply_events(rq, &filter, &manner);
}

/* ---- failing ----------------------------------------------------------------------- */

struct vg_reply vg_object_fail(struct vg_request *rq, enum vg_kind kind, void *object,
                               bool needs_active)
{
    const struct vg_object_class *class = vg_class_of_kind(kind);

    vg_error_set_virt(&rq->error);
    int active = class->is_active ? class->is_active(object) : -1;
    bool explained = active >= 0 && active != needs_active;
    if (!explained && !needs_active && class->is_taken)
        explained = class->is_taken(rq, object);
    return vg_fail_explained(rq, explained);
}

bool vg_document_has_owner(const json_t *document)
{
    const char *name = vg_json_inner_text(document, "owner", "name");
    const char *uuid = vg_json_inner_text(document, "owner", "uuid");
    const char *mac = vg_json_inner_text(document, "mac", "@address");
    return name && *name && uuid && vg_is_uuid(uuid) && mac && vg_is_mac(mac);
}
