/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `cloudInit` of POST /domains: what cloud-init in the new guest is to do.
 */
#pragma once

#include "virtgate/request.h"

/* Borrowed from the request. */
struct vg_cloud_init {
    const char *hostname; /* NULL: the domain's name, where it can be one */
    const char *user;     /* NULL: the image's own */
    const char *password;
    json_t *ssh_keys, *packages;
    json_t *user_data, *network_config; /* text as it is, or an object */
    const char *pool;                   /* where the seed goes; NULL: beside the disk */
    int seed;                           /* enum vg_new_device: how it is attached */
};

/* Reads it; `null` is what is absent. -1: the request's error is set, which never quotes
 * a value. */
int vg_cloud_init_read(struct vg_request *rq, json_t *object, struct vg_cloud_init *ret);

/* The image of the seed (virtgate/seed.h) for a domain of this name and UUID. Owned by
 * the caller, its size in *ret_n. NULL: the request's error is set. */
void *vg_cloud_init_seed(struct vg_request *rq, const struct vg_cloud_init *c,
                         const char *name, const char *uuid, size_t *ret_n);
