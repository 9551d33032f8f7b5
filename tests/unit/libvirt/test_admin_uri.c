/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/libvirt/admin_uri.c: which admin socket is beside a daemon's own.
 */
#include "server/libvirt/admin_uri.h"
#include "virtgate/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void check_uri(const char *uri, const char *want)
{
    const char *why = NULL;
    vg_autofree char *admin = vg_admin_uri_of(uri, &why);
    if (!admin || strcmp(admin, want) != 0)
        fail_msg("%s gives %s (%s), not %s", uri, admin ? admin : "nothing",
                 why ? why : "?", want);
}

static void check_none(const char *uri, const char *want)
{
    const char *why = NULL;
    vg_autofree char *admin = vg_admin_uri_of(uri, &why);
    if (admin)
        fail_msg("%s gives %s", uri, admin);
    if (!strstr(why, want))
        fail_msg("%s has none because %s, not %s", uri, why, want);
}

static void a_socket_names_the_daemon(void **state)
{
    (void)state;
    check_uri("qemu+unix:///system?socket=/d/libvirt-sock",
              "libvirtd:///system?socket=/d/libvirt-admin-sock");
    check_uri("qemu+unix:///session?socket=/d/libvirt-sock-ro",
              "libvirtd:///system?socket=/d/libvirt-admin-sock");
    check_uri("qemu:///system?no_tty=1&socket=/d/virtqemud-sock&mode=legacy",
              "virtqemud:///system?socket=/d/virtqemud-admin-sock");
    check_uri("test+unix:///default?socket=libvirt-sock",
              "libvirtd:///system?socket=libvirt-admin-sock");
    check_uri("qemu+unix:///system?socket=/a%20b%26c/libvirt-sock",
              "libvirtd:///system?socket=/a%20b%26c/libvirt-admin-sock");
}

static void odd_sockets_name_none(void **state)
{
    (void)state;
    check_none("qemu+unix:///system?socket=/d/sock", "-sock");
    check_none("qemu+unix:///system?socket=/d/-sock", "-sock");
    check_none("qemu+unix:///system?socket=/d-sock/x", "-sock");
    check_none("qemu+unix:///system?socket=/d/"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-sock",
               "-sock");
}

static void the_mode_chooses_the_daemon(void **state)
{
    (void)state;
    check_uri("qemu:///system?mode=legacy", "libvirtd:///system");
    check_uri("qemu:///system?mode=direct", "virtqemud:///system");
    check_uri("xen+unix:///system?mode=direct", "virtxend:///system");
    check_uri("lxc:///system?xmode=direct&mode=legacy", "libvirtd:///system");
    /* no daemon of this name has a socket here */
    check_uri("nosuch:///system", "libvirtd:///system");
    check_uri("nosuch:///system?mode=auto", "libvirtd:///system");
}

/* root's session is the system's, for libvirt, too. */
static void a_session_has_its_own_sockets(void **state)
{
    (void)state;
    char folder[] = "/tmp/vg-admin-uri.XXXXXX";
    vg_autofree char *below = NULL, *socket = NULL;

    assert_non_null(mkdtemp(folder));
    assert_true(asprintf(&below, "%s/libvirt", folder) > 0);
    assert_true(asprintf(&socket, "%s/virtqemud-sock", below) > 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
    bool root = geteuid() == 0;
    check_uri("qemu:///session?mode=direct",
              root ? "virtqemud:///system" : "virtqemud:///session");
    if (!root) {
        check_uri("qemu:///session", "libvirtd:///session");
        assert_int_equal(mkdir(below, 0700), 0);
        FILE *f = fopen(socket, "w");
        assert_non_null(f);
        assert_int_equal(fclose(f), 0);
        check_uri("qemu:///session", "virtqemud:///session");
        assert_int_equal(unlink(socket), 0);
        assert_int_equal(rmdir(below), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void others_have_none(void **state)
{
    (void)state;
    check_none("test:///default", "without a daemon");
    check_none("qemu:///embed?root=/x", "without a daemon");
    check_none("qemu+ssh://host/system", "not on this machine");
    check_none("qemu+ssh:///system", "not on this machine");
    check_none("qemu+tls://host/system?socket=/d/libvirt-sock", "not on this machine");
    check_none("qemu+unixx:///system", "not on this machine");
    check_none("qemu://host/system", "not on this machine");
    check_none("alias", "names no daemon");
    check_none("qemu://[", "names no daemon");
    check_none("", "names no daemon");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_names_the_daemon),
        cmocka_unit_test(odd_sockets_name_none),
        cmocka_unit_test(the_mode_chooses_the_daemon),
        cmocka_unit_test(a_session_has_its_own_sockets),
        cmocka_unit_test(others_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
