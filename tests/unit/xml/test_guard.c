/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The XML guard: eight kinds of documents that cost a parser gigabytes or minutes are
 * refused in milliseconds; its limits at -1, 0 and +1; what only looks dangerous passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/core/request.h"
#include "server/xml/guard.h"
#include "virtgate/cleanup.h"
#include "virtgate/xml.h"

#ifdef __SANITIZE_ADDRESS__
#define MAX_MS 500
#else
#define MAX_MS 200
#endif

/* A document being built. */
struct doc {
    char *data;
    size_t n;
    FILE *out;
};

static void open_doc(struct doc *d)
{
    *d = (struct doc){0};
    d->out = open_memstream(&d->data, &d->n);
    assert_non_null(d->out);
}

static void repeat(struct doc *d, const char *text, unsigned int times)
{
    while (times--)
        fputs(text, d->out);
}

/* Checks the document and frees it. `words`: what the refusal says; NULL: it passes. */
static void check_status(struct doc *d, int status, const char *words)
{
    struct vg_error e = {0};
    fclose(d->out);
    clock_t start = clock(); /* of this process: others do not count */
    int rc = vg_xml_guard(d->data, d->n, &e);
    long ms = (long)(clock() - start) * 1000 / CLOCKS_PER_SEC;
    if (rc != (words ? -1 : 0) || (words && !strstr(e.detail, words)))
        fail_msg("%.60s...: %d, %s", d->data, rc, e.detail ? e.detail : "accepted");
    assert_int_equal(e.status, words ? status : 0);
    if (ms >= MAX_MS)
        fail_msg("%.60s...: %ld ms", d->data, ms);
    vg_error_clear(&e);
    free(d->data);
}

static void check_doc(struct doc *d, const char *words)
{
    check_status(d, 422, words);
}

static void check_refused(const char *xml, int status, const char *words)
{
    struct doc d;
    open_doc(&d);
    fputs(xml, d.out);
    check_status(&d, status, words);
}

static void check_text(const char *xml, const char *words)
{
    check_refused(xml, 422, words);
}

/* ---- bombs ---- */

static void test_nested_entities(void **state)
{
    (void)state;
    struct doc d;
    open_doc(&d);
    fputs("<!DOCTYPE d [<!ENTITY e0 \"ha\">", d.out);
    for (int i = 1; i < 10; i++) {
        fprintf(d.out, "<!ENTITY e%d \"", i);
        for (int j = 0; j < 10; j++)
            fprintf(d.out, "&e%d;", i - 1);
        fputs("\">", d.out);
    }
    fputs("]><domain><name>&e9;</name></domain>", d.out);
    check_doc(&d, "document type");
}

/* Finding 7: 4.9 GB from 200 kB. */
static void test_long_entity(void **state)
{
    (void)state;
    struct doc d;
    open_doc(&d);
    fputs("<?xml version='1.0'?><!DOCTYPE d [<!ENTITY e '", d.out);
    repeat(&d, "x", 50000);
    fputs("'>]><domain><name>", d.out);
    repeat(&d, "&e;", 50000);
    fputs("</name></domain>", d.out);
    check_doc(&d, "document type");
}

static void test_external_entity(void **state)
{
    (void)state;
    check_text("<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><d>&e;</d>",
               "document type");
    check_text("<!DOCTYPE d SYSTEM 'http://127.0.0.1:1/x.dtd'><d/>", "document type");
}

static void test_parameter_entity(void **state)
{
    (void)state;
    check_text("<!DOCTYPE d [<!ENTITY % p '<!ENTITY e \"x\">'> %p;]><d>&e;</d>",
               "document type");
    check_text("<d><!ENTITY e 'x'></d>", "document type");
    check_text("<d><!ATTLIST d a CDATA 'x'></d>", "document type");
    check_text("<!doctype d><d/>", "document type");
    check_text("<!", "document type");
}

static void test_deep(void **state)
{
    (void)state;
    struct doc d;
    open_doc(&d);
    repeat(&d, "<a>", 100000);
    check_doc(&d, "64 elements deep");
}

static void test_many(void **state)
{
    (void)state;
    struct doc d;
    open_doc(&d);
    fputs("<domain><devices>", d.out);
    repeat(&d, "<disk><target dev='sda'/></disk>", 40000);
    fputs("</devices></domain>", d.out);
    check_status(&d, 413, "65536 elements");
}

/* UTF-16 and UTF-32 with and without a mark, whatever they hold. */
static void test_wide(void **state)
{
    (void)state;
    const struct {
        const char *data;
        size_t n;
    } rows[] = {
        {"\xFF\xFE<\0d\0/\0>\0", 10}, {"\xFE\xFF\0<\0d\0/\0>", 10}, {"<\0d\0/\0>\0", 8},
        {"\0<\0d\0/\0>", 8},          {"<\0\0\0d\0\0\0", 8},        {"<d/>\0", 5},
        {"\xFF\xFE\x3C\xD8", 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct doc d;
        open_doc(&d);
        fwrite(rows[i].data, 1, rows[i].n, d.out);
        check_doc(&d, "UTF-8");
    }
}

/* Encodings that hide the markup from a look at the bytes. */
static void test_hidden(void **state)
{
    (void)state;
    const char *const utf7 =
        "<?xml version='1.0' encoding='UTF-7'?>+ADwAIQ-DOCTYPE d [+ADwAIQ-ENTITY e "
        "'x'>]>+ADw-d>+ACY-e;+ADw-/d>";
    check_text(utf7, "UTF-8");
    char marked[256];
    snprintf(marked, sizeof(marked), "\xEF\xBB\xBF%s", utf7);
    check_text(marked, "UTF-8");
    check_text("<?xml version='1.0' encoding='UTF-7' standalone='UTF-8'?><d/>", "UTF-8");
    check_text("<?xml version='1.0' encoding='UTF-16'?><d/>", "UTF-8");
    check_text("<?xml version='1.0'\nencoding\t=\r\"EBCDIC-US\"?><d/>", "UTF-8");

    char plain[] = "<?xml version='1.0' encoding='IBM037'?><!DOCTYPE d [<!ENTITY e "
                   "'x'>]><d>&e;</d>";
    char ebcdic[sizeof(plain)] = "", *in = plain, *out = ebcdic;
    size_t n_in = strlen(plain), n_out = sizeof(ebcdic) - 1;
    iconv_t cd = iconv_open("IBM037", "ASCII");
    if (cd == (iconv_t)-1)
        skip();
    assert_int_equal(iconv(cd, &in, &n_in, &out, &n_out), 0);
    iconv_close(cd);
    check_text(ebcdic, "UTF-8");
}

/* ---- limits ---- */

static void check_depth(unsigned int depth, const char *words)
{
    struct doc d;
    open_doc(&d);
    repeat(&d, "<a>", depth);
    fputs("<b/>text", d.out);
    repeat(&d, "</a>", depth);
    /* depth is what is open at a time, not in all */
    repeat(&d, "<a></a>", 100);
    check_doc(&d, words);
}

static void test_depth_limit(void **state)
{
    (void)state;
    check_depth(63, NULL);
    check_depth(64, NULL);
    check_depth(65, "64 elements deep");
}

static void check_elements(unsigned int n, const char *element, const char *words)
{
    struct doc d;
    open_doc(&d);
    fputs("<a>", d.out);
    repeat(&d, element, n - 1);
    fputs("</a>", d.out);
    check_status(&d, 413, words);
}

static void test_element_limit(void **state)
{
    (void)state;
    const char *const elements[] = {"<b/>", "<b></b>", "<b c='/>'/>", "<b />x"};
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
        check_elements(65535, elements[i], NULL);
        check_elements(65536, elements[i], NULL);
        check_elements(65537, elements[i], "65536 elements");
    }
}

static void check_attributes(unsigned int n, const char *attribute, const char *words)
{
    struct doc d;
    open_doc(&d);
    fputs("<a>", d.out);
    repeat(&d, "<b c=''/>", 100); /* the limit is that of one element */
    fputs("<b", d.out);
    repeat(&d, attribute, n);
    fputs("/></a>", d.out);
    check_status(&d, 413, words);
}

static void test_attribute_limit(void **state)
{
    (void)state;
    const char *const attributes[] = {" c='='", " c=\">\"", "\nc\t=\r'\"='",
                                      " xmlns:c='u'"};
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        check_attributes(63, attributes[i], NULL);
        check_attributes(64, attributes[i], NULL);
        check_attributes(65, attributes[i], "64 attributes");
        check_attributes(40000, attributes[i], "64 attributes");
    }
}

static void test_size_limit(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        struct doc d;
        open_doc(&d);
        fprintf(d.out, "<a>%*s</a>", VG_XML_MAX_BYTES + more - 7, "");
        check_status(&d, 413, more > 0 ? "4194304 bytes" : NULL);
    }
}

/* What libvirt would keep and could not read again. */
static void test_unwritable(void **state)
{
    (void)state;
    const char *const namespaces[] = {
        "<a xmlns='u?a=1&amp;b=2'/>",
        "<a><b xmlns:p='u&#38;'></b></a>",
        "<a xmlns:p\n=\t\"u&lt;\"/>",
        "<a b=' xmlns=' xmlns:p-q='&#9;'/>",
    };
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
        check_refused(namespaces[i], 400, "namespace");
    const char *const texts[] = {
        "<a>\x01</a>",         "<a b='\x1B'/>",       "<a>\xEF\xBF\xBE</a>",
        "<a>\xEF\xBF\xBF</a>", "<a>\xED\xA0\x80</a>", "<a>\xFF</a>",
        "<a>\xC3</a>",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_refused(texts[i], 400, "character");
    const char *const empty[] = {"", " ", "\n\t\r ", "\xEF\xBB\xBF"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        check_refused(empty[i], 400, "empty");
    const char *const fine[] = {
        "<a b='xmlns=&amp;'>xmlns='&amp;'</a>",
        "<a axmlns='&amp;' xmlnsb='&amp;' p:xmlns='&amp;'/>",
        "<a xmlns='u' b='&amp;'/>",
        "<a>\xF0\x9F\xBF\xBF\x7F\xC2\x85</a>",
        "<?xml version='1.0' encoding='utf8'?><d/>",
        "<?xml version='1.0' encoding=\"UTF8\" ?><d/>",
    };
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        check_text(fine[i], NULL);
}

/* ---- what passes ---- */

static void test_harmless(void **state)
{
    (void)state;
    const char *const docs[] = {
        "<domain type='test'><name>a</name></domain>",
        "<?xml version='1.0'?><d/>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<d/>",
        "<?xml version='1.0' encoding='utf-8'?><d/>",
        "<?xml version='1.0' encoding = 'US-ASCII' standalone='yes'?><d/>",
        "\xEF\xBB\xBF<d/>",
        "\xEF\xBB\xBF<?xml version='1.0' encoding='UTF-8'?><d/>",
        " \n\t<d/>",
        "<!-- <!DOCTYPE d> --><d/>",
        "<d><![CDATA[<!DOCTYPE d><!ENTITY e 'x'>]]></d>",
        "<?pi <!DOCTYPE d> ?><d/>",
        "<d a='>' b=\"/>\"><e/></d>",
        "<d>&lt;!DOCTYPE d&gt; &amp;e; encoding='UTF-7'</d>",
        "<d>\xC3\xBC</d>",
        "<d>",
        "</d></d></d><d/>",
    };
    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
        check_text(docs[i], NULL);
}

/* Cut anywhere, it is read to its end and no further (ASan looks). */
static void test_cut(void **state)
{
    (void)state;
    const char doc[] = "\xEF\xBB\xBF<?xml version='1.0' encoding='UTF-8'?><!-- c --><?pi "
                       "?><d a='b'><![CDATA[x]]></d>";
    for (size_t n = 1; n < sizeof(doc); n++) {
        struct vg_error e = {0};
        char *cut = malloc(n);
        memcpy(cut, doc, n);
        (void)vg_xml_guard(cut, n, &e);
        vg_error_clear(&e);
        free(cut);
    }
}

/* ---- the argument ---- */

static void test_argument(void **state)
{
    (void)state;
    struct vg_request *rq = vg_request_new();
    assert_null(vg_xml_argument(rq, "xml", NULL));
    assert_string_equal(rq->error.slug, "missing-key");
    vg_error_clear(&rq->error);
    assert_null(vg_xml_argument(rq, "xml", "<!DOCTYPE d><d/>"));
    assert_string_equal(rq->error.slug, "unsafe-xml");
    vg_error_clear(&rq->error);
    assert_string_equal(vg_xml_argument(rq, "xml", "<d/>"), "<d/>");
    /* a NUL byte does not end the look at an XML body */
    rq->body_kind = VG_BODY_XML;
    rq->body = calloc(1, 32);
    memcpy(rq->body, "<d/>\0<!DOCTYPE d>", 17);
    rq->body_length = 17;
    assert_null(vg_xml_argument(rq, "xml", NULL));
    assert_string_equal(rq->error.slug, "unsafe-xml");
    vg_request_unref(rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested_entities),
        cmocka_unit_test(test_long_entity),
        cmocka_unit_test(test_external_entity),
        cmocka_unit_test(test_parameter_entity),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_depth_limit),
        cmocka_unit_test(test_element_limit),
        cmocka_unit_test(test_attribute_limit),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_harmless),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
