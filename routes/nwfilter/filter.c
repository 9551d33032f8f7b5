/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /nwfilters and /nwfilters/{nwfilter}: the class of network filters. libvirt tells of
 * their changes by no event, so nothing of them is kept.
 */
#include "routes/nwfilter/attributes.h"
#include "routes/routes.h"
#include "virtgate/object.h"
#include "virtgate/object_class.h"

#include <libvirt/virterror.h>
#include <string.h>

/* ---- fields ------------------------------------------------------------------------ */

static json_t *get_chain(const json_t *document)
{
    return json_incref(json_object_get(document, "@chain"));
}

static json_t *get_priority(const json_t *document)
{
    return vg_json_digits(json_object_get(document, "@priority"));
}

/* The protocols of a rule, each with what it matches. */
static json_t *get_matches(json_t *rule)
{
    json_t *list = json_array(), *elements, *element;
    const char *protocol;
    size_t i;

    json_object_foreach (rule, protocol, elements) {
        if (*protocol == '@')
            continue;
        json_auto_t *one =
            json_is_array(elements) ? json_incref(elements) : json_pack("[O]", elements);
        json_array_foreach (one, i, element) {
            json_t *match = vg_json_attributes(element);
            json_object_set_new(match, "protocol", json_string(protocol));
            json_array_append_new(list, match);
        }
    }
    return list;
}

static json_t *get_rules(const json_t *document)
{
    json_t *list = json_array(), *rule;
    size_t i;

    json_array_foreach (json_object_get(document, "rule"), i, rule) {
        json_t *item = vg_json_attributes(rule);
        json_t *priority = vg_json_digits(json_object_get(rule, "@priority"));
        if (priority)
            json_object_set_new(item, "priority", priority);
        json_object_set_new(item, "matches", get_matches(rule));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *get_filters(const json_t *document)
{
    json_t *list = json_array(), *filter;
    size_t i;

    json_array_foreach (json_object_get(document, "filterref"), i, filter)
        json_array_append_new(list, vg_json_filter_use(filter));
    return list;
}

/* ---- the class --------------------------------------------------------------------- */

VG_OBJECT_FREE(free_filter, virNWFilterFree)
VG_OBJECT_TEXT(get_name, virNWFilterGetName)
VG_OBJECT_UUID(get_uuid, virNWFilterGetUUIDString)
VG_OBJECT_FIND(find_by_name, virNWFilterLookupByName)
VG_OBJECT_FIND(find_by_uuid, virNWFilterLookupByUUIDString)
VG_OBJECT_LIST(list_filters, virNWFilter, virConnectListAllNWFilters)
VG_OBJECT_XML(get_xml, virNWFilterGetXMLDesc)
VG_OBJECT_MAKE(define_filter, virNWFilterDefineXMLFlags)
VG_OBJECT_CHANGE_PLAIN(undefine_filter, virNWFilterUndefine)

/* libvirt makes the name of a file of it, and looks at it no further. */
static int check_document(struct vg_request *rq, json_t *document)
{
    const char *name = json_string_value(json_object_get(document, "@name"));

    if (!name || !strchr(name, '/'))
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                 "'%.200s' is no name of a filter: it may not have a '/'", name);
    return -1;
}

/* libvirt's reader of filters says by an internal error of theirs what it does not take.
 * What fails on the host is of other parts of libvirt: its firewall, commands, files. */
static int status_of(struct vg_request *rq, const json_t *document)
{
    const struct vg_error *e = vg_request_error(rq);

    (void)document;
    return vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) &&
                   vg_error_is_from(e, VIR_FROM_NWFILTER)
               ? 422
               : 0;
}

static const struct vg_object_field fields[] = {
    {.name = "name", .view = VG_VIEW_BRIEF},
    {.name = "uuid", .view = VG_VIEW_BRIEF},
    {.name = "chain", .from = get_chain},
    {.name = "priority", .from = get_priority},
    {.name = "rules", .from = get_rules},
    {.name = "filters", .from = get_filters},
    {0},
};

const struct vg_object_class vg_nwfilter_class = {
    .kind = VG_KIND_NWFILTER,
    .root = "filter",
    .check = check_document,
    .free = free_filter,
    .name = get_name,
    .uuid = get_uuid,
    .lookups = {{VG_LOOKUP_UUID, find_by_uuid, vg_is_uuid},
                {VG_LOOKUP_NAME, find_by_name, NULL}},
    .list = list_filters,
    .fields = fields,
    .xml = get_xml,
    .define = {define_filter, &vg_enum_virNWFilterDefineFlags},
    .undefine = {undefine_filter, NULL},
    .status_of = status_of,
};

/* clang-format off */
const struct vg_route vg_routes_nwfilter[] = {
    {VG_GET, "/nwfilters", "listNwfilters", vg_object_list,
     .needs = "connect:search_nwfilters nwfilter:read", .runs_on = VG_ON_FAST, .takes = VG_TAKES_ARGS, .hosts = VG_ONE_OR_ALL_HOSTS, .shared = true},
    {VG_POST, "/nwfilters", "defineNwfilter", vg_object_post,
     .needs = "nwfilter:getattr nwfilter:read nwfilter:write nwfilter:save gateway:document", .takes = VG_TAKES_XML},
    {VG_GET, "/nwfilters/{nwfilter}", "getNwfilter", vg_object_get,
     .needs = "nwfilter:getattr nwfilter:read", .gives = VG_GIVES_JSON_OR_XML, .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/nwfilters/{nwfilter}", "replaceNwfilter", vg_object_put,
     .needs = "nwfilter:getattr nwfilter:read nwfilter:write nwfilter:save gateway:document", .takes = VG_TAKES_DOCUMENT},
    {VG_PATCH, "/nwfilters/{nwfilter}", "patchNwfilter", vg_object_patch,
     .needs = "nwfilter:getattr nwfilter:read nwfilter:write nwfilter:save gateway:document", .takes = VG_TAKES_DOCUMENT},
    {VG_DELETE, "/nwfilters/{nwfilter}", "undefineNwfilter", vg_object_delete,
     .needs = "nwfilter:getattr nwfilter:delete"},
    {VG_GET, "/nwfilters/{nwfilter}/xml", "getNwfilterXml", vg_object_get_xml,
     .needs = "nwfilter:getattr nwfilter:read", .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {VG_PUT, "/nwfilters/{nwfilter}/xml", "redefineNwfilter", vg_object_put_xml,
     .needs = "nwfilter:getattr nwfilter:read nwfilter:write nwfilter:save gateway:document", .takes = VG_TAKES_XML},
    {0},
};
/* clang-format on */
