/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /networks/{network}/metadata: title, description, and elements of other programs, each
 * by the URI of its namespace (virNetworkGetMetadata, virNetworkSetMetadata). libvirt has
 * them since 9.7, so they are looked up in the library that there is.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object_class.h"
#include "virtgate/xml.h"

#include <dlfcn.h>

/* virNetworkMetadataType, which older headers lack. */
enum type { DESCRIPTION, TITLE, ELEMENT, NO_TYPE = -1 };
static const struct vg_enum_value type_names[] = {{"description", NULL, DESCRIPTION},
                                                  {"title", NULL, TITLE},
                                                  {"element", NULL, ELEMENT}};
static const struct vg_enum types = {"types", type_names, 3};

struct functions {
    char *(*get)(virNetworkPtr net, int type, const char *uri, unsigned int flags);
    int (*set)(virNetworkPtr net, int type, const char *metadata, const char *key,
               const char *uri, unsigned int flags);
};

/* -1: the library has none, the request's error says so. */
static int find_functions(struct vg_request *rq, struct functions *ret)
{
    *(void **)&ret->get = dlsym(RTLD_DEFAULT, "virNetworkGetMetadata");
    *(void **)&ret->set = dlsym(RTLD_DEFAULT, "virNetworkSetMetadata");
    if (ret->get && ret->set)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_NOT_SUPPORTED,
                 "Metadata of networks needs libvirt 9.7 or later on the gateway");
    return -1;
}

struct what {
    int type;
    const char *uri, *value, *key;
    unsigned int flags;
};

/* A URI is of an element. -1: the request's error is set. */
static int complete(struct vg_request *rq, struct what *what)
{
    if (what->type == NO_TYPE && what->uri)
        what->type = ELEMENT;
    if (what->type != NO_TYPE && (what->type != ELEMENT || what->uri))
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                 what->type == NO_TYPE
                     ? "'type' is missing: title, description, or element with its 'uri'"
                     : "'uri' is missing: the namespace of the element");
    return -1;
}

static struct vg_reply get_metadata(struct vg_request *rq)
{
    struct what what = {.type = NO_TYPE};
    struct functions call = {0};
    const struct vg_field args[] = {
        VG_ONE_OF("type", &what.type, &types), VG_TEXT("uri", &what.uri),
        VG_FLAGS("flags", &what.flags, virNetworkUpdateFlags), VG_END};

    vg_autoptr(virNetwork) net = vg_args_path_object(rq, VG_KIND_NETWORK, args);
    if (!net || find_functions(rq, &call) < 0 || complete(rq, &what) < 0)
        return vg_fail(rq);
    vg_autofree char *value = call.get(net, what.type, what.uri, what.flags);
    if (!value)
        return vg_fail_virt(rq);
    return vg_ok(rq, json_pack("{s:o}", type_names[what.type].name, vg_json_text(value)));
}

/* {"type": "title", "value": "Mail"}; without a value it is removed. */
static struct vg_reply set(struct vg_request *rq, const struct vg_field *args,
                           struct what *what)
{
    struct functions call = {0};

    if (vg_args(rq, args) < 0 || complete(rq, what) < 0)
        return vg_fail(rq);
    if (what->value && what->type == ELEMENT &&
        (vg_request_ask(rq, "gateway:document", "'value' is a document") < 0 ||
         vg_xml_check_namespace(rq, what->key, what->uri) < 0 ||
         vg_xml_check(rq, what->value) < 0))
        return vg_fail(rq);
    vg_autoptr(virNetwork) net = vg_path_object(rq, VG_KIND_NETWORK);
    if (!net || find_functions(rq, &call) < 0)
        return vg_fail(rq);
    return vg_done(
        rq, call.set(net, what->type, what->value, what->key, what->uri, what->flags));
}

static struct vg_reply set_metadata(struct vg_request *rq)
{
    struct what what = {.type = NO_TYPE};
    const struct vg_field args[] = {VG_ONE_OF("type", &what.type, &types),
                                    VG_NEED_TEXT("value", &what.value),
                                    VG_TEXT("key", &what.key),
                                    VG_TEXT("uri", &what.uri),
                                    VG_FLAGS("flags", &what.flags, virNetworkUpdateFlags),
                                    VG_END};
    return set(rq, args, &what);
}

static struct vg_reply remove_metadata(struct vg_request *rq)
{
    struct what what = {.type = NO_TYPE};
    const struct vg_field args[] = {
        VG_ONE_OF("type", &what.type, &types), VG_TEXT("uri", &what.uri),
        VG_FLAGS("flags", &what.flags, virNetworkUpdateFlags), VG_END};
    return set(rq, args, &what);
}

/* clang-format off */
const struct vg_route vg_routes_network_metadata[] = {
    {VG_GET, "/networks/{network}/metadata", "getNetworkMetadata", get_metadata,
     .needs = "network:getattr network:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/networks/{network}/metadata", "setNetworkMetadata", set_metadata,
     .needs = "network:getattr network:write network:save", .takes = VG_TAKES_DOCUMENT},
    {VG_DELETE, "/networks/{network}/metadata", "removeNetworkMetadata", remove_metadata,
     .needs = "network:getattr network:write network:save", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
