/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains and /domains/{domain}: list, show, undefine, rename, state, autostart.
 * Making one is in domain_create.c, its configuration in domain_config.c.
 */
#include "virtgate/domain.h"
#include "routes/domain/own_volumes.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/domain_config.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/xml_json.h"

/* ---- the list ---------------------------------------------------------------------- */

static const struct vg_enum_value state_names[] = {
    {"active", NULL, VG_DOMAIN_STATES_ACTIVE},
    {"inactive", NULL, VG_DOMAIN_STATES_INACTIVE},
    {"nostate", NULL, 1 << VIR_DOMAIN_NOSTATE},
    {"running", NULL, 1 << VIR_DOMAIN_RUNNING},
    {"blocked", NULL, 1 << VIR_DOMAIN_BLOCKED},
    {"paused", NULL, 1 << VIR_DOMAIN_PAUSED},
    {"shutdown", NULL, 1 << VIR_DOMAIN_SHUTDOWN},
    {"shutoff", NULL, 1 << VIR_DOMAIN_SHUTOFF},
    {"crashed", NULL, 1 << VIR_DOMAIN_CRASHED},
    {"pmsuspended", NULL, 1 << VIR_DOMAIN_PMSUSPENDED},
};
static const struct vg_enum states = {"states", state_names,
                                      sizeof(state_names) / sizeof(state_names[0])};

/* Autostart, managed save, snapshots and checkpoints change without an event. */
static bool is_cacheable(const struct vg_domain_filter *filter, unsigned int fields)
{
    const unsigned int covered =
        VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE |
        VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT |
        VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED |
        VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER;
    return !(fields & ~(unsigned int)VG_DOMAIN_COVERED) &&
           !(filter->list.flags & ~covered);
}

/* -1: the request's error is set. */
static int ask_fields(struct vg_request *rq, unsigned int fields)
{
    return fields & VG_DOMAIN_ADDRESSES
               ? vg_request_ask(rq, "connect:search_networks network:read",
                                "'addresses' are leases of the host's networks")
               : 0;
}

static struct vg_reply list_domains(struct vg_request *rq)
{
    struct vg_domain_filter filter = {0};
    unsigned int fields = 0;
    struct vg_list_args *list = &filter.list;
    int persistent = -1, autostart = -1, managed_save = -1, snapshots = -1,
        checkpoints = -1;
    const struct vg_field args[] = {
        VG_NAMES("state", &filter.states, &states),
        VG_MAYBE("persistent", &persistent),
        VG_MAYBE("autostart", &autostart),
        VG_MAYBE("managedSave", &managed_save),
        VG_MAYBE("snapshots", &snapshots),
        VG_MAYBE("checkpoints", &checkpoints),
        VG_FLAGS("flags", &list->flags, virConnectListAllDomainsFlags),
        VG_LIST_FIELDS(*list, &fields, &vg_domain_fields),
        VG_LIST_UUIDS(*list),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || vg_list_check_uuids(rq, list) < 0 ||
        ask_fields(rq, fields) < 0)
        return vg_fail(rq);
    vg_list_narrow(list, persistent, VIR_CONNECT_LIST_DOMAINS_PERSISTENT,
                   VIR_CONNECT_LIST_DOMAINS_TRANSIENT);
    vg_list_narrow(list, autostart, VIR_CONNECT_LIST_DOMAINS_AUTOSTART,
                   VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART);
    vg_list_narrow(list, managed_save, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE,
                   VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE);
    vg_list_narrow(list, snapshots, VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT,
                   VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT);
    vg_list_narrow(list, checkpoints, VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT,
                   VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT);
    if (!fields && list->view == VG_LIST_FULL)
        fields = vg_conn_in_process(rq) ? VG_DOMAIN_EVERYTHING : VG_DOMAIN_FULL;
    else if (!fields)
        fields = VG_DOMAIN_BRIEF;
    if (list->limit)
        fields |= VG_DOMAIN_NAME; /* what pages go by */
    if (vg_on_fast_queue(rq) && vg_domain_asks_each(fields))
        return vg_requeue();

    vg_auto_json w = vg_json_for(rq);
    struct vg_domain_listed listed;
    vg_json_begin_object(&w, NULL);
    int rc = vg_domain_write_list(rq, &w, &filter, fields, &listed);
    vg_autofree char *next = listed.next;
    if (rc != 0)
        return rc < 0 ? vg_fail(rq) : vg_requeue();
    if (next)
        vg_json_string(&w, "next", next);
    vg_json_end_object(&w);
    struct vg_reply reply = vg_with_next(rq, vg_ok_written(rq, &w), next);
    return is_cacheable(&filter, fields) && !listed.is_part ? vg_cacheable(reply) : reply;
}

/* ---- one domain ----------------------------------------------------------------------
 */

static struct vg_reply undefine_domain(struct vg_request *rq)
{
    unsigned int flags = 0;
    bool volumes = false;
    vg_autolist(volume) own = {0};
    vg_auto_own_holds holds = {0};
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainUndefineFlagsValues),
        VG_BOOL("volumes", &volumes), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom || (volumes && (vg_own_volumes_find(rq, dom, &own) < 0 ||
                             vg_own_volumes_hold(rq, &own, &holds) < 0)))
        return vg_fail(rq);
    if (virDomainUndefineFlags(dom, flags) < 0)
        return vg_fail_virt(rq);
    return vg_own_volumes_delete(rq, &own) < 0 ? vg_fail(rq) : vg_no_content(rq);
}

/* Of one domain the default is the full view, as lists have it. */
enum show { SHOW_DEFAULT, SHOW_CONFIG };
static const struct vg_enum_value show_names[] = {{"default", NULL, SHOW_DEFAULT},
                                                  {"full", NULL, SHOW_DEFAULT},
                                                  {"config", NULL, SHOW_CONFIG}};
static const struct vg_enum shows = {"views", show_names, 3};

/* Its fields, or the whole of libvirt's document: ?view=config, or as XML. */
static struct vg_reply get_domain(struct vg_request *rq)
{
    unsigned int fields = 0, flags = 0;
    int show = SHOW_DEFAULT;
    const struct vg_field args[] = {VG_NAMES("fields", &fields, &vg_domain_fields),
                                    VG_ONE_OF("view", &show, &shows),
                                    VG_FLAGS("flags", &flags, virDomainXMLFlags), VG_END};

    if (vg_args(rq, args) < 0 || ask_fields(rq, fields) < 0)
        return vg_fail(rq);
    bool document = show == SHOW_CONFIG || vg_wants_xml(rq);
    if (document ? fields : flags) {
        vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                     "'fields' is for the default view, 'flags' for view=config and XML");
        return vg_fail(rq);
    }
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (document) {
        char *xml = vg_domain_xml(rq, dom, flags);
        return xml ? vg_domain_tagged(rq, dom, flags, vg_reply_document(rq, xml))
                   : vg_fail(rq);
    }
    vg_auto_json w = vg_json_for(rq);
    unsigned int all = VG_DOMAIN_EVERYTHING | VG_DOMAIN_DEFINITION;
    if (vg_domain_write(rq, &w, NULL, dom, fields ? fields : all) < 0)
        return vg_fail(rq);
    struct vg_reply reply = vg_ok_written(rq, &w);
    bool covered = fields && !(fields & ~(unsigned int)VG_DOMAIN_COVERED);
    return covered ? vg_cacheable(reply) : reply;
}

static struct vg_reply rename_domain(struct vg_request *rq)
{
    const char *name = NULL;
    const struct vg_field args[] = {VG_NEED_TEXT("name", &name), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    return dom ? vg_domain_rename(rq, dom, name) : vg_fail(rq);
}

static struct vg_reply get_state(struct vg_request *rq)
{
    int state, reason;
    vg_autoptr(virDomain) dom = vg_path_domain(rq);

    if (!dom)
        return vg_fail(rq);
    if (virDomainGetState(dom, &state, &reason, 0) < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_domain_write_state(&w, "state", "stateReason", state, reason);
    vg_json_int(&w, "stateCode", state);
    vg_json_int(&w, "stateReasonCode", reason);
    vg_json_end_object(&w);
    return vg_cacheable(vg_ok_written(rq, &w));
}

static struct vg_reply reply_autostart(struct vg_request *rq, virDomainPtr dom)
{
    int autostart = 0;
    if (virDomainGetAutostart(dom, &autostart) < 0)
        return vg_fail_virt(rq);
    return vg_ok(rq, json_pack("{s:b}", "autostart", autostart));
}

static struct vg_reply get_autostart(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    return dom ? reply_autostart(rq, dom) : vg_fail(rq);
}

static struct vg_reply set_autostart(struct vg_request *rq)
{
    bool autostart = false;
    const struct vg_field args[] = {VG_NEED_BOOL("autostart", &autostart), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (vg_domain_set_autostart(rq, dom, autostart) < 0)
        return vg_fail_virt(rq);
    return reply_autostart(rq, dom);
}

/* clang-format off */
const struct vg_route vg_routes_domain[] = {
    {VG_GET, "/domains", "listDomains", list_domains,
     .needs = "connect:search_domains domain:read", .runs_on = VG_ON_FAST, .takes = VG_TAKES_ARGS,
     .hosts = VG_ONE_OR_ALL_HOSTS, .shared = true},
    {VG_GET, "/domains/{domain}", "getDomain", get_domain,
     .needs = "domain:getattr domain:read", .gives = VG_GIVES_JSON_OR_XML, .takes = VG_TAKES_ARGS,
     .shared = true},
    {VG_DELETE, "/domains/{domain}", "undefineDomain", undefine_domain,
     .needs = "domain:getattr domain:delete", .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/rename", "renameDomain", rename_domain,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/state", "getDomainState", get_state,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_GET, "/domains/{domain}/autostart", "getDomainAutostart", get_autostart,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_PUT, "/domains/{domain}/autostart", "setDomainAutostart", set_autostart,
     .needs = "domain:getattr domain:read domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
