/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One entity of 50 kB, used 50,000 times, takes libvirtd to 4.9 GB; the same with 20,000
 * devices, to minutes; 40,000 attributes of one element, to 20 s. libvirt's documents
 * need no DTD at all, so none is let through.
 */
#include "server/xml/guard.h"

#include "server/base/xml_text.h"

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

/* What there is between a tag's `<` and its `>`. */
struct tag {
    bool empty;
    bool bad_namespace; /* a URI that nobody writes back as it was read */
    unsigned int attributes;
};

/* Whether the `=` at `p` follows the name of a namespace's declaration. */
static bool declares(const char *p, const char *begin)
{
    while (p > begin && strchr(" \t\r\n", p[-1]))
        p--;
    const char *end = p;
    while (p > begin && !strchr(" \t\r\n\"'", p[-1]))
        p--;
    return begins(p, end, "xmlns") && (end - p == 5 || p[5] == ':');
}

/* Past a tag's `>`, which may stand inside an attribute's quotes. Of what is well-formed
 * each `=` outside of them is one attribute. */
static const char *skip_tag(const char *p, const char *end, struct tag *ret)
{
    const char *begin = p;
    char quote = '\0', last = '\0';
    bool declaration = false;

    *ret = (struct tag){0};
    for (; p < end; p++) {
        if (quote) {
            ret->bad_namespace |= declaration && *p == '&';
            quote = *p == quote ? '\0' : quote;
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '=') {
            ret->attributes++;
            declaration = declares(p, begin);
        } else if (*p == '>') {
            ret->empty = last == '/';
            return p + 1;
        }
        last = *p;
    }
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
           (n == 4 && strncasecmp(at + 1, "UTF8", n) == 0) || /* Python's */
           (n == 8 && strncasecmp(at + 1, "US-ASCII", n) == 0) ||
           (n == 5 && strncasecmp(at + 1, "ASCII", n) == 0);
}

static int fail(struct vg_error *e, enum vg_error_id id, const char *what)
{
    vg_error_set(e, id, "%s", what);
    return -1;
}

/* Bytes that hide what they mean, or mean nothing. */
static int check_bytes(const char *xml, size_t n, struct vg_error *e)
{
    const char *p = xml, *end = xml + n;

    if (n > VG_XML_MAX_BYTES)
        return fail(e, VG_E_PAYLOAD_TOO_LARGE,
                    "The XML has more than 4194304 bytes, libvirt's own limit");
    if (begins(p, end, "\xEF\xBB\xBF"))
        p += 3; /* a byte order mark hides the declaration of another encoding */

    /* UTF-16, UTF-32 and EBCDIC hide their markup from a look at bytes */
    if (memchr(xml, '\0', n) || begins(p, end, "\xFF\xFE") ||
        begins(p, end, "\xFE\xFF") || begins(p, end, "\x4C\x6F\xA7\x94") ||
        (begins(p, end, "<?xml") && !is_utf8(p, skip_to(p, end, "?>"))))
        return fail(e, VG_E_UNSAFE_XML, "The XML is to be UTF-8, without NUL");
    while (p < end && strchr(" \t\r\n", *p))
        p++;
    if (p == end)
        return fail(e, VG_E_INVALID_XML, "The XML is empty; send libvirt's document");
    if (vg_xml_bad_character(xml, n))
        return fail(e, VG_E_INVALID_VALUE,
                    "The XML holds bytes that are no UTF-8, or a character that XML does "
                    "not have");
    return 0;
}

/* The numbers of a document so far. */
struct count {
    unsigned int depth, elements;
};

static int check_element(const struct tag *tag, struct count *count, struct vg_error *e)
{
    count->depth += !tag->empty;
    if (++count->elements > VG_XML_MAX_ELEMENTS)
        return fail(e, VG_E_PAYLOAD_TOO_LARGE, "The XML has more than 65536 elements");
    if (tag->attributes > VG_XML_MAX_ATTRIBUTES)
        return fail(e, VG_E_PAYLOAD_TOO_LARGE,
                    "An element of the XML has more than 64 attributes");
    if (count->depth > VG_XML_MAX_DEPTH)
        return fail(e, VG_E_UNSAFE_XML, "The XML is more than 64 elements deep");
    if (tag->bad_namespace)
        return fail(
            e, VG_E_INVALID_VALUE,
            "The URI of a namespace holds no '&': libvirt writes it as it is, and "
            "cannot read it again");
    return 0;
}

int vg_xml_guard(const char *xml, size_t n, struct vg_error *reterr)
{
    const char *p = xml, *end = xml + n;
    struct count count = {0};

    if (check_bytes(xml, n, reterr) < 0)
        return -1;
    while ((p = memchr(p, '<', (size_t)(end - p)))) {
        struct tag tag;
        if (begins(p, end, "<!--")) {
            p = skip_to(p + 4, end, "-->");
        } else if (begins(p, end, "<![CDATA[")) {
            p = skip_to(p, end, "]]>");
        } else if (begins(p, end, "<!")) {
            return fail(reterr, VG_E_UNSAFE_XML,
                        "The XML has a document type or an entity; neither is accepted");
        } else if (begins(p, end, "<?")) {
            p = skip_to(p, end, "?>");
        } else if (begins(p, end, "</")) {
            count.depth -= count.depth > 0;
            p = skip_tag(p, end, &tag);
        } else {
            p = skip_tag(p + 1, end, &tag);
            if (check_element(&tag, &count, reterr) < 0)
                return -1;
        }
    }
    return 0;
}
