/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * POST /domains/{domain}/migrate: managed by the gateway between two of its hosts
 * (virDomainMigrate3), or by the host itself (virDomainMigrateToURI3); and
 * /domains/{domain}/migration, how it is to be done.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"
#include "virtgate/params.h"
#include "virtgate/scope.h"
#include "virtgate/uri.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>
#include <string.h>

/* ---- migrate ----------------------------------------------------------------------- */

enum mode { MODE_MANAGED, MODE_PEER2PEER, MODE_DIRECT };
static const struct vg_enum_value mode_names[] = {{"managed", NULL, MODE_MANAGED},
                                                  {"peer2peer", NULL, MODE_PEER2PEER},
                                                  {"direct", NULL, MODE_DIRECT}};
static const struct vg_enum modes = {"modes", mode_names, 3};

struct migration {
    int mode;
    const char *host, *uri; /* where to */
    unsigned int flags;
    json_t *json; /* libvirt's parameters */
    struct vg_params params;
    struct vg_destination *destination; /* MODE_MANAGED */
};

static void migration_clean(struct migration *m)
{
    vg_params_clean(&m->params);
    vg_destination_close(m->destination);
}
#define auto_migration VG_CLEANUP(migration_clean) struct migration

static int fail_input(struct vg_request *rq, enum vg_error_id id, const char *text)
{
    vg_error_set(vg_request_error(rq), id, "%s", text);
    return -1;
}

/* Which of the two destinations goes with the mode. */
static int check_destination(struct vg_request *rq, const struct migration *m)
{
    bool managed = m->mode == MODE_MANAGED;
    const char *why = m->uri ? vg_uri_find_unsafe(m->uri) : NULL;

    if (managed && !m->host)
        return fail_input(rq, VG_E_MISSING_KEY,
                          "'destinationHost' is missing: a managed migration goes to a "
                          "host that /hosts lists");
    if (!managed && !m->uri)
        return fail_input(rq, VG_E_MISSING_KEY,
                          "'destinationUri' is missing: the host itself connects to it");
    if (managed ? m->uri != NULL : m->host != NULL)
        return fail_input(rq, VG_E_INVALID_VALUE,
                          "'destinationHost' goes with mode 'managed', 'destinationUri' "
                          "with 'peer2peer' and 'direct'; one of them is accepted");
    if (managed && strcmp(m->host, vg_host_name(rq)) == 0)
        return fail_input(rq, VG_E_INVALID_VALUE,
                          "'destinationHost' is the host that the domain is on; another "
                          "one is accepted");
    if (!why)
        return 0;
    return vg_fail_value(
        rq, "'destinationUri' is unsafe: %s; a URI that does not is accepted", why);
}

/* Documents among the parameters are guarded like all others. -1: the request's error is
 * set. */
static int check_documents(struct vg_request *rq, const struct migration *m)
{
    static const char *const names[] = {VIR_MIGRATE_PARAM_DEST_XML,
                                        VIR_MIGRATE_PARAM_PERSIST_XML};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *xml = NULL;
        if (virTypedParamsGetString(m->params.v, m->params.n, names[i], &xml) > 0 &&
            vg_xml_check_domain(rq, xml) < 0)
            return -1;
    }
    return 0;
}

/* The host opens these as its daemon, and says what it found there. */
static int ask_file(struct vg_request *rq, const char *uri)
{
    return uri && vg_uri_names_file(uri)
               ? vg_request_ask(rq, "gateway:path",
                                "The URI names a file or a socket of the host")
               : 0;
}

static int check_uris(struct vg_request *rq, const struct migration *m)
{
    const char *memory = NULL, *disks = NULL;

    virTypedParamsGetString(m->params.v, m->params.n, VIR_MIGRATE_PARAM_URI, &memory);
    virTypedParamsGetString(m->params.v, m->params.n, VIR_MIGRATE_PARAM_DISKS_URI,
                            &disks);
    return ask_file(rq, m->uri) < 0 || ask_file(rq, memory) < 0 ? -1
                                                                : ask_file(rq, disks);
}

/* Where it goes to is within the caller's scope: which host a URI leads to, nobody here
 * can tell. */
static int check_scope(struct vg_request *rq, const struct migration *m)
{
    const char *name = NULL;

    virTypedParamsGetString(m->params.v, m->params.n, VIR_MIGRATE_PARAM_DEST_NAME, &name);
    if (vg_ask_domain_name(rq, name) < 0)
        return -1;
    if (m->mode == MODE_MANAGED || vg_sees_all_hosts(rq))
        return 0;
    vg_error_set(
        vg_request_error(rq), VG_E_OUTSIDE_SCOPE,
        "This token is for some hosts ('hosts='), and a 'destinationUri' may lead "
        "to any; 'destinationHost' names one of them");
    return -1;
}

static int read_params(struct vg_request *rq, struct migration *m)
{
    int max;

    if (m->json && !json_is_object(m->json))
        return fail_input(rq, VG_E_INVALID_VALUE,
                          "Body member 'params': an object of migration parameters is "
                          "accepted");
    if (m->json && vg_params_from_json(m->json, NULL, 0, &m->params.v, &m->params.n,
                                       vg_request_error(rq)) < 0)
        return -1;
    max = m->params.n;
    if (m->mode == MODE_DIRECT &&
        virTypedParamsAddString(&m->params.v, &m->params.n, &max, VIR_MIGRATE_PARAM_URI,
                                m->uri) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    return check_documents(rq, m) < 0 ? -1 : check_uris(rq, m);
}

/* {"mode": "managed", "destinationHost": "b", "flags": ["live"], "params": {...}} */
static int read_migration(struct vg_request *rq, struct migration *m)
{
    const struct vg_field args[] = {
        VG_ONE_OF("mode", &m->mode, &modes),
        VG_TEXT("destinationHost", &m->host),
        VG_TEXT("destinationUri", &m->uri),
        VG_FLAGS("flags", &m->flags, virDomainMigrateFlags),
        VG_JSON("params", &m->json),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return -1;
    if (m->mode < 0)
        m->mode = m->uri ? MODE_PEER2PEER : MODE_MANAGED;
    return check_destination(rq, m) < 0 || read_params(rq, m) < 0 ? -1
                                                                  : check_scope(rq, m);
}

static int call_migrate(virDomainPtr dom, const struct migration *m)
{
    unsigned int n = (unsigned int)m->params.n;

    if (m->mode == MODE_MANAGED) {
        vg_autoptr(virDomain) there = virDomainMigrate3(
            dom, vg_destination_conn(m->destination), m->params.v, n, m->flags);
        return there ? 0 : -1;
    }
    bool p2p = m->mode == MODE_PEER2PEER;
    return virDomainMigrateToURI3(dom, p2p ? m->uri : NULL, m->params.v, n,
                                  m->flags | (p2p ? VIR_MIGRATE_PEER2PEER : 0));
}

/* A domain of the destination that is in the way: of the name or the UUID, unless it is
 * the same one, shut off. Sets the request's error. */
static int check_free(struct vg_request *rq, virDomainPtr dom, const struct migration *m)
{
    virConnectPtr conn = vg_destination_conn(m->destination);
    const char *name = virDomainGetName(dom);
    char uuid[VIR_UUID_STRING_BUFLEN] = "", other[VIR_UUID_STRING_BUFLEN] = "";

    virTypedParamsGetString(m->params.v, m->params.n, VIR_MIGRATE_PARAM_DEST_NAME, &name);
    virDomainGetUUIDString(dom, uuid);
    vg_autoptr(virDomain) by_uuid = virDomainLookupByUUIDString(conn, uuid);
    vg_autoptr(virDomain) by_name = virDomainLookupByName(conn, name);
    if (by_name)
        virDomainGetUUIDString(by_name, other);
    bool same = by_uuid && strcmp(virDomainGetName(by_uuid), name) == 0;
    bool other_name = by_name && strcmp(other, uuid) != 0;
    const char *taken = other_name                                   ? "name"
                        : by_uuid && !same                           ? "UUID"
                        : by_uuid && virDomainIsActive(by_uuid) == 1 ? "name and UUID"
                                                                     : NULL;
    virResetLastError();
    if (!taken)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "Host '%s' has a domain of the same %s ('%s'); %s",
                 vg_destination_name(m->destination), taken,
                 other_name ? name : vg_domain_shown(rq, virDomainGetName(by_uuid)),
                 other_name
                     ? "undefine or rename it, or migrate to another name ('params': "
                       "{'destinationName': ...})"
                 : same ? "stop it there"
                        : "undefine it there");
    vg_request_error(rq)->host = vg_destination_name(m->destination);
    return -1;
}

/* What the destination's library says of its list of domains, in any language. */
static bool is_taken(const struct vg_error *e)
{
    return vg_error_is_virt(e, VIR_ERR_OPERATION_FAILED) &&
           vg_error_is_from(e, VIR_FROM_DOMAIN);
}

/* A URI that is none; those of the configuration were read long ago. */
static bool is_no_uri(const struct vg_error *e)
{
    return vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) &&
           vg_error_is_from(e, VIR_FROM_URI);
}

/* What broke may be the connection between the two hosts: then this one is still good,
 * and libvirt has kept the guest where it was. */
static struct vg_reply fail_migrate(struct vg_request *rq, const struct migration *m)
{
    struct vg_error *e = vg_request_error(rq);

    vg_error_set_virt(e);
    if (is_no_uri(e))
        vg_error_set_status(e, 400);
    if (!e->transport && is_taken(e)) {
        vg_error_set_status(e, 409);
        e->host = m->destination ? vg_destination_name(m->destination) : NULL;
    }
    if (!e->transport || virConnectIsAlive(vg_conn(rq)) != 1)
        return vg_fail(rq);
    e->transport = false;
    if (m->destination && virConnectIsAlive(vg_destination_conn(m->destination)) != 1) {
        e->outcome = VG_OUTCOME_UNKNOWN;
        e->host = vg_destination_name(m->destination);
        return vg_fail(rq);
    }
    vg_error_set_status(e, 502);
    return vg_fail(rq);
}

static struct vg_reply migrate_domain(struct vg_request *rq)
{
    auto_migration m = {.mode = -1};

    if (read_migration(rq, &m) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (m.mode == MODE_MANAGED && !(m.destination = vg_destination_open(rq, m.host)))
        return vg_fail(rq);
    /* drivers of this process (test) migrate nothing, which they say themselves */
    if (m.destination && !vg_conn_in_process(rq) && check_free(rq, dom, &m) < 0)
        return vg_fail(rq);
    if (vg_operation_begin(rq, dom, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT) < 0)
        return vg_fail(rq);
    return call_migrate(dom, &m) < 0 ? fail_migrate(rq, &m) : vg_no_content(rq);
}

/* ---- how it is done ---------------------------------------------------------------- */

static int get_speed(virDomainPtr dom, unsigned long long *ret, unsigned int flags)
{
    unsigned long mib = 0;
    int rc = virDomainMigrateGetMaxSpeed(dom, &mib, flags);
    *ret = mib;
    return rc;
}

static int set_speed(virDomainPtr dom, unsigned long long value, unsigned int flags)
{
    return virDomainMigrateSetMaxSpeed(dom, (unsigned long)value, flags);
}

/* The tunables by their JSON names. */
static const struct tunable {
    const char *key;
    int (*get)(virDomainPtr dom, unsigned long long *ret, unsigned int flags);
    int (*set)(virDomainPtr dom, unsigned long long value, unsigned int flags);
    unsigned int flags;
} tunables[] = {
    {"maxSpeedMiBps", get_speed, set_speed, 0},
    {"postcopyMaxSpeedMiBps", get_speed, set_speed,
     VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY},
    {"maxDowntimeMs", virDomainMigrateGetMaxDowntime, virDomainMigrateSetMaxDowntime, 0},
    {"compressionCacheBytes", virDomainMigrateGetCompressionCache,
     virDomainMigrateSetCompressionCache, 0},
};
#define N_TUNABLES (sizeof(tunables) / sizeof(tunables[0]))

/* A driver has not all of them, and some only while the guest runs; those are left out.
 */
static bool not_there(const struct vg_error *e)
{
    return vg_error_is_virt(e, VIR_ERR_NO_SUPPORT) ||
           vg_error_is_virt(e, VIR_ERR_OPERATION_INVALID) ||
           vg_error_is_virt(e, VIR_ERR_OPERATION_UNSUPPORTED) ||
           vg_error_is_virt(e, VIR_ERR_ARGUMENT_UNSUPPORTED);
}

static struct vg_reply reply_migration(struct vg_request *rq, virDomainPtr dom)
{
    struct vg_error *e = vg_request_error(rq);
    unsigned int there = 0;
    vg_auto_json w = vg_json_for(rq);

    vg_json_begin_object(&w, NULL);
    for (size_t i = 0; i < N_TUNABLES; i++) {
        unsigned long long value = 0;
        if (tunables[i].get(dom, &value, tunables[i].flags) == 0) {
            vg_json_uint(&w, tunables[i].key, value);
            there++;
            continue;
        }
        vg_error_set_virt(e);
        if (!not_there(e))
            return vg_fail(rq);
    }
    vg_json_end_object(&w);
    if (!there) /* the driver cannot migrate: it has said so */
        return vg_fail(rq);
    vg_error_clear(e);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_migration(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    return dom ? reply_migration(rq, dom) : vg_fail(rq);
}

static struct vg_reply tune_migration(struct vg_request *rq)
{
    int64_t values[N_TUNABLES];
    struct vg_field args[N_TUNABLES + 1] = {[N_TUNABLES] = VG_END};

    for (size_t i = 0; i < N_TUNABLES; i++) {
        values[i] = -1;
        args[i] = (struct vg_field)VG_NUMBER(tunables[i].key, &values[i], 0, INT64_MAX);
    }
    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    for (size_t i = 0; i < N_TUNABLES; i++)
        if (values[i] >= 0 &&
            tunables[i].set(dom, (unsigned long long)values[i], tunables[i].flags) < 0)
            return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    return reply_migration(rq, dom);
}

static struct vg_reply start_postcopy(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);

    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(rq, dom, VG_NEEDS_ACTIVE,
                            virDomainMigrateStartPostCopy(dom, 0));
}

/* clang-format off */
const struct vg_route vg_routes_domain_migration[] = {
    {VG_POST, "/domains/{domain}/migrate", "migrateDomain", migrate_domain,
     .needs = "domain:getattr domain:migrate", .runs_on = VG_ON_LONG, .takes = VG_TAKES_DOCUMENT},
    {VG_GET, "/domains/{domain}/migration", "getMigration", get_migration,
     .needs = "domain:getattr domain:migrate", .shared = true},
    {VG_PATCH, "/domains/{domain}/migration", "tuneMigration", tune_migration,
     .needs = "domain:getattr domain:migrate", .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/migration/postcopy", "startPostcopy", start_postcopy,
     .needs = "domain:getattr domain:migrate"},
    {0},
};
/* clang-format on */
