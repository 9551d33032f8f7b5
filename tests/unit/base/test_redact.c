/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/base/redact.c: what is secret in a URI is gone from every text, and nothing else
 * is; and it is applied where errors are made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/redact.h"
#include "server/libvirt/error.h"

static const struct {
    const char *text, *want;
} rows[] = {
    {"", ""},
    {"qemu:///system", "qemu:///system"},
    {"qemu+ssh://root@h/system?socket=/run/a", "qemu+ssh://root@h/system?socket=/run/a"},
    {"qemu+ssh://u:s3cret@h/system", "qemu+ssh://u:***@h/system"},
    {"qemu+ssh://:s3cret@h/", "qemu+ssh://:***@h/"},
    {"qemu+ssh://u:s3@cret@h/", "qemu+ssh://u:***@h/"},
    {"qemu+ssh://u:s3:cret@[::1]:16514/", "qemu+ssh://u:***@[::1]:16514/"},
    {"qemu+tcp://[::1]:16509/a@b", "qemu+tcp://[::1]:16509/a@b"},
    {"qemu+tcp://h:1?x=a@b", "qemu+tcp://h:1?x=a@b"},
    {"esx://h/?password=s3cret", "esx://h/?password=***"},
    {"esx://h/?PassWord=s3cret", "esx://h/?PassWord=***"},
    {"esx://h/?p%61ssword=s3cret&a=1", "esx://h/?p%61ssword=***&a=1"},
    {"esx://h/?%4Beyfile=s3cret;a=1", "esx://h/?%4Beyfile=***;a=1"},
    {"x://h/?a=1&keyfile=/s3cret/id#f", "x://h/?a=1&keyfile=***#f"},
    {"x://h/?passphrase=s3'cret&passwd=s3cret", "x://h/?passphrase=***&passwd=***"},
    {"x://h/?nopassword=1&passwords=2&pass=3&word=4",
     "x://h/?nopassword=1&passwords=2&pass=3&word=4"},
    {"x://h/?password=", "x://h/?password=***"},
    {"cannot open 'x://u:s3cret@h/?keyfile=s3cret': gone",
     "cannot open 'x://u:***@h/?keyfile=***': gone"},
    {"from x://u:s3cret@a/ to x://v:s3cret@b/?password=s3cret.",
     "from x://u:***@a/ to x://v:***@b/?password=***."},
    {"\"x://u:s3cret@h\" and a@b: keyfile=s3cret\nnext",
     "\"x://u:***@h\" and a@b: keyfile=***\nnext"},
    {"= : :// a=://@ ?=&:@", "= : :// a=://@ ?=&:@"},
    {"keyfile=%4", "keyfile=***"},
    {"%4=1", "%4=1"},
};

static void test_texts(void **state)
{
    (void)state;
    assert_null(vg_redact(NULL));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *got = vg_redact(rows[i].text);
        assert_string_equal(got, rows[i].want);
        free(got);
        got = vg_redact(rows[i].want); /* twice is as good as once */
        assert_string_equal(got, rows[i].want);
        free(got);
    }
}

/* A value that a message names without its URI, as ssh does. */
static void test_known(void **state)
{
    (void)state;
    assert_int_equal(vg_redact_learn("qemu+ssh://u:hunter2@h/?socket=/run/a"), 0);
    assert_int_equal(vg_redact_learn("x://h/?a=1&KeyFile=/root/%73shk;passwd=/ab"), 0);
    const struct {
        const char *text, *want;
    } known[] = {
        {"Identity file /root/sshk not accessible: /run/a",
         "Identity file *** not accessible: /run/a"},
        {"/root/sshk/root/sshk2", "******2"},
        {"hunter2 /ab", "hunter2 /ab"}, /* a word, a path of everybody's */
        {"x://u:s3cret@h/?keyfile=/root/sshk", "x://u:***@h/?keyfile=***"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char *got = vg_redact(known[i].text);
        assert_string_equal(got, known[i].want);
        free(got);
    }
    vg_redact_forget();
    char *got = vg_redact("/root/sshk");
    assert_string_equal(got, "/root/sshk");
    free(got);
}

/* libvirt's message and its parts, and the gateway's own. */
static void test_errors(void **state)
{
    (void)state;
    char message[] = "no driver for x://u:s3cret@h/?keyfile=s3cret";
    char str1[] = "s: keyfile=s3cret", str2[] = "x://u:s3cret@h";
    char str3[] = "password=s3cret";
    const virError virt = {.code = VIR_ERR_NO_CONNECT,
                           .domain = VIR_FROM_NONE,
                           .level = VIR_ERR_ERROR,
                           .message = message,
                           .str1 = str1,
                           .str2 = str2,
                           .str3 = str3};
    struct vg_error e = {0};

    vg_error_copy_virt(&e, &virt);
    for (int own = 0; own < 2; own++) {
        json_t *problem = vg_error_to_json(&e);
        char *text = json_dumps(problem, 0);
        assert_null(strstr(text, "s3cret"));
        assert_non_null(strstr(text, "x://u:***@h"));
        free(text);
        json_decref(problem);
        vg_error_set(&e, VG_E_INVALID_VALUE, "'uri' is '%s'", message);
    }
    vg_error_clear(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
