/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * XML as JSON and back: the mapping's rules one by one, what is refused, and the property
 * that for every document libvirt installs or answers here the way there and back gives
 * the same document (canonical XML, layout aside).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fts.h>
#include <libvirt/libvirt.h>
#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/xml/repeats.h"
#include "virtgate/cleanup.h"
#include "virtgate/json.h"
#include "virtgate/xml_json.h"

#define OPTIONS                                                                          \
    (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA)

/* ---- comparing documents ----------------------------------------------------------- */

/* Elements that hold no text by libvirt's schemas. */
static bool is_container(const xmlNode *e)
{
    for (size_t i = 0; e->type == XML_ELEMENT_NODE && i < vg_xml_containers_count; i++)
        if (strcmp((const char *)e->name, vg_xml_containers[i]) == 0)
            return true;
    return false;
}

/* Takes out what is only layout: blank text beside elements and comments, no words; and
 * in what libvirt writes as <devices> and </devices> with a line's end between. */
static void strip(xmlNodePtr parent)
{
    bool words = false, markup = is_container(parent);
    for (xmlNodePtr c = parent->children; c; c = c->next) {
        words |= c->type == XML_TEXT_NODE && !xmlIsBlankNode(c);
        markup |= c->type != XML_TEXT_NODE;
        if (c->type == XML_ELEMENT_NODE)
            strip(c);
    }
    bool keep = words || !markup || xmlNodeGetSpacePreserve(parent) == 1;
    for (xmlNodePtr c = parent->children, next; c && !keep; c = next) {
        next = c->next;
        if (c->type == XML_TEXT_NODE) {
            xmlUnlinkNode(c);
            xmlFreeNode(c);
        }
    }
}

/* Owned by the caller; NULL: not well-formed. */
static char *canonical(const char *xml)
{
    if (!xml)
        abort(); /* checked before */
    xmlDocPtr doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, OPTIONS);
    xmlChar *text = NULL;
    if (!doc)
        return NULL;
    strip((xmlNodePtr)doc);
    assert_true(xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 1, &text) >= 0);
    char *copy = strdup((const char *)text);
    xmlFree(text);
    xmlFreeDoc(doc);
    return copy;
}

static unsigned int round_trips;

static void check_round_trip(const char *what, const char *xml)
{
    struct vg_error e = {0};
    json_auto_t *json = vg_xml_to_json(xml, &e);
    if (!json)
        fail_msg("%s: to JSON: %s", what, e.detail);
    /* as a client sees it: text */
    vg_autofree char *text = json_dumps(json, 0);
    json_auto_t *seen = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    vg_autofree char *back = vg_xml_from_json(seen, &e);
    if (!back)
        fail_msg("%s: to XML: %s", what, e.detail);
    vg_autofree char *was = canonical(xml);
    vg_autofree char *is = canonical(back);
    if (strcmp(was, is) != 0)
        fail_msg("%s:\n%.3000s\nbecame\n%.3000s\nby\n%.3000s", what, was, is, text);
    round_trips++;
}

/* ---- the rules --------------------------------------------------------------------- */

static const struct {
    const char *xml, *json;
} rules[] = {
    {"<domain type='kvm'><name>x</name><memory unit='KiB'>65536</memory></domain>",
     "{'domain':{'@type':'kvm','name':'x','memory':{'@unit':'KiB','#text':'65536'}}}"},
    /* an array wherever libvirt's schemas allow several */
    {"<domain><devices><disk type='file'/></devices></domain>",
     "{'domain':{'devices':{'disk':[{'@type':'file'}]}}}"},
    {"<network><ip address='10.0.0.1'><dhcp><range start='a' end='b'/></dhcp></ip>"
     "</network>",
     "{'network':{'ip':[{'@address':'10.0.0.1',"
     "'dhcp':{'range':[{'@start':'a','@end':'b'}]}}]}}"},
    {"<cpu><feature name='a'/></cpu>", "{'cpu':{'feature':[{'@name':'a'}]}}"},
    /* in that document: a domain has several graphics, its capabilities tell of one */
    {"<domain><devices><graphics/></devices></domain>",
     "{'domain':{'devices':{'graphics':[{}]}}}"},
    {"<domainCapabilities><devices><graphics/></devices></domainCapabilities>",
     "{'domainCapabilities':{'devices':{'graphics':{}}}}"},
    {"<disk><source><host name='a'/></source></disk>",
     "{'disk':{'source':{'host':[{'@name':'a'}]}}}"},
    /* and where there are several */
    {"<x><y>1</y><y>2</y></x>", "{'x':{'y':['1','2']}}"},
    /* nothing, an empty element, and white space */
    {"<features><acpi/><apic></apic></features>", "{'features':{'acpi':{},'apic':{}}}"},
    {"<x>\n  <y/>\n</x>", "{'x':{'y':{}}}"},
    {"<x> </x>", "{'x':' '}"},
    {"<domain><title> </title><devices>\n</devices></domain>",
     "{'domain':{'title':' ','devices':{}}}"},
    {"<x xml:space='preserve'> <y/></x>",
     "{'x':{'@xml:space':'preserve','#text':' ','y':{}}}"},
    /* unlike elements that do not stand in groups */
    {"<devices><disk a='1'/><interface/><disk a='2'/></devices>",
     "{'devices':{'disk':[{'@a':'1'},{'@a':'2'}],'interface':[{}],"
     "'#order':['disk','interface','disk']}}"},
    {"<d>one <b>two</b> three</d>",
     "{'d':{'#text':['one ',' three'],'b':'two','#order':['#text','b','#text']}}"},
    {"<d>a<![CDATA[<b>]]>&amp;&#65;</d>", "{'d':'a<b>&A'}"},
    /* namespaces, as they are written */
    {"<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
     "<q:commandline><q:arg value='-s'/></q:commandline></domain>",
     "{'domain':{'@xmlns:q':'http://libvirt.org/schemas/domain/qemu/1.0',"
     "'q:commandline':{'q:arg':[{'@value':'-s'}]}}}"},
    {"<metadata><app:disk xmlns:app='urn:a' app:n='1'><app:x/></app:disk></metadata>",
     "{'metadata':{'app:disk':{'@xmlns:app':'urn:a','@app:n':'1','app:x':{}}}}"},
    {"<m><a xmlns='urn:a'><b xmlns=''/></a></m>",
     "{'m':{'a':{'@xmlns':'urn:a','b':{'@xmlns':''}}}}"},
    /* names that libvirt's schemas know, in another's namespace */
    {"<a:devices xmlns:a='urn:a'><a:disk/></a:devices>",
     "{'a:devices':{'@xmlns:a':'urn:a','a:disk':{}}}"},
    /* comments, processing instructions */
    {"<!-- hi --><?do it now?><x><!--a--><y/><!--b--></x>",
     "{'#comment':[' hi '],'#pi':['do it now'],'x':{'#comment':['a','b'],'y':{},"
     "'#order':['#comment','y','#comment']}}"},
    {"<x a='&lt;&quot;&#10;&#9;&amp;'>\xC3\xA9&#13;</x>",
     "{'x':{'@a':'<\\\"\\n\\t&','#text':'\\u00e9\\r'}}"},
};

static json_t *parse(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *json = json_loads(copy, JSON_DECODE_ANY, NULL);
    free(copy);
    return json;
}

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct vg_error e = {0};
        json_auto_t *is = vg_xml_to_json(rules[i].xml, &e);
        json_auto_t *want = parse(rules[i].json);
        assert_non_null(want);
        if (!json_equal(is, want))
            fail_msg("%s became %s", rules[i].xml, json_dumps(is, 0));
        check_round_trip("rule", rules[i].xml);
    }
}

/* What a client may write beside what the gateway writes. */
static const struct {
    const char *json, *xml;
} liberties[] = {
    {"{'a':{'vcpu':2,'@n':3}}", "<a n='3'><vcpu>2</vcpu></a>"},
    {"{'a':{'devices':{'disk':{'@x':'1'}}}}", "<a><devices><disk x='1'/></devices></a>"},
    {"{'a':''}", "<a/>"},
    {"{'a':{'b':[]}}", "<a/>"},
    {"{'p:a':{'p:b':{},'@xmlns:p':'urn:p'}}", "<p:a xmlns:p='urn:p'><p:b/></p:a>"},
    /* the order is a hint: one more, one fewer, one gone */
    {"{'a':{'b':['1','2','3'],'c':['4'],'#order':['b','c','b']}}",
     "<a><b>1</b><c>4</c><b>2</b><b>3</b></a>"},
    {"{'a':{'b':['1'],'c':['4'],'#order':['b','c','b']}}", "<a><b>1</b><c>4</c></a>"},
    {"{'a':{'b':['1'],'d':'5','#order':['b','c','b']}}", "<a><b>1</b><d>5</d></a>"},
    {"{'a':{'b':'1','c':'2','#order':['c']}}", "<a><c>2</c><b>1</b></a>"},
    {"{'a':{'b':'1','@x':'2','#order':['@x','#order']}}", "<a x='2'><b>1</b></a>"},
};

static void test_liberties(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(liberties) / sizeof(liberties[0]); i++) {
        struct vg_error e = {0};
        json_auto_t *json = parse(liberties[i].json);
        vg_autofree char *back = vg_xml_from_json(json, &e);
        if (!back)
            fail_msg("%s: %s", liberties[i].json, e.detail);
        vg_autofree char *is = canonical(back);
        vg_autofree char *want = canonical(liberties[i].xml);
        assert_string_equal(is, want);
    }
}

static const struct {
    const char *json, *pointer; /* the error begins with it */
} refused[] = {
    {"[]", "''"},
    {"{}", "''"},
    {"{'a':{},'b':{}}", "''"},
    {"{'a':[{}]}", "'/a'"},
    {"{'#text':'x','a':{}}", "'/#text'"},
    {"{'a':null}", "'/a'"},
    {"{'a':true}", "'/a'"},
    {"{'a':1.5}", "'/a'"},
    {"{'a':{'b':[{},null]}}", "'/a/b/1'"},
    {"{'a':{'b':[[]]}}", "'/a/b/0'"},
    {"{'a':{'b':{'@c':{}}}}", "'/a/b/@c'"},
    {"{'a':{'@c':null}}", "'/a/@c'"},
    {"{'a':{'@':'x'}}", "'/a/@'"},
    {"{'a':{'b c':{}}}", "'/a/b c'"},
    {"{'a':{'':{}}}", "'/a/'"},
    {"{'a':{'x/y~z':{}}}", "'/a/x~1y~0z'"},
    {"{'a':{'p:b':{}}}", "'/a/p:b'"},
    {"{'a':{'@p:b':'1'}}", "'/a/@p:b'"},
    {"{'a':{'@xmlns:p':''}}", "'/a/@xmlns:p'"},
    {"{'a':{'@xmlns:p':'a&b'}}", "'/a/@xmlns:p'"},
    {"{'a':{'@xmlns:xml':'urn:x'}}", "'/a/@xmlns:xml'"},
    {"{'a':{'@xmlns:':'urn:x'}}", "'/a/@xmlns:'"},
    {"{'a':{'@xmlns:p':'u','@xmlns:q':'u','@p:x':'1','@q:x':'2'}}", "'/a/@q:x'"},
    {"{'a':{'#nosuch':'x'}}", "'/a/#nosuch'"},
    {"{'a':{'#text':{}}}", "'/a/#text'"},
    {"{'a':{'#text':'\\u0001'}}", "'/a/#text'"},
    {"{'a':'\\uffff'}", "'/a'"},
    {"{'a':{'#comment':['x','a--b']}}", "'/a/#comment/1'"},
    {"{'a':{'#comment':'a-'}}", "'/a/#comment'"},
    {"{'a':{'#pi':'xml x'}}", "'/a/#pi'"},
    {"{'a':{'#pi':'x ?>'}}", "'/a/#pi'"},
    {"{'a':{'#order':'b'}}", "'/a/#order'"},
    {"{'a':{'#order':[1]}}", "'/a/#order'"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct vg_error e = {0};
        json_auto_t *json = parse(refused[i].json);
        assert_non_null(json);
        vg_autofree char *back = vg_xml_from_json(json, &e);
        size_t n = strlen(refused[i].pointer);
        if (back || e.status != 400 || strncmp(e.detail, refused[i].pointer, n) != 0)
            fail_msg("%s: %s", refused[i].json, back ? back : e.detail);
        vg_error_clear(&e);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct vg_error e = {0};
    json_auto_t *deep = json_string("x");
    for (int i = 0; i < 65; i++)
        deep = json_pack("{s:o}", "a", vg_take(&deep));
    assert_null(vg_xml_from_json(deep, &e));
    assert_int_equal(e.status, 400);
    json_auto_t *many = json_array();
    for (int i = 0; i < 65536; i++)
        json_array_append_new(many, json_object());
    json_auto_t *wide = json_pack("{s:{s:O}}", "a", "b", many);
    assert_null(vg_xml_from_json(wide, &e));
    assert_int_equal(e.status, 413);
    assert_non_null(strstr(e.detail, "65536 elements"));
    assert_null(strstr(e.detail, "/a/b")); /* the last is no worse than the others */
    json_array_remove(many, 0);
    vg_autofree char *fits = vg_xml_from_json(wide, &e);
    assert_non_null(fits);
    vg_error_clear(&e);
}

/* Under a sanitizer an allocation that is too large returns NULL, too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* A part that is optional is missing, where there was no memory for it: no document. */
static void test_lost_memory(void **state)
{
    (void)state;
    struct vg_error e = {0};
    vg_json_watch_memory();
    json_t *lost = json_stringn_nocheck("x", SIZE_MAX / 4);
    assert_null(lost);
    json_auto_t *document = json_pack("{s:{s:s, s:o*}}", "a", "@b", "c", "@d", lost);
    assert_non_null(document);
    assert_null(vg_xml_from_json(document, &e));
    assert_int_equal(e.status, 500);
    vg_error_clear(&e);
    vg_autofree char *next = vg_xml_from_json(document, &e);
    assert_non_null(next);
}

static void test_attribute_limit(void **state)
{
    (void)state;
    struct vg_error e = {0};
    json_auto_t *element = json_object();
    for (int i = 0; i < 65; i++) {
        char key[16];
        snprintf(key, sizeof(key), i % 2 ? "@a%d" : "@xmlns:a%d", i);
        json_object_set_new(element, key, json_string("u"));
    }
    json_auto_t *document = json_pack("{s:O}", "a", element);
    assert_null(vg_xml_from_json(document, &e));
    assert_int_equal(e.status, 413);
    json_object_del(element, "@a1");
    vg_autofree char *fits = vg_xml_from_json(document, &e);
    assert_non_null(fits);
    vg_error_clear(&e);
}

/* Just too long with its layout, it goes without; longer is too long. */
static void test_size_limit(void **state)
{
    (void)state;
    struct vg_error e = {0};
    char *text = calloc(1, 4194304);
    memset(text, 'x', 4194304 - 15);
    json_auto_t *document = json_pack("{s:{s:s}}", "a", "b", text);
    vg_autofree char *fits = vg_xml_from_json(document, &e);
    assert_non_null(fits);
    assert_null(strstr(fits, "\n  "));
    text[4194304 - 15] = 'x';
    json_auto_t *longer = json_pack("{s:{s:s}}", "a", "b", text);
    assert_null(vg_xml_from_json(longer, &e));
    assert_int_equal(e.status, 413);
    vg_error_clear(&e);
    free(text);
}

static void test_unsafe(void **state)
{
    static const char *const unsafe[] = {
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a x='1'>&b;</a>",
        "<!DOCTYPE a><a/>",
        "<a><p:b/></a>",
        "<a p:b='1'/>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
        struct vg_error e = {0};
        assert_null(vg_xml_to_json(unsafe[i], &e));
        assert_int_equal(e.status, 422);
        vg_error_clear(&e);
    }
    struct vg_error e = {0};
    assert_null(vg_xml_to_json("<a>", &e));
    assert_int_equal(e.status, 500);
    vg_error_clear(&e);
}

/* RFC 7396, appendix A. */
static const char *const merges[][3] = {
    {"{'a':'b'}", "{'a':'c'}", "{'a':'c'}"},
    {"{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}"},
    {"{'a':'b'}", "{'a':null}", "{}"},
    {"{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}"},
    {"{'a':['b']}", "{'a':'c'}", "{'a':'c'}"},
    {"{'a':'c'}", "{'a':['b']}", "{'a':['b']}"},
    {"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}"},
    {"{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}"},
    {"['a','b']", "['c','d']", "['c','d']"},
    {"{'a':'b'}", "['c']", "['c']"},
    {"{'a':'foo'}", "null", "null"},
    {"{'a':'foo'}", "'bar'", "'bar'"},
    {"{'e':null}", "{'a':1}", "{'e':null,'a':1}"},
    {"[1,2]", "{'a':'b','c':null}", "{'a':'b'}"},
    {"{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}"},
};

static void test_merge(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
        json_auto_t *patch = parse(merges[i][1]);
        json_auto_t *want = parse(merges[i][2]);
        json_auto_t *is = vg_json_merge(parse(merges[i][0]), patch);
        if (!json_equal(is, want))
            fail_msg("%s: %s", merges[i][1], json_dumps(is, JSON_ENCODE_ANY));
    }
}

/* ---- every document there is ------------------------------------------------------- */

static void check_file(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    assert_non_null(f);
    if (getdelim(&text, &size, '\0', f) > 0 && !strstr(text, "<!DOCTYPE"))
        check_round_trip(path, text);
    free(text);
    fclose(f);
}

static void test_installed(void **state)
{
    char share[] = "/usr/share/libvirt", docs[] = "/usr/share/doc",
         etc[] = "/etc/libvirt";
    char *const roots[] = {share, docs, etc, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    unsigned int before = round_trips;

    (void)state;
    assert_non_null(tree);
    for (FTSENT *f = fts_read(tree); f; f = fts_read(tree)) {
        const char *end = strrchr(f->fts_name, '.');
        /* descriptions of libvirt's API are no documents of it, and larger than any */
        bool foreign = strstr(f->fts_path, "/api/") ||
                       (strncmp(f->fts_path, "/usr/share/doc/", 15) == 0 &&
                        !strstr(f->fts_path, "libvirt"));
        if (f->fts_info == FTS_F && end && !foreign &&
            (strcmp(end, ".xml") == 0 || strcmp(end, ".rng") == 0))
            check_file(f->fts_path);
    }
    fts_close(tree);
    assert_true(round_trips - before > 100);
}

/* What libvirt itself writes. */
static void check_answer(const char *what, char *xml_steal)
{
    if (!xml_steal)
        fail_msg("%s: libvirt gave none", what);
    check_round_trip(what, xml_steal);
    free(xml_steal);
}

static void test_answers(void **state)
{
    virConnectPtr conn = virConnectOpen("test:///default");
    virDomainPtr dom = virDomainLookupByName(conn, "test");
    virNetworkPtr net = virNetworkLookupByName(conn, "default");
    virStoragePoolPtr pool = virStoragePoolLookupByName(conn, "default-pool");
    virInterfacePtr iface = virInterfaceLookupByName(conn, "eth1");
    virNodeDevicePtr device = virNodeDeviceLookupByName(conn, "computer");
    virDomainSnapshotPtr snapshot = virDomainSnapshotCreateXML(
        dom, "<domainsnapshot><name>s</name></domainsnapshot>", 0);
    virStorageVolPtr vol = virStorageVolCreateXML(
        pool, "<volume><name>v</name><capacity>1</capacity></volume>", 0);

    (void)state;
    check_answer("capabilities", virConnectGetCapabilities(conn));
    check_answer("domain", virDomainGetXMLDesc(dom, VIR_DOMAIN_XML_SECURE));
    check_answer("network", virNetworkGetXMLDesc(net, 0));
    check_answer("pool", virStoragePoolGetXMLDesc(pool, 0));
    check_answer("volume", virStorageVolGetXMLDesc(vol, 0));
    check_answer("interface", virInterfaceGetXMLDesc(iface, 0));
    check_answer("device", virNodeDeviceGetXMLDesc(device, 0));
    check_answer("snapshot", virDomainSnapshotGetXMLDesc(snapshot, 0));
    virStorageVolFree(vol);
    virDomainSnapshotFree(snapshot);
    virNodeDeviceFree(device);
    virInterfaceFree(iface);
    virStoragePoolFree(pool);
    virNetworkFree(net);
    virDomainFree(dom);
    virConnectClose(conn);
}

/* The table is of libvirt's schemas: some rows that any version has, and its order. */
static void test_table(void **state)
{
    (void)state;
    assert_true(vg_xml_repeats_count > 100);
    for (size_t i = 1; i < vg_xml_repeats_count; i++) {
        const struct vg_xml_repeat *a = &vg_xml_repeats[i - 1], *b = a + 1;
        int order = strcmp(a->parent, b->parent);
        assert_true(order < 0 || (order == 0 && strcmp(a->child, b->child) < 0));
        assert_false(strcmp(a->parent, "domain") == 0 && strcmp(a->child, "name") == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),       cmocka_unit_test(test_liberties),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_limits),
        cmocka_unit_test(test_lost_memory), cmocka_unit_test(test_attribute_limit),
        cmocka_unit_test(test_size_limit),  cmocka_unit_test(test_unsafe),
        cmocka_unit_test(test_merge),       cmocka_unit_test(test_table),
        cmocka_unit_test(test_installed),   cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
