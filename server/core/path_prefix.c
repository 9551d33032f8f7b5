/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See vg_path_prefix() in virtgate/request.h: set once, before any thread runs.
 */
#include "virtgate/request.h"

#include "server/core/request.h"

#include <stdio.h>
#include <string.h>

static const char *path_prefix = "";

void vg_path_prefix_start(const char *prefix)
{
    path_prefix = prefix ? prefix : "";
}

const char *vg_path_prefix(void)
{
    return path_prefix;
}

const char *vg_path_below_prefix(const char *target)
{
    size_t n = strlen(path_prefix);
    bool inside = strncmp(target, path_prefix, n) == 0 &&
                  (n == 0 || strchr("/?", target[n])); /* or its NUL */
    return inside ? target + n : NULL;
}

char *vg_request_path(const struct vg_request *rq)
{
    char *path = NULL;

    if (asprintf(&path, "%s%.*s", rq->outside ? "" : path_prefix, (int)rq->path_length,
                 rq->target ? rq->target : "") < 0)
        return NULL;
    return path;
}
