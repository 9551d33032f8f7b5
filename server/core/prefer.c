/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See server/core/prefer.h.
 */
#include "server/core/prefer.h"

#include "server/core/request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* More is no longer a wait but a mistake. */
#define MAX_DIGITS 6

static bool is_word(const char *s, size_t n, const char *word)
{
    return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

/* `10` or `"10"`, up to what ends the preference. */
static void read_wait(struct vg_prefer *prefer, const char *value)
{
    unsigned int seconds = 0;

    value += *value == '"';
    size_t n = strspn(value, "0123456789");
    const char *end = value + n + (value[n] == '"');
    end += strspn(end, " \t");
    if (n == 0 || n > MAX_DIGITS || prefer->waits || !strchr(",;", *end))
        return;
    for (size_t i = 0; i < n; i++)
        seconds = 10 * seconds + (unsigned int)(value[i] - '0');
    prefer->waits = true;
    prefer->wait_seconds = seconds;
}

void vg_prefer_read(struct vg_prefer *prefer, const char *value)
{
    for (const char *p = value; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        size_t n = strcspn(p, "=;, \t");
        const char *rest = p + n + strspn(p + n, " \t");
        if (is_word(p, n, "respond-async"))
            prefer->respond_async = true;
        else if (is_word(p, n, "wait") && *rest == '=')
            read_wait(prefer, rest + 1 + strspn(rest + 1, " \t"));
    }
}

void vg_prefer_applied(const struct vg_request *rq, int status, char *ret, size_t size)
{
    bool begins = rq->route && vg_route_begins_operation(rq->route);
    bool about = rq->route && rq->route->runs_on == VG_ON_OPERATION;
    bool async = begins && status == 202 && rq->prefer.respond_async;
    bool waited = (begins || about) && rq->prefer.waits;

    *ret = '\0';
    if (async && waited)
        snprintf(ret, size, "respond-async, wait=%u", rq->prefer.wait_seconds);
    else if (async)
        snprintf(ret, size, "respond-async");
    else if (waited)
        snprintf(ret, size, "wait=%u", rq->prefer.wait_seconds);
}
