/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/libvirt/event_domain.c: each row of its table, called as libvirt calls it, for a
 * domain of the test driver. Most of these events no test machine can be brought to send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/libvirt/host_fixture.h"

#include "virtgate/autoptr.h"
#include "virtgate/params.h"

static virConnectPtr conn;
static virDomainPtr dom;

/* The event's JSON has all members of `want`, which may have ' for ". */
static void check_members(const json_t *got, const char *want)
{
    vg_autofree char *text = strdup(want);
    const char *key;
    json_t *value;

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_auto_t *wanted = json_loads(text, 0, NULL);
    assert_non_null(wanted);
    json_object_foreach (wanted, key, value) {
        const json_t *is = json_object_get(got, key);
        if (!is || !json_equal(is, value)) {
            vg_autofree char *shown = json_dumps(got, 0);
            fail_msg("%s of %s", key, shown);
        }
    }
}

/* Calls the row of an event id, as the type of function that libvirt has for it, with
 * what follows the domain. */
#define CALL(id, type, ...)                                                              \
    ((type)(void (*)(void))find_row(VIR_DOMAIN_EVENT_ID_##id))(conn, dom, __VA_ARGS__)

static virConnectDomainEventGenericCallback find_row(int id)
{
    for (const struct vg_domain_event *row = vg_domain_events; row->callback; row++)
        if (row->id == id)
            return row->callback;
    fail_msg("event %d has no row", id);
    return NULL;
}

static struct vg_subscriber *subscriber;

/* What was published since the last one: one event, of this name. */
static void expect(const char *name, const char *want)
{
    struct vg_event *e = NULL;

    assert_int_equal(vg_subscriber_next(subscriber, &e), VG_SUBSCRIBER_EVENT);
    assert_string_equal(e->name, name);
    assert_string_equal(e->domain, "test");
    assert_int_equal(e->object, VG_EVENT_DOMAIN);
    json_auto_t *got = json_loadb(e->json, e->json_size, 0, NULL);
    assert_non_null(got);
    check_members(got, want);
    vg_event_unref(e);
    assert_int_equal(vg_subscriber_next(subscriber, &e), VG_SUBSCRIBER_NONE);
}

static void call_plain(int id, const char *name)
{
    find_row(id)(conn, dom, host);
    expect(name, "{}");
}

static void plain_ones(void **state)
{
    (void)state;
    call_plain(VIR_DOMAIN_EVENT_ID_REBOOT, "reboot");
    call_plain(VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, "control-error");
    CALL(PMWAKEUP, virConnectDomainEventPMWakeupCallback, 0, host);
    expect("pmwakeup", "{}");
    CALL(PMSUSPEND, virConnectDomainEventPMSuspendCallback, 0, host);
    expect("pmsuspend", "{}");
    CALL(PMSUSPEND_DISK, virConnectDomainEventPMSuspendDiskCallback, 0, host);
    expect("pmsuspend-disk", "{}");
}

static void of_the_machine(void **state)
{
    (void)state;
    CALL(RTC_CHANGE, virConnectDomainEventRTCChangeCallback, -7200, host);
    expect("rtc-change", "{'utcOffsetSeconds':-7200}");
    CALL(WATCHDOG, virConnectDomainEventWatchdogCallback, VIR_DOMAIN_EVENT_WATCHDOG_RESET,
         host);
    expect("watchdog", "{'action':'reset'}");
    CALL(BALLOON_CHANGE, virConnectDomainEventBalloonChangeCallback, 4096, host);
    expect("balloon-change", "{'actualKiB':4096}");
    CALL(MEMORY_FAILURE, virConnectDomainEventMemoryFailureCallback,
         VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_GUEST,
         VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_INJECT,
         VIR_DOMAIN_MEMORY_FAILURE_ACTION_REQUIRED | VIR_DOMAIN_MEMORY_FAILURE_RECURSIVE,
         host);
    expect("memory-failure", "{'recipient':'guest','action':'inject',"
                             "'flags':['action-required','recursive']}");
    CALL(MEMORY_DEVICE_SIZE_CHANGE, virConnectDomainEventMemoryDeviceSizeChangeCallback,
         "virtiomem0", 1048576, host);
    expect("memory-device-size-change", "{'alias':'virtiomem0','sizeKiB':1048576}");
}

static void of_disks(void **state)
{
    (void)state;
    CALL(IO_ERROR, virConnectDomainEventIOErrorCallback, "/d", "virtio-disk0",
         VIR_DOMAIN_EVENT_IO_ERROR_PAUSE, host);
    expect("io-error", "{'path':'/d','alias':'virtio-disk0','action':'pause'}");
    CALL(IO_ERROR_REASON, virConnectDomainEventIOErrorReasonCallback, "/d",
         "virtio-disk0", VIR_DOMAIN_EVENT_IO_ERROR_REPORT, "enospc", host);
    expect("io-error-reason",
           "{'path':'/d','alias':'virtio-disk0','action':'report','reason':'enospc'}");
    CALL(BLOCK_JOB, virConnectDomainEventBlockJobCallback, "/d",
         VIR_DOMAIN_BLOCK_JOB_TYPE_PULL, VIR_DOMAIN_BLOCK_JOB_COMPLETED, host);
    expect("block-job", "{'path':'/d','type':'pull','status':'completed'}");
    CALL(BLOCK_JOB_2, virConnectDomainEventBlockJobCallback, "vda",
         VIR_DOMAIN_BLOCK_JOB_TYPE_COPY, VIR_DOMAIN_BLOCK_JOB_READY, host);
    expect("block-job-2", "{'disk':'vda','type':'copy','status':'ready'}");
    CALL(DISK_CHANGE, virConnectDomainEventDiskChangeCallback, "/old", NULL, "ide0-0-1",
         VIR_DOMAIN_EVENT_DISK_DROP_MISSING_ON_START, host);
    expect("disk-change", "{'oldPath':'/old','newPath':null,'alias':'ide0-0-1',"
                          "'reason':'drop-missing-on-start'}");
    CALL(TRAY_CHANGE, virConnectDomainEventTrayChangeCallback, "ide0-0-1",
         VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN, host);
    expect("tray-change", "{'alias':'ide0-0-1','reason':'open'}");
    CALL(BLOCK_THRESHOLD, virConnectDomainEventBlockThresholdCallback, "vda", "/d", 100,
         7, host);
    expect("block-threshold",
           "{'disk':'vda','path':'/d','thresholdBytes':100,'excessBytes':7}");
}

static void of_devices(void **state)
{
    (void)state;
    CALL(DEVICE_REMOVED, virConnectDomainEventDeviceRemovedCallback, "net0", host);
    expect("device-removed", "{'alias':'net0'}");
    CALL(DEVICE_ADDED, virConnectDomainEventDeviceAddedCallback, "net1", host);
    expect("device-added", "{'alias':'net1'}");
    CALL(DEVICE_REMOVAL_FAILED, virConnectDomainEventDeviceRemovalFailedCallback, "net2",
         host);
    expect("device-removal-failed", "{'alias':'net2'}");
#if LIBVIR_CHECK_VERSION(11, 2, 0)
    CALL(NIC_MAC_CHANGE, virConnectDomainEventNICMACChangeCallback, "net0",
         "52:54:00:0:0:1", "52:54:00:0:0:2", host);
    expect("nic-mac-change", "{'alias':'net0','oldMac':'52:54:00:0:0:1',"
                             "'newMac':'52:54:00:0:0:2'}");
#endif
}

static void of_graphics(void **state)
{
    (void)state;
    char node[] = "::1", service[] = "5900", type[] = "x509dname", name[] = "CN=a";
    virDomainEventGraphicsAddress address = {VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV6, node,
                                             service};
    virDomainEventGraphicsSubjectIdentity identity = {type, name};
    virDomainEventGraphicsSubject subject = {1, &identity};

    CALL(GRAPHICS, virConnectDomainEventGraphicsCallback,
         VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE, &address, NULL, "vnc", &subject, host);
    expect(
        "graphics",
        "{'phase':'initialize','local':{'family':'ipv6','node':'::1','service':'5900'},"
        "'remote':null,'authScheme':'vnc',"
        "'subject':[{'type':'x509dname','name':'CN=a'}]}");
    CALL(GRAPHICS, virConnectDomainEventGraphicsCallback,
         VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT, NULL, &address, "none", NULL, host);
    expect("graphics", "{'phase':'disconnect','local':null,'subject':[]}");
}

static void of_what_goes_on(void **state)
{
    (void)state;
    vg_auto_params params = {0};
    int size = 0;

    CALL(AGENT_LIFECYCLE, virConnectDomainEventAgentLifecycleCallback,
         VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED,
         VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL, host);
    expect("agent-lifecycle", "{'state':'connected','reason':'channel'}");
    CALL(METADATA_CHANGE, virConnectDomainEventMetadataChangeCallback,
         VIR_DOMAIN_METADATA_ELEMENT, "urn:x", host);
    expect("metadata-change", "{'type':'element','uri':'urn:x'}");
    CALL(MIGRATION_ITERATION, virConnectDomainEventMigrationIterationCallback, 3, host);
    expect("migration-iteration", "{'iteration':3}");
    assert_int_equal(
        virTypedParamsAddULLong(&params.v, &params.n, &size, "cputune.vcpupin0", 5), 0);
    CALL(TUNABLE, virConnectDomainEventTunableCallback, params.v, params.n, host);
    expect("tunable", "{'params':{'cputune':{'vcpupin0':5}}}");
    CALL(JOB_COMPLETED, virConnectDomainEventJobCompletedCallback, params.v, params.n,
         host);
    expect("job-completed", "{'params':{'cputune':{'vcpupin0':5}}}");
}

/* Every type with its own details; a newer libvirt's by its number. */
static void of_life(void **state)
{
    (void)state;
    static const struct {
        int type, detail;
        const char *want;
    } rows[] = {
        {VIR_DOMAIN_EVENT_DEFINED, 1, "{'type':'defined','detail':'updated'}"},
        {VIR_DOMAIN_EVENT_UNDEFINED, 0, "{'type':'undefined','detail':'removed'}"},
        {VIR_DOMAIN_EVENT_STARTED, 1, "{'type':'started','detail':'migrated'}"},
        {VIR_DOMAIN_EVENT_SUSPENDED, 2, "{'type':'suspended','detail':'ioerror'}"},
        {VIR_DOMAIN_EVENT_RESUMED, 0, "{'type':'resumed','detail':'unpaused'}"},
        {VIR_DOMAIN_EVENT_STOPPED, 2, "{'type':'stopped','detail':'crashed'}"},
        {VIR_DOMAIN_EVENT_SHUTDOWN, 1, "{'type':'shutdown','detail':'guest'}"},
        {VIR_DOMAIN_EVENT_PMSUSPENDED, 1, "{'type':'pmsuspended','detail':'disk'}"},
        {VIR_DOMAIN_EVENT_CRASHED, 0, "{'type':'crashed','detail':'panicked'}"},
        {VIR_DOMAIN_EVENT_CRASHED, 77, "{'type':'crashed','detail':77}"},
        {77, 5, "{'type':77,'detail':5}"},
        {-1, 5, "{'type':-1,'detail':5}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CALL(LIFECYCLE, virConnectDomainEventCallback, rows[i].type, rows[i].detail,
             host);
        expect("lifecycle", rows[i].want);
    }
}

static int set_up(void **state)
{
    (void)state;
    if (start_host() < 0)
        return -1;
    conn = virConnectOpen("test:///default");
    dom = conn ? virDomainLookupByName(conn, "test") : NULL;
    /* not that the host was reached, which is told when it is */
    static const struct vg_event_filter filter = {.objects = VG_EVENT_DOMAIN};
    subscriber = vg_subscriber_new(&filter, vg_event_head(), true);
    return dom && subscriber ? 0 : -1;
}

static int tear_down(void **state)
{
    vg_subscriber_free(subscriber);
    virDomainFree(dom);
    virConnectClose(conn);
    return stop_host(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_ones),  cmocka_unit_test(of_the_machine),
        cmocka_unit_test(of_disks),    cmocka_unit_test(of_devices),
        cmocka_unit_test(of_graphics), cmocka_unit_test(of_what_goes_on),
        cmocka_unit_test(of_life),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
