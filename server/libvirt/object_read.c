/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/object_read.h.
 */
#include "server/libvirt/object_read.h"

#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <string.h>

void vg_field_names_of(const struct vg_object_class *class, struct vg_field_names *ret)
{
    size_t n = 0;

    for (; class->fields[n].name; n++)
        ret->values[n] =
            (struct vg_enum_value){class->fields[n].name, NULL, INT64_C(1) << n};
    ret->names = (struct vg_enum){"fields", ret->values, n};
}

unsigned int vg_fields_in(const struct vg_object_class *class, unsigned int views)
{
    unsigned int fields = 0;

    for (unsigned int i = 0; class->fields[i].name; i++)
        fields |= views & 1U << class->fields[i].view ? 1U << i : 0;
    return fields;
}

bool vg_fields_covered(const struct vg_object_class *class, unsigned int fields)
{
    for (unsigned int i = 0; class->fields[i].name; i++)
        if (fields & 1U << i && !class->fields[i].covered)
            return false;
    return true;
}

bool vg_fields_ask_each(const struct vg_object_class *class, unsigned int fields)
{
    for (unsigned int i = 0; class->fields[i].name; i++) {
        const struct vg_object_field *f = &class->fields[i];
        if (fields & 1U << i &&
            (f->read || (!f->yes && (f->ask || (f->from && !f->values)))))
            return true;
    }
    return false;
}

bool vg_wants(const struct vg_wanted *wanted, const char *field)
{
    const struct vg_object_field *fields = wanted->class->fields;

    for (unsigned int i = 0; fields[i].name; i++)
        if (wanted->fields & 1U << i && strcmp(fields[i].name, field) == 0)
            return true;
    return false;
}

const char *vg_object_key(const struct vg_object_class *class, void *object,
                          char uuid[static VIR_UUID_STRING_BUFLEN])
{
    uuid[0] = '\0';
    if (class->name)
        return class->name(object);
    (void)class->uuid(object, uuid);
    return uuid;
}

char *vg_object_next_xml(const struct vg_object *o)
{
    char *xml = o->class->xml(o->handle, o->class->xml_next);

    if (!xml && o->class->xml_next && virGetLastErrorCode() == VIR_ERR_INVALID_ARG)
        xml = o->class->xml(o->handle, 0); /* the flag is not supported */
    return xml;
}

/* ---- writing ----------------------------------------------------------------------- */

/* One object that is being written. */
struct writing {
    struct vg_request *rq;
    struct vg_json *w;
    const struct vg_wanted *wanted;
    void *object;
    const struct vg_known *known; /* NULL: it is no item of a list */
    unsigned int done;            /* the fields that are written */
    json_t *document;             /* owned; NULL: not read yet */
};

static void clear_writing(struct writing *wr)
{
    json_decref(wr->document);
}

/* What to do about a field that could not be read, by the request's error. 0: leave it
 * out. */
static int judge_error(const struct writing *wr)
{
    struct vg_error *e = vg_request_error(wr->rq);
    bool lacking = vg_error_is_virt(e, VIR_ERR_NO_SUPPORT);
    bool passed_over =
        wr->known && !e->transport && e->status != 404 && !vg_error_is_memory(e);
    if (!lacking && !passed_over)
        return -1;
    vg_error_clear(e);
    return 0;
}

/* The same, by libvirt's last error. */
static int judge(const struct writing *wr)
{
    vg_error_set_virt(vg_request_error(wr->rq));
    return judge_error(wr);
}

static int write_ask(struct writing *wr, const struct vg_object_field *f)
{
    int yes = f->ask(wr->object);

    if (yes < 0)
        return judge(wr);
    vg_json_bool(wr->w, f->name, yes);
    return 0;
}

/* All the fields that one call tells. */
static int write_read(struct writing *wr, const struct vg_object_field *f)
{
    const struct vg_object_field *fields = wr->wanted->class->fields;
    size_t length = wr->w->text.len;
    bool comma = wr->w->comma;

    for (unsigned int i = 0; fields[i].name; i++)
        wr->done |= fields[i].read == f->read ? 1U << i : 0;
    if (f->read(wr->rq, wr->w, wr->object, wr->wanted) == 0)
        return 0;
    wr->w->text.len = length;
    wr->w->comma = comma;
    return judge(wr);
}

static int read_document(struct writing *wr)
{
    vg_autofree char *xml = wr->wanted->class->xml(wr->object, 0);

    if (!xml)
        return vg_error_set_virt(vg_request_error(wr->rq));
    wr->document = vg_xml_to_json(xml, vg_request_error(wr->rq));
    return wr->document ? 0 : -1;
}

/* Yes or no, as a filtered list told. */
static int write_known(struct writing *wr, const struct vg_object_field *f,
                       unsigned int bit)
{
    vg_json_bool(wr->w, f->name, (wr->known->yes & bit) != 0);
    return 0;
}

static int write_from(struct writing *wr, const struct vg_object_field *f)
{
    const char *root = wr->wanted->class->root;

    if (!wr->document && read_document(wr) < 0)
        return judge_error(wr); /* libvirt writes some names without escapes */
    (void)vg_json_lost_memory();
    json_auto_t *value = f->from(json_object_get(wr->document, root));
    if (vg_json_lost_memory()) /* a part may be missing */
        return vg_error_set_memory(vg_request_error(wr->rq));
    if (value)
        vg_json_value(wr->w, f->name, value);
    return 0;
}

static int write_identity(struct writing *wr, const struct vg_object_field *f)
{
    const struct vg_object_class *class = wr->wanted->class;
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (strcmp(f->name, "uuid") != 0) {
        vg_json_string(wr->w, f->name, class->name(wr->object));
        return 0;
    }
    if (class->uuid(wr->object, uuid) < 0)
        return judge(wr);
    vg_json_string(wr->w, f->name, uuid);
    return 0;
}

static int write_field(struct writing *wr, unsigned int i)
{
    const struct vg_object_field *f = &wr->wanted->class->fields[i];

    if (wr->done & 1U << i)
        return 0;
    if (wr->known && wr->known->fields & 1U << i)
        return write_known(wr, f, 1U << i);
    if (f->ask)
        return write_ask(wr, f);
    if (f->read)
        return write_read(wr, f);
    if (f->values && wr->known && wr->known->valued & 1U << i) {
        vg_json_string(wr->w, f->name, wr->known->value);
        return 0;
    }
    if (f->from)
        return write_from(wr, f);
    if (!f->text)
        return write_identity(wr, f);
    vg_json_string(wr->w, f->name, f->text(wr->object));
    return 0;
}

enum vg_written vg_object_write(struct vg_request *rq, struct vg_json *w,
                                const struct vg_wanted *wanted, void *object,
                                const struct vg_known *known)
{
    VG_CLEANUP(clear_writing)
    struct writing wr = {
        .rq = rq, .w = w, .wanted = wanted, .object = object, .known = known};
    size_t length = w->text.len;
    bool comma = w->comma;

    vg_json_begin_object(w, NULL);
    for (unsigned int i = 0; wanted->class->fields[i].name; i++) {
        if (!(wanted->fields & 1U << i) || write_field(&wr, i) == 0)
            continue;
        w->text.len = length;
        w->comma = comma;
        return vg_request_error(rq)->status == 404 ? VG_WRITTEN_GONE : VG_WRITTEN_FAILED;
    }
    vg_json_end_object(w);
    return VG_WRITTEN;
}
