/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /version, /connection, and what the host offers: /connection/capabilities,
 * domain-capabilities, storage-pool-capabilities and storage-pool-sources. What a
 * connection says of itself was read when it was opened, so the first two answer from
 * memory while it is alive.
 */
#include "routes/routes.h"
#include "routes/storage/pool.h"
#include "virtgate/cleanup.h"
#include "virtgate/conflict.h"
#include "virtgate/host.h"
#include "virtgate/operation.h"
#include "virtgate/route.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <string.h>

static void free_facts(struct vg_host_facts **facts)
{
    vg_host_facts_unref(*facts);
}

static void write_version(struct vg_json *w, const struct vg_version *version)
{
    vg_json_string(w, "version", version->text);
    vg_json_uint(w, "number", version->number);
}

static struct vg_reply get_version(struct vg_request *rq)
{
    VG_CLEANUP(free_facts) struct vg_host_facts *facts = vg_host_facts(rq);
    struct vg_reply kept;

    if (!facts)
        return vg_fail(rq);
    if (vg_cached_reply(rq, &facts->version_reply, &kept))
        return kept;
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_object(&w, "gateway");
    vg_json_string(&w, "version", VG_VERSION);
    vg_json_end_object(&w);
    vg_json_begin_object(&w, "client");
    write_version(&w, &facts->client);
    vg_json_end_object(&w);
    vg_json_begin_object(&w, "libvirt");
    write_version(&w, &facts->libvirt);
    vg_json_end_object(&w);
    vg_json_begin_object(&w, "hypervisor");
    vg_json_string(&w, "type", facts->type);
    if (facts->hypervisor.number)
        write_version(&w, &facts->hypervisor);
    vg_json_end_object(&w);
    vg_json_end_object(&w);
    return vg_keep(rq, &facts->version_reply, vg_ok_written(rq, &w));
}

static struct vg_reply get_connection(struct vg_request *rq)
{
    vg_auto_host_status status;

    vg_host_status(rq, &status);
    if (status.state != VG_HOST_UP || !status.facts) {
        vg_host_set_unreachable(rq, &status);
        return vg_fail(rq);
    }
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "host", status.name);
    vg_json_string(&w, "uri", status.facts->uri);
    vg_json_string(&w, "hostname", status.facts->hostname);
    vg_json_string(&w, "type", status.facts->type);
    vg_json_bool(&w, "encrypted", status.facts->encrypted);
    vg_json_bool(&w, "secure", status.facts->secure);
    vg_json_bool(&w, "alive", status.alive);
    vg_json_bool(&w, "readOnly", status.read_only);
    vg_json_begin_object(&w, "pool");
    vg_json_uint(&w, "size", status.pool_size);
    vg_json_uint(&w, "inUse", status.in_use);
    vg_json_uint(&w, "idle", status.idle);
    vg_json_uint(&w, "waiting", status.waiting);
    vg_json_end_object(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_capabilities(struct vg_request *rq)
{
    char *xml = virConnectGetCapabilities(vg_conn(rq));
    return xml ? vg_reply_document(rq, xml) : vg_fail_virt(rq);
}

static struct vg_reply get_domain_capabilities(struct vg_request *rq)
{
    const char *emulator = NULL, *arch = NULL, *machine = NULL, *virttype = NULL;
    const struct vg_field args[] = {VG_TEXT("emulator", &emulator),
                                    VG_TEXT("arch", &arch), VG_TEXT("machine", &machine),
                                    VG_TEXT("virttype", &virttype), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (emulator &&
        (vg_request_ask(rq, "gateway:path",
                        "'emulator' is a program that the host then runs") < 0 ||
         vg_emulator_check(rq, emulator) < 0))
        return vg_fail(rq);
    char *xml = virConnectGetDomainCapabilities(vg_conn(rq), emulator, arch, machine,
                                                virttype, 0);
    return xml ? vg_reply_document(rq, xml) : vg_fail_virt(rq);
}

static struct vg_reply get_pool_capabilities(struct vg_request *rq)
{
    char *xml = virConnectGetStoragePoolCapabilities(vg_conn(rq), 0);
    return xml ? vg_reply_document(rq, xml) : vg_fail_virt(rq);
}

/* The <source> to look in, as text or in its JSON form. Owned by the caller. -1: the
 * request's error is set. */
static int read_source(struct vg_request *rq, json_t *given, char **ret_xml)
{
    json_auto_t *document = NULL;

    if (!given)
        return 0;
    if (json_is_string(given)) {
        *ret_xml = strdup(json_string_value(given));
        return *ret_xml ? vg_xml_check(rq, *ret_xml)
                        : vg_error_set_memory(vg_request_error(rq));
    }
    document = json_pack("{s:O}", "source", given);
    if (!document)
        return vg_error_set_memory(vg_request_error(rq));
    *ret_xml = vg_xml_from_json(document, vg_request_error(rq));
    return *ret_xml ? 0 : -1;
}

/* libvirt's types of pools, which have their names in the flags of its list. */
static int check_pool_type(struct vg_request *rq, const char *type)
{
    const struct vg_enum_value *known =
        vg_enum_lookup(&vg_enum_virConnectListAllStoragePoolsFlags, type, strlen(type));

    if (known && known->value >= VIR_CONNECT_LIST_STORAGE_POOLS_DIR)
        return 0;
    vg_error_set(
        vg_request_error(rq), VG_E_UNKNOWN_VALUE,
        "'%s' is no type of storage pools; /connection/storage-pool-capabilities "
        "has those of this host",
        type);
    return -1;
}

/* libvirtd looks whether a source of NFS has a server; the driver of test:/// reads it
 * unasked, and is gone. */
static int check_source(struct vg_request *rq, const char *type, const char *source)
{
    return source && vg_conn_in_process(rq) && strcmp(type, "netfs") == 0
               ? vg_xml_check_child(rq, source, "host")
               : 0;
}

/* A type that the daemon has no driver for; the first of all, which libvirt's test driver
 * takes for none. */
static struct vg_reply fail_find(struct vg_request *rq, const char *type)
{
    struct vg_error *e = vg_request_error(rq);

    vg_error_set_virt(e);
    if (vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) &&
        (vg_error_is_from(e, VIR_FROM_TEST) || vg_pool_is_unsupported(rq, type)))
        vg_error_blame(rq, 501);
    return vg_fail(rq);
}

/* {"type": "iscsi-direct", "source": {"host": {"@name": "san1"}}}: programs of the host
 * look, for as long as a server does not answer. */
static struct vg_reply find_pool_sources(struct vg_request *rq)
{
    const char *type = NULL;
    json_t *given = NULL;
    vg_autofree char *source = NULL;
    const struct vg_field args[] = {VG_NEED_TEXT("type", &type),
                                    VG_JSON("source", &given), VG_END};

    if (vg_args(rq, args) < 0 || read_source(rq, given, &source) < 0 ||
        check_pool_type(rq, type) < 0 || check_source(rq, type, source) < 0 ||
        vg_operation_begin_making(rq, NULL) < 0)
        return vg_fail(rq);
    vg_autofree char *xml =
        virConnectFindStoragePoolSources(vg_conn(rq), type, source, 0);
    if (!xml)
        return fail_find(rq, type);
    json_auto_t *document = vg_xml_to_json(xml, vg_request_error(rq));
    if (!document)
        return vg_fail(rq);
    /* one alone is no array, none at all is text */
    json_t *found = vg_json_inner(document, "sources", "source");
    return vg_ok(rq, json_is_array(found) ? json_pack("{s:O}", "sources", found)
                                          : json_pack("{s:[O*]}", "sources", found));
}

/* clang-format off */
const struct vg_route vg_routes_connection[] = {
    {VG_GET, "/version", "getVersion", get_version,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD},
    {VG_GET, "/connection", "getConnection", get_connection,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD},
    {VG_GET, "/connection/capabilities", "getCapabilities", get_capabilities,
     .needs = "connect:read", .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {VG_GET, "/connection/domain-capabilities", "getDomainCapabilities", get_domain_capabilities,
     .needs = "connect:read domain:save", .gives = VG_GIVES_XML_OR_JSON, .takes = VG_TAKES_ARGS,
     .shared = true},
    {VG_GET, "/connection/storage-pool-capabilities", "getStoragePoolCapabilities",
     get_pool_capabilities,
     .needs = "connect:read", .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {VG_POST, "/connection/storage-pool-sources", "findStoragePoolSources", find_pool_sources,
     .needs = "connect:detect_storage_pools", .runs_on = VG_ON_LONG, .takes = VG_TAKES_DOCUMENT},
    {0},
};
/* clang-format on */
