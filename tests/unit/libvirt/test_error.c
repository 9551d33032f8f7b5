/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Errors to problem+json: the gateway's own, real ones of libvirt's test driver, and
 * every VIR_ERR_* through the status table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

#include "server/libvirt/error.h"
#include "virtgate/autoptr.h"
#include "virtgate/enum.h"
#include "virtgate/error.h"

static void ignore_error(void *data, virErrorPtr err)
{
    (void)data;
    (void)err;
}

static void assert_text(json_t *object, const char *key, const char *want)
{
    const char *is = json_string_value(json_object_get(object, key));
    assert_non_null(is);
    assert_string_equal(is, want);
}

/* A virError as a daemon might send it. virError's strings are not const. */
static void make_error(struct vg_error *e, int domain, int code, char *message,
                       char *str1)
{
    const virError err = {.code = code,
                          .domain = domain,
                          .level = VIR_ERR_ERROR,
                          .message = message,
                          .str1 = str1,
                          .int1 = -1,
                          .int2 = -2};
    vg_error_copy_virt(e, &err);
}

static void test_own(void **state)
{
    (void)state;
    struct vg_error e = {0};
    vg_error_set(&e, VG_E_UNKNOWN_FLAG, "\"%s\" is not a flag", "foo");
    assert_int_equal(e.status, 400);
    /* Quoting the error that is being replaced. */
    vg_error_set(&e, VG_E_OVERLOADED, "too late: %s", e.detail);
    assert_string_equal(e.detail, "too late: \"foo\" is not a flag");
    assert_true(e.retryable && e.retry_after > 0);
    json_auto_t *j = vg_error_to_json(&e);
    assert_text(j, "type", "urn:virtgate:error:overloaded");
    assert_text(j, "title", "Too much work waiting");
    assert_int_equal(json_integer_value(json_object_get(j, "status")), 503);
    assert_true(json_is_true(json_object_get(j, "retryable")));
    assert_null(json_object_get(j, "error"));
    assert_null(json_object_get(j, "outcome"));
    vg_error_clear(&e);
    assert_int_equal(e.status, 0);
    vg_error_clear(&e);
}

static void test_no_domain(void **state)
{
    (void)state;
    struct vg_error e = {0};
    virConnectPtr conn = virConnectOpen("test:///default");
    assert_non_null(conn);
    assert_null(virDomainLookupByName(conn, "nosuch"));
    vg_error_set_virt(&e);
    assert_null(virGetLastError());
    virConnectClose(conn);

    assert_int_equal(e.status, 404);
    assert_false(e.transport);
    json_auto_t *j = vg_error_to_json(&e);
    assert_text(j, "type", "urn:libvirt:error:VIR_ERR_NO_DOMAIN");
    assert_text(j, "title", "Domain not found");
    json_t *error = json_object_get(j, "error");
    assert_int_equal(json_object_size(error), 12);
    assert_int_equal(json_integer_value(json_object_get(error, "code")), 42);
    assert_text(error, "codeName", "VIR_ERR_NO_DOMAIN");
    assert_text(error, "domainName", "VIR_FROM_TEST");
    assert_text(error, "levelName", "VIR_ERR_ERROR");
    assert_text(error, "str1", "Domain not found");
    assert_true(json_is_null(json_object_get(error, "str3")));
    assert_true(json_is_integer(json_object_get(error, "int1")));
    make_error(&e, VIR_FROM_QEMU, VIR_ERR_INTERNAL_ERROR, NULL, NULL);
    assert_true(vg_error_is_virt(&e, VIR_ERR_INTERNAL_ERROR));
    assert_true(vg_error_is_from(&e, VIR_FROM_QEMU));
    assert_false(vg_error_is_from(&e, VIR_FROM_DOMAIN));
    assert_int_equal(json_integer_value(json_object_get(e.virt, "int1")), -1);
    assert_int_equal(json_integer_value(json_object_get(e.virt, "int2")), -2);
    assert_text(j, "detail", json_string_value(json_object_get(error, "message")));
    vg_error_clear(&e);
}

static void expect_place(const char *message, const char *want)
{
    struct vg_error e = {0};
    char *text = strdup(message);
    make_error(&e, VIR_FROM_DOMAIN, VIR_ERR_XML_DETAIL, text, NULL);
    assert_string_equal(e.detail, want);
    assert_text(e.virt, "message", message);
    vg_error_clear(&e);
    free(text);
}

#define DASHES_50 "--------------------------------------------------"
#define QUOTE_50  "<a0/><a1/><a2/><a3/><a4/><a5/><a6/><a7/><a8/><a9/>"
#define X_20      "xxxxxxxxxxxxxxxxxxxx"
#define X_100     X_20 X_20 X_20 X_20 X_20

/* Where a document is wrong: its line, the column, and not all of a long line. */
static void test_place(void **state)
{
    (void)state;
    expect_place("(d):1: End of tag a\n<a\n--^", "(d):1: End of tag a, column 3: <a");
    expect_place("(d):2: Start\n<\n^", "(d):2: Start, column 1: <");
    expect_place("(d):1: It\n\n^", "(d):1: It, column 1: ");
    expect_place(
        "(d):1: It\n" QUOTE_50 X_100 QUOTE_50 "\n" DASHES_50 DASHES_50 DASHES_50 "^",
        "(d):1: It, column 151: ..." X_20 X_20 X_20 X_20 "xxxxxxxxxxxxxxxxxxx" QUOTE_50);
    expect_place("(d):1: It\n" QUOTE_50 X_100 X_100 "\n--^",
                 "(d):1: It, column 3: " QUOTE_50 X_100 X_20 X_20 "xxxxxxxxxx...");
    expect_place("invalid snapshot name 'a/b'", "invalid snapshot name 'a/b'");
    expect_place("of two\nlines", "of two\nlines");
}

/* The quote is cut between characters. */
static void test_place_of_characters(void **state)
{
    struct vg_error e = {0};
    char text[1024] = "(d):1: It\n";
    char *p = text + strlen(text);
    (void)state;
    for (int i = 0; i < 150; i++)
        p = stpcpy(p, "\xC3\xBC");
    *p++ = '\n';
    memset(p, '-', 301);
    memcpy(p + 300, "^", 2);
    make_error(&e, VIR_FROM_DOMAIN, VIR_ERR_XML_DETAIL, text, NULL);
    assert_non_null(strstr(e.detail, ", column 301: ...\xC3\xBC"));
    assert_string_equal(e.detail + strlen(e.detail) - 2, "\xC3\xBC");
    assert_true(strlen(e.detail) < 250);
    vg_error_clear(&e);
}

static void test_no_error(void **state)
{
    (void)state;
    struct vg_error e = {0};
    virResetLastError();
    vg_error_set_virt(&e);
    assert_int_equal(e.status, 500);
    assert_null(e.virt);
    vg_error_clear(&e);
}

static void test_transport(void **state)
{
    (void)state;
    struct vg_error e = {0};
    char text[] = "internal error: client socket is closed";
    make_error(&e, VIR_FROM_RPC, VIR_ERR_INTERNAL_ERROR, text, NULL);
    assert_int_equal(e.status, 503);
    assert_true(e.transport && e.retryable);
    assert_int_equal(e.retry_after, 1);
    e.outcome = VG_OUTCOME_UNKNOWN;
    json_auto_t *j = vg_error_to_json(&e);
    assert_text(j, "outcome", "unknown");
    assert_text(j, "title", "internal error");

    make_error(&e, VIR_FROM_QEMU, VIR_ERR_INTERNAL_ERROR, text, NULL);
    assert_int_equal(e.status, 502);
    assert_false(e.transport);
    assert_int_equal(e.outcome, VG_OUTCOME_NONE);
    make_error(&e, VIR_FROM_RPC, VIR_ERR_SYSTEM_ERROR, text, NULL);
    assert_true(e.transport);
    vg_error_clear(&e);
}

static void test_device_document(void **state)
{
    (void)state;
    struct vg_error e = {0};
    char text[] = "internal error: No type specified for device address";
    make_error(&e, VIR_FROM_DEVICE, VIR_ERR_INTERNAL_ERROR, text, NULL);
    assert_int_equal(e.status, 422);
    assert_false(e.retryable);
    make_error(&e, VIR_FROM_DEVICE, VIR_ERR_OPERATION_FAILED, text, NULL);
    assert_int_equal(e.status, 502);
    vg_error_clear(&e);
}

/* The errno is told of system errors alone, and not by all of them. */
static void test_number(void **state)
{
    (void)state;
    struct vg_error e = {0};
    virError err = {.domain = VIR_FROM_STORAGE,
                    .code = VIR_ERR_SYSTEM_ERROR,
                    .level = VIR_ERR_ERROR,
                    .int1 = ENOENT};

    assert_int_equal(vg_error_number(&e), 0);
    vg_error_copy_virt(&e, &err);
    assert_int_equal(vg_error_number(&e), ENOENT);
    err.code = VIR_ERR_INTERNAL_ERROR;
    vg_error_copy_virt(&e, &err);
    assert_int_equal(vg_error_number(&e), 0);
    make_error(&e, VIR_FROM_NONE, VIR_ERR_SYSTEM_ERROR, NULL, NULL);
    assert_int_equal(vg_error_number(&e), 0);
    vg_error_clear(&e);
}

/* Whether to try again, and when, go together, under any status. */
static void test_status(void **state)
{
    (void)state;
    static const int statuses[] = {400, 403, 404, 409, 413, 422, 502, 503, 504};
    struct vg_error e = {0};
    char text[] = "internal error: client socket is closed";
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        make_error(&e, VIR_FROM_RPC, VIR_ERR_INTERNAL_ERROR, text, NULL);
        vg_error_set_status(&e, statuses[i]);
        assert_int_equal(e.status, statuses[i]);
        assert_int_equal(e.retryable, statuses[i] == 503 || statuses[i] == 504);
        assert_int_equal(e.retry_after, e.retryable ? 1 : 0);
        assert_non_null(e.virt);
    }
    vg_error_set_status(&e, 409);
    vg_error_set_retryable(&e, true);
    assert_true(e.status == 409 && e.retryable && e.retry_after == 1);
    vg_error_set_retryable(&e, false);
    assert_false(e.retryable || e.retry_after);
    vg_error_clear(&e);
}

static void test_too_large(void **state)
{
    (void)state;
    struct vg_error e = {0};
    char text[] = "Unable to encode message payload", other[] = "packet too big";
    make_error(&e, VIR_FROM_RPC, VIR_ERR_RPC, text, text);
    assert_int_equal(e.status, 502); /* what was sent tells: libvirt/explain.c */
    assert_false(e.retryable || e.transport);
    make_error(&e, VIR_FROM_RPC, VIR_ERR_RPC, other, NULL);
    assert_int_equal(e.status, 502);
    vg_error_clear(&e);
}

/* Newer than this build, and text that is not UTF-8. */
static void test_unknown(void **state)
{
    (void)state;
    struct vg_error e = {0};
    char text[] = "caf\xE9";
    make_error(&e, 4711, 9999, text, NULL);
    assert_int_equal(e.status, 502);
    json_auto_t *j = vg_error_to_json(&e);
    json_t *error = json_object_get(j, "error");
    assert_text(j, "type", "urn:libvirt:error:9999");
    assert_text(j, "detail", "caf\xEF\xBF\xBD");
    assert_text(error, "message", "caf\xEF\xBF\xBD");
    assert_int_equal(json_integer_value(json_object_get(error, "domain")), 4711);
    assert_true(json_is_null(json_object_get(error, "codeName")));
    assert_true(json_is_null(json_object_get(error, "domainName")));
    vg_error_clear(&e);
}

static void test_titles(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"operation failed: %s", "operation failed"},
        {"operation failed: %s", "operation failed", "operation failed: no"},
        /* as virRaiseErrorFull() of an invalid argument */
        {"virDomainLookupByUUIDString", "system error",
         "uuidstr in virDomainLookupByUUIDString must be a valid UUID"},
        {"An error occurred, but the cause is unknown",
         "An error occurred, but the cause is unknown"},
        {"got unknown HTTP error code %d", "got unknown HTTP error code"},
        {"%s", "system error"},
        {"", "system error"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_error e = {0};
        vg_autofree char *str1 = strdup(rows[i][0]);
        vg_autofree char *message = rows[i][2] ? strdup(rows[i][2]) : NULL;
        make_error(&e, VIR_FROM_NONE, VIR_ERR_SYSTEM_ERROR, message, str1);
        json_auto_t *j = vg_error_to_json(&e);
        assert_text(j, "title", rows[i][1]);
        vg_error_clear(&e);
    }
}

/* Each code of libvirt 9.0.0 is in error-status.tsv; later ones may be missing. */
static void test_every_code(void **state)
{
    (void)state;
    size_t unmapped = 0;
    for (size_t i = 0; i < vg_enum_virErrorNumber.count; i++) {
        const struct vg_enum_value *v = &vg_enum_virErrorNumber.values[i];
        int status = 0;
        for (size_t k = 0; k < vg_error_statuses_count; k++)
            if (vg_error_statuses[k].code == v->value)
                status = vg_error_statuses[k].status;
        if (status == 0) {
            print_message("no status for %s\n", v->symbol);
            unmapped++;
            status = 502;
        }
        struct vg_error e = {0};
        make_error(&e, VIR_FROM_QEMU, (int)v->value, NULL, NULL);
        json_auto_t *j = vg_error_to_json(&e);
        assert_int_equal(json_integer_value(json_object_get(j, "status")), status);
        assert_true(status >= 400 && status < 600);
        assert_int_equal(e.retryable, status == 503 || status == 504);
        assert_non_null(strstr(json_string_value(json_object_get(j, "type")), v->symbol));
        vg_error_clear(&e);
    }
    assert_true(unmapped == 0 || LIBVIR_VERSION_NUMBER > 9000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),        cmocka_unit_test(test_no_domain),
        cmocka_unit_test(test_place),      cmocka_unit_test(test_place_of_characters),
        cmocka_unit_test(test_no_error),   cmocka_unit_test(test_transport),
        cmocka_unit_test(test_status),     cmocka_unit_test(test_device_document),
        cmocka_unit_test(test_too_large),  cmocka_unit_test(test_number),
        cmocka_unit_test(test_unknown),    cmocka_unit_test(test_titles),
        cmocka_unit_test(test_every_code),
    };
    /* libvirt's thread-local error does not exist before. */
    if (virInitialize() < 0)
        return 1;
    virSetErrorFunc(NULL, ignore_error);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
