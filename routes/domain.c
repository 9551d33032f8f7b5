/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains and /domains/{domain}: list, show, define, undefine, rename, XML, state,
 * autostart.
 */
#include "virtgate/domain.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/xml.h"

#include <string.h>

#define MAX_LIMIT 10000

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

enum view { VIEW_DEFAULT, VIEW_FULL };
static const struct vg_enum_value view_names[] = {{"default", NULL, VIEW_DEFAULT},
                                                  {"full", NULL, VIEW_FULL}};
static const struct vg_enum views = {"views", view_names, 2};

/* libvirt's filters come in pairs, yes and no; asked for neither, both pass. */
static unsigned int pick(int wanted, unsigned int yes, unsigned int no)
{
    return wanted < 0 ? 0 : wanted ? yes : no;
}

/* Autostart, managed save, snapshots and checkpoints change without an event. */
static bool is_covered(const struct vg_domain_filter *filter, unsigned int fields)
{
    const unsigned int covered =
        VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE |
        VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT |
        VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED |
        VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER;
    return !(fields & ~(unsigned int)VG_DOMAIN_BRIEF) && !(filter->flags & ~covered);
}

static struct vg_reply list_domains(struct vg_request *rq)
{
    struct vg_domain_filter filter = {0};
    unsigned int fields = 0;
    int view = VIEW_DEFAULT;
    const char *after = NULL;
    int persistent = -1, autostart = -1, managed_save = -1, snapshots = -1,
        checkpoints = -1;
    const struct vg_field args[] = {
        VG_NAMES("state", &filter.states, &states),
        VG_MAYBE("persistent", &persistent),
        VG_MAYBE("autostart", &autostart),
        VG_MAYBE("managedSave", &managed_save),
        VG_MAYBE("snapshots", &snapshots),
        VG_MAYBE("checkpoints", &checkpoints),
        VG_FLAGS("flags", &filter.flags, virConnectListAllDomainsFlags),
        VG_TEXT("name", &filter.name),
        VG_NAMES("fields", &fields, &vg_domain_fields),
        VG_ONE_OF("view", &view, &views),
        VG_TEXT("after", &after),
        VG_NUMBER("limit", &filter.limit, 1, MAX_LIMIT),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    filter.after = after;
    filter.flags |= pick(persistent, VIR_CONNECT_LIST_DOMAINS_PERSISTENT,
                         VIR_CONNECT_LIST_DOMAINS_TRANSIENT) |
                    pick(autostart, VIR_CONNECT_LIST_DOMAINS_AUTOSTART,
                         VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART) |
                    pick(managed_save, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE,
                         VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE) |
                    pick(snapshots, VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT,
                         VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT) |
                    pick(checkpoints, VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT,
                         VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT);
    if (!fields && view == VIEW_FULL)
        fields = vg_conn_in_process(rq) ? VG_DOMAIN_EVERYTHING : VG_DOMAIN_FULL;
    else if (!fields)
        fields = VG_DOMAIN_BRIEF;
    if (filter.limit)
        fields |= VG_DOMAIN_NAME; /* what pages go by */

    vg_auto_json w = vg_json_for(rq);
    vg_autofree char *next = NULL;
    vg_json_begin_object(&w, NULL);
    if (vg_domain_write_list(rq, &w, &filter, fields, &next) < 0)
        return vg_fail(rq);
    if (next)
        vg_json_string(&w, "next", next);
    vg_json_end_object(&w);
    struct vg_reply reply = vg_with_next(rq, vg_ok_written(rq, &w), next);
    return is_covered(&filter, fields) ? vg_covered(reply) : reply;
}

/* ---- define and undefine ----------------------------------------------------------- */

/* application/xml, or {"xml": "...", "flags": ["validate"]}; ?transient=true creates. */
static struct vg_reply define_domain(struct vg_request *rq)
{
    const char *given = NULL;
    bool transient = vg_peek_true(rq, "transient");
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_TEXT("xml", &given),
        VG_BOOL("transient", &transient),
        VG_NAMES("flags", &flags,
                 transient ? &vg_enum_virDomainCreateFlags
                           : &vg_enum_virDomainDefineFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    const char *xml = vg_xml_argument(rq, given);
    if (!xml)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = transient
                                    ? virDomainCreateXML(vg_conn(rq), xml, flags)
                                    : virDomainDefineXMLFlags(vg_conn(rq), xml, flags);
    if (!dom)
        return vg_fail_define(rq, xml);
    vg_auto_json w = vg_json_for(rq);
    if (vg_domain_write(rq, &w, NULL, dom, VG_DOMAIN_EVERYTHING) < 0)
        return vg_fail(rq);
    return vg_created(rq, vg_domain_href(rq, dom), &w);
}

/* Whether the document is of this domain and not of another. What is not well-formed is
 * nobody's: libvirt, asked to define it, says what is wrong. */
static bool is_same(struct vg_request *rq, virDomainPtr dom, const char *xml)
{
    struct vg_error malformed = {0};
    vg_autofree char *name = NULL;
    vg_autofree char *uuid = NULL;
    char own[VIR_UUID_STRING_BUFLEN] = "";

    if (vg_xml_identity(xml, &name, &uuid, &malformed) < 0) {
        vg_error_clear(&malformed);
        return true;
    }
    virDomainGetUUIDString(dom, own);
    if ((!name || strcmp(name, virDomainGetName(dom)) == 0) &&
        (!uuid || strcasecmp(uuid, own) == 0))
        return true;
    vg_error_set(
        vg_request_error(rq), VG_E_CONFLICT,
        "The document is of '%s' (%s), this domain is '%s' (%s); to change a name, "
        "POST .../rename",
        name ? name : "?", uuid ? uuid : "no uuid", virDomainGetName(dom), own);
    return false;
}

static struct vg_reply redefine_domain(struct vg_request *rq)
{
    const char *given = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_TEXT("xml", &given), VG_FLAGS("flags", &flags, virDomainDefineFlags), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    const char *xml = vg_xml_argument(rq, given);
    if (!xml)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom || !is_same(rq, dom, xml))
        return vg_fail(rq);
    vg_autoptr(virDomain) defined = virDomainDefineXMLFlags(vg_conn(rq), xml, flags);
    if (!defined)
        return vg_fail_define(rq, xml);
    return vg_domain_reply(rq, defined);
}

static struct vg_reply undefine_domain(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainUndefineFlagsValues), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (virDomainUndefineFlags(dom, flags) < 0)
        return vg_fail_virt(rq);
    return vg_no_content(rq);
}

/* ---- one domain -------------------------------------------------------------------- */

static struct vg_reply get_domain(struct vg_request *rq)
{
    unsigned int fields = VG_DOMAIN_EVERYTHING;
    const struct vg_field args[] = {VG_NAMES("fields", &fields, &vg_domain_fields),
                                    VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (vg_wants_xml(rq)) {
        char *xml = virDomainGetXMLDesc(dom, 0);
        return xml ? vg_reply_xml(rq, xml) : vg_fail_virt(rq);
    }
    vg_auto_json w = vg_json_for(rq);
    if (vg_domain_write(rq, &w, NULL, dom, fields) < 0)
        return vg_fail(rq);
    struct vg_reply reply = vg_ok_written(rq, &w);
    return fields & ~(unsigned int)VG_DOMAIN_BRIEF ? reply : vg_covered(reply);
}

static struct vg_reply get_domain_xml(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_FLAGS("flags", &flags, virDomainXMLFlags), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (flags & VIR_DOMAIN_XML_SECURE && !vg_request_may(rq, VG_OPERATE)) {
        vg_error_set(vg_request_error(rq), VG_E_FORBIDDEN,
                     "The flag 'secure' shows passwords; it needs the role 'operator'");
        return vg_fail(rq);
    }
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    char *xml = virDomainGetXMLDesc(dom, flags);
    return xml ? vg_reply_xml(rq, xml) : vg_fail_virt(rq);
}

static struct vg_reply rename_domain(struct vg_request *rq)
{
    const char *name = NULL;
    const struct vg_field args[] = {VG_NEED_TEXT("name", &name), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (virDomainRename(dom, name, 0) < 0)
        return vg_fail_virt(rq);
    /* the handle keeps the old name */
    vg_autoptr(virDomain) renamed = virDomainLookupByName(vg_conn(rq), name);
    return renamed ? vg_domain_reply(rq, renamed) : vg_fail_virt(rq);
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
    return vg_covered(vg_ok_written(rq, &w));
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
    if (virDomainSetAutostart(dom, autostart) < 0)
        return vg_fail_virt(rq);
    return reply_autostart(rq, dom);
}

/* clang-format off */
const struct vg_route vg_routes_domain[] = {
    {VG_GET, "/domains", "listDomains", VG_READ | VG_LANE | VG_ARGS | VG_SHARED | VG_ALL, list_domains},
    {VG_POST, "/domains", "defineDomain", VG_ADMIN | VG_ARGS | VG_XML, define_domain},
    {VG_GET, "/domains/{domain}", "getDomain", VG_READ | VG_ARGS | VG_SHARED | VG_GIVES_XML, get_domain},
    {VG_DELETE, "/domains/{domain}", "undefineDomain", VG_ADMIN | VG_ARGS, undefine_domain},
    {VG_GET, "/domains/{domain}/xml", "getDomainXml", VG_READ | VG_ARGS | VG_SHARED | VG_GIVES_XML | VG_ONLY_XML, get_domain_xml},
    {VG_PUT, "/domains/{domain}/xml", "redefineDomain", VG_ADMIN | VG_ARGS | VG_XML, redefine_domain},
    {VG_POST, "/domains/{domain}/rename", "renameDomain", VG_ADMIN | VG_ARGS, rename_domain},
    {VG_GET, "/domains/{domain}/state", "getDomainState", VG_READ | VG_SHARED, get_state},
    {VG_GET, "/domains/{domain}/autostart", "getDomainAutostart", VG_READ | VG_SHARED, get_autostart},
    {VG_PUT, "/domains/{domain}/autostart", "setDomainAutostart", VG_OPERATE | VG_ARGS, set_autostart},
    {0},
};
/* clang-format on */
