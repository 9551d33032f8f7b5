/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's XML documents as JSON and back, without loss: docs/xml-json.md has the rules.
 * One mapping for every kind of document.
 */
#pragma once

#include "virtgate/error.h"
#include "virtgate/reply.h"

#include <jansson.h>

/* A host's document as {"domain": {...}}. New reference. NULL: *reterr, which blames the
 * host (500), or tells of a document type or an entity (422). */
json_t *vg_xml_to_json(const char *xml, struct vg_error *reterr);

/* The document of {"domain": {...}}, from a client: no deeper and with no more elements
 * than the XML guard allows. Owned by the caller. NULL: *reterr is a 400 that names the
 * JSON pointer of what is no XML, or a 413; it fails, too, where this thread had no
 * memory for JSON since its request began, as a part that is optional would be missing.
 */
char *vg_xml_from_json(const json_t *document, struct vg_error *reterr);

/* RFC 7396: `target` (taken; may be NULL) with the changes of `patch`. New reference;
 * NULL when out of memory. */
json_t *vg_json_merge(json_t *target_steal, const json_t *patch);

/* The answer with a host's document: as application/xml, or in its JSON form when the
 * client prefers JSON (vg_wants_xml). Takes the malloc'd text. */
struct vg_reply vg_reply_document(struct vg_request *rq, char *xml_steal) VG_MUST_USE;
