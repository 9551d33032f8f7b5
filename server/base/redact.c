/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See redact.h. A text is searched, not parsed: a message quotes a URI anywhere, between
 * quotes or not, and what is no URI must come through as it is.
 */
#include "server/base/redact.h"

#include "server/base/digits.h"
#include "virtgate/cleanup.h"
#include "virtgate/text.h"

#include <ctype.h>
#include <string.h>

#define MASK "***"

static const char *const secrets[] = {"password", "passwd", "passphrase", "keyfile"};

/* One byte of a percent-encoded text in lower case, as libvirt compares names. */
static char next_lower(const char **p)
{
    const char *s = *p;
    bool encoded =
        *s == '%' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2]);
    int c = encoded ? vg_hex_value(s[1]) * 16 + vg_hex_value(s[2]) : (unsigned char)*s;

    *p = s + (encoded ? 3 : 1);
    return (char)tolower(c);
}

/* Whether the text from `p` to `end` is a name of a secret. */
static bool is_secret(const char *p, const char *end)
{
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        const char *at = p, *name = secrets[i];
        while (at < end && *name && next_lower(&at) == *name)
            name++;
        if (at == end && !*name)
            return true;
    }
    return false;
}

/* The end of a value that stands after "name=". Quotes may be part of it; those that the
 * message puts around the URI are not. */
static const char *end_of_value(const char *value)
{
    const char *end = value + strcspn(value, "&;#\"<> \t\r\n");
    while (end > value && strchr("'`:,.)", end[-1]))
        end--;
    return end;
}

/* The password in an authority's "user:password@", and its end; NULL: there is none. */
static const char *find_password(const char *authority, const char **ret_end)
{
    const char *at = memrchr(authority, '@', strcspn(authority, "/?#\"<> \t\r\n"));
    const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;

    *ret_end = at;
    return colon ? colon + 1 : NULL;
}

/* The first byte of the name that ends before `end`. */
static const char *begin_of_name(const char *text, const char *end)
{
    while (end > text && (isalnum((unsigned char)end[-1]) || strchr("_-%", end[-1])))
        end--;
    return end;
}

char *vg_redact(const char *text)
{
    struct vg_text out = {0};
    const char *from = text; /* what is not copied yet */
    size_t n;

    if (!text)
        return NULL;
    for (const char *p = text; (p = strpbrk(p, "=:"));) {
        const char *begin = NULL, *end = NULL;
        if (*p == '=' && is_secret(begin_of_name(text, p), p)) {
            begin = p + 1;
            end = end_of_value(begin);
        } else if (strncmp(p, "://", 3) == 0) {
            begin = find_password(p + 3, &end);
        }
        p = begin ? end : p + 1;
        if (!begin)
            continue;
        vg_text_add(&out, from, (size_t)(begin - from));
        vg_text_add(&out, MASK, strlen(MASK));
        from = end;
    }
    vg_text_add(&out, from, strlen(from));
    return vg_text_finish(&out, &n);
}
