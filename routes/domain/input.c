/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is done to a guest from outside: keys, an NMI, signals to its processes, sleep and
 * waking up.
 */
#include "routes/routes.h"
#include "virtgate/conflict.h"
#include "virtgate/keys.h"
#include "virtgate/object.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define MAX_KEYCODE 65535

/* ---- keys -------------------------------------------------------------------------- */

struct keycodes {
    unsigned int v[VIR_DOMAIN_SEND_KEY_MAX_KEYS];
    int n;
};

static int fail_key(struct vg_request *rq, const char *why)
{
    return vg_fail_value(
        rq,
        "Body member 'keycodes': %s; accepted are 1 to %d numbers up to %d, in "
        "the codeset 'linux' also names of <linux/input-event-codes.h>, such as "
        "'KEY_LEFTCTRL' or 'leftctrl'",
        why, VIR_DOMAIN_SEND_KEY_MAX_KEYS, MAX_KEYCODE);
}

/* "KEY_ENTER", "enter" */
static int read_key_name(struct vg_request *rq, const char *name, unsigned int *ret)
{
    bool prefixed = strncmp(name, "KEY_", 4) == 0;
    char lower[32] = "";
    size_t n = 0;

    for (const char *p = prefixed ? name + 4 : name; *p && n < sizeof(lower) - 1; p++)
        lower[n++] = prefixed ? (char)tolower((unsigned char)*p) : *p;
    const struct vg_enum_value *key = vg_enum_lookup(&vg_linux_keys, lower, n);
    if (!key || strlen(name) != n + (prefixed ? 4 : 0)) {
        vg_error_set(
            vg_request_error(rq), VG_E_UNKNOWN_VALUE,
            "Body member 'keycodes': '%.40s' is no key; accepted are the names of "
            "<linux/input-event-codes.h>, such as 'KEY_LEFTCTRL' or 'leftctrl'",
            name);
        return -1;
    }
    *ret = (unsigned int)key->value;
    return 0;
}

static int read_keycodes(struct vg_request *rq, const json_t *array, int codeset,
                         struct keycodes *ret)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(array) || json_array_size(array) == 0 ||
        json_array_size(array) > VIR_DOMAIN_SEND_KEY_MAX_KEYS)
        return fail_key(rq, array ? "no array of the right length" : "missing");
    json_array_foreach (array, i, item) {
        json_int_t code = json_is_integer(item) ? json_integer_value(item) : -1;
        unsigned int *key = &ret->v[ret->n++];
        if (code >= 0 && code <= MAX_KEYCODE)
            *key = (unsigned int)code;
        else if (!json_is_string(item))
            return fail_key(rq, "neither a code nor a name");
        else if (codeset != VIR_KEYCODE_SET_LINUX)
            return fail_key(rq, "a name, and the codeset is not 'linux'");
        else if (read_key_name(rq, json_string_value(item), key) < 0)
            return -1;
    }
    return 0;
}

/* {"keycodes": ["leftctrl", "leftalt", "delete"], "holdTimeMs": 100} */
static struct vg_reply send_key(struct vg_request *rq)
{
    int codeset = VIR_KEYCODE_SET_LINUX;
    json_t *given = NULL;
    int64_t hold_ms = 0;
    const struct vg_field args[] = {
        VG_ENUM("codeset", &codeset, virKeycodeSet), VG_JSON("keycodes", &given),
        VG_NUMBER("holdTimeMs", &hold_ms, 0, UINT32_MAX), VG_END};
    struct keycodes keys = {0};

    if (vg_args(rq, args) < 0 || read_keycodes(rq, given, codeset, &keys) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(rq, dom, VG_NEEDS_ACTIVE,
                            virDomainSendKey(dom, (unsigned int)codeset,
                                             (unsigned int)hold_ms, keys.v, keys.n, 0));
}

static struct vg_reply inject_nmi(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(rq, dom, VG_NEEDS_ACTIVE, virDomainInjectNMI(dom, 0));
}

/* ---- processes --------------------------------------------------------------------- */

/* A process, or below 0 a group of them. */
static int read_pid(struct vg_request *rq, long long *ret)
{
    const char *text = vg_path(rq, "pid");
    size_t digits = strspn(text + (*text == '-'), "0123456789");
    char *end;

    errno = 0;
    *ret = strtoll(text, &end, 10);
    if (!errno && !*end && digits && *ret)
        return 0;
    vg_error_set(
        vg_request_error(rq), VG_E_INVALID_VALUE,
        "'%.40s' is no process; a number other than 0 is accepted, below 0 for a "
        "group",
        text);
    return -1;
}

/* {"signal": "term"} */
static struct vg_reply signal_process(struct vg_request *rq)
{
    int number = -1;
    long long pid = 0;
    const struct vg_field args[] = {
        VG_NEED_ENUM("signal", &number, virDomainProcessSignal), VG_END};

    if (vg_args(rq, args) < 0 || read_pid(rq, &pid) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(
        rq, dom, VG_NEEDS_ACTIVE,
        virDomainSendProcessSignal(dom, pid, (unsigned int)number, 0));
}

/* ---- sleep ------------------------------------------------------------------------- */

/* {"target": "mem", "durationSeconds": 0} */
static struct vg_reply suspend_guest(struct vg_request *rq)
{
    int target = VIR_NODE_SUSPEND_TARGET_MEM;
    int64_t seconds = 0;
    const struct vg_field args[] = {VG_ENUM("target", &target, virNodeSuspendTarget),
                                    VG_NUMBER("durationSeconds", &seconds, 0, INT64_MAX),
                                    VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(rq, dom, VG_NEEDS_RUNNING,
                            virDomainPMSuspendForDuration(dom, (unsigned int)target,
                                                          (unsigned long long)seconds,
                                                          0));
}

static struct vg_reply wake_guest(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(rq, dom, VG_NEEDS_ASLEEP, virDomainPMWakeup(dom, 0));
}

/* clang-format off */
const struct vg_route vg_routes_domain_input[] = {
    {VG_POST, "/domains/{domain}/send-key", "sendDomainKey", send_key,
     .needs = "domain:getattr domain:send_input", .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/nmi", "injectDomainNmi", inject_nmi,
     .needs = "domain:getattr domain:inject_nmi"},
    {VG_POST, "/domains/{domain}/processes/{pid}/signal", "signalDomainProcess", signal_process,
     .needs = "domain:getattr domain:send_signal", .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/pm-suspend", "pmSuspendDomain", suspend_guest,
     .needs = "domain:getattr domain:pm_control", .runs_on = VG_ON_AGENT, .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/pm-wakeup", "pmWakeDomain", wake_guest,
     .needs = "domain:getattr domain:pm_control"},
    {0},
};
/* clang-format on */
