/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * If-Match and If-None-Match: which reads a tag asks for, and when a change is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/core/entity_tag.h"
#include "server/core/precondition.h"
#include "virtgate/cleanup.h"

/* What GET answers: its status; the body says how it was asked. */
static int status;
static unsigned int reads;
static char last_target[128];
static bool last_xml, last_requeued;
static enum vg_lookup last_by;

static struct vg_reply read_object(struct vg_request *rq)
{
    reads++;
    snprintf(last_target, sizeof(last_target), "%s", rq->target);
    last_xml = vg_wants_xml(rq);
    last_requeued = rq->requeued;
    last_by = rq->by;
    if (status == 404)
        vg_error_set(&rq->error, VG_E_NOT_FOUND, "gone");
    else if (status == 500)
        vg_error_set(&rq->error, VG_E_INTERNAL, "it fails");
    if (status != 200)
        return vg_fail(rq);
    return vg_ok(rq, json_pack("{s:s, s:b}", "target", rq->target, "xml", last_xml));
}

static const struct vg_route read_route = {VG_GET,
                                           "/domains/{domain}",
                                           "get",
                                           read_object,
                                           .needs = "domain:read",
                                           .gives = VG_GIVES_JSON_OR_XML,
                                           .takes = VG_TAKES_ARGS};
static const struct vg_route change_route = {VG_DELETE, "/domains/{domain}", "undefine",
                                             NULL, .needs = "domain:delete"};
static const struct vg_route list_route = {VG_POST, "/domains", "define", NULL,
                                           .needs = "domain:write"};
static const struct vg_route action_route = {VG_POST, "/domains/{domain}/start", "start",
                                             NULL, .needs = "domain:write"};
static const struct vg_route upload_route = {
    VG_POST, "/uploads", "upload", NULL, .needs = "domain:write", .resumable = true};

static struct vg_request *make_request(const struct vg_route *route, const char *target)
{
    struct vg_request *rq = vg_request_new();

    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = route;
    rq->read_route = &read_route;
    rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    reads = 0;
    status = 200;
    return rq;
}

/* The tag that GET of that target would have. */
static void write_tag(char tag[static VG_TAG_SIZE], const char *target, bool xml)
{
    struct vg_request *rq = make_request(&read_route, target);

    rq->accept = xml ? VG_ACCEPT_XML : VG_ACCEPT_NOTHING_SAID;
    struct vg_reply reply = read_object(rq);
    vg_reply_prepare(&reply);
    vg_tag_write(tag, rq, reply.body, false);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

/* want: 0, or the status of the problem. */
static void check(struct vg_request *rq, int want, unsigned int want_reads)
{
    reads = 0;
    assert_int_equal(vg_precondition_check(rq), want ? -1 : 0);
    assert_int_equal(rq->error.status, want);
    assert_int_equal(reads, want_reads);
    assert_true(last_requeued || !reads); /* a worker for changes reads */
    vg_error_clear(&rq->error);
}

static void set(char **field, const char *value)
{
    free(*field);
    *field = value ? strdup(value) : NULL;
}

static char tag[VG_TAG_SIZE], config_tag[VG_TAG_SIZE], xml_tag[VG_TAG_SIZE];
static const char other_tag[] = "\"0123456789abcdef\"";

/* ---- If-Match ---------------------------------------------------------------------- */

static void test_match(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(&change_route, "/domains/a?by=name");
    check(rq, 0, 0);
    set(&rq->if_match, "*");
    check(rq, 0, 0); /* the change says itself what is not there */
    set(&rq->if_match, tag);
    rq->by = VG_LOOKUP_UUID;
    check(rq, 0, 1);
    assert_string_equal(last_target, "/domains/a"); /* the tag's query, not its own */
    assert_int_equal(last_by, VG_LOOKUP_UUID);      /* but found as it is */
    set(&rq->if_match, config_tag);
    check(rq, 0, 1);
    assert_string_equal(last_target, "/domains/a?view=config");
    assert_false(last_xml);
    set(&rq->if_match, xml_tag);
    check(rq, 0, 1);
    assert_true(last_xml);
    set(&rq->if_match, other_tag);
    check(rq, 412, 1);
    vg_request_unref(rq);
}

static void test_match_list(void **state)
{
    char list[16 * VG_TAG_SIZE];
    (void)state;
    struct vg_request *rq = make_request(&change_route, "/domains/a");
    snprintf(list, sizeof(list), "%s, %s, %s", other_tag, tag, config_tag);
    set(&rq->if_match, list);
    check(rq, 0, 2); /* until one is as it is */
    snprintf(list, sizeof(list), "W/%s", tag);
    set(&rq->if_match, list);
    check(rq, 412, 0);
    set(&rq->if_match, "\"of somebody else\"");
    assert_int_equal(vg_precondition_check(rq), -1);
    assert_non_null(strstr(rq->error.detail, "no entity tag of this gateway"));
    vg_error_clear(&rq->error);
    set(&rq->if_match, other_tag);
    assert_int_equal(vg_precondition_check(rq), -1);
    assert_non_null(strstr(rq->error.detail, "It has changed"));
    vg_error_clear(&rq->error);
    /* each is a read: at most eight */
    size_t seven = 0;
    for (int i = 0; i < 7; i++)
        seven += (size_t)snprintf(list + seven, sizeof(list) - seven,
                                  "\"0123456789abcdef\", ");
    snprintf(list + seven, sizeof(list) - seven, "%s", tag);
    set(&rq->if_match, list);
    check(rq, 0, 8);
    snprintf(list + seven, sizeof(list) - seven, "%s, %s", other_tag, tag);
    set(&rq->if_match, list);
    check(rq, 412, 8);
    vg_request_unref(rq);
}

/* What cannot be read is not known to have changed. */
static void test_failures(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(&change_route, "/domains/a");
    set(&rq->if_match, tag);
    status = 500;
    check(rq, 500, 1);
    status = 404;
    check(rq, 412, 1);
    status = 200;
    rq->read_route = NULL; /* of what no GET is */
    check(rq, 412, 0);
    vg_request_unref(rq);
}

/* ---- If-None-Match ----------------------------------------------------------------- */

static void test_none_match(void **state)
{
    char list[4 * VG_TAG_SIZE];
    (void)state;
    struct vg_request *rq = make_request(&change_route, "/domains/a?by=name");
    set(&rq->if_none_match, other_tag);
    check(rq, 0, 1);
    snprintf(list, sizeof(list), "%s, %s, %s", other_tag, tag, config_tag);
    set(&rq->if_none_match, list);
    check(rq, 412, 2);
    status = 500;
    check(rq, 500, 1);
    status = 200;
    set(&rq->if_none_match, "*");
    check(rq, 412, 1);
    assert_string_equal(last_target, "/domains/a");
    status = 404;
    check(rq, 0, 1);
    status = 500;
    check(rq, 500, 1);
    status = 200;
    rq->read_route = NULL;
    check(rq, 0, 0);
    vg_request_unref(rq);
}

/* Which object a POST to a list makes, its handler knows, and asks. */
static void test_new(void **state)
{
    (void)state;
    const struct vg_route *const makers[] = {&list_route, &upload_route};
    for (size_t i = 0; i < 2; i++) {
        struct vg_request *rq = make_request(makers[i], "/domains");
        check(rq, 0, 0);
        assert_int_equal(vg_request_check_new(rq, true), 0);
        set(&rq->if_none_match, "*");
        check(rq, 0, 0);
        assert_int_equal(vg_request_check_new(rq, false), 0);
        assert_int_equal(vg_request_check_new(rq, true), -1);
        assert_int_equal(rq->error.status, 412);
        vg_error_clear(&rq->error);
        set(&rq->if_none_match, tag);
        assert_int_equal(vg_request_check_new(rq, true), 0);
        check(rq, 0, 1);
        vg_request_unref(rq);
    }
}

/* A POST to an object makes none: * is about that object. */
static void test_action(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(&action_route, "/domains/a");
    set(&rq->if_none_match, "*");
    check(rq, 412, 1);
    status = 404;
    check(rq, 0, 1);
    vg_request_unref(rq);
}

static void test_both(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(&change_route, "/domains/a");
    set(&rq->if_match, tag);
    set(&rq->if_none_match, config_tag);
    check(rq, 412, 2);
    set(&rq->if_none_match, other_tag);
    check(rq, 0, 2);
    set(&rq->if_match, other_tag);
    check(rq, 412, 1); /* the first refuses */
    vg_request_unref(rq);
}

static int write_tags(void **state)
{
    (void)state;
    write_tag(tag, "/domains/a", false);
    write_tag(config_tag, "/domains/a?view=config", false);
    write_tag(xml_tag, "/domains/a", true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),    cmocka_unit_test(test_match_list),
        cmocka_unit_test(test_failures), cmocka_unit_test(test_none_match),
        cmocka_unit_test(test_new),      cmocka_unit_test(test_both),
        cmocka_unit_test(test_action),
    };
    return cmocka_run_group_tests(tests, write_tags, NULL);
}
