/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/agent/users/{user}/...: who may log in to a guest: passwords and SSH
 * keys. They are root in the guest in effect. A password stands in the body only, never
 * in a query, and never in an answer or a log.
 */
#include "routes/routes.h"
#include "virtgate/conflict.h"
#include "virtgate/object.h"
#include "virtgate/text_list.h"

/* {"password": "...", "flags": ["encrypted"]} */
static struct vg_reply set_password(struct vg_request *rq)
{
    json_t *password = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_JSON("password", &password),
        VG_FLAGS("flags", &flags, virDomainSetUserPasswordFlags), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (!json_is_string(password)) {
        vg_error_set(vg_request_error(rq),
                     password ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                     "Body member 'password' is required, a string");
        return vg_fail(rq);
    }
    const char *user = vg_path_text(rq, "user");
    vg_autoptr(virDomain) dom = user ? vg_path_domain(rq) : NULL;
    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(
        rq, dom, VG_NEEDS_RUNNING,
        virDomainSetUserPassword(dom, user, json_string_value(password), flags));
}

/* ---- SSH keys ---------------------------------------------------------------------- */

static struct vg_reply reply_keys(struct vg_request *rq, virDomainPtr dom,
                                  const char *user)
{
    vg_autolist(string) keys = {0};

    keys.n = virDomainAuthorizedSSHKeysGet(dom, user, &keys.v, 0);
    if (keys.n < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_RUNNING);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "keys");
    for (int i = 0; i < keys.n; i++)
        vg_json_string(&w, NULL, keys.v[i]);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_keys(struct vg_request *rq)
{
    const char *user = vg_path_text(rq, "user");
    vg_autoptr(virDomain) dom = user ? vg_path_domain(rq) : NULL;
    return dom ? reply_keys(rq, dom, user) : vg_fail(rq);
}

/* {"keys": ["ssh-ed25519 AAAA... alice"]} */
static struct vg_reply change_keys(struct vg_request *rq, unsigned int flags)
{
    json_t *given = NULL;
    const struct vg_field args[] = {VG_JSON("keys", &given), VG_END};
    vg_autolist(text) keys = {0};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (!given) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                     "Body member 'keys' is required, an array of strings");
        return vg_fail(rq);
    }
    if (vg_text_list_read(rq, "keys", given, &keys) < 0)
        return vg_fail(rq);
    const char *user = vg_path_text(rq, "user");
    vg_autoptr(virDomain) dom = user ? vg_path_domain(rq) : NULL;
    if (!dom)
        return vg_fail(rq);
    if (virDomainAuthorizedSSHKeysSet(dom, user, keys.v, keys.n, flags) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_RUNNING);
    return reply_keys(rq, dom, user);
}

static struct vg_reply replace_keys(struct vg_request *rq)
{
    return change_keys(rq, 0);
}

static struct vg_reply add_keys(struct vg_request *rq)
{
    return change_keys(rq, VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND);
}

static struct vg_reply remove_keys(struct vg_request *rq)
{
    return change_keys(rq, VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE);
}

/* clang-format off */
const struct vg_route vg_routes_domain_agent_users[] = {
    {VG_PUT, "/domains/{domain}/agent/users/{user}/password", "setGuestPassword", set_password,
     .needs = "domain:getattr domain:set_password", .runs_on = VG_ON_AGENT,
     .takes = VG_TAKES_SECRET},
    {VG_GET, "/domains/{domain}/agent/users/{user}/authorized-keys", "getGuestAuthorizedKeys",
     get_keys,
     .needs = "domain:getattr domain:set_password domain:write", .runs_on = VG_ON_AGENT},
    {VG_PUT, "/domains/{domain}/agent/users/{user}/authorized-keys", "replaceGuestAuthorizedKeys",
     replace_keys,
     .needs = "domain:getattr domain:set_password domain:write", .runs_on = VG_ON_AGENT,
     .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/agent/users/{user}/authorized-keys", "addGuestAuthorizedKeys",
     add_keys,
     .needs = "domain:getattr domain:set_password domain:write", .runs_on = VG_ON_AGENT,
     .takes = VG_TAKES_ARGS},
    {VG_DELETE, "/domains/{domain}/agent/users/{user}/authorized-keys", "removeGuestAuthorizedKeys",
     remove_keys,
     .needs = "domain:getattr domain:set_password domain:write", .runs_on = VG_ON_AGENT,
     .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
