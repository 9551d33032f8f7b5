/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain's configuration, in and out: what the routes that show, make and change it
 * have in common.
 */
#pragma once

#include "virtgate/reply.h"
#include "virtgate/request.h"

#include <libvirt/libvirt.h>

/* The domain's XML by virDomainXMLFlags; `secure` and `migratable` show secrets and need
 * the role admin. Owned by the caller. NULL: the request's error is set. */
char *vg_domain_xml(struct vg_request *rq, virDomainPtr dom, unsigned int flags);

/* The answer that shows the document of these flags, with an entity tag for If-Match: of
 * a running domain it depends on what it is started with next, too, which is what PUT and
 * PATCH change. Takes the reply. */
struct vg_reply vg_domain_tagged(struct vg_request *rq, virDomainPtr dom,
                                 unsigned int flags, struct vg_reply reply) VG_MUST_USE;

/* The XML of the JSON value that a client gave as `domain` (virtgate/xml_json.h). Owned
 * by the caller. NULL: the request's error names the JSON pointer. */
char *vg_domain_xml_of_json(struct vg_request *rq, const json_t *domain);

/* The document that is to define the domain anew, with those of the definition's secrets
 * that it does not have (vg_xml_keep_secrets). */
const char *vg_domain_keep_secrets(struct vg_request *rq, virDomainPtr dom,
                                   const char *xml, char **ret_made);

/* Defines the domain anew (virDomainDefineXMLFlags) and answers with it: 409 when name or
 * UUID of the document are another domain's. Secrets are kept. */
struct vg_reply vg_domain_redefine(struct vg_request *rq, virDomainPtr dom,
                                   const char *xml, unsigned int flags) VG_MUST_USE;
