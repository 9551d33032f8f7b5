/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The token file line by line, and who may own, write and read it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/private_file.h"
#include "server/config/token_file.h"
#include "virtgate/cleanup.h"

#define HASH    "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF"
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define FORM    "expected NAME ROLE SHA256 [EXPIRES] [KEY=VALUE...]"
#define EXPIRY  "the expiry is not like 2027-01-31T00:00:00Z"
#define DIGITS  "the hash is not 64 hexadecimal digits"
#define NOBODY  65534
#define NAME_63 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

static char path[] = "/tmp/vg-tokens.XXXXXX";

static void write_tokens(const char *text, mode_t mode)
{
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* The message without the name of the file; NULL: it was read. Owned. */
static char *read_tokens(struct vg_tokens *ret)
{
    char *message = NULL;
    if (vg_tokens_read(path, ret, &message) == 0) {
        assert_null(message);
        return NULL;
    }
    assert_non_null(message);
    assert_null(ret->v);
    char *at = strstr(message, path);
    assert_non_null(at);
    memmove(at, at + strlen(path), strlen(at + strlen(path)) + 1);
    return message;
}

static void expect(const char *want)
{
    struct vg_tokens tokens;
    vg_autofree char *message = read_tokens(&tokens);
    vg_tokens_clear(&tokens);
    if (!want)
        assert_null(message);
    else if (!message || !strstr(message, want))
        fail_msg("expected: %s; there is: %s", want, message ? message : "no fault");
}

static void test_lines(void **state)
{
    static const struct {
        const char *line, *fault; /* NULL: none */
    } rows[] = {
        {"a admin " HASH, NULL},
        {"\ta   admin\t" HASH " \r", NULL},
        {"a admin", ":1: " FORM},
        {"a", ":1: " FORM},
        {"a admin " HASH " 2027-01-31T00:00:00Z more", ":1: " FORM},
        {"a admin " HASH " 2027-01-31T00:00:00Z more and more", ":1: " FORM},
        {NAME_63 " admin " HASH, NULL},
        {NAME_63 "n admin " HASH, ":1: the name is too long"},
        {"a Admin " HASH, ":1: the role is none of viewer, operator, admin"},
        {"a admi " HASH, ":1: the role is none of viewer, operator, admin"},
        {"a admins " HASH, ":1: the role is none of viewer, operator, admin"},
        {"a admin " HASH "x", ":1: " DIGITS},
        {"a admin " HASH "00", ":1: " DIGITS},
        {"a admin x" HASH, ":1: " DIGITS},
        {"a admin 0123456789abcdef", ":1: " DIGITS},
        {"a admin " NOTHING, ":1: the hash is that of an empty token"},
        {"a admin E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
         ":1: the hash is that of an empty token"},
        {"a admin " HASH " 2027-01-31T00:00:00Z", NULL},
        {"a admin " HASH " 2027-01-31T00:00:00+00:00", NULL},
        {"a admin " HASH " 1970-01-01T00:00:00Z", NULL},
        {"a admin " HASH " 2027-01-31T00:00:00+05:00", ":1: " EXPIRY},
        {"a admin " HASH " 2027-01-31T00:00:00", ":1: " EXPIRY},
        {"a admin " HASH " 2027-01-31T00:00:00Zulu", ":1: " EXPIRY},
        {"a admin " HASH " 2027-01-31", ":1: " EXPIRY},
        {"a admin " HASH " 2028-02-29T00:00:00Z", NULL},
        {"a admin " HASH " 2027-02-29T00:00:00Z", ":1: " EXPIRY},
        {"a admin " HASH " 2027-04-31T00:00:00Z", ":1: " EXPIRY},
        {"a admin " HASH " never", ":1: " EXPIRY},
        {"a admin " HASH " deny=domain:stop", NULL},
        {"a viewer " HASH " 2027-01-31T00:00:00Z hosts=kvm* domains=web-*,db", NULL},
        {"a viewer " HASH " deny=domain:stop 2027-01-31T00:00:00Z", ":1: " FORM},
        {"a viewer " HASH " allow=domain:fly",
         ":1: allow=: 'domain:fly' is no permission; they are like domain:start"},
        {"a viewer " HASH " allow=", ":1: allow= is a list of permissions"},
        {"a viewer " HASH " deny=,", ":1: deny= is a list of permissions"},
        {"a viewer " HASH " domains=", ":1: domains= is a list of globs"},
        {"a viewer " HASH " hosts=a,,b", ":1: hosts= is a list of globs"},
        {"a viewer " HASH " hosts=a hosts=b", ":1: a key is there twice"},
        {"a viewer " HASH " host=a", ":1: the keys are allow=, deny=, hosts= and"},
        {"a viewer " HASH " =a", ":1: the keys are allow=, deny=, hosts= and"},
        {"# one\n\n  # two\nb viewer " HASH "\nc root " HASH, ":5: the role"},
        {"b viewer " HASH "\n\nc root " HASH, ":3: the role"},
        {"# nothing\n\n", "holds no token"},
        {"", "holds no token"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_tokens(rows[i].line, 0600);
        expect(rows[i].fault);
    }
}

/* Nothing of a line is passed over. */
static void test_nul(void **state)
{
    static const char bytes[] = "v viewer " HASH "\na admin " HASH " \0domains=web-*\n";
    (void)state;
    write_tokens("", 0600);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, sizeof(bytes) - 1, out), sizeof(bytes) - 1);
    assert_int_equal(fclose(out), 0);
    expect(":2: there is a NUL byte");
}

/* What a line means. */
static void test_values(void **state)
{
    struct vg_tokens tokens;
    (void)state;
    write_tokens("v viewer " HASH "\no operator " HASH " 2027-01-31T00:00:00Z\n"
                 "a admin " HASH " 1970-01-01T00:00:00Z\n",
                 0600);
    assert_null(read_tokens(&tokens));
    assert_int_equal(tokens.n, 3);
    assert_string_equal(tokens.v[0].name, "v");
    assert_int_equal(tokens.v[0].rights->role, VG_ROLE_VIEWER);
    assert_int_equal(tokens.v[0].expires, 0);
    assert_int_equal(tokens.v[0].hash[0], 0x01);
    assert_int_equal(tokens.v[0].hash[VG_TOKEN_HASH_SIZE - 1], 0xEF);
    assert_int_equal(tokens.v[1].rights->role, VG_ROLE_OPERATOR);
    assert_int_equal(tokens.v[1].expires, 1801353600);
    assert_int_equal(tokens.v[2].rights->role, VG_ROLE_ADMIN);
    assert_int_equal(tokens.v[2].expires, 1); /* long ago, which 0 does not say */
    vg_tokens_clear(&tokens);
    assert_int_equal(tokens.n, 0);
}

static bool may(const struct vg_token *token, const char *permissions)
{
    struct vg_permissions needed;
    char unknown[VG_PERMISSION_SIZE];

    assert_int_equal(vg_permissions_parse(permissions, &needed, unknown), 0);
    return vg_rights_hold(token->rights, &needed);
}

/* Equal rights are one pointer, and deny= has the last word. */
static void test_rights(void **state)
{
    struct vg_tokens tokens;
    (void)state;
    write_tokens("a viewer " HASH "\nb viewer " HASH "\n"
                 "c operator " HASH " allow=domain:open_graphics deny=domain:stop\n"
                 "d operator " HASH " deny=domain:stop allow=domain:open_graphics\n"
                 "e admin " HASH " allow=domain:stop deny=domain:stop\n"
                 "f admin " HASH " domains=web-*,db hosts=kvm? allow=network:start\n",
                 0600);
    assert_null(read_tokens(&tokens));
    const struct vg_token *t = tokens.v;
    assert_ptr_equal(t[0].rights, t[1].rights);
    assert_ptr_equal(t[0].rights, vg_rights_of_role(VG_ROLE_VIEWER));
    assert_ptr_equal(t[2].rights, t[3].rights);
    assert_true(may(&t[2], "domain:start domain:open_graphics"));
    assert_false(may(&t[2], "domain:stop"));
    assert_false(may(&t[2], "domain:open_device"));
    assert_false(may(&t[4], "domain:stop"));
    assert_true(may(&t[5], "domain:delete network:read network:start connect:getattr"));
    assert_false(may(&t[5], "network:stop"));
    assert_false(may(&t[5], "gateway:document"));
    assert_false(may(&t[5], "daemon:read"));
    assert_int_equal(t[5].rights->domains.n, 2);
    assert_true(vg_globs_match(&t[5].rights->domains, "web-1"));
    assert_true(vg_globs_match(&t[5].rights->domains, "db"));
    assert_false(vg_globs_match(&t[5].rights->domains, "db2"));
    assert_false(vg_globs_match(&t[5].rights->hosts, "kvm12"));
    assert_true(vg_globs_match(&t[0].rights->domains, "anything"));
    vg_tokens_clear(&tokens);
}

static void test_modes(void **state)
{
    static const struct {
        mode_t mode;
        const char *secret, *plain; /* the fault of either kind; NULL: none */
    } rows[] = {
        {0600, NULL, NULL},
        {0400, NULL, NULL},
        {0640, NULL, NULL},
        {0644, "is world-readable; run: chmod o-rw '", NULL},
        {0604, "is world-readable; run: chmod o-rw '", NULL},
        {0602, "is world-writable; run: chmod o-rw '",
         "is world-writable; run: chmod o-w '"},
        {0606, "is world-writable; run: chmod o-rw '",
         "is world-writable; run: chmod o-w '"},
        {0620, "is group-writable; run: chmod g-w '",
         "is group-writable; run: chmod g-w '"},
        {0664, "is group-writable; run: chmod g-w,o-rw '",
         "is group-writable; run: chmod g-w '"},
        {0666, "is world-writable; run: chmod g-w,o-rw '",
         "is world-writable; run: chmod g-w,o-w '"},
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const char *want = i % 2 ? rows[i / 2].secret : rows[i / 2].plain;
        vg_autofree char *message = NULL;
        write_tokens("a admin " HASH "\n", rows[i / 2].mode);
        vg_autofree char *text = vg_private_read(path, i % 2, &message);
        assert_int_equal(!text, want != NULL);
        if (want && (!message || !strstr(message, want)))
            fail_msg("%o: %s", rows[i / 2].mode, message ? message : "-");
    }
}

/* Only root can give a file away; what root owns is good for everybody. */
static void test_owner(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    write_tokens("a admin " HASH "\n", 0600);
    assert_int_equal(chown(path, NOBODY, 0), 0);
    expect("belongs to user 65534; only root and the gateway's own user 0 may own it; "
           "run: chown 0 '");
    assert_int_equal(seteuid(NOBODY), 0);
    expect(NULL);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(chown(path, 0, NOBODY), 0);
    assert_int_equal(setegid(NOBODY), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    expect(NULL);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),  cmocka_unit_test(test_nul),
        cmocka_unit_test(test_values), cmocka_unit_test(test_rights),
        cmocka_unit_test(test_modes),  cmocka_unit_test(test_owner),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
