/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/backup: virDomainBackupBegin returns when the backup has begun, which
 * is the domain's job from then on, and an operation.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/event.h"
#include "virtgate/backup.h"
#include "virtgate/cleanup.h"
#include "virtgate/conflict.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"
#include "virtgate/xml.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Where QEMU may make sockets, and others than it and root may not reach them. */
#define SOCKETS "/var/lib/libvirt/qemu"

/* What a request says of the backup: a document, or wishes for one in pull mode. */
struct form {
    const char *xml, *checkpoint;
    bool pull;
    struct vg_pull_backup wishes;
    unsigned int flags;
};

/* -1: the request's error is set. */
static int check_wishes(struct vg_request *rq, const struct form *f)
{
    const struct vg_pull_backup *w = &f->wishes;
    bool any = w->incremental || w->socket || w->address || w->port;

    if (!f->pull && any)
        return vg_fail_value(rq, "'incremental', 'socket', 'address' and 'port' "
                                 "are of {\"pull\": true}; 'backup' is a whole document");
    if (f->pull && (f->xml || vg_xml_body(rq)))
        return vg_fail_value(rq, "Send one of 'backup', a document, and 'pull'");
    if (w->socket && (w->socket[0] != '/' || w->address || strlen(w->socket) > 107))
        return vg_fail_value(rq, "Body member 'socket': an absolute path of at most 107 "
                                 "bytes, and no 'address' beside it, is accepted");
    if (!w->address != !w->port)
        return vg_fail_value(rq, "'address' and 'port' are given together");
    return 0;
}

/* A name that nobody can have taken before. NULL: the request's error is set. */
static char *make_socket(struct vg_request *rq)
{
    uint64_t number;
    char *path = NULL;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number) ||
        asprintf(&path, SOCKETS "/virtgate-%016llx.sock", (unsigned long long)number) < 0)
        path = NULL;
    if (!path)
        vg_error_set_memory(vg_request_error(rq));
    return path;
}

/* NULL: the request's error is set. */
static char *make_pull(struct vg_request *rq, struct form *f)
{
    vg_autofree char *socket = NULL;

    if (!f->wishes.socket && !f->wishes.address)
        f->wishes.socket = socket = make_socket(rq);
    if (!f->wishes.socket && !f->wishes.address)
        return NULL;
    char *xml = vg_pull_backup_xml(&f->wishes);
    if (!xml)
        vg_error_set_memory(vg_request_error(rq));
    return xml;
}

/* A checkpoint may be a name, where the backup is one of wishes. -1: the request's error
 * is set. */
static int find_checkpoint(struct vg_request *rq, const struct form *f, char **ret_made,
                           const char **ret)
{
    *ret = f->checkpoint;
    if (f->pull && f->checkpoint && f->checkpoint[0] != '<') {
        *ret = *ret_made = vg_checkpoint_xml(f->checkpoint);
        return *ret ? 0 : vg_error_set_memory(vg_request_error(rq));
    }
    return f->checkpoint ? vg_xml_check(rq, f->checkpoint) : 0;
}

/* A backup makes a checkpoint in the same call. */
static void tell_checkpoint(struct vg_request *rq, virDomainPtr dom,
                            const char *checkpoint)
{
    vg_autofree char *name = NULL;

    if (checkpoint && vg_xml_identity(checkpoint, &name, NULL) == 0 && name)
        vg_event_checkpoint_changed(rq, dom, "created", name);
}

/* Where the server of a pull listens is for QEMU to try. */
static struct vg_reply fail_begin(struct vg_request *rq, virDomainPtr dom)
{
    vg_error_set_virt(vg_request_error(rq));
    vg_error_blame(rq, vg_error_is_refused(vg_request_error(rq), dom) ? 422 : 0);
    return vg_fail_explained(rq, virDomainIsActive(dom) == 0);
}

static struct vg_reply begin(struct vg_request *rq, const char *xml,
                             const char *checkpoint, unsigned int flags)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom ||
        vg_operation_begin_job(rq, dom, NULL, VIR_DOMAIN_JOB_OPERATION_BACKUP) < 0)
        return vg_fail(rq);
    if (virDomainBackupBegin(dom, xml, checkpoint, flags) < 0)
        return fail_begin(rq, dom);
    tell_checkpoint(rq, dom, checkpoint);
    return vg_operation_left(rq);
}

/* {"backup": "<domainbackup>...", "checkpoint": "<domaincheckpoint>..."}; the first may
 * also be an XML body. Or {"pull": true}, of which the document is made. */
static struct vg_reply begin_backup(struct vg_request *rq)
{
    struct form f = {0};
    vg_autofree char *made = NULL, *made_checkpoint = NULL;
    const char *checkpoint = NULL;
    const struct vg_field args[] = {
        VG_TEXT("backup", &f.xml),
        VG_TEXT("checkpoint", &f.checkpoint),
        VG_BOOL("pull", &f.pull),
        VG_TEXT("incremental", &f.wishes.incremental),
        VG_TEXT("socket", &f.wishes.socket),
        VG_TEXT("address", &f.wishes.address),
        VG_NUMBER("port", &f.wishes.port, 1, 65535),
        VG_FLAGS("flags", &f.flags, virDomainBackupBeginFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || check_wishes(rq, &f) < 0)
        return vg_fail(rq);
    const char *xml =
        f.pull ? (made = make_pull(rq, &f)) : vg_xml_argument(rq, "backup", f.xml);
    if (!xml || find_checkpoint(rq, &f, &made_checkpoint, &checkpoint) < 0)
        return vg_fail(rq);
    return begin(rq, xml, checkpoint, f.flags);
}

static struct vg_reply get_backup(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    return dom ? vg_reply_xml(rq, virDomainBackupGetXMLDesc(dom, 0)) : vg_fail(rq);
}

/* clang-format off */
const struct vg_route vg_routes_domain_backup[] = {
    {VG_GET, "/domains/{domain}/backup", "getBackup", get_backup,
     .needs = "domain:getattr domain:read", .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {VG_POST, "/domains/{domain}/backup", "beginBackup", begin_backup,
     .needs = "domain:getattr domain:block_write domain:checkpoint gateway:document",
     .runs_on = VG_ON_JOB, .takes = VG_TAKES_XML},
    {0},
};
/* clang-format on */
