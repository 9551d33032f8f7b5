/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's XML documents from clients.
 */
#pragma once

#include "virtgate/reply.h"
#include "virtgate/request.h"

/* The document of a request: its application/xml body, or `given` (may be NULL), the text
 * of the JSON member `key`. Guarded either way: not empty, no DTD, no entity, bounded
 * size and depth. NULL: the request's error is set. Borrowed. */
const char *vg_xml_argument(struct vg_request *rq, const char *key, const char *given);

/* The same guard for one more document. -1: the request's error is set. */
int vg_xml_check(struct vg_request *rq, const char *xml);

/* Whether libvirt can write elements of this namespace and read them again: `key` (NULL:
 * whether it is needed is libvirt's to say) becomes its prefix. -1: the request's error
 * is set. */
int vg_xml_check_namespace(struct vg_request *rq, const char *key, const char *uri);

/* The arguments of a route that takes a document and nothing else but ?flags=, names of
 * `names`; the document as vg_xml_argument() gives it. NULL: the request's error is set.
 */
const char *vg_xml_and_flags(struct vg_request *rq, const struct vg_enum *names,
                             unsigned int *ret_flags);

/* The document that replaces one which libvirt gives as `plain` to those who may not see
 * its secrets, and as `full` with them: those that the client's does not have are added.
 * Said to be empty (passwd='', <cookies/>), they go. `xml` may be of one device of that
 * domain. Takes the malloc'd texts of two libvirt calls; NULL, a call failed, is the
 * thread's last libvirt error; where libvirt cannot send `plain`, which nobody can have
 * read then, `xml` stays as it is. Borrowed from `xml`, or from *ret_made, which is owned
 * by the caller. NULL: the request's error is set. */
const char *vg_xml_keep_secrets(struct vg_request *rq, const char *xml, char *plain_steal,
                                char *full_steal, char **ret_made);

/* Whether it is well-formed and its root is that element; -1: the request's error, a 400,
 * says which it is not. */
int vg_xml_check_root(struct vg_request *rq, const char *xml, const char *root);

/* Whether the root has one child element of that name, in no namespace. -1: the
 * request's error, a 400, is set. */
int vg_xml_check_child(struct vg_request *rq, const char *xml, const char *child);

/* Whether a device that is to be detached has what libvirt finds it by: a disk's target,
 * a file system's. libvirt 9.0.0 does not look, and ends. -1: the request's error, a 400,
 * is set. */
int vg_xml_check_detached(struct vg_request *rq, const char *xml);

/* The text of the root's child elements `name` and `uuid` (each NULL when absent or
 * empty), to compare with an object. A domain without a `uuid` has that of its SMBIOS
 * (<sysinfo>), as libvirt takes it; without any, libvirt makes a new one. Owned by the
 * caller; ret_uuid may be NULL. -1: not well-formed, nothing is set. */
int vg_xml_identity(const char *xml, char **ret_name, char **ret_uuid);

/* The name of the guest that a document's <owner> names. Takes the malloc'd text of a
 * libvirt call, which may be NULL. Owned by the caller; NULL: there is none. */
char *vg_xml_owner(char *xml_steal);

/* vg_ask_domain_name() of the name in a domain's document, or in the domain's part of a
 * snapshot's: for whatever document libvirt makes a domain of. NULL, and one that is not
 * well-formed, which libvirt refuses, may be given. -1: the request's error is set. */
int vg_xml_ask_name(struct vg_request *rq, const char *xml);

/* A domain's document that is one argument of others, instead of the domain's own: asks
 * gateway:document, and is vg_xml_check() and vg_xml_ask_name() in one. NULL: there is
 * none, which may be. -1: the request's error is set. */
int vg_xml_check_domain(struct vg_request *rq, const char *xml);

/* The arguments of a route that gives a document: ?flags=, names of `names`. Those in
 * `secure` show secrets, which needs the role admin. -1: the request's error is set. */
int vg_xml_flags(struct vg_request *rq, const struct vg_enum *names, unsigned int secure,
                 unsigned int *ret_flags);

/* The answer with libvirt's XML document: as application/xml, or {"xml": "..."} when the
 * client prefers JSON. Takes the malloc'd text of a libvirt call; NULL, the call failed,
 * is answered with the thread's last libvirt error. */
struct vg_reply vg_reply_xml(struct vg_request *rq, char *xml_steal);

/* What a domain's document says beside its devices, for one call instead of three. */
struct vg_xml_domain {
    char *title;   /* owned, NULL when absent */
    char *os_type; /* owned */
    int64_t max_vcpus, vcpus;
    int64_t max_memory, memory; /* KiB; 0: not said */
    enum vg_xml_agent {
        VG_XML_NO_AGENT, /* it has no channel, or is off */
        VG_XML_AGENT_AWAY,
        VG_XML_AGENT_HERE,
    } agent;
    char *macs; /* of its interfaces, in lower case, each after a blank; owned; NULL: none
                 */
};
int vg_xml_read_domain(const char *xml, struct vg_xml_domain *ret);
/* *to is the owner of its strings, and of the copies afterwards. -1: out of memory, *to
 * is as it was. */
int vg_xml_domain_copy(struct vg_xml_domain *to, const struct vg_xml_domain *from);
void vg_xml_domain_clear(struct vg_xml_domain *d);
