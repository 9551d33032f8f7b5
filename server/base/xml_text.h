/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What XML 1.0 can hold: characters, names, namespaces. libvirt writes a guest's
 * definition as XML and reads it again when it starts: what it cannot read then, it has
 * lost.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A code point that is none, for bytes that are not UTF-8. */
#define VG_XML_NOT_UTF8 (-1)

/* The first character of `n` bytes that XML 1.0 does not have: its code point, or
 * VG_XML_NOT_UTF8; 0: all is well (a NUL is not looked for). */
int vg_xml_bad_character(const char *s, size_t n);

/* Whether a carriage return stands alone, before no line feed. libvirt writes it as it
 * is, and an XML parser reads a line feed, which it does not take in a name or a title:
 * the guest is lost. */
bool vg_xml_has_lone_cr(const char *s, size_t n);

/* Whether it is a name without a colon, by XML 1.0's fifth edition; `s` is UTF-8. */
bool vg_xml_is_name(const char *s, size_t n);

/* What is wrong with the declaration of a namespace; NULL: nothing. `prefix` is NULL for
 * the default one. Libraries write a namespace's URI as it is, without escaping. Static.
 */
const char *vg_xml_namespace_fault(const char *prefix, const char *uri);
