/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading objects by their class: which fields, by which calls. Shared by
 * libvirt/object_*.c.
 */
#pragma once

#include "server/core/kind.h"
#include "server/core/request.h"
#include "virtgate/cleanup.h"
#include "virtgate/object_class.h"

#define VG_OBJECT_FIELDS 32

struct vg_wanted {
    const struct vg_object_class *class;
    unsigned int fields; /* bits by their places in the class */
};

/* The class of the request's row, or of a kind. */
const struct vg_object_class *vg_class_of(const struct vg_request *rq);
const struct vg_object_class *vg_class_of_kind(enum vg_kind kind);

/* An object and its class, freed at the end of the scope: vg_auto_object. */
struct vg_object {
    const struct vg_object_class *class;
    void *handle;
};
static inline void vg_object_clear(struct vg_object *o)
{
    if (o->handle)
        (void)o->class->free(o->handle);
}
#define vg_auto_object VG_CLEANUP(vg_object_clear) struct vg_object

/* What libvirt's list call is made on: the connection, or, for volumes and ports, the
 * pool or network that the path names, which `whole` then owns. NULL: the request's error
 * is set. */
void *vg_object_parent(struct vg_request *rq, const struct vg_object_class *class,
                       struct vg_object *whole);

/* The name, or where it has none the UUID, which is written to `uuid`. Borrowed from
 * either. */
const char *vg_object_key(const struct vg_object_class *class, void *object,
                          char uuid[static VIR_UUID_STRING_BUFLEN]);

/* The names of the fields, for VG_NAMES("fields", ...). */
struct vg_field_names {
    struct vg_enum_value values[VG_OBJECT_FIELDS];
    struct vg_enum names;
};
void vg_field_names_of(const struct vg_object_class *class, struct vg_field_names *ret);

/* The fields that these views have, bits 1 << enum vg_field_view. */
unsigned int vg_fields_in(const struct vg_object_class *class, unsigned int views);
#define VG_VIEWS_BRIEF (1U << VG_VIEW_BRIEF)
#define VG_VIEWS_FULL  (VG_VIEWS_BRIEF | 1U << VG_VIEW_FULL)
#define VG_VIEWS_ONE   (VG_VIEWS_FULL | 1U << VG_VIEW_ONE)
#define VG_VIEWS_ALL   (VG_VIEWS_ONE | 1U << VG_VIEW_USE)

/* Whether events cover all these fields. */
bool vg_fields_covered(const struct vg_object_class *class, unsigned int fields);
/* Whether a list with these fields has to ask each object. */
bool vg_fields_ask_each(const struct vg_object_class *class, unsigned int fields);

/* What lists have told of an object: which fields are known, which of them are yes, and
 * the value of one (static). */
struct vg_known {
    unsigned int fields, yes, valued;
    const char *value;
};

/* Changes whether it starts with its host, and tells subscribers. -1: libvirt's last
 * error. */
int vg_object_set_autostart(struct vg_request *rq, const struct vg_object *o,
                            int autostart);

/* The document that the object is started with next, or the only one that the driver has.
 * Owned by the caller; NULL: libvirt's last error. */
char *vg_object_next_xml(const struct vg_object *o);

enum vg_written { VG_WRITTEN, VG_WRITTEN_GONE, VG_WRITTEN_FAILED };

/* Writes one object. In a list an object is shown without a field that it alone cannot
 * tell. GONE: it no longer exists; FAILED: it could not be read. In both cases nothing is
 * written, and the request's error is set. */
enum vg_written vg_object_write(struct vg_request *rq, struct vg_json *w,
                                const struct vg_wanted *wanted, void *object,
                                const struct vg_known *known);
