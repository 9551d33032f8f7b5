/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What libxml2 would print, in any thread, is lines of the log. libvirt 9.0 has it print
 * of a file that cannot be read; later releases read files themselves.
 */
#include "tests/unit/base/log_fixture.h"

#include "server/xml/log.h"

#include <libxml/parser.h>
#include <pthread.h>

static void *read_missing(void *name)
{
    xmlFreeDoc(xmlReadFile(name, NULL, 0)); /* NULL: there is none */
    return NULL;
}

static void test_threads(void **state)
{
    char here[] = "nosuch-here.xml", there[] = "nosuch-there.xml";
    pthread_t thread;
    (void)state;
    vg_xml_log_errors();
    start_good("logfmt", VG_LOG_INFO, NULL, "1:file:log");
    int saved = capture();
    read_missing(here);
    int rc = pthread_create(&thread, NULL, read_missing, there);
    if (rc == 0)
        pthread_join(thread, NULL);
    vg_autofree char *printed = release(saved);
    vg_log_stop();
    assert_int_equal(rc, 0);
    assert_string_equal(printed, "");

    vg_autofree char *text = read_text("log");
    assert_non_null(strstr(text, here));
    assert_non_null(strstr(text, there));
    for (size_t i = 0; i < count_lines(text); i++) {
        vg_autofree char *line = line_of(text, i);
        json_auto_t *members = parse_line("logfmt", line);
        assert_member(members, "source", "libxml2");
        assert_member(members, "level", "warning");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
