/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/explain.h. One table says for each place of a path how the domain's
 * document shows that what is named there exists.
 */
#include "server/libvirt/explain.h"

#include "server/core/request.h"
#include "server/xml/tree.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/object.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

/* VIR_NET_MESSAGE_STRING_MAX of libvirt's, which no header has. */
#define MAX_TEXT ((size_t)4 << 20)

/* ---- what is not there ------------------------------------------------------------- */

/* A disk is named by its target, or by its image, which may be one of its chain: vda[2].
 */
#define TARGET "substring-before(concat($name, '['), '[')"
#define INDEX  "substring-before(substring-after($name, '['), ']')"
#define LOWER(text)                                                                      \
    "translate(" text ", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"
#define CHARACTER "*[self::console or self::serial or self::parallel]"

/* Where such names are known. */
enum known {
    ANYWHERE,
    RUNNING,    /* only a running domain has them */
    LIVE_FIRST, /* as RUNNING, and what a change of both means is found there alone */
};

static const struct thing {
    const char *what;
    const char *place; /* how the pattern goes on after the domain's */
    const char *name;  /* "{variable}" of it, or "query key" */
    const char *there; /* XPath of the domain's document, with $name; what is false or
                          empty is not there */
    enum known known;
} things[] = {
    {"disk", "/disks/{disk}", "{disk}",
     "/domain/devices/disk[source/@*[name() != 'index'] = $name or (target/@dev = " TARGET
     " and (not(contains($name, '[')) or .//@index = " INDEX "))]",
     ANYWHERE},
    {"interface", "/interfaces/{device}", "{device}",
     "/domain/devices/interface[target/@dev = $name or alias/@name = $name or " LOWER(
         "mac/@address") " = " LOWER("$name") "]",
     RUNNING},
    {"device with alias", "/devices/{alias}", "{alias}",
     "/domain/devices/*[alias/@name = $name]", LIVE_FIRST},
    {"console", "/console", "device",
     "/domain/devices/" CHARACTER "[alias/@name = $name]", RUNNING},
    {"console", "/console", NULL, "/domain/devices/" CHARACTER, RUNNING},
    {"channel", "/channels/{name}", "{name}",
     "/domain/devices/channel[target/@name = $name or alias/@name = $name]", ANYWHERE},
    {"display", "/graphics/{index}", "{index}",
     "/domain/devices/graphics[position() = $name + 1]", ANYWHERE},
    {"screen", "/screenshot", "screen",
     "sum(/domain/devices/video/model/@heads) + "
     "count(/domain/devices/video[not(model/@heads)]) > $name",
     ANYWHERE},
    {"screen", "/screenshot", NULL, "/domain/devices/video", RUNNING},
    {"memory balloon", "/memory-stats/period", NULL,
     "/domain/devices/memballoon[@model != 'none']", RUNNING},
    {"virtual CPU", "/vcpus/{vcpu}", "{vcpu}",
     "/domain/vcpus/vcpu[@id = $name and @enabled = 'yes'] or (not(/domain/vcpus) and "
     "$name < number(/domain/vcpu/@current | /domain/vcpu[not(@current)]))",
     ANYWHERE},
    {"I/O thread", "/iothreads/{iothread}", "{iothread}",
     "/domain/iothreadids/iothread[@id = $name] or (not(/domain/iothreadids) and "
     "$name > 0 and $name <= number(/domain/iothreads))",
     ANYWHERE},
};

/* What a drive has, unless it is empty. */
static const struct thing medium = {
    .what = "medium in the drive",
    .there = "not(/domain/devices/disk[target/@dev = $name and not(source)])",
    .known = ANYWHERE,
};

/* The value of a key of the query, or of a member of the body; NULL: it is not given. */
static const char *given(const struct vg_request *rq, const char *key)
{
    for (unsigned int i = 0; i < rq->n_query; i++)
        if (strcmp(rq->query[i].key, key) == 0)
            return rq->query[i].value;
    return json_string_value(json_object_get(rq->json, key));
}

/* The thing that the request names, and its name ("" where it has none). */
static const struct thing *find_thing(const struct vg_request *rq, const char **ret_name)
{
    static const char domain[] = "/domains/{domain}";
    const char *place = rq->route->pattern + sizeof(domain) - 1;

    if (strncmp(rq->route->pattern, domain, sizeof(domain) - 1) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
        const struct thing *t = &things[i];
        size_t n = strlen(t->place);
        if (strncmp(place, t->place, n) != 0 || (place[n] && place[n] != '/'))
            continue;
        char variable[24] = "";
        if (t->name && t->name[0] == '{')
            snprintf(variable, sizeof(variable), "%.*s", (int)strlen(t->name) - 2,
                     t->name + 1);
        *ret_name = !t->name      ? ""
                    : variable[0] ? vg_path(rq, variable)
                                  : given(rq, t->name);
        if (*ret_name)
            return t;
    }
    return NULL;
}

/* Whether the change was to concern this: "config" or "live". */
static bool has_flag(const struct vg_request *rq, const char *flag)
{
    const char *query = given(rq, "flags");
    const json_t *body = json_object_get(rq->json, "flags"), *item;
    size_t i, n = strlen(flag);

    for (const char *p = query; p && *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && strncmp(p, flag, n) == 0)
            return true;
    json_array_foreach (body, i, item) {
        const char *text = json_string_value(item);
        if (text && strcmp(text, flag) == 0)
            return true;
    }
    return false;
}

/* What cannot be told is there. */
static bool is_there(const char *xml, const struct thing *thing, const char *name)
{
    vg_auto_doc doc = xml ? vg_xml_parse(xml) : NULL;
    return vg_xml_test(doc, thing->there, name) != 0;
}

static bool is_missing_in(virDomainPtr dom, unsigned int flags, const struct thing *thing,
                          const char *name)
{
    vg_autofree char *xml = virDomainGetXMLDesc(dom, flags);
    return !is_there(xml, thing, name);
}

static bool is_missing(struct vg_request *rq, const struct thing *thing, const char *name)
{
    struct vg_error kept = rq->error; /* the look-up may set one */
    rq->error = (struct vg_error){0};
    vg_autoptr(virDomain) dom = vg_find_domain(rq, vg_path(rq, "domain"));
    vg_error_clear(&rq->error);
    rq->error = kept;

    bool config = has_flag(rq, "config");
    bool live = has_flag(rq, "live") || !config;
    config = config && !(live && thing->known == LIVE_FIRST);
    return dom && ((config && is_missing_in(dom, VIR_DOMAIN_XML_INACTIVE, thing, name)) ||
                   (live && is_missing_in(dom, 0, thing, name)));
}

/* Refusals of rights, deadlines and missing support say enough by themselves. */
static bool may_be_missing(const struct vg_request *rq, const struct vg_reply *reply)
{
    const struct vg_error *e = &rq->error;
    return e->virt && !e->transport && reply->status == e->status &&
           (e->status == 400 || e->status == 409 || e->status == 422 || e->status == 502);
}

/* libvirt may have complained of something else. */
static struct vg_reply say(struct vg_request *rq, const struct thing *thing,
                           const char *name)
{
    vg_autofree char *said = vg_take(&rq->error.detail);

    if (asprintf(&rq->error.detail, "The domain has no %s%s%s%s (libvirt: %s)",
                 thing->what, *name ? " '" : "", name, *name ? "'" : "",
                 said ? said : "") < 0)
        rq->error.detail = NULL;
    return vg_fail(rq);
}

/* ---- what is too large ------------------------------------------------------------- */

/* libvirt has one code for what it cannot encode here and for an answer that the daemon
 * cannot encode, and in both cases the call's connection is still good. What was sent
 * tells which. */
static bool is_too_large(const struct vg_request *rq)
{
    size_t sent = rq->sent > rq->body_length ? rq->sent : rq->body_length;
    return vg_error_is_virt(&rq->error, VIR_ERR_RPC) && !rq->error.transport &&
           sent > MAX_TEXT;
}

/* A name, a path or a size that no file or network device of the host can have: libvirt
 * passes the errno on. */
static bool is_beyond_files(const struct vg_error *e)
{
    int number = vg_error_number(e);
    return !e->transport && (number == ENAMETOOLONG || number == EFBIG ||
                             (number == ERANGE && vg_error_is_from(e, VIR_FROM_NONE)));
}

/* CPUs none of which a process of the guest's may run on, for one because the host does
 * not have them: sched_setaffinity(2). */
static bool is_of_cpus(const struct vg_request *rq)
{
    static const char pin[] = "pin";
    const char *pattern = rq->route->pattern;
    size_t n = strlen(pattern);

    return vg_error_number(&rq->error) == EINVAL && rq->error.status == 502 &&
           n > sizeof(pin) && strcmp(pattern + n + 1 - sizeof(pin), pin) == 0;
}

/* A file of a disk, a volume, a pool, or a network device that is not there: libvirt
 * passes the errno on, of a pool's folder from what all drivers share. Its driver of QEMU
 * says so of the files that a document names, for one of a snapshot; of other parts of
 * libvirt ENOENT may be the host's own. */
static bool is_not_on_host(const struct vg_error *e, bool is_document, bool is_pool)
{
    int number = vg_error_number(e);
    bool of_files = vg_error_is_from(e, VIR_FROM_STORAGE) ||
                    (is_document && vg_error_is_from(e, VIR_FROM_QEMU)) ||
                    (is_pool && vg_error_is_from(e, VIR_FROM_NONE));
    return e->status == 502 && (number == ENODEV || (number == ENOENT && of_files));
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Of a change: the request's document, or the one that the host has, names it. */
static int status_of_missing(const struct vg_request *rq)
{
    const struct vg_route *route = rq->route;
    bool is_document = vg_route_takes_xml(route);
    bool is_pool = has_prefix(route->pattern, "/storage-pools");

    if (route->method == VG_GET || !(is_pool || has_prefix(route->pattern, "/domains")) ||
        !is_not_on_host(&rq->error, is_document, is_pool))
        return 0;
    return is_document ? 422 : 409;
}

/* The status that what was asked for has, where libvirt's code blames the host; 0: none.
 */
static int status_of_request(const struct vg_request *rq)
{
    return is_too_large(rq)                                ? 413
           : is_beyond_files(&rq->error) || is_of_cpus(rq) ? 400
                                                           : status_of_missing(rq);
}

/* The domain is in the wrong state: off, for one. */
static bool is_of_state(const struct vg_request *rq)
{
    return vg_error_is_virt(&rq->error, VIR_ERR_OPERATION_INVALID);
}

/* libvirt, which asks QEMU of a drive without a medium, does not understand the answer.
 */
static bool is_empty_drive(struct vg_request *rq, const struct thing *thing,
                           const char *name)
{
    return thing == &things[0] && vg_error_is_virt(&rq->error, VIR_ERR_INTERNAL_ERROR) &&
           is_missing(rq, &medium, name);
}

struct vg_reply vg_explain(struct vg_request *rq, struct vg_reply reply)
{
    const char *name;
    int status = reply.status == rq->error.status ? status_of_request(rq) : 0;

    if (status) {
        vg_reply_clear(&reply);
        vg_error_set_status(&rq->error, status);
        return vg_fail(rq);
    }
    const struct thing *thing = may_be_missing(rq, &reply) ? find_thing(rq, &name) : NULL;
    if (!thing || (thing->known != ANYWHERE && is_of_state(rq)))
        return reply;
    bool is_empty = false;
    if (!is_missing(rq, thing, name)) {
        is_empty = is_empty_drive(rq, thing, name);
        if (!is_empty)
            return reply;
    }
    virResetLastError();
    vg_reply_clear(&reply);
    vg_error_set_status(&rq->error, is_empty ? 409 : 404);
    return say(rq, is_empty ? &medium : thing, name);
}
