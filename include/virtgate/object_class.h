/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One pattern for every kind of object but domains: networks, storage pools and volumes,
 * node devices, host interfaces, filters, secrets. A kind is a table, its class, which
 * says how it is found, listed, described, made and ended; the handlers below do the rest
 * and stand in the rows of its route file as they are. CONTRIBUTING.md says how to add
 * one.
 *
 * Objects are `void *` here: the calls of a class are thin functions of the kind's file
 * (the macros at the end write them), so that the compiler checks libvirt's types.
 */
#pragma once

#include "virtgate/event.h"
#include "virtgate/kind.h"
#include "virtgate/reply.h"
#include "virtgate/request.h"

#include <libvirt/libvirt.h>

/* ---- fields ------------------------------------------------------------------------ */

/* Which views have a field. `fields=` takes any, of lists, too. */
enum vg_field_view {
    VG_VIEW_FULL,  /* one object; lists with view=full */
    VG_VIEW_BRIEF, /* one object; all lists: what the handle, or one filtered list for
                    * all objects tells */
    VG_VIEW_ONE,   /* one object: what costs a document each */
    VG_VIEW_USE,   /* one object with view=full: what costs much */
    VG_VIEW_NAMED, /* none: where `fields=` names it */
};

/* The fields that are wanted of an object. */
struct vg_wanted;
bool vg_wants(const struct vg_wanted *wanted, const char *field);

/* One field; an array of them ends with one without a name, and has 32 at most. How it is
 * read: by one of the functions; where there is none it is "name" or "uuid", which the
 * class tells. */
struct vg_object_field {
    const char *name;
    enum vg_field_view view;
    /* It never changes without an event of the kind: an answer of nothing but such fields
     * is kept in memory. */
    bool covered;

    /* Yes or no, of one object: 1, 0, -1: libvirt's last error. */
    int (*ask)(void *object);
    /* The flags of the list call for the two; 0: it has none, each object is asked, for
     * a filter of lists, too, where it is one. */
    unsigned int yes, no;
    bool filter;

    /* A text of the handle, which costs no call to the host. May be NULL. */
    const char *(*text)(void *object);

    /* Of lists of a few values that filters of the list call tell: the names of the
     * filters' flags, which are the values. Lists read it by a filtered one for each
     * value, until all objects are known; of one object `from` reads it. */
    const struct vg_enum *values;

    /* One call, which may tell several fields: those that name the same function are read
     * by one call of it. Writes those that are wanted, or null. -1: libvirt's last error;
     * fields that a driver does not support (VIR_ERR_NO_SUPPORT) are left out. */
    int (*read)(struct vg_request *rq, struct vg_json *w, void *object,
                const struct vg_wanted *wanted);

    /* Out of the object's document in its JSON form (docs/xml-json.md), without the root
     * element: a new reference; NULL: the field is left out. */
    json_t *(*from)(const json_t *document);
};

/* A field's read(): "lastEvent", the newest event of the object that is kept, {type,
 * time}, or null; no call to the host. Of a kind that has events. */
int vg_object_write_last_event(struct vg_request *rq, struct vg_json *w, void *object,
                               const struct vg_wanted *wanted);

/* ---- calls ------------------------------------------------------------------------- */

struct vg_object_lookup {
    enum vg_lookup by;
    void *(*find)(void *parent, const char *text); /* NULL: libvirt's last error */
    /* Whether a path's text may be one, where `?by=` does not say; NULL: any may. */
    bool (*fits)(const char *text);
};

/* A call that changes an object. */
struct vg_object_call {
    int (*call)(void *object, unsigned int flags); /* NULL: the kind has none */
    const struct vg_enum *flags;                   /* NULL: it takes none */
};

/* A call that makes an object of a document. */
struct vg_object_maker {
    void *(*call)(void *parent, const char *xml, unsigned int flags);
    const struct vg_enum *flags;
};

/* An argument of lists beside the pairs: names for flags, any of which may be given
 * (`type=dir,logical`). */
struct vg_object_choice {
    const char *name;
    const struct vg_enum *flags; /* values are flags of the list call */
    bool covered;                /* as of a field */
};

/* ---- the class --------------------------------------------------------------------- */

/* Where a member says `parent`, it is the connection, or for a part (volumes, ports) the
 * object of the kind that it is within. */
struct vg_object_class {
    enum vg_kind kind;
    const char *root; /* the root element of its document: "network", "pool" */
    /* Whether the host may be given a client's document, by its JSON form without the
     * root element (NULL: it cannot be read). -1: the request's error is set. NULL: any
     * may. */
    int (*check)(struct vg_request *rq, json_t *document);
    /* The name in a document's JSON form, where it is neither the root's element nor its
     * attribute `name`. Borrowed; NULL: that document has none. */
    const char *(*document_name)(const json_t *document);
    /* The object that there is of a document, where neither its name nor its UUID tells.
     * Owned by the caller; NULL: none. May be NULL. */
    void *(*find_same)(void *parent, const json_t *document);

    /* The handle. An object is told from others, and sorted, by its name, or, where it
     * has none, by its UUID. */
    int (*free)(void *object);
    const char *(*name)(void *object);           /* NULL: it has none */
    int (*uuid)(void *object, char *ret_string); /* NULL: it has none */
    struct vg_object_lookup lookups[4];          /* tried in this order */

    /* Of what belongs to guests, the name of the one that the object belongs to: who may
     * not see that guest does not see the object. Owned by the caller; NULL: nobody's, or
     * it is gone. NULL: all see all objects of the kind. */
    char *(*guest)(void *object);

    int (*list)(void *parent, void ***ret, unsigned int flags);
    const struct vg_enum *list_flags; /* the names of `flags=`; NULL: there are none */
    const struct vg_object_choice *choices; /* ended by one without a name; NULL: none */
    const struct vg_object_field *fields;

    char *(*xml)(void *object, unsigned int flags);
    const struct vg_enum *xml_flags; /* NULL: it takes none */
    unsigned int xml_next; /* the flag for what an active one is started with next */

    struct vg_object_maker define, create; /* `create`: ?transient=true */
    struct vg_object_call start, destroy, undefine;
    /* Why its start failed is kept (virtgate/failure.h), of a class with UUIDs. */
    bool keeps_failure;
    /* Whether somebody else has what it needs to be started, where that failed: then it
     * is a 409 whatever the driver's code. The request's error stays as it is. May be
     * NULL. */
    bool (*is_taken)(struct vg_request *rq, void *object);
    /* The status of the request's error, of a document that could not be made, where
     * libvirt blames itself, and what the document has or what there is says otherwise:
     * 409, 422, 501. 0: the driver's code stands. The JSON form without the root element,
     * NULL: it cannot be read. May be NULL. */
    int (*status_of)(struct vg_request *rq, const json_t *document);
    int (*is_active)(void *object);     /* NULL: it is always the same */
    int (*is_persistent)(void *object); /* NULL: it always is */
    int (*get_autostart)(void *object, int *ret);
    int (*set_autostart)(void *object, int autostart);
};

/* The classes, by kind (VG_OBJECT_CLASSES in routes/routes.h). For main(), before
 * anything else. */
extern const struct vg_object_class *const vg_object_classes[VG_KINDS];
void vg_object_classes_start(const struct vg_object_class *const classes[VG_KINDS]);

/* ---- handlers ---------------------------------------------------------------------- */

/* They know the class from the row's pattern. Lists: VG_ON_FAST where libvirt
 * tells the kind's brief fields at once, VG_TAKES_ARGS, VG_ONE_OR_ALL_HOSTS, shared. */
struct vg_reply vg_object_list(struct vg_request *rq);
/* Fields, view=full, view=config, XML: VG_GIVES_JSON_OR_XML, VG_TAKES_ARGS, shared. */
struct vg_reply vg_object_get(struct vg_request *rq);
/* POST of the list: xml, the document in JSON by the name of its root, transient, start,
 * autostart, dryRun, flags: VG_TAKES_XML. */
struct vg_reply vg_object_post(struct vg_request *rq);
/* {"network": {...}, "flags": []}: VG_TAKES_DOCUMENT. */
struct vg_reply vg_object_put(struct vg_request *rq);
/* The same as a merge patch, or {"autostart": true}: VG_TAKES_DOCUMENT. */
struct vg_reply vg_object_patch(struct vg_request *rq);
/* VG_TAKES_ARGS where the class has `undefine.flags`; so of start and destroy. */
struct vg_reply vg_object_delete(struct vg_request *rq);
struct vg_reply vg_object_start(struct vg_request *rq);
struct vg_reply vg_object_destroy(struct vg_request *rq);
/* .../xml: VG_GIVES_XML_OR_JSON, VG_TAKES_ARGS, shared; PUT: VG_TAKES_XML. */
struct vg_reply vg_object_get_xml(struct vg_request *rq);
struct vg_reply vg_object_put_xml(struct vg_request *rq);
/* .../autostart: shared; PUT: VG_TAKES_ARGS. */
struct vg_reply vg_object_get_autostart(struct vg_request *rq);
struct vg_reply vg_object_put_autostart(struct vg_request *rq);
/* .../events: VG_ON_FAST, VG_GIVES_EVENTS, VG_TAKES_ARGS. */
struct vg_reply vg_object_watch(struct vg_request *rq);

/* Whether the caller may see the object: the guest that it belongs to. */
bool vg_object_is_seen(const struct vg_request *rq, const struct vg_object_class *class,
                       void *object);

/* ---- for what is a kind's own ------------------------------------------------------ */

/* The object of that kind that the path names (a part's whole is found first). The caller
 * owns it: `vg_autoptr(virNetwork) net = vg_path_object(rq, VG_KIND_NETWORK);`. NULL: the
 * request's error is set. */
void *vg_path_object(struct vg_request *rq, enum vg_kind kind);
/* vg_args(), then that. */
void *vg_args_path_object(struct vg_request *rq, enum vg_kind kind,
                          const struct vg_field *fields);

/* What a look-up said that gave NULL: libvirt's last error; 404 where it said nothing, as
 * some do. -1. */
int vg_object_not_found(struct vg_request *rq, enum vg_kind kind, const char *text);

/* A short form for POST beside the document. `fields` are its arguments (ended by
 * VG_END), which write into `form`; make() gives the document that they describe, owned
 * by the caller. NULL: the request's error is set. */
struct vg_object_form {
    const struct vg_field *fields;
    char *(*make)(struct vg_request *rq, void *form);
    void *form;

    /* Each of these may be NULL. Arguments that may stand beside a document, too, ended
     * by VG_END. */
    const struct vg_field *options;
    /* When the arguments were read, before anything is done. -1: the request's error is
     * set. */
    int (*begin)(struct vg_request *rq, void *form);
    /* Instead of the class's calls. NULL: libvirt's last error. */
    void *(*create)(void *parent, const char *xml, unsigned int flags, void *form);
    /* What is done to the new object before it is started. -1: libvirt's last error. */
    int (*prepare)(void *object, void *form);
    /* Where that or the start failed, instead of the class's `undefine`. */
    void (*undo)(struct vg_request *rq, void *object);
};
struct vg_reply vg_object_post_form(struct vg_request *rq,
                                    const struct vg_object_form *form);

/* A list with arguments of its own (`refresh=true`): before(), unless it is NULL, is
 * called with the list's parent when they were read. -1: the request's error is set. */
struct vg_reply vg_object_list_with(struct vg_request *rq, const struct vg_field *own,
                                    int (*before)(struct vg_request *rq, void *parent,
                                                  void *data),
                                    void *data);

/* A list with arguments of its own that may find one object (`wwnn=&wwpn=`): find()
 * writes it into *ret_only, and the list owns it and holds no other; NULL, as it is
 * before: all. -1: the request's error is set. */
struct vg_reply vg_object_list_found(struct vg_request *rq, const struct vg_field *own,
                                     int (*find)(struct vg_request *rq, void *parent,
                                                 void *data, void **ret_only),
                                     void *data);

/* The path of an object for Location and links, with `tail` ("/volumes") as it is: its
 * name, percent-encoded, or its UUID where the name would lead elsewhere. Owned by the
 * caller; NULL: out of memory. */
char *vg_object_href(struct vg_request *rq, enum vg_kind kind, void *object,
                     const char *tail);

/* The answer of a handler that made or changed an object: all that one object shows. */
struct vg_reply vg_object_reply(struct vg_request *rq, enum vg_kind kind, void *object);
/* The same as 201 with its Location. */
struct vg_reply vg_object_created(struct vg_request *rq, enum vg_kind kind, void *object);

/* The answer to the thread's last libvirt error, of a call that needs the object to be
 * active (or inactive): a 409 that says so where the driver's own error is vague. */
struct vg_reply vg_object_fail(struct vg_request *rq, enum vg_kind kind, void *object,
                               bool needs_active);

/* Whether a document says whose it is, as those of network ports and filter bindings
 * must: <owner> with a name and a UUID, and <mac> with an address. */
bool vg_document_has_owner(const json_t *document);

/* ---- thin functions around libvirt's ----------------------------------------------- */

/* clang-format off */
#define VG_OBJECT_FREE(name, call) \
    static int name(void *o) { return call(o); }
#define VG_OBJECT_TEXT(name, call) \
    static const char *name(void *o) { return call(o); }
#define VG_OBJECT_UUID(name, call) \
    static int name(void *o, char *ret) { return call(o, ret); }
#define VG_OBJECT_FIND(name, call) \
    static void *name(void *parent, const char *text) { return call(parent, text); }
#define VG_OBJECT_LIST(name, type, call) \
    static int name(void *parent, void ***ret, unsigned int flags) \
    { \
        type##Ptr *list = NULL; \
        int n = call(parent, &list, flags); \
        *ret = (void **)list; \
        return n; \
    }
#define VG_OBJECT_XML(name, call) \
    static char *name(void *o, unsigned int flags) { return call(o, flags); }
#define VG_OBJECT_MAKE(name, call) \
    static void *name(void *parent, const char *xml, unsigned int flags) \
    { \
        return call(parent, xml, flags); \
    }
/* Yes or no, with no flags. */
#define VG_OBJECT_ASK(name, call) \
    static int name(void *o) { return call(o); }
/* A change by a call that takes flags, or none. */
#define VG_OBJECT_CHANGE(name, call) \
    static int name(void *o, unsigned int flags) { return call(o, flags); }
#define VG_OBJECT_CHANGE_PLAIN(name, call) \
    static int name(void *o, unsigned int flags) { (void)flags; return call(o); }
/* get_autostart and set_autostart, and is_autostart for the field. */
#define VG_OBJECT_AUTOSTART(get, set) \
    static int get_autostart(void *o, int *ret) { return get(o, ret); } \
    static int set_autostart(void *o, int autostart) { return set(o, autostart); } \
    static int is_autostart(void *o) \
    { \
        int autostart = 0; \
        return get(o, &autostart) < 0 ? -1 : autostart; \
    }
/* clang-format on */
