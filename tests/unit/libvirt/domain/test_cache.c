/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a connection remembers of domains: for whom, how long, and what of it. The domains
 * are those of the test driver; the connection says that they are of a daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "server/libvirt/internal.h"
#include "server/libvirt/domain/cache.h"
#include "virtgate/autoptr.h"

static const struct vg_route route = {VG_GET, "/domains/{domain}", "getDomain", NULL,
                                      .needs = "domain:read"};
static struct vg_host host;
static struct vg_virt_conn virt_conn;
static virConnectPtr conn;

/* A read of that domain, as a worker would begin it. */
static struct vg_request *read_of(const char *target)
{
    struct vg_request *rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = &route;
    rq->host = &host;
    rq->virt_conn = &virt_conn;
    rq->reading = vg_answer_cache_begin(host.cache, VG_KIND_DOMAIN);
    return rq;
}

static void forget(struct vg_request **rq)
{
    vg_request_unref(*rq);
}
#define auto_read __attribute__((cleanup(forget))) struct vg_request *

static virDomainPtr find_test(void)
{
    virDomainPtr dom = virDomainLookupByName(conn, "test");
    assert_non_null(dom);
    return dom;
}

static bool remembers(struct vg_request *rq, const char *segment)
{
    vg_autoptr(virDomain) dom = vg_domain_cache_domain(rq, segment);
    return dom != NULL;
}

static void test_domain(void **state)
{
    (void)state;
    auto_read rq = read_of("/domains/test");
    vg_autoptr(virDomain) dom = find_test();
    assert_false(remembers(rq, "test"));
    assert_false(rq->uses_memory);
    vg_domain_cache_keep_domain(rq, "test", dom);
    assert_true(remembers(rq, "test"));
    assert_true(rq->uses_memory);
    assert_false(remembers(rq, "other"));
    /* Cache-Control: no-cache */
    auto_read fresh = read_of("/domains/test");
    fresh->fresh = true;
    assert_false(remembers(fresh, "test"));
    assert_false(fresh->uses_memory);
    /* "1" by id is another than "1" by name */
    auto_read by_name = read_of("/domains/test?by=name");
    by_name->by = VG_LOOKUP_NAME;
    assert_false(remembers(by_name, "test"));
    vg_answer_cache_invalidate(host.cache, VG_KIND_DOMAIN);
    assert_false(remembers(rq, "test"));
}

static void test_during_a_change(void **state)
{
    (void)state;
    auto_read rq = read_of("/domains/test");
    vg_autoptr(virDomain) dom = find_test();
    vg_domain_cache_keep_domain(rq, "test", dom);
    assert_true(remembers(rq, "test"));
    vg_answer_cache_begin_change(host.cache, VG_KIND_DOMAIN, false);
    assert_false(remembers(rq, "test"));
    vg_answer_cache_end_change(host.cache, VG_KIND_DOMAIN, false);
    assert_false(remembers(rq, "test"));
}

/* A view of the domain with all that is known of it. */
static struct vg_domain_data view_of(virDomainPtr dom, unsigned int have, int state)
{
    struct vg_domain_data view = vg_domain_data_of(dom);
    view.state = state;
    view.xml.max_vcpus = 7;
    view.vcpus = 5;
    view.have |= have;
    return view;
}

static const unsigned int told = VG_DOMAIN_STATE | VG_DOMAIN_STATE_REASON |
                                 VG_DOMAIN_VCPUS | VG_DOMAIN_MAX_VCPUS |
                                 VG_DOMAIN_MEMORY | VG_DOMAIN_AUTOSTART;

static void test_view(void **state)
{
    (void)state;
    auto_read rq = read_of("/domains/test");
    vg_autoptr(virDomain) dom = find_test();
    struct vg_domain_data got = vg_domain_data_of(dom);
    assert_false(vg_domain_cache_data(rq, &got));
    vg_domain_cache_keep_domain(rq, "test", dom);
    assert_false(vg_domain_cache_data(rq, &got)); /* the handle alone */
    struct vg_domain_data view = view_of(dom, told, VIR_DOMAIN_RUNNING);
    vg_domain_cache_keep_data(rq, &view);
    assert_true(vg_domain_cache_data(rq, &got));
    assert_int_equal(got.state, VIR_DOMAIN_RUNNING);
    assert_int_equal(got.xml.max_vcpus, 7);
    /* what changes without an event is not remembered */
    assert_int_equal(got.have & told,
                     VG_DOMAIN_STATE | VG_DOMAIN_STATE_REASON | VG_DOMAIN_MAX_VCPUS);
    auto_read fresh = read_of("/domains/test");
    fresh->fresh = true;
    assert_false(vg_domain_cache_data(fresh, &got));
    vg_answer_cache_invalidate(host.cache, VG_KIND_DOMAIN);
    assert_false(vg_domain_cache_data(rq, &got));
}

/* Of one that is shut off the most vCPUs change without an event. */
static void test_view_of_inactive(void **state)
{
    (void)state;
    auto_read rq = read_of("/domains/test");
    vg_autoptr(virDomain) dom = find_test();
    vg_domain_cache_keep_domain(rq, "test", dom);
    struct vg_domain_data view = view_of(dom, told, VIR_DOMAIN_SHUTOFF),
                          got = vg_domain_data_of(dom);
    view.id = UINT_MAX; /* libvirt's -1 */
    vg_domain_cache_keep_data(rq, &view);
    assert_true(vg_domain_cache_data(rq, &got));
    assert_int_equal(got.have & VG_DOMAIN_MAX_VCPUS, 0);
}

/* What was read before an event is not remembered with what was found after it. */
static void test_view_across(void **state)
{
    (void)state;
    auto_read rq = read_of("/domains/test");
    vg_autoptr(virDomain) dom = find_test();
    vg_domain_cache_keep_domain(rq, "test", dom);
    struct vg_domain_data view = view_of(dom, told, VIR_DOMAIN_RUNNING),
                          got = vg_domain_data_of(dom);
    vg_answer_cache_invalidate(host.cache, VG_KIND_DOMAIN);
    vg_domain_cache_keep_data(rq, &view);
    assert_false(vg_domain_cache_data(rq, &got));
    auto_read later = read_of("/domains/test");
    vg_domain_cache_keep_domain(later, "test", dom);
    assert_false(vg_domain_cache_data(later, &got));
}

static void test_failed(void **state)
{
    (void)state;
    auto_read rq = read_of("/domains/test");
    assert_false(vg_host_memory_failed(rq));
    rq->contradicted = true; /* by what? it relied on nothing */
    assert_false(vg_host_memory_failed(rq));
    rq->uses_memory = true;
    assert_true(vg_host_memory_failed(rq));
    rq->fresh = true; /* it was asked for anew already */
    assert_false(vg_host_memory_failed(rq));
    rq->fresh = rq->contradicted = false;
    assert_false(vg_host_memory_failed(rq));
    vg_autoptr(virDomain) none = virDomainLookupByName(conn, "nosuch");
    assert_null(none);
    vg_error_set_virt(&rq->error);
    assert_true(vg_host_memory_failed(rq));
    rq->uses_memory = false;
    assert_false(vg_host_memory_failed(rq));
}

static void test_persistent(void **state)
{
    (void)state;
    auto_read rq = read_of("/domains");
    vg_autoptr(virDomain) dom = find_test();
    struct vg_domain_data view = vg_domain_data_of(dom), got = vg_domain_data_of(dom);
    assert_false(vg_domain_cache_is_current(rq));
    view.persistent = true;
    vg_domain_cache_keep_persistent(rq, &view, 1);
    assert_true(vg_domain_cache_is_current(rq));
    assert_true(vg_domain_cache_persistent(rq, &got, 1));
    assert_true(got.persistent && got.have & VG_DOMAIN_PERSISTENT);
    got = vg_domain_data_of(dom);
    got.id++; /* it was started again */
    assert_false(vg_domain_cache_persistent(rq, &got, 1));
    got = vg_domain_data_of(dom);
    got.uuid[0] ^= 1; /* a new one */
    assert_false(vg_domain_cache_persistent(rq, &got, 1));
    auto_read fresh = read_of("/domains");
    fresh->fresh = true;
    assert_false(vg_domain_cache_is_current(fresh));
    vg_answer_cache_invalidate(host.cache, VG_KIND_DOMAIN);
    assert_false(vg_domain_cache_is_current(rq));
}

/* Drivers in this process are asked as fast. */
static void test_in_process(void **state)
{
    (void)state;
    auto_read rq = read_of("/domains/test");
    vg_autoptr(virDomain) dom = find_test();
    virt_conn.in_process = true;
    vg_domain_cache_keep_domain(rq, "test", dom);
    assert_false(remembers(rq, "test"));
    virt_conn.in_process = false;
    assert_false(remembers(rq, "test"));
    vg_answer_cache_enable(host.cache, 0);
    auto_read without = read_of("/domains/test"); /* no events */
    vg_domain_cache_keep_domain(without, "test", dom);
    assert_false(remembers(without, "test"));
    vg_answer_cache_enable(host.cache, 1U << VG_KIND_DOMAIN);
}

static int begin(void **state)
{
    (void)state;
    if (virt_conn.cache.free)
        virt_conn.cache.free(virt_conn.cache.data);
    virt_conn.cache = (struct vg_attachment){0};
    vg_answer_cache_invalidate(host.cache, VG_KIND_DOMAIN);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    conn = virConnectOpen("test:///default");
    host.cache = vg_answer_cache_new();
    vg_answer_cache_enable(host.cache, 1U << VG_KIND_DOMAIN);
    virt_conn.conn = conn;
    return conn && host.cache ? 0 : -1;
}

static int tear_down(void **state)
{
    begin(state);
    vg_answer_cache_free(host.cache);
    return virConnectClose(conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_domain, begin),
        cmocka_unit_test_setup(test_during_a_change, begin),
        cmocka_unit_test_setup(test_view, begin),
        cmocka_unit_test_setup(test_view_of_inactive, begin),
        cmocka_unit_test_setup(test_view_across, begin),
        cmocka_unit_test_setup(test_failed, begin),
        cmocka_unit_test_setup(test_persistent, begin),
        cmocka_unit_test_setup(test_in_process, begin),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
