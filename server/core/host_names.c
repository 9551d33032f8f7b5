/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/host_names.h"

#include "virtgate/scope.h"

#include <stdlib.h>
#include <string.h>

static const char **names;
static size_t n_names;

int vg_host_names_add(const char *name)
{
    const char **grown = reallocarray(names, n_names + 1, sizeof(*names));

    if (!grown)
        return -1;
    names = grown;
    names[n_names++] = name;
    return 0;
}

void vg_host_names_clear(void)
{
    free(names);
    names = NULL;
    n_names = 0;
}

bool vg_host_name_is_here(const struct vg_request *rq, const char *name)
{
    if (rq->host_name && rq->prefix)
        return strcmp(rq->host_name, name) == 0;
    for (size_t i = 0; i < n_names; i++)
        if (strcmp(names[i], name) == 0)
            return vg_sees_host(rq, name);
    return false;
}
