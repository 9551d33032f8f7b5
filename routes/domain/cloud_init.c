/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See cloud_init.h. Documents are JSON, which cloud-init reads as the YAML that it is:
 * no text of the client's can become another key.
 */
#include "routes/domain/cloud_init.h"

#include "virtgate/cleanup.h"
#include "virtgate/domain_create.h"
#include "virtgate/json.h"
#include "virtgate/password.h"
#include "virtgate/seed.h"

#include <stdio.h>
#include <string.h>

#define MAX_TEXTS 256
/* A seed is read whole at each boot. */
#define MAX_DATA ((size_t)1 << 20)

static const struct vg_enum_value seed_names[] = {{"cdrom", NULL, VG_NEW_CDROM},
                                                  {"disk", NULL, VG_NEW_DISK}};
static const struct vg_enum seeds = {"seeds", seed_names, 2};

/* ---- reading ----------------------------------------------------------------------- */

/* An array of lines. */
static int check_texts(struct vg_request *rq, const char *name, json_t *list)
{
    json_t *item;
    size_t i;

    if (list && (!json_is_array(list) || json_array_size(list) > MAX_TEXTS))
        return vg_args_fail_member(rq, name, "an array of at most 256 texts");
    json_array_foreach (list, i, item) {
        const char *text = json_string_value(item);
        if (!text || !*text || strpbrk(text, "\r\n"))
            return vg_args_fail_member(rq, name, "an array of texts, each one line,");
    }
    return 0;
}

/* RFC 1123: labels of letters, digits and hyphens. */
static bool is_hostname(const char *text)
{
    size_t label = 0;
    const char *p = text;

    for (; *p; p++) {
        bool good = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= '0' && *p <= '9');
        if (*p == '.' ? !label || p[-1] == '-' : !good && (*p != '-' || !label))
            return false;
        label = *p == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return label && p[-1] != '-' && p - text <= 253;
}

/* What useradd(8) takes. */
static bool is_user(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return n && n <= 32 && !text[n] && !strchr("-0123456789", text[0]);
}

static int check_data(struct vg_request *rq, const char *name, const json_t *data)
{
    bool good = !data || json_is_object(data) ||
                (json_string_length(data) && json_string_length(data) <= MAX_DATA);
    return good ? 0
                : vg_args_fail_member(rq, name, "a text of at most 1 MiB, or an object,");
}

/* Whoever writes the whole of user-data says everything in it. */
static int check_whole(struct vg_request *rq, const struct vg_cloud_init *c)
{
    if (c->user_data && (c->user || c->password || c->ssh_keys || c->packages))
        return vg_args_fail_member(rq, "cloudInit/userData",
                                   "either 'userData' or 'user', 'password', 'sshKeys', "
                                   "'packages'");
    return 0;
}

static void drop_nulls(json_t *object)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe (object, next, key, value)
        if (json_is_null(value))
            json_object_del(object, key);
}

int vg_cloud_init_read(struct vg_request *rq, json_t *object, struct vg_cloud_init *ret)
{
    const struct vg_field fields[] = {
        VG_TEXT("hostname", &ret->hostname),
        VG_TEXT("user", &ret->user),
        VG_JSON("sshKeys", &ret->ssh_keys),
        VG_TEXT("password", &ret->password),
        VG_JSON("packages", &ret->packages),
        VG_JSON("userData", &ret->user_data),
        VG_JSON("networkConfig", &ret->network_config),
        VG_TEXT("pool", &ret->pool),
        VG_ONE_OF("seed", &ret->seed, &seeds),
        VG_END,
    };

    ret->seed = VG_NEW_CDROM;
    drop_nulls(object);
    if (vg_args_object(rq, "cloudInit", object, fields) < 0)
        return -1;
    if (ret->hostname && !is_hostname(ret->hostname))
        return vg_args_fail_member(rq, "cloudInit/hostname",
                                   "a host's name like web1 or web1.example.org");
    if (ret->user && !is_user(ret->user))
        return vg_args_fail_member(
            rq, "cloudInit/user",
            "a user's name (a-z, 0-9, '_', '-', at most 32 characters)");
    if (ret->password && (!*ret->password || strpbrk(ret->password, "\r\n") ||
                          strlen(ret->password) > 511))
        return vg_args_fail_member(rq, "cloudInit/password",
                                   "one line of at most 511 bytes");
    if (check_texts(rq, "cloudInit/sshKeys", ret->ssh_keys) < 0 ||
        check_texts(rq, "cloudInit/packages", ret->packages) < 0 ||
        check_data(rq, "cloudInit/userData", ret->user_data) < 0 ||
        check_data(rq, "cloudInit/networkConfig", ret->network_config) < 0)
        return -1;
    return check_whole(rq, ret);
}

/* ---- writing ----------------------------------------------------------------------- */

static const char *hostname_of(const struct vg_cloud_init *c, const char *name)
{
    return c->hostname ? c->hostname : is_hostname(name) ? name : NULL;
}

/* The image's own user under another name keeps what the distribution gives it: groups,
 * sudo, a shell. NULL: out of memory. */
static json_t *make_config(const struct vg_cloud_init *c, const char *name)
{
    const char *hostname = hostname_of(c, name);
    bool hashed = c->password && vg_password_is_hashed(c->password);
    vg_autofree char *made =
        c->password && !hashed ? vg_password_hash(c->password) : NULL;

    if (c->password && !hashed && !made)
        return NULL;
    return json_pack(
        "{s:s*, s:s*, s:o*, s:O*, s:s*, s:o*, s:O*, s:o*}", "hostname", hostname, "fqdn",
        hostname && strchr(hostname, '.') ? hostname : NULL, "user",
        c->user ? json_pack("{s:s}", "name", c->user) : NULL, "ssh_authorized_keys",
        c->ssh_keys, "password", hashed ? c->password : made, "chpasswd",
        c->password ? json_pack("{s:b}", "expire", 0) : NULL, "packages", c->packages,
        "package_update", json_array_size(c->packages) ? json_true() : NULL);
}

static char *dump(const char *head, const json_t *value)
{
    vg_autofree char *json = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
    char *text = NULL;

    return json && asprintf(&text, "%s%s\n", head, json) >= 0 ? text : NULL;
}

#define CLOUD_CONFIG "#cloud-config\n"

static char *write_user_data(const struct vg_cloud_init *c, const char *name)
{
    if (json_is_string(c->user_data))
        return strdup(json_string_value(c->user_data));
    json_auto_t *made = c->user_data ? NULL : make_config(c, name);
    return dump(CLOUD_CONFIG, c->user_data ? c->user_data : made);
}

/* An instance that cloud-init knows by its id is not set up again. */
static char *write_meta_data(const struct vg_cloud_init *c, const char *name,
                             const char *uuid)
{
    json_auto_t *meta = json_pack("{s:s, s:s*}", "instance-id", uuid, "local-hostname",
                                  hostname_of(c, name));
    return dump("", meta);
}

static char *write_network(const struct vg_cloud_init *c)
{
    return json_is_string(c->network_config)
               ? strdup(json_string_value(c->network_config))
               : dump("", c->network_config);
}

void *vg_cloud_init_seed(struct vg_request *rq, const struct vg_cloud_init *c,
                         const char *name, const char *uuid, size_t *ret_n)
{
    vg_autofree char *user_data = write_user_data(c, name);
    vg_autofree char *meta_data = write_meta_data(c, name, uuid);
    vg_autofree char *network = c->network_config ? write_network(c) : NULL;
    const struct vg_seed seed = {user_data, meta_data, network};

    if (!user_data || !meta_data || (c->network_config && !network) ||
        vg_json_lost_memory()) { /* what is optional might be missing */
        (void)vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    return vg_seed_image(&seed, ret_n, vg_request_error(rq));
}
