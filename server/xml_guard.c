/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One entity of 50 kB, used 50,000 times, takes libvirtd to 4.9 GB; the same with 20,000
 * devices, to minutes. libvirt's documents need no DTD at all, so none is let through.
 */
#include "server/xml_guard.h"

#include <string.h>

static bool begins(const char *p, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - p) >= n && memcmp(p, word, n) == 0;
}

/* Past what begins at `p` with an opener and ends with `closer`; the end when it never
 * does. */
static const char *skip_to(const char *p, const char *end, const char *closer)
{
    const char *found = memmem(p, (size_t)(end - p), closer, strlen(closer));
    return found ? found + strlen(closer) : end;
}

/* Past a tag's `>`, which may stand inside an attribute's quotes. */
static const char *skip_tag(const char *p, const char *end, bool *ret_empty)
{
    char quote = '\0', last = '\0';
    for (; p < end; p++) {
        if (quote) {
            quote = *p == quote ? '\0' : quote;
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '>') {
            *ret_empty = last == '/';
            return p + 1;
        }
        last = *p;
    }
    *ret_empty = false;
    return end;
}

/* Whether the declaration names no other encoding than UTF-8 or its subset. */
static bool is_utf8(const char *p, const char *end)
{
    const char *at = memmem(p, (size_t)(end - p), "encoding", 8);
    if (!at)
        return true;
    at += 8;
    while (at < end && strchr(" \t\r\n=", *at))
        at++;
    const char *close = at < end ? memchr(at + 1, *at, (size_t)(end - at - 1)) : NULL;
    size_t n = close ? (size_t)(close - at - 1) : 0;
    return (n == 5 && strncasecmp(at + 1, "UTF-8", n) == 0) ||
           (n == 8 && strncasecmp(at + 1, "US-ASCII", n) == 0) ||
           (n == 5 && strncasecmp(at + 1, "ASCII", n) == 0);
}

static int fail(struct vg_error *e, const char *what)
{
    vg_error_set(e, VG_E_UNSAFE_XML, "%s", what);
    return -1;
}

int vg_xml_guard(const char *xml, size_t n, struct vg_error *reterr)
{
    const char *p = xml, *end = xml + n;
    unsigned int depth = 0, elements = 0;

    if (begins(p, end, "\xEF\xBB\xBF"))
        p += 3; /* a byte order mark hides the declaration of another encoding */

    /* UTF-16, UTF-32 and EBCDIC hide their markup from a look at bytes */
    if (memchr(xml, '\0', n) || begins(p, end, "\xFF\xFE") ||
        begins(p, end, "\xFE\xFF") || begins(p, end, "\x4C\x6F\xA7\x94"))
        return fail(reterr, "The XML is to be UTF-8, without NUL");
    if (begins(p, end, "<?xml") && !is_utf8(p, skip_to(p, end, "?>")))
        return fail(reterr, "The XML is to be UTF-8, without NUL");
    while ((p = memchr(p, '<', (size_t)(end - p)))) {
        bool empty = false;
        if (begins(p, end, "<!--")) {
            p = skip_to(p + 4, end, "-->");
        } else if (begins(p, end, "<![CDATA[")) {
            p = skip_to(p, end, "]]>");
        } else if (begins(p, end, "<!")) {
            return fail(reterr,
                        "The XML has a document type or an entity; neither is accepted");
        } else if (begins(p, end, "<?")) {
            p = skip_to(p, end, "?>");
        } else if (begins(p, end, "</")) {
            depth -= depth > 0;
            p = skip_tag(p, end, &empty);
        } else {
            p = skip_tag(p + 1, end, &empty);
            depth += !empty;
            if (++elements > VG_XML_MAX_ELEMENTS)
                return fail(reterr, "The XML has more than 5000 elements");
            if (depth > VG_XML_MAX_DEPTH)
                return fail(reterr, "The XML is more than 64 elements deep");
        }
    }
    return 0;
}
