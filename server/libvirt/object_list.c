/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lists of all kinds of objects but domains: one call of libvirt, a filtered one for each
 * yes-or-no field, and for what no list tells a call for each object of the page alone.
 */
#include "server/libvirt/object_read.h"
#include "virtgate/list.h"

#include <libvirt/virterror.h>
#include <string.h>

#define MAX_CHOICES 4

struct item {
    void *object;     /* borrowed from the list */
    const char *name; /* NULL: it has none, and goes by `uuid` */
    char uuid[VIR_UUID_STRING_BUFLEN];
    struct vg_known known;
};

struct list {
    const struct vg_object_class *class;
    void *parent;
    void **objects; /* owned, as what it holds */
    int n_objects;
    struct item *items; /* owned; sorted by key */
    size_t n;
    void *only; /* owned; the one that the list is about; NULL: all */
};

static void free_objects(const struct vg_object_class *class, void **objects, int n)
{
    for (int i = 0; i < n; i++)
        (void)class->free(objects[i]);
    free(objects);
}

static void free_list(struct list *list)
{
    free_objects(list->class, list->objects, list->n_objects);
    if (list->only)
        (void)list->class->free(list->only);
    free(list->items);
}

/* ---- arguments --------------------------------------------------------------------- */

struct list_request {
    const struct vg_object_class *class;
    struct vg_list_args page;
    unsigned int fields;
    int pairs[VG_OBJECT_FIELDS]; /* by field: 1, 0, -1: not asked for */
    unsigned int states;         /* of `active`: its flags */
    unsigned int choices[MAX_CHOICES];
    /* Tables for the arguments. */
    struct vg_field_names names;
    struct vg_enum_value state_names[2];
    struct vg_enum state_enum;
};

static bool is_state(const struct vg_object_field *f)
{
    return strcmp(f->name, "active") == 0;
}

/* `active` is asked for as ?state=active,inactive, every other pair by its name. */
static struct vg_field pair_field(struct list_request *lr, unsigned int i)
{
    const struct vg_object_field *f = &lr->class->fields[i];

    lr->pairs[i] = -1;
    if (!is_state(f))
        return (struct vg_field)VG_MAYBE(f->name, &lr->pairs[i]);
    lr->state_names[0] = (struct vg_enum_value){"active", NULL, f->yes};
    lr->state_names[1] = (struct vg_enum_value){"inactive", NULL, f->no};
    lr->state_enum = (struct vg_enum){"states", lr->state_names, 2};
    return (struct vg_field)VG_NAMES("state", &lr->states, &lr->state_enum);
}

/* The arguments of the list: those of all lists, the class's, and `own`, if any. */
static int read_args(struct vg_request *rq, struct list_request *lr,
                     const struct vg_field *own)
{
    const struct vg_object_class *class = lr->class;
    const struct vg_field common[] = {
        VG_LIST_FIELDS(lr->page, &lr->fields, &lr->names.names)};
    struct vg_field args[VG_ARGS_MAX + 1] = {{0}};
    size_t n = sizeof(common) / sizeof(common[0]);

    memcpy(args, common, sizeof(common));
    vg_field_names_of(class, &lr->names);
    if (class->list_flags)
        args[n++] =
            (struct vg_field)VG_NAMES("flags", &lr->page.flags, class->list_flags);
    for (unsigned int i = 0; class->fields[i].name; i++)
        if (class->fields[i].yes || class->fields[i].filter)
            args[n++] = pair_field(lr, i);
    for (size_t i = 0; class->choices && class->choices[i].name; i++)
        args[n++] = (struct vg_field)VG_NAMES(class->choices[i].name, &lr->choices[i],
                                              class->choices[i].flags);
    if (class->uuid)
        args[n++] = (struct vg_field)VG_LIST_UUIDS(lr->page);
    for (; own && own->name && n < VG_ARGS_MAX; own++)
        args[n++] = *own;
    return vg_args(rq, args) < 0 ? -1 : vg_list_check_uuids(rq, &lr->page);
}

static unsigned int all_of(const struct vg_enum *e)
{
    unsigned int flags = 0;
    for (size_t i = 0; i < e->count; i++)
        flags |= (unsigned int)e->values[i].value;
    return flags;
}

/* Any of these flags; what `flags` say beside them holds, too. */
static void narrow_choice(struct vg_list_args *page, unsigned int wanted,
                          unsigned int all)
{
    unsigned int given = page->flags & all;

    if (!wanted)
        return;
    page->nothing = page->nothing || (given && !(given & wanted));
    page->flags = (page->flags & ~all) | (given ? given & wanted : wanted);
}

static void narrow(struct list_request *lr)
{
    const struct vg_object_class *class = lr->class;

    for (unsigned int i = 0; class->fields[i].name; i++) {
        const struct vg_object_field *f = &class->fields[i];
        if (f->yes && is_state(f))
            lr->pairs[i] = lr->states == f->yes ? 1 : lr->states == f->no ? 0 : -1;
        if (f->yes)
            vg_list_narrow(&lr->page, lr->pairs[i], f->yes, f->no);
    }
    for (size_t i = 0; class->choices && class->choices[i].name; i++)
        narrow_choice(&lr->page, lr->choices[i], all_of(class->choices[i].flags));
}

/* Whether the objects are asked for this field, since the list is filtered by it. */
static bool is_asked(const struct list_request *lr, unsigned int i)
{
    return lr->class->fields[i].filter && lr->pairs[i] >= 0;
}

static bool asks_each(const struct list_request *lr)
{
    for (unsigned int i = 0; lr->class->fields[i].name; i++)
        if (is_asked(lr, i))
            return true;
    return vg_fields_ask_each(lr->class, lr->fields);
}

/* The index of the field that the list is sorted by. */
static unsigned int key_field(const struct vg_object_class *class)
{
    const char *key = vg_kind_info(class->kind)->sort_key;

    for (unsigned int i = 0; class->fields[i].name; i++)
        if (strcmp(class->fields[i].name, key) == 0)
            return 1U << i;
    return 0;
}

static void choose_fields(struct list_request *lr)
{
    bool full = lr->page.view == VG_LIST_FULL;

    if (!lr->fields)
        lr->fields = vg_fields_in(lr->class, full ? VG_VIEWS_FULL : VG_VIEWS_BRIEF);
    if (lr->page.limit)
        lr->fields |= key_field(lr->class); /* pages are cut by it */
}

/* Whether events cover the answer: the fields that it shows, and the objects in it. */
static bool is_cacheable(const struct list_request *lr)
{
    const struct vg_object_class *class = lr->class;
    unsigned int covered = 0;

    for (unsigned int i = 0; class->fields[i].name; i++) {
        if (class->fields[i].covered)
            covered |= class->fields[i].yes | class->fields[i].no;
        else if (is_asked(lr, i))
            return false;
    }
    for (size_t i = 0; class->choices && class->choices[i].name; i++)
        if (class->choices[i].covered)
            covered |= all_of(class->choices[i].flags);
    return vg_fields_covered(class, lr->fields) && !(lr->page.flags & ~covered);
}

/* ---- reading ----------------------------------------------------------------------- */

static const char *key_of(const struct item *item)
{
    return item->name ? item->name : item->uuid; /* which moves with its item */
}

static void set_key(struct item *item, const struct vg_object_class *class, void *object)
{
    const char *key = vg_object_key(class, object, item->uuid);
    item->name = key == item->uuid ? NULL : key;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(key_of(a), key_of(b));
}

static int read_items(struct list *list, unsigned int flags)
{
    list->n_objects = list->class->list(list->parent, &list->objects, flags);
    if (list->n_objects < 0)
        return -1;
    list->items = calloc((size_t)list->n_objects + 1, sizeof(*list->items));
    if (!list->items)
        return -1;
    for (; list->n < (size_t)list->n_objects; list->n++) {
        struct item *item = &list->items[list->n];
        item->object = list->objects[list->n];
        set_key(item, list->class, item->object);
    }
    qsort(list->items, list->n, sizeof(*list->items), compare_keys);
    return 0;
}

/* The item of an object that another list call gave; NULL: it was not there then. */
static struct item *find_item(struct list *list, void *object)
{
    struct item key = {0};

    set_key(&key, list->class, object);
    return bsearch(&key, list->items, list->n, sizeof(*list->items), compare_keys);
}

/* Asks for a filtered list, and notes yes for the objects in it. -1: libvirt's last
 * error. */
static int read_pair(struct list *list, unsigned int i, unsigned int flags)
{
    const struct vg_object_field *f = &list->class->fields[i];
    unsigned int pair = flags & (f->yes | f->no), bit = 1U << i;
    void **objects = NULL;
    int n = 0;

    if (!pair || pair == (f->yes | f->no))
        n = list->class->list(list->parent, &objects, (flags & ~f->no) | f->yes);
    if (n < 0 && virGetLastErrorCode() == VIR_ERR_INVALID_ARG)
        return 0; /* its driver has no such flag: each object is asked */
    for (size_t k = 0; k < list->n && n >= 0; k++) {
        list->items[k].known.fields |= bit;
        list->items[k].known.yes |= pair == f->yes ? bit : 0; /* all of them are */
    }
    for (int k = 0; k < n; k++) {
        struct item *item = find_item(list, objects[k]);
        if (item)
            item->known.yes |= bit;
    }
    free_objects(list->class, objects, n);
    return n < 0 ? -1 : 0;
}

/* Notes this value for the objects of the filtered list. Returns for how many; -1:
 * libvirt's last error. */
static int note_value(struct list *list, unsigned int i, const char *value,
                      unsigned int flags)
{
    void **objects = NULL;
    int noted = 0, n = list->class->list(list->parent, &objects, flags);

    for (int k = 0; k < n; k++) {
        struct item *item = find_item(list, objects[k]);
        if (!item || item->known.value)
            continue;
        item->known.value = value;
        item->known.valued = 1U << i;
        noted++;
    }
    free_objects(list->class, objects, n);
    return n < 0 ? -1 : noted;
}

/* Notes which of its values each object has, by a filtered list for each, until all are
 * known. -1: libvirt's last error. */
static int read_values(struct list *list, unsigned int i, unsigned int flags)
{
    const struct vg_enum *values = list->class->fields[i].values;
    unsigned int all = all_of(values);
    size_t unknown = list->n;

    for (size_t k = 0; k < values->count && unknown; k++) {
        unsigned int value = (unsigned int)values->values[k].value;
        if (flags & all && !(flags & value))
            continue;
        int noted = note_value(list, i, values->values[k].name, (flags & ~all) | value);
        if (noted < 0)
            return -1;
        unknown -= (size_t)noted;
    }
    return 0;
}

static int read_list(const struct list_request *lr, struct list *list)
{
    if (read_items(list, lr->page.flags) < 0)
        return -1;
    for (unsigned int i = 0; lr->class->fields[i].name && list->n; i++) {
        const struct vg_object_field *f = &lr->class->fields[i];
        if (!(lr->fields & 1U << i))
            continue;
        if ((f->yes && read_pair(list, i, lr->page.flags) < 0) ||
            (f->values && read_values(list, i, lr->page.flags) < 0))
            return -1;
    }
    return 0;
}

/* An object that is neither active nor persistent ended between two of the lists. */
static bool is_gone(const struct list *list, const struct item *item)
{
    const struct vg_object_field *fields = list->class->fields;
    unsigned int both = 0, n = 0;

    for (unsigned int i = 0; fields[i].name; i++) {
        if (!fields[i].yes ||
            (!is_state(&fields[i]) && strcmp(fields[i].name, "persistent") != 0))
            continue;
        both |= 1U << i;
        n++;
    }
    return n == 2 && (item->known.fields & both) == both && !(item->known.yes & both);
}

static bool is_meant(const struct list *list, const struct list_request *lr,
                     const struct item *item)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (lr->page.uuids &&
        (list->class->uuid(item->object, uuid) < 0 || !vg_list_has_uuid(&lr->page, uuid)))
        return false;
    return !list->only ||
           strcmp(vg_object_key(list->class, list->only, uuid), key_of(item)) == 0;
}

/* 0: libvirt's last error says that the object is gone; -1: it is the request's. */
static int fail_or_gone(struct vg_request *rq)
{
    vg_error_set_virt(&rq->error);
    if (rq->error.status != 404)
        return -1;
    vg_error_clear(&rq->error);
    return 0;
}

/* Whether the object is as the filters want it that no flag of libvirt's is for. 1 or 0
 * (which it is, too, when it is gone); -1: the request's error is set. */
static int is_wanted(struct vg_request *rq, const struct list_request *lr, void *object)
{
    for (unsigned int i = 0; lr->class->fields[i].name; i++) {
        if (!is_asked(lr, i))
            continue;
        int yes = lr->class->fields[i].ask(object);
        if (yes < 0)
            return fail_or_gone(rq);
        if (yes != lr->pairs[i])
            return 0;
    }
    return 1;
}

/* ---- writing ----------------------------------------------------------------------- */

/* Writes the page; *ret_next is the cursor where there is more, owned by the caller. */
static int write_items(struct vg_request *rq, struct vg_json *w,
                       const struct list_request *lr, const struct list *list,
                       char **ret_next)
{
    const struct vg_wanted wanted = {lr->class, lr->fields};
    const char *last = NULL;
    int64_t taken = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct item *item = &list->items[i];
        if (!vg_list_passes(&lr->page, key_of(item)) || !is_meant(list, lr, item) ||
            is_gone(list, item) || !vg_object_is_seen(rq, lr->class, item->object))
            continue;
        int meant = is_wanted(rq, lr, item->object);
        if (meant < 0)
            return -1;
        if (!meant)
            continue;
        if (lr->page.limit && taken++ == lr->page.limit) {
            *ret_next = strdup(last);
            return *ret_next ? 0 : vg_error_set_memory(&rq->error);
        }
        last = key_of(item);
        if (vg_object_write(rq, w, &wanted, item->object, &item->known) ==
            VG_WRITTEN_FAILED)
            return -1;
        vg_error_clear(&rq->error); /* of an object that is gone */
    }
    return 0;
}

static struct vg_reply write_list(struct vg_request *rq, const struct list_request *lr,
                                  const struct list *list)
{
    vg_auto_json w = vg_json_for(rq);
    vg_autofree char *next = NULL;

    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, vg_kind_info(lr->class->kind)->list_key);
    if (write_items(rq, &w, lr, list, &next) < 0)
        return vg_fail(rq);
    vg_json_end_array(&w);
    if (next)
        vg_json_string(&w, "next", next);
    vg_json_end_object(&w);
    struct vg_reply reply = vg_with_next(rq, vg_ok_written(rq, &w), next);
    return is_cacheable(lr) && !list->only ? vg_cacheable(reply) : reply;
}

/* What a list has of its own: one of the two functions, or none. */
struct own {
    const struct vg_field *fields;
    int (*before)(struct vg_request *rq, void *parent, void *data);
    int (*find)(struct vg_request *rq, void *parent, void *data, void **ret_only);
    void *data;
};

static int prepare(struct vg_request *rq, const struct own *own, struct list *list)
{
    if (own->before)
        return own->before(rq, list->parent, own->data);
    return own->find ? own->find(rq, list->parent, own->data, &list->only) : 0;
}

static struct vg_reply list_objects(struct vg_request *rq, const struct own *own)
{
    struct list_request lr = {.class = vg_class_of(rq)};

    if (read_args(rq, &lr, own->fields) < 0)
        return vg_fail(rq);
    narrow(&lr);
    choose_fields(&lr);
    if (vg_on_fast_queue(rq) && asks_each(&lr))
        return vg_requeue();
    vg_auto_object whole = {0};
    VG_CLEANUP(free_list) struct list list = {.class = lr.class};
    list.parent = vg_object_parent(rq, lr.class, &whole);
    if (!list.parent || prepare(rq, own, &list) < 0)
        return vg_fail(rq);
    if (!lr.page.nothing && read_list(&lr, &list) < 0)
        return vg_fail_virt(rq);
    return write_list(rq, &lr, &list);
}

struct vg_reply vg_object_list_with(struct vg_request *rq, const struct vg_field *own,
                                    int (*before)(struct vg_request *rq, void *parent,
                                                  void *data),
                                    void *data)
{
    return list_objects(rq, &(struct own){.fields = own, .before = before, .data = data});
}

struct vg_reply vg_object_list_found(struct vg_request *rq, const struct vg_field *own,
                                     int (*find)(struct vg_request *rq, void *parent,
                                                 void *data, void **ret_only),
                                     void *data)
{
    return list_objects(rq, &(struct own){.fields = own, .find = find, .data = data});
}

struct vg_reply vg_object_list(struct vg_request *rq)
{
    return list_objects(rq, &(struct own){0});
}
