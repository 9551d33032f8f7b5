/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /nwfilter-bindings and /nwfilter-bindings/{portDev}: the class of bindings, each of a
 * filter to a device of the host. To make or delete one, the host runs dozens of programs
 * one after another: both are long work.
 */
#include "routes/nwfilter/attributes.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/object_class.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>

/* ---- JSON -------------------------------------------------------------------------- */

json_t *vg_json_attributes(const json_t *element)
{
    json_t *object = json_object(), *value;
    const char *key;

    json_object_foreach ((json_t *)(uintptr_t)element, key, value)
        if (*key == '@')
            json_object_set(object, key + 1, value);
    return object;
}

json_t *vg_json_filter_use(const json_t *filterref)
{
    json_t *use = vg_json_attributes(filterref), *list = json_array(), *parameter;
    size_t i;

    json_array_foreach (json_object_get(filterref, "parameter"), i, parameter)
        json_array_append_new(list, vg_json_attributes(parameter));
    json_object_set_new(use, "parameters", list);
    return use;
}

/* ---- fields ------------------------------------------------------------------------ */

static json_t *get_owner(const json_t *document)
{
    const json_t *owner = json_object_get(document, "owner");

    if (!owner)
        return NULL;
    return json_pack("{s:O?, s:O?}", "name", json_object_get(owner, "name"), "uuid",
                     json_object_get(owner, "uuid"));
}

static json_t *get_mac(const json_t *document)
{
    return json_incref(vg_json_inner(document, "mac", "@address"));
}

static json_t *get_parameters(const json_t *document)
{
    json_auto_t *use = vg_json_filter_use(json_object_get(document, "filterref"));
    return json_incref(json_object_get(use, "parameters"));
}

/* ---- the class --------------------------------------------------------------------- */

VG_OBJECT_FREE(free_binding, virNWFilterBindingFree)
VG_OBJECT_TEXT(get_device, virNWFilterBindingGetPortDev)
VG_OBJECT_TEXT(get_filter, virNWFilterBindingGetFilterName)
VG_OBJECT_FIND(find_by_device, virNWFilterBindingLookupByPortDev)
VG_OBJECT_LIST(list_bindings, virNWFilterBinding, virConnectListAllNWFilterBindings)
VG_OBJECT_XML(get_xml, virNWFilterBindingGetXMLDesc)
VG_OBJECT_MAKE(create_binding, virNWFilterBindingCreateXML)
VG_OBJECT_CHANGE_PLAIN(delete_binding, virNWFilterBindingDelete)

static char *get_guest(void *binding)
{
    return vg_xml_owner(virNWFilterBindingGetXMLDesc(binding, 0));
}

static const char *get_document_name(const json_t *document)
{
    return vg_json_inner_text(document, "portdev", "@name");
}

static bool is_filter(struct vg_request *rq, const char *name)
{
    vg_autoptr(virNWFilter) filter = virNWFilterLookupByName(vg_conn(rq), name);
    return filter || virGetLastErrorCode() != VIR_ERR_NO_NWFILTER;
}

/* The parts that a binding must have, of which the filter is there. */
static int status_of(struct vg_request *rq, const json_t *document)
{
    const char *device = get_document_name(document);
    const char *filter = vg_json_inner_text(document, "filterref", "@filter");
    const json_t *link = json_object_get(document, "linkdev");
    const char *link_name = json_string_value(json_object_get(link, "@name"));
    bool whole = device && *device && filter && *filter &&
                 (!link || (link_name && *link_name)) && vg_document_has_owner(document);

    return whole && is_filter(rq, filter) ? 0 : 422;
}

static const struct vg_object_field fields[] = {
    {.name = "portDev", .view = VG_VIEW_BRIEF},
    {.name = "filter", .view = VG_VIEW_BRIEF, .text = get_filter},
    {.name = "owner", .from = get_owner},
    {.name = "mac", .from = get_mac},
    {.name = "parameters", .from = get_parameters},
    {0},
};

const struct vg_object_class vg_nwfilter_binding_class = {
    .kind = VG_KIND_NWFILTER_BINDING,
    .root = "filterbinding",
    .document_name = get_document_name,
    .free = free_binding,
    .name = get_device,
    .lookups = {{VG_LOOKUP_NAME, find_by_device, NULL}},
    .guest = get_guest,
    .list = list_bindings,
    .fields = fields,
    .xml = get_xml,
    .create = {create_binding, &vg_enum_virNWFilterBindingCreateFlags},
    .undefine = {delete_binding, NULL},
    .status_of = status_of,
};

/* clang-format off */
const struct vg_route vg_routes_nwfilter_binding[] = {
    {VG_GET, "/nwfilter-bindings", "listNwfilterBindings", vg_object_list,
     .needs = "connect:search_nwfilter_bindings nwfilter_binding:read", .runs_on = VG_ON_FAST, .takes = VG_TAKES_ARGS, .hosts = VG_ONE_OR_ALL_HOSTS, .shared = true},
    {VG_POST, "/nwfilter-bindings", "createNwfilterBinding", vg_object_post,
     .needs = "nwfilter_binding:getattr nwfilter_binding:read nwfilter_binding:create gateway:document", .runs_on = VG_ON_LONG, .takes = VG_TAKES_XML},
    {VG_GET, "/nwfilter-bindings/{portDev}", "getNwfilterBinding", vg_object_get,
     .needs = "nwfilter_binding:getattr nwfilter_binding:read", .gives = VG_GIVES_JSON_OR_XML, .takes = VG_TAKES_ARGS, .shared = true},
    {VG_DELETE, "/nwfilter-bindings/{portDev}", "deleteNwfilterBinding", vg_object_delete,
     .needs = "nwfilter_binding:getattr nwfilter_binding:delete", .runs_on = VG_ON_LONG},
    {VG_GET, "/nwfilter-bindings/{portDev}/xml", "getNwfilterBindingXml", vg_object_get_xml,
     .needs = "nwfilter_binding:getattr nwfilter_binding:read", .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {0},
};
/* clang-format on */
