/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See xml_text.h.
 */
#include "server/base/xml_text.h"

#include "server/base/utf8.h"

#include <string.h>

/* The code point of a character of `len` bytes that is valid UTF-8. */
static int code_point(const unsigned char *s, size_t len)
{
    static const unsigned char mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    int c = s[0] & mask[len];
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (s[i] & 0x3F);
    return c;
}

/* Of ASCII, what XML does not have. */
static bool is_control(unsigned char c)
{
    return c && c < ' ' && c != '\t' && c != '\n' && c != '\r';
}

int vg_xml_bad_character(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n;

    while (p < end) {
        if (*p < 0x80) {
            if (is_control(*p))
                return *p;
            p++;
            continue;
        }
        size_t len = vg_utf8_length(p, (size_t)(end - p));
        int c = len ? code_point(p, len) : VG_XML_NOT_UTF8;
        if (c == VG_XML_NOT_UTF8 || c == 0xFFFE || c == 0xFFFF)
            return c;
        p += len;
    }
    return 0;
}

bool vg_xml_has_lone_cr(const char *s, size_t n)
{
    const char *end = s + n;

    while ((s = memchr(s, '\r', (size_t)(end - s)))) {
        s++;
        if (s == end || *s != '\n')
            return true;
    }
    return false;
}

/* Whether one of `n` ranges has the character. */
static bool in_ranges(int c, const int (*ranges)[2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

/* As libxml2 parses; its own xmlValidateNCName() goes by the fourth edition. */
bool vg_xml_is_name(const char *s, size_t n)
{
    static const int first[][2] = {
        {'A', 'Z'},       {'_', '_'},       {'a', 'z'},         {0xC0, 0xD6},
        {0xD8, 0xF6},     {0xF8, 0x2FF},    {0x370, 0x37D},     {0x37F, 0x1FFF},
        {0x200C, 0x200D}, {0x2070, 0x218F}, {0x2C00, 0x2FEF},   {0x3001, 0xD7FF},
        {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
    };
    static const int more[][2] = {
        {'-', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}};

    for (size_t at = 0, len; at < n; at += len) {
        const unsigned char *p = (const unsigned char *)s + at;
        len = vg_utf8_length(p, n - at);
        int c = len ? code_point(p, len) : -1;
        if (c < 0 || (!in_ranges(c, first, sizeof(first) / sizeof(first[0])) &&
                      (at == 0 || !in_ranges(c, more, sizeof(more) / sizeof(more[0])))))
            return false;
    }
    return n > 0;
}

const char *vg_xml_namespace_fault(const char *prefix, const char *uri)
{
    if (prefix && !vg_xml_is_name(prefix, strlen(prefix)))
        return "the prefix of a namespace is a name of XML, without a colon";
    if (prefix && (strcmp(prefix, "xml") == 0 || strcmp(prefix, "xmlns") == 0))
        return "XML keeps the prefixes 'xml' and 'xmlns' for itself";
    if (prefix && !*uri)
        return "the URI of a namespace is not empty";
    if (strpbrk(uri, "&<\t\n\r")) /* libxml2 writes these as they are; libvirt, too */
        return "the URI of a namespace holds no '&', '<', tab or line end";
    if (strchr(uri, '"') && strchr(uri, '\'')) /* written with an '&' */
        return "the URI of a namespace holds no quotes of both kinds";
    if (strcmp(uri, "http://www.w3.org/2000/xmlns/") == 0 ||
        strcmp(uri, "http://www.w3.org/XML/1998/namespace") == 0)
        return "XML keeps this namespace for itself";
    return NULL;
}
