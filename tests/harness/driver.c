/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See driver.h. What is tried is tried on test:///default of this process, which no
 * gateway sees, or on a domain that is made for it.
 */
#include "driver.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK "<disk type='file'><source file='/x'/><target dev='vdx'/></disk>"

/* ---- trying: 0, or -1 with libvirt's error ----------------------------------------- */

static int tell_capabilities(virConnectPtr conn)
{
    char *xml = virConnectGetDomainCapabilities(conn, NULL, NULL, NULL, NULL, 0);
    int rc = xml ? 0 : -1;
    free(xml);
    return rc;
}

static int attach(virDomainPtr dom)
{
    return virDomainAttachDeviceFlags(dom, DISK, VIR_DOMAIN_AFFECT_CURRENT);
}

static int update(virDomainPtr dom)
{
    return virDomainUpdateDeviceFlags(dom, DISK, VIR_DOMAIN_AFFECT_CURRENT);
}

static int detach_alias(virDomainPtr dom)
{
    return virDomainDetachDeviceAlias(dom, "ua-nosuch", VIR_DOMAIN_AFFECT_CURRENT);
}

static int set_iothread(virDomainPtr dom)
{
    virTypedParameterPtr params = NULL;
    int n = 0, size = 0;
    virTypedParamsAddULLong(&params, &n, &size, VIR_DOMAIN_IOTHREAD_POLL_MAX_NS, 1);
    int rc = virDomainSetIOThreadParams(dom, 1, params, n, VIR_DOMAIN_AFFECT_CONFIG);
    virTypedParamsFree(params, n);
    return rc;
}

/* ---- looking ----------------------------------------------------------------------- */

/* Of the library, since 9.7. */
static bool has_network_metadata(virConnectPtr conn)
{
    unsigned long version = 0;
    (void)conn;
    return virGetVersion(&version, NULL, NULL) == 0 && version >= 9007000;
}

static bool lists_active_devices(virConnectPtr conn)
{
    return virConnectListAllNodeDevices(conn, NULL,
                                        VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE) >= 0;
}

static bool tells_persistent_devices(virConnectPtr conn)
{
    virNodeDevicePtr computer = virNodeDeviceLookupByName(conn, "computer");
    bool tells = computer && virNodeDeviceIsPersistent(computer) >= 0;
    if (computer)
        virNodeDeviceFree(computer);
    return tells;
}

/* ---- what can be asked ------------------------------------------------------------- */

static struct question {
    const char *what;
    bool (*look)(virConnectPtr conn); /* one of these tells, or tries it */
    int (*host)(virConnectPtr conn);
    int (*domain)(virDomainPtr dom);
    const char *xml; /* of a domain to try it on; NULL: the test driver's own */
    enum { UNKNOWN, NO, YES } answer;
} questions[] = {
    {"tell-domain-capabilities", .host = tell_capabilities},
    {"network-metadata", .look = has_network_metadata},
    {"list-active-devices", .look = lists_active_devices},
    {"tell-persistent-devices", .look = tells_persistent_devices},
    {"attach-device", .domain = attach},
    {"update-device", .domain = update},
    {"detach-by-alias", .domain = detach_alias},
    {"set-configured-iothread", .domain = set_iothread,
     .xml = "<domain type='qemu'><name>asked</name><memory>16384</memory>"
            "<iothreads>1</iothreads><os><type>hvm</type></os></domain>"},
};

static void stay_quiet(void *data, virErrorPtr error)
{
    (void)data;
    (void)error;
}

static bool is_unsupported(int rc)
{
    int code = rc < 0 ? virGetLastErrorCode() : VIR_ERR_OK;
    return code == VIR_ERR_NO_SUPPORT || code == VIR_ERR_OPERATION_UNSUPPORTED;
}

static bool ask_domain(virConnectPtr conn, const struct question *q)
{
    virDomainPtr dom =
        q->xml ? virDomainDefineXML(conn, q->xml) : virDomainLookupByName(conn, "test");
    bool can = dom && !is_unsupported(q->domain(dom));
    if (dom && q->xml)
        virDomainUndefine(dom);
    if (dom)
        virDomainFree(dom);
    return can;
}

static bool ask(const char *uri, const struct question *q)
{
    virSetErrorFunc(NULL, stay_quiet);
    virConnectPtr conn = virConnectOpen(uri);
    if (!conn)
        return false;
    bool can = q->look   ? q->look(conn)
               : q->host ? !is_unsupported(q->host(conn))
                         : ask_domain(conn, q);
    virConnectClose(conn);
    return can;
}

bool driver_can(const char *uri, const char *what)
{
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        struct question *q = &questions[i];
        if (strcmp(q->what, what) != 0)
            continue;
        if (q->answer == UNKNOWN)
            q->answer = ask(uri, q) ? YES : NO;
        return q->answer == YES;
    }
    fprintf(stderr, "nobody knows how to ask a driver for '%s'\n", what);
    exit(1);
}
