/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See pattern.h.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "server/base/pattern.h"

#include "virtgate/cleanup.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A name is some 20 bytes: what needs more steps than this was made to take long, or is
 * a mistake. Events are matched under the ring's lock. */
#define MOST_STEPS   10000
#define MOST_HEAP_KB 64
#define LONGEST      1000

struct vg_pattern {
    bool nocase;
    char *list;             /* owned; NULL: an expression */
    pcre2_code *code;       /* owned */
    pcre2_match_data *data; /* owned */
    pcre2_match_context *limits;
};

bool vg_list_has(const char *list, const char *item, bool nocase)
{
    size_t n = strlen(item);
    for (const char *p = list; *p; p += *p == ',') {
        size_t length = strcspn(p, ",");
        if (length == n &&
            (nocase ? strncasecmp(p, item, n) == 0 : memcmp(p, item, n) == 0))
            return true;
        p += length;
    }
    return false;
}

/* Where in the expression it stopped, as PCRE2 says it. */
static void explain(int code, size_t offset, char *why, size_t size)
{
    PCRE2_UCHAR message[160] = "";

    why[0] = '\0';
    if (code == PCRE2_ERROR_NOMEMORY)
        return;
    pcre2_get_error_message(code, message, sizeof(message));
    snprintf(why, size, "%s (at character %zu)", (const char *)message, offset + 1);
}

static int compile(struct vg_pattern *p, const char *text, char *why, size_t size)
{
    size_t offset, length = strlen(text);
    int code;

    if (length > LONGEST) {
        snprintf(why, size, "it is longer than %d bytes", LONGEST);
        return -1;
    }
    p->code = pcre2_compile((PCRE2_SPTR)text, length, p->nocase ? PCRE2_CASELESS : 0U,
                            &code, &offset, NULL);
    if (!p->code) {
        explain(code, offset, why, size);
        return -1;
    }
    p->data = pcre2_match_data_create(1, NULL);
    p->limits = pcre2_match_context_create(NULL);
    if (!p->data || !p->limits)
        return -1;
    pcre2_set_match_limit(p->limits, MOST_STEPS);
    pcre2_set_heap_limit(p->limits, MOST_HEAP_KB);
    return 0;
}

struct vg_pattern *vg_pattern_new(const char *text, unsigned int vg_match_flags,
                                  char *why, size_t size)
{
    struct vg_pattern *p = calloc(1, sizeof(*p));
    int r = -1;

    why[0] = '\0';
    if (!p)
        return NULL;
    p->nocase = vg_match_flags & VG_MATCH_NOCASE;
    if (vg_match_flags & VG_MATCH_REGEX)
        r = compile(p, text, why, size);
    else if ((p->list = strdup(text)) != NULL)
        r = 0;
    if (r == 0)
        return p;
    vg_pattern_free(p);
    return NULL;
}

bool vg_pattern_has(const struct vg_pattern *p, const char *name)
{
    if (p->list)
        return vg_list_has(p->list, name, p->nocase);
    return pcre2_match(p->code, (PCRE2_SPTR)name, strlen(name), 0, 0, p->data,
                       p->limits) >= 0;
}

void vg_pattern_free(struct vg_pattern *p)
{
    if (!p)
        return;
    pcre2_match_context_free(p->limits);
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
    free(p->list);
    free(p);
}
