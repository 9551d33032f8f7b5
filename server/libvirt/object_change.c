/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Changes of all kinds of objects but domains: define and create, replace, patch, start,
 * destroy, undefine.
 */
#include "server/libvirt/object_read.h"
#include "virtgate/conflict.h"
#include "virtgate/failure.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"
#include "virtgate/route.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <string.h>

/* ---- documents --------------------------------------------------------------------- */

/* The XML of the JSON value that a client gave by the name of its root element. Owned by
 * the caller; NULL: the request's error is set. */
static char *xml_of_json(struct vg_request *rq, const struct vg_object_class *class,
                         const json_t *value)
{
    if (!json_is_object(value)) {
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "'/%s' must be an object, as GET ...?view=config gives it",
                     class->root);
        return NULL;
    }
    json_auto_t *document = json_pack("{s:O}", class->root, value);
    if (!document) {
        vg_error_set_memory(&rq->error);
        return NULL;
    }
    char *xml = vg_xml_from_json(document, &rq->error);
    rq->sent = xml ? strlen(xml) : 0;
    return xml;
}

/* Whose document it is: its name, an element or an attribute of the root, and its UUID;
 * each NULL where it does not say. What cannot be read says nothing: what is wrong with
 * it is libvirt's to say. */
struct identity {
    json_t *document; /* owned */
    const char *name, *uuid;
};

static void clear_identity(struct identity *id)
{
    json_decref(id->document);
}
#define auto_identity VG_CLEANUP(clear_identity) struct identity

static struct identity identity_of(const struct vg_object_class *class, const char *xml)
{
    struct vg_error ignored = {0};
    struct identity id = {.document = vg_xml_to_json(xml, &ignored)};
    const json_t *root = json_object_get(id.document, class->root);
    const char *name = json_string_value(json_object_get(root, "name"));

    vg_error_clear(&ignored);
    id.name = name ? name : json_string_value(json_object_get(root, "@name"));
    if (class->document_name)
        id.name = class->document_name(root);
    id.uuid = json_string_value(json_object_get(root, "uuid"));
    return id;
}

static void *find_by(void *parent, const struct vg_object_class *class, enum vg_lookup by,
                     const char *text)
{
    for (size_t i = 0; text && class->lookups[i].find; i++)
        if (class->lookups[i].by == by &&
            (!class->lookups[i].fits || class->lookups[i].fits(text)))
            return class->lookups[i].find(parent, text);
    return NULL;
}

/* The existing object of this identity; NULL: none. */
static void *find_same(void *parent, const struct vg_object_class *class,
                       const struct identity *id)
{
    void *object = find_by(parent, class, VG_LOOKUP_UUID, id->uuid);
    if (!object)
        object = find_by(parent, class, VG_LOOKUP_NAME, id->name);
    if (!object && class->find_same)
        object = class->find_same(parent, json_object_get(id->document, class->root));
    virResetLastError();
    return object;
}

/* A UUID or an address that is none, which libvirt calls an internal or a system error.
 */
static bool is_wrong(const struct vg_error *e, const json_t *root, const char *xml)
{
    const json_t *uuid = json_object_get(root, "uuid");
    const char *text = json_string_value(uuid);

    return (uuid && !json_is_array(uuid) && !(text && vg_is_uuid(text))) ||
           vg_error_is_of_document(e, xml);
}

/* The thread's last libvirt error, of a call that makes an object of this document. */
static struct vg_reply fail_make(struct vg_request *rq, void *parent,
                                 const struct vg_object_class *class, const char *xml)
{
    vg_error_set_virt(&rq->error);
    auto_identity id = identity_of(class, xml);
    const json_t *root = json_object_get(id.document, class->root);
    if (is_wrong(&rq->error, root, xml))
        vg_error_blame(rq, 422);
    else if (class->status_of)
        vg_error_blame(rq, class->status_of(rq, root));
    if (rq->error.status != 502)
        return vg_fail(rq);
    vg_auto_object same = {class, find_same(parent, class, &id)};
    return vg_fail_explained(rq, same.handle != NULL);
}

/* ---- POST -------------------------------------------------------------------------- */

/* What a request says of the new object. */
struct making {
    const struct vg_object_class *class;
    const struct vg_object_form *form; /* NULL: it has none */
    const char *xml;
    json_t *document;
    bool transient, start, dry_run;
    int autostart; /* -1: not given */
    unsigned int flags;
};

/* Whether the body or the query has one of the members of the short form. */
static bool is_short(const struct vg_request *rq, const struct vg_object_form *form)
{
    for (const struct vg_field *f = form ? form->fields : NULL; f && f->name; f++) {
        if (json_object_get(rq->json, f->name))
            return true;
        for (unsigned int i = 0; i < rq->n_query; i++)
            if (strcmp(rq->query[i].key, f->name) == 0)
                return true;
    }
    return false;
}

static void add_fields(struct vg_field args[VG_ARGS_MAX], size_t *n,
                       const struct vg_field *more)
{
    for (; more && more->name && *n < VG_ARGS_MAX; more++)
        args[(*n)++] = *more;
}

static int read_args(struct vg_request *rq, struct making *m,
                     const struct vg_object_form *form)
{
    const struct vg_object_class *class = m->class;
    bool both = class->define.call && class->create.call;
    struct vg_field args[VG_ARGS_MAX + 1] = {
        VG_TEXT("xml", &m->xml),
        VG_JSON(class->root, &m->document),
        VG_BOOL("dryRun", &m->dry_run),
    };
    size_t n = 3;

    m->autostart = -1;
    m->transient = !class->define.call || (both && vg_peek_true(rq, "transient"));
    const struct vg_enum *flags =
        m->transient ? class->create.flags : class->define.flags;
    if (both)
        args[n++] = (struct vg_field)VG_BOOL("transient", &m->transient);
    if (class->define.call && class->start.call)
        args[n++] = (struct vg_field)VG_BOOL("start", &m->start);
    if (class->set_autostart)
        args[n++] = (struct vg_field)VG_MAYBE("autostart", &m->autostart);
    if (flags)
        args[n++] = (struct vg_field)VG_NAMES("flags", &m->flags, flags);
    add_fields(args, &n, form ? form->fields : NULL);
    add_fields(args, &n, form ? form->options : NULL);
    return vg_args(rq, args);
}

/* Refuses requests that describe the object in no way or in several, and arguments that
 * exclude each other. */
static int check_making(struct vg_request *rq, const struct making *m,
                        const struct vg_object_form *form)
{
    int ways = (vg_xml_body(rq) != NULL) + (m->xml != NULL) + (m->document != NULL) +
               is_short(rq, form);
    if (ways != 1) {
        vg_error_set(&rq->error, ways ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                     "Send exactly one of: application/xml, 'xml' with libvirt's XML, "
                     "'%s' with the same document in JSON%s",
                     m->class->root, form ? ", or the short form" : "");
        return -1;
    }
    if (m->transient && m->autostart == 1) {
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "'autostart' is for what is defined; 'transient' is gone when it "
                     "ends");
        return -1;
    }
    return 0;
}

/* The document; in *ret_made when it is new text, owned by the caller. NULL: the
 * request's error is set. */
static const char *find_xml(struct vg_request *rq, const struct making *m,
                            const struct vg_object_form *form, char **ret_made)
{
    if (m->document)
        return *ret_made = xml_of_json(rq, m->class, m->document);
    if (m->xml || vg_xml_body(rq))
        return vg_xml_argument(rq, "xml", m->xml);
    *ret_made = form ? form->make(rq, form->form) : NULL; /* without one: refused above */
    if (*ret_made && vg_xml_check(rq, *ret_made) < 0)
        return NULL;
    return *ret_made;
}

static struct vg_reply show_xml(struct vg_request *rq, const struct making *m,
                                const char *xml, char **made)
{
    if (vg_xml_check_root(rq, xml, m->class->root) < 0)
        return vg_fail(rq);
    char *shown = *made ? vg_take(made) : strdup(xml);
    return shown ? vg_reply_xml(rq, shown) : vg_fail_memory(rq);
}

/* What follows the definition; -1: libvirt's last error. */
static int finish(struct vg_request *rq, const struct making *m, void *object)
{
    const struct vg_object_class *class = m->class;
    const struct vg_object o = {class, object};

    if (m->form && m->form->prepare && m->form->prepare(object, m->form->form) < 0)
        return -1;
    if (m->autostart >= 0 && vg_object_set_autostart(rq, &o, m->autostart) < 0)
        return -1;
    if (!m->start || m->transient || (class->is_active && class->is_active(object) == 1))
        return 0;
    return class->start.call(object, 0);
}

/* Its start failed with the request's error, or succeeded. */
static void note_start(struct vg_request *rq, const struct vg_object_class *class,
                       void *object)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (class->keeps_failure && class->uuid(object, uuid) == 0)
        vg_failure_note(rq, class->kind, uuid, "start");
}

/* What follows the definition failed: a new object is undefined again. */
static struct vg_reply undo(struct vg_request *rq, const struct making *m, void *object,
                            bool again)
{
    vg_error_set_virt(&rq->error);
    bool taken = m->class->is_taken && m->class->is_taken(rq, object);
    if (!again && m->form && m->form->undo)
        m->form->undo(rq, object);
    else if (!again && m->class->undefine.call)
        (void)m->class->undefine.call(object, 0);
    else if (m->start)
        note_start(rq, m->class, object);
    return vg_fail_explained(rq, taken);
}

/* If the row is long work: the arguments are good, and the call begins now. */
static int begin_call(struct vg_request *rq)
{
    return vg_route_begins_operation(rq->route) ? vg_operation_begin_call(rq) : 0;
}

static int check_document(struct vg_request *rq, const struct vg_object_class *class,
                          const struct identity *id)
{
    return class->check ? class->check(rq, json_object_get(id->document, class->root))
                        : 0;
}

static void *create(const struct making *m, void *parent, const char *xml)
{
    const struct vg_object_class *class = m->class;

    if (m->form && m->form->create)
        return m->form->create(parent, xml, m->flags, m->form->form);
    return (m->transient ? class->create.call : class->define.call)(parent, xml,
                                                                    m->flags);
}

static struct vg_reply make(struct vg_request *rq, const struct making *m, void *parent,
                            const char *xml)
{
    const struct vg_object_class *class = m->class;
    auto_identity id = identity_of(class, xml);
    vg_auto_object same = {class, find_same(parent, class, &id)};
    bool again = same.handle && !m->transient &&
                 (!class->is_persistent || class->is_persistent(same.handle) == 1);

    if (vg_request_check_new(rq, same.handle != NULL) < 0 ||
        check_document(rq, class, &id) < 0 || begin_call(rq) < 0)
        return vg_fail(rq);
    vg_auto_object o = {class, create(m, parent, xml)};
    if (!o.handle)
        return fail_make(rq, parent, class, xml);
    if (finish(rq, m, o.handle) < 0)
        return undo(rq, m, o.handle, again);
    const struct vg_wanted wanted = {class, vg_fields_in(class, VG_VIEWS_ONE)};
    vg_auto_json w = vg_json_for(rq);
    if (vg_object_write(rq, &w, &wanted, o.handle, NULL) != VG_WRITTEN)
        return vg_fail(rq);
    struct vg_reply reply =
        vg_created(rq, vg_object_href(rq, class->kind, o.handle, ""), &w);
    return again ? vg_with_status(reply, 200) : reply;
}

struct vg_reply vg_object_post_form(struct vg_request *rq,
                                    const struct vg_object_form *form)
{
    struct making m = {.class = vg_class_of(rq), .form = form};
    vg_autofree char *made = NULL;

    if (read_args(rq, &m, form) < 0 || check_making(rq, &m, form) < 0 ||
        (form && form->begin && form->begin(rq, form->form) < 0))
        return vg_fail(rq);
    const char *xml = find_xml(rq, &m, form, &made);
    if (!xml)
        return vg_fail(rq);
    if (m.dry_run)
        return show_xml(rq, &m, xml, &made);
    vg_auto_object whole = {0};
    void *parent = vg_object_parent(rq, m.class, &whole);
    return parent ? make(rq, &m, parent, xml) : vg_fail(rq);
}

struct vg_reply vg_object_post(struct vg_request *rq)
{
    return vg_object_post_form(rq, NULL);
}

/* ---- PUT, PATCH -------------------------------------------------------------------- */

static bool is_same(struct vg_request *rq, const struct vg_object *o,
                    const struct identity *meant)
{
    const struct identity id = *meant;
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    const char *name = o->class->name ? o->class->name(o->handle) : NULL;

    if (o->class->uuid)
        (void)o->class->uuid(o->handle, uuid);
    bool named = !id.name || !name || strcmp(id.name, name) == 0;
    bool same = id.uuid ? !o->class->uuid || strcasecmp(id.uuid, uuid) == 0
                        : name != NULL; /* else libvirt makes another one */
    if (named && same)
        return true;
    vg_error_set(&rq->error, VG_E_CONFLICT,
                 "The document is of '%s' (%s), this %s is '%s' (%s)",
                 id.name ? id.name : "?", id.uuid ? id.uuid : "no uuid",
                 vg_kind_info(o->class->kind)->what, name ? name : uuid, uuid);
    return false;
}

/* Defines it anew, and answers with it. */
static struct vg_reply redefine(struct vg_request *rq, const struct vg_object *o,
                                const char *xml, unsigned int flags)
{
    const struct vg_object_class *class = o->class;
    vg_auto_object whole = {0};

    auto_identity id = identity_of(class, xml);
    if (!is_same(rq, o, &id) || check_document(rq, class, &id) < 0)
        return vg_fail(rq);
    void *parent = vg_object_parent(rq, class, &whole);
    if (!parent)
        return vg_fail(rq);
    vg_auto_object defined = {class, class->define.call(parent, xml, flags)};
    return defined.handle ? vg_object_reply(rq, class->kind, defined.handle)
                          : fail_make(rq, parent, class, xml);
}

/* The argument `flags`, by the call's names; a call without flags has none. */
static struct vg_field flags_field(const struct vg_enum *names, unsigned int *ret)
{
    if (names)
        return (struct vg_field)VG_NAMES("flags", ret, names);
    return (struct vg_field)VG_END;
}

static struct vg_reply redefine_by_json(struct vg_request *rq, const struct vg_object *o,
                                        const json_t *document, unsigned int flags)
{
    vg_autofree char *xml = xml_of_json(rq, o->class, document);
    return xml ? redefine(rq, o, xml, flags) : vg_fail(rq);
}

struct vg_reply vg_object_put(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    json_t *document = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_JSON(class->root, &document),
                                    flags_field(class->define.flags, &flags), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (!document) {
        vg_error_set(&rq->error, VG_E_MISSING_KEY,
                     "'%s' is missing: send the document as GET ...?view=config gives it",
                     class->root);
        return vg_fail(rq);
    }
    vg_auto_object o = {class, vg_path_object(rq, class->kind)};
    return o.handle ? redefine_by_json(rq, &o, document, flags) : vg_fail(rq);
}

struct vg_reply vg_object_put_xml(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    const char *given = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_TEXT("xml", &given),
                                    flags_field(class->define.flags, &flags), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    const char *xml = vg_xml_argument(rq, "xml", given);
    vg_auto_object o = {class, xml ? vg_path_object(rq, class->kind) : NULL};
    return o.handle ? redefine(rq, &o, xml, flags) : vg_fail(rq);
}

static struct vg_reply patch_document(struct vg_request *rq, const struct vg_object *o,
                                      const json_t *patch, unsigned int flags)
{
    const struct vg_object_class *class = o->class;
    vg_autofree char *xml = vg_object_next_xml(o);
    if (!xml)
        return vg_fail_virt(rq);
    json_auto_t *config = vg_xml_to_json(xml, &rq->error);
    if (!config)
        return vg_fail(rq);
    json_auto_t *merged =
        vg_json_merge(json_incref(json_object_get(config, class->root)), patch);
    return merged ? redefine_by_json(rq, o, merged, flags) : vg_fail_memory(rq);
}

/* One or the other, not both: the second of two calls could fail after the first. */
static int check_patch(struct vg_request *rq, const struct vg_object_class *class,
                       const json_t *document, int autostart, unsigned int flags)
{
    int n = (document != NULL) + (autostart >= 0);

    if (n == 1 && (document || !flags))
        return 0;
    vg_error_set(&rq->error, n ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                 "%s'%s' (what is to change of the document that GET ...?view=config "
                 "gives)%s",
                 class->set_autostart ? "Either " : "", class->root,
                 class->set_autostart
                     ? " or 'autostart' is accepted, one of them is required"
                     : " is required");
    return -1;
}

struct vg_reply vg_object_patch(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    json_t *document = NULL;
    unsigned int flags = 0;
    int autostart = -1;
    struct vg_field args[] = {VG_JSON(class->root, &document), VG_END, VG_END, VG_END};
    size_t n = 1;

    if (class->set_autostart)
        args[n++] = (struct vg_field)VG_MAYBE("autostart", &autostart);
    args[n] = flags_field(class->define.flags, &flags);
    if (vg_args(rq, args) < 0 || check_patch(rq, class, document, autostart, flags) < 0)
        return vg_fail(rq);
    if (document && vg_request_ask(rq, "gateway:document", "It is a document") < 0)
        return vg_fail(rq);
    vg_auto_object o = {class, vg_path_object(rq, class->kind)};
    if (!o.handle)
        return vg_fail(rq);
    if (document)
        return patch_document(rq, &o, document, flags);
    if (vg_object_set_autostart(rq, &o, autostart) < 0)
        return vg_fail_virt(rq);
    return vg_object_reply(rq, class->kind, o.handle);
}

/* ---- start, destroy, DELETE -------------------------------------------------------- */

enum needs { NEEDS_NOTHING, NEEDS_ACTIVE, NEEDS_INACTIVE };

static struct vg_reply act(struct vg_request *rq, const struct vg_object_class *class,
                           const struct vg_object_call *call, enum needs needs)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {flags_field(call->flags, &flags), VG_END};

    vg_auto_object o = {class, vg_args_path_object(rq, class->kind, args)};
    if (!o.handle || begin_call(rq) < 0)
        return vg_fail(rq);
    bool done = call->call(o.handle, flags) == 0;
    struct vg_reply reply =
        done ? vg_no_content(rq)
        : needs == NEEDS_NOTHING
            ? vg_fail_virt(rq)
            : vg_object_fail(rq, class->kind, o.handle, needs == NEEDS_ACTIVE);
    if (call == &class->start)
        note_start(rq, class, o.handle);
    return reply;
}

struct vg_reply vg_object_start(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    return act(rq, class, &class->start, NEEDS_INACTIVE);
}

struct vg_reply vg_object_destroy(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    return act(rq, class, &class->destroy, NEEDS_ACTIVE);
}

struct vg_reply vg_object_delete(struct vg_request *rq)
{
    const struct vg_object_class *class = vg_class_of(rq);
    return act(rq, class, &class->undefine, NEEDS_NOTHING);
}
