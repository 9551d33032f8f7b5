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
#include <stdlib.h>
#include <string.h>

#define MASK      "***"
#define MIN_KNOWN 4 /* bytes: less is part of many a path */

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

/* The secret that the `=` or `:` at `p` stands before, and its end; NULL: none. */
static const char *find_secret(const char *text, const char *p, const char **ret_end)
{
    if (*p == '=' && is_secret(begin_of_name(text, p), p)) {
        *ret_end = end_of_value(p + 1);
        return p + 1;
    }
    return strncmp(p, "://", 3) == 0 ? find_password(p + 3, ret_end) : NULL;
}

/* ---- values that are known --------------------------------------------------------- */

static struct {
    char **v; /* owned; decoded */
    size_t n;
} known;

/* The value without its percent-encoding; owned by the caller, NULL: out of memory. */
static char *decode(const char *value, const char *end)
{
    char *out = strndup(value, (size_t)(end - value)), *to = out;
    for (const char *p = value; out && p < end; p++) {
        bool encoded = *p == '%' && end - p > 2 && isxdigit((unsigned char)p[1]) &&
                       isxdigit((unsigned char)p[2]);
        *to++ = encoded ? (char)(vg_hex_value(p[1]) * 16 + vg_hex_value(p[2])) : *p;
        p += encoded ? 2 : 0;
    }
    if (out)
        *to = '\0';
    return out;
}

static int learn(const char *value, const char *end)
{
    vg_autofree char *text = decode(value, end);
    if (!text)
        return -1;
    if (strlen(text) < MIN_KNOWN || !strchr(text, '/'))
        return 0; /* a mask for every "system" would tell who has that for a password */
    char **grown = reallocarray(known.v, known.n + 1, sizeof(*grown));
    if (!grown)
        return -1;
    known.v = grown;
    known.v[known.n++] = vg_take(&text);
    return 0;
}

int vg_redact_learn(const char *uri)
{
    for (const char *p = uri; (p = strpbrk(p, "=:"));) {
        const char *end = NULL, *begin = find_secret(uri, p, &end);
        if (begin && learn(begin, end) < 0)
            return -1;
        p = begin ? end : p + 1;
    }
    return 0;
}

void vg_redact_forget(void)
{
    for (size_t i = 0; i < known.n; i++)
        free(known.v[i]);
    free(known.v);
    known.v = NULL;
    known.n = 0;
}

/* The text with a mask for each known value; owned by the caller, NULL: out of memory. */
static char *hide_known(const char *text)
{
    char *shown = strdup(text);
    for (size_t i = 0; shown && i < known.n; i++) {
        vg_autofree char *before = shown;
        struct vg_text out = {0};
        const char *from = before;
        for (const char *p; (p = strstr(from, known.v[i]));
             from = p + strlen(known.v[i])) {
            vg_text_add(&out, from, (size_t)(p - from));
            vg_text_add(&out, MASK, strlen(MASK));
        }
        vg_text_add(&out, from, strlen(from));
        size_t n;
        shown = vg_text_finish(&out, &n);
    }
    return shown;
}

char *vg_redact(const char *given)
{
    struct vg_text out = {0};
    vg_autofree char *text = given ? hide_known(given) : NULL;
    const char *from = text; /* what is not copied yet */
    size_t n;

    if (!text)
        return NULL;
    for (const char *p = text; (p = strpbrk(p, "=:"));) {
        const char *end = NULL, *begin = find_secret(text, p, &end);
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
