/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The configuration: every option of config.def from each level and their precedence,
 * what each value may be, and --help. The messages: test_config_messages.c.
 */
#include "tests/unit/config/config_fixture.h"
#include "virtgate/uri.h"

/* ---- every option from every level ------------------------------------------------- */

static void sample_number(char *out, size_t size, const struct vg_config_option *o, int k)
{
    (void)snprintf(out, size, "%lld", (long long)o->min + k);
}

/* One of three good values of an option, as text. */
static void sample(enum vg_config_index i, int k, char *out, size_t size)
{
    static const char *const formats[] = {"logfmt", "json", "logfmt"};
    static const char *const folders[] = {"/", "/tmp", "/dev"};
    const struct vg_config_option *o = &vg_config_options[i];
    if (o->kind == VG_CONFIG_K_NUMBER)
        sample_number(out, size, o, k);
    else if (o->kind == VG_CONFIG_K_BOOL || o->kind == VG_CONFIG_K_SWITCH)
        (void)snprintf(out, size, "%s", k == 1 ? "no" : "yes");
    else if (o->kind == VG_CONFIG_K_HOSTS)
        (void)snprintf(out, size, "h%d=test:///%d", k, k);
    else if (i == VG_CONFIG_I_connect)
        (void)snprintf(out, size, "test:///%d", k);
    else if (i == VG_CONFIG_I_listen)
        (void)snprintf(out, size, "127.0.0.1:%d", k);
    else if (i == VG_CONFIG_I_cors_origins)
        (void)snprintf(out, size, "https://h%d.example", k);
    else if (i == VG_CONFIG_I_tls_client_roles)
        (void)snprintf(out, size, "ops-%d*=viewer", k);
    else if (i == VG_CONFIG_I_unix_roles)
        (void)snprintf(out, size, "uid:%d=viewer", k);
    else if (i == VG_CONFIG_I_trust_header || i == VG_CONFIG_I_trust_role_header)
        (void)snprintf(out, size, "X-A%d", k);
    else if (i == VG_CONFIG_I_import_from)
        (void)snprintf(out, size, "https://h%d.example/*", k);
    else if (i == VG_CONFIG_I_import_networks)
        (void)snprintf(out, size, "10.0.0.0/%d", k + 8);
    else if (i == VG_CONFIG_I_trusted_proxies)
        (void)snprintf(out, size, "2001:db8::/%d", k + 32);
    else if (i == VG_CONFIG_I_path_prefix)
        (void)snprintf(out, size, "/virt/%d", k);
    else if (i == VG_CONFIG_I_log_filters || i == VG_CONFIG_I_log_outputs)
        (void)snprintf(out, size, "%d:syslog:x", k + 1);
    else if (i == VG_CONFIG_I_log_format)
        (void)snprintf(out, size, "%s", formats[k]);
    else if (i == VG_CONFIG_I_token_file)
        (void)snprintf(out, size, "%s", token_files[k]);
    else if (i == VG_CONFIG_I_local_dir)
        (void)snprintf(out, size, "%s", folders[k]);
    else
        (void)snprintf(out, size, "%s", key_files[k]);
}

/* Whether the option has exactly this one value. */
static void assert_value(const struct vg_config *c, enum vg_config_index i,
                         const char *text)
{
    const void *field = (const char *)c + vg_config_options[i].offset;
    const struct vg_texts *texts = field;
    const struct vg_host_configs *hosts = field;
    switch (vg_config_options[i].kind) {
    case VG_CONFIG_K_NUMBER:
        assert_int_equal(*(const int64_t *)field, strtoll(text, NULL, 10));
        break;
    case VG_CONFIG_K_BOOL:
    case VG_CONFIG_K_SWITCH:
        assert_int_equal(*(const bool *)field, strcmp(text, "yes") == 0);
        break;
    case VG_CONFIG_K_TEXT:
        assert_non_null(*(char *const *)field);
        assert_string_equal(*(char *const *)field, text);
        break;
    case VG_CONFIG_K_TEXTS:
        assert_int_equal(texts->n, 1);
        assert_string_equal(texts->v[0], text);
        break;
    case VG_CONFIG_K_HOSTS:
        assert_int_equal(hosts->n, 1);
        assert_int_equal(strncmp(text, hosts->v[0].name, 2), 0);
        assert_string_equal(hosts->v[0].uri, text + 3);
        break;
    }
}

/* The options at the levels of the bits: 1 file, 2 environment, 4 command line. */
static void check_levels(enum vg_config_index i, unsigned int levels)
{
    char file[200], variable[200], arg[200], values[3][100];
    struct input in = {0};
    size_t n = 0;
    for (int k = 0; k < 3; k++)
        sample(i, k, values[k], sizeof(values[k]));
    (void)snprintf(file, sizeof(file), "%s = %s\n", vg_config_options[i].name, values[0]);
    name_variable(i, values[1], variable, sizeof(variable));
    (void)snprintf(arg, sizeof(arg), "--%s=%s", vg_config_options[i].name, values[2]);
    if (levels & 1)
        in.file = file;
    if (levels & 2)
        in.environment = variable;
    if (levels & 4)
        in.args[n++] = arg;
    /* What the TLS options need to stand together. */
    const char *own = values[levels & 4 ? 2 : levels & 2 ? 1 : 0];
    bool is_ca = i == VG_CONFIG_I_tls_client_ca;
    char key[120], cert[120];
    (void)snprintf(key, sizeof(key), "--tls-key=%s", is_ca ? key_files[0] : own);
    (void)snprintf(cert, sizeof(cert), "--tls-cert=%s", is_ca ? key_files[0] : own);
    if (i == VG_CONFIG_I_tls_cert || is_ca)
        in.args[n++] = key;
    if (i == VG_CONFIG_I_tls_key || is_ca)
        in.args[n++] = cert;
    char host[40]; /* the one that an admin-uri is of */
    (void)snprintf(host, sizeof(host), "--host=%.2s=test:///x", own);
    if (i == VG_CONFIG_I_admin_uris)
        in.args[n++] = host;
    if (i == VG_CONFIG_I_tls_client_roles) {
        in.args[n++] = "--tls-client-ca=a.pem";
        in.args[n++] = "--tls-cert=a.pem";
        in.args[n++] = "--tls-key=a.pem";
    }
    if (i == VG_CONFIG_I_trust_header || i == VG_CONFIG_I_trust_role_header)
        in.args[n++] = "--listen=unix:/run/a";
    if (i == VG_CONFIG_I_trust_role_header)
        in.args[n++] = "--trust-header=X-B";
    if (i == VG_CONFIG_I_pass_identity)
        in.args[n++] = "--unix-role=uid:0=admin";
    struct result r = read_good(&in);
    assert_value(&r.config, i, own);
    clear_result(&r);
}

static void test_levels(void **state)
{
    (void)state;
    for (enum vg_config_index i = 0; i < VG_CONFIG_COUNT; i++) {
        if (i == VG_CONFIG_I_config_file)
            continue;
        for (unsigned int levels = 1; levels < 8; levels++)
            check_levels(i, levels);
    }
}

#define IS_TEXT(field, def)   assert_texts_same(r.config.field, def)
#define IS_TEXTS(field, def)  assert_first(&r.config.field, def)
#define IS_NUMBER(field, def) assert_int_equal(r.config.field, def)
#define IS_BOOL(field, def)   assert_int_equal(r.config.field, def)
#define IS_SWITCH(field, def) assert_int_equal(r.config.field, def)
#define IS_HOSTS(field, def)                                                             \
    assert_true(r.config.field.n == (&r.config.field == &r.config.hosts) && (def) == NULL)

static void assert_texts_same(const char *is, const char *want)
{
    if (!want)
        assert_null(is);
    else
        assert_string_equal(is, want);
}

static void assert_first(const struct vg_texts *texts, const char *want)
{
    assert_int_equal(texts->n, want ? 1 : 0);
    if (want)
        assert_string_equal(texts->v[0], want);
}

static void test_defaults(void **state)
{
    (void)state;
    struct result r = read_good(&(struct input){0});
#define X(field, KIND, name, letter, arg, def, min, max, help) IS_##KIND(field, def);
#include "server/config/config.def"
#undef X
    assert_int_equal(r.action, VG_CONFIG_RUN);
    assert_string_equal(r.config.hosts.v[0].name, "default");
    assert_null(r.config.hosts.v[0].uri);
    clear_result(&r);
}

static void test_config_file(void **state)
{
    (void)state;
    write_file("other.conf", "pool-size = 7\n", 0600);
    struct result r = read_good(
        &(struct input){.environment = "VIRTGATE_CONFIG=other.conf", .args = {NULL}});
    assert_int_equal(r.config.pool_size, 7);
    clear_result(&r);
    r = read_good(&(struct input){.file = "pool-size = 3\n",
                                  .environment = "VIRTGATE_CONFIG=other.conf"});
    assert_int_equal(r.config.pool_size, 3);
    clear_result(&r);
    /* A byte order mark, comments, indentation, both kinds of section, no last newline.
     */
    r = read_good(&(struct input){
        .file =
            "\xEF\xBB\xBF# one\n; two\n  pool-size = 5 ; three\n\n"
            "\tlisten = 127.0.0.1:1\n\tlisten = [::1]:2\r\n"
            "[host a-long-name.0123456789_0123456789_0123456789_0123456789_xxxxxxxx]\n"
            "  uri = test:///a\n[virtgate]\n  read-only = yes\n  http-threads = 6\n"
            "[host b]\nuri = qemu+ssh://u@b/system?x=1&y=2;z=3"});
    assert_int_equal(r.config.pool_size, 5);
    assert_int_equal(r.config.http_threads, 6);
    assert_true(r.config.read_only);
    assert_int_equal(r.config.listen.n, 2);
    assert_string_equal(r.config.listen.v[1], "[::1]:2");
    assert_int_equal(r.config.hosts.n, 2);
    assert_int_equal(strlen(r.config.hosts.v[0].name), 64);
    assert_string_equal(r.config.hosts.v[1].name, "b");
    assert_string_equal(r.config.hosts.v[1].uri, "qemu+ssh://u@b/system?x=1&y=2;z=3");
    clear_result(&r);
}

/* ---- lists, hosts, words ----------------------------------------------------------- */

static void test_lists(void **state)
{
    (void)state;
    struct result r = read_good(&(struct input){
        .file = "allowed-host = f\nallowed-host = g\n",
        .environment = "VIRTGATE_LISTEN= unix:/a \t unix:/b\n",
        .args = {"--cors-origin", "http://[::1]:8080", "--cors-origin=https://b"}});
    assert_int_equal(r.config.allowed_hosts.n, 2);
    assert_string_equal(r.config.allowed_hosts.v[1], "g");
    assert_int_equal(r.config.listen.n, 2);
    assert_string_equal(r.config.listen.v[0], "unix:/a");
    assert_string_equal(r.config.listen.v[1], "unix:/b");
    assert_int_equal(r.config.cors_origins.n, 2);
    assert_string_equal(r.config.cors_origins.v[0], "http://[::1]:8080");
    clear_result(&r);
    r = read_good(
        &(struct input){.file = "[host a]\nuri = test:///a\n",
                        .environment = "VIRTGATE_HOST=b=test:///b c=test:///c"});
    assert_int_equal(r.config.hosts.n, 2);
    assert_string_equal(r.config.hosts.v[0].name, "b");
    assert_string_equal(r.config.hosts.v[1].uri, "test:///c");
    clear_result(&r);
}

static void test_admin_uris(void **state)
{
    (void)state;
    struct result r = read_good(&(struct input){
        .file =
            "connect = test:///c\nadmin-uri = default=libvirtd:///system\n"
            "[host a]\nuri = test:///a\nadmin-uri = virtqemud:///system?socket=/s\n"});
    assert_int_equal(r.config.hosts.n, 2);
    assert_int_equal(r.config.admin_uris.n, 2);
    assert_string_equal(r.config.admin_uris.v[0].name, "default");
    assert_string_equal(r.config.admin_uris.v[0].uri, "libvirtd:///system");
    assert_string_equal(r.config.admin_uris.v[1].name, "a");
    assert_string_equal(r.config.admin_uris.v[1].uri, "virtqemud:///system?socket=/s");
    clear_result(&r);
    r = read_good(&(struct input){.args = {"--admin-uri", "default=libvirtd:///system"}});
    assert_int_equal(r.config.admin_uris.n, 1);
    clear_result(&r);
}

static void test_default_host(void **state)
{
    (void)state;
    struct result r = read_good(&(struct input){
        .args = {"--host", "a=test:///a", "--host", "b=test:///b", "-c", "test:///c"}});
    assert_int_equal(r.config.hosts.n, 3);
    assert_string_equal(r.config.hosts.v[0].name, "default");
    assert_string_equal(r.config.hosts.v[0].uri, "test:///c");
    assert_string_equal(r.config.hosts.v[1].name, "a");
    assert_string_equal(r.config.hosts.v[2].name, "b");
    clear_result(&r);
    r = read_good(&(struct input){.args = {"--host", "a=test:///a", "--host",
                                           "default=test:///d", "--host", "-b=x:///"}});
    assert_int_equal(r.config.hosts.n, 3);
    assert_string_equal(r.config.hosts.v[0].name, "default");
    assert_string_equal(r.config.hosts.v[0].uri, "test:///d");
    assert_string_equal(r.config.hosts.v[1].name, "a");
    assert_string_equal(r.config.hosts.v[2].name, "-b");
    clear_result(&r);
}

/* Whoever names hosts and none `default` has none: wherever they are named, and wherever
 * `connect` is. */
static void test_no_default_host(void **state)
{
    (void)state;
    static const struct {
        struct input input;
        size_t n;
        const char *first;
    } rows[] = {
        {{.args = {"--host", "a=test:///a", "--host", "b=test:///b"}}, 2, "a"},
        {{.environment = "VIRTGATE_HOST=a=test:///a"}, 1, "a"},
        {{.file = "[host a]\nuri = test:///a\n"}, 1, "a"},
        {{.file = "[host a]\nuri = test:///a\n", .args = {"-c", "test:///c"}},
         2,
         "default"},
        {{.environment = "VIRTGATE_CONNECT=test:///c", .args = {"--host", "a=test:///a"}},
         2,
         "default"},
        {{.file = "connect = test:///c\n[host a]\nuri = test:///a\n"}, 2, "default"},
        {{.args = {"--host", "a=test:///a", "--host", "default=test:///d"}},
         2,
         "default"},
        {{.args = {NULL}}, 1, "default"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct result r = read_good(&rows[i].input);
        assert_int_equal(r.config.hosts.n, rows[i].n);
        assert_string_equal(r.config.hosts.v[0].name, rows[i].first);
        clear_result(&r);
    }
}

static void test_bool_words(void **state)
{
    (void)state;
    static const struct {
        const char *arg;
        bool on;
    } rows[] = {
        {"--read-only", true},        {"--read-only=yes", true},
        {"--read-only=TRUE", true},   {"--read-only=on", true},
        {"--read-only=1", true},      {"--read-only=no", false},
        {"--read-only=false", false}, {"--read-only=Off", false},
        {"--read-only=0", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct result r = read_good(&(struct input){.args = {rows[i].arg}});
        assert_int_equal(r.config.read_only, rows[i].on);
        clear_result(&r);
    }
}

static void test_actions(void **state)
{
    (void)state;
    static const struct {
        const char *arg;
        enum vg_config_action action;
    } rows[] = {
        {"--check-config", VG_CONFIG_CHECK},
        {"--version", VG_CONFIG_VERSION},
        {"-V", VG_CONFIG_VERSION},
        {"--help", VG_CONFIG_HELP},
        {"-h", VG_CONFIG_HELP},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct result r = read_good(&(struct input){.args = {rows[i].arg}});
        assert_int_equal(r.action, rows[i].action);
        assert_string_equal(r.config.listen.v[0], "127.0.0.1:8080");
        clear_result(&r);
    }
    /* These two answer whatever the file says; --check-config does not. */
    struct result r = read_good(&(struct input){.file = "bad\n", .args = {"--help"}});
    assert_int_equal(r.action, VG_CONFIG_HELP);
    clear_result(&r);
    expect_message(&(struct input){.file = "bad\n", .args = {"--check-config"}},
                   FILE_NAME ":1: expected `NAME = VALUE`, [virtgate] or [host NAME]");
    r = read_good(&(struct input){.args = {"-l127.0.0.1:5", "-c", "test:///x"}});
    assert_string_equal(r.config.listen.v[0], "127.0.0.1:5");
    assert_string_equal(r.config.connect, "test:///x");
    clear_result(&r);
}

/* ---- values alone ------------------------------------------------------------------ */

static void check_values(const char *option, const char *const *values, size_t n,
                         bool good)
{
    for (size_t i = 0; i < n; i++) {
        char arg[300];
        (void)snprintf(arg, sizeof(arg), "--%s=%s", option, values[i]);
        struct result r = read_input(&(struct input){.args = {arg, "--allow-insecure"}});
        if ((r.rc == 0) != good)
            fail_msg("%s: %s", arg, r.message ? r.message : "accepted");
        clear_result(&r);
    }
}

#define GOOD(option, ...)                                                                \
    check_values(option, (const char *const[]){__VA_ARGS__},                             \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), true)
#define BAD(option, ...)                                                                 \
    check_values(option, (const char *const[]){__VA_ARGS__},                             \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), false)

static void test_grammars(void **state)
{
    (void)state;
    GOOD("listen", "0.0.0.0:0", "[::]:65535", "[fe80::1%eth0]:1", "a.example:1", ":1",
         "unix:x", "unix:a b");
    BAD("listen", "1", "a", "a:", "a:65536", "a:-1", "a:+1", "a: 1", "::1:80", "[::1]",
        "[]:1", "[1.2.3.4]:1", "a b:1", "*:1", "unix:", "http://a:1", "unix:/a unix:/b",
        "unix:/a b 127.0.0.1:1");
    char path[] = "unix:/0123456789012345678901234567890123456789"
                  "01234567890123456789012345678901234567890123456789"
                  "0123456789012345"; /* 107: one more does not fit into an address */
    GOOD("listen", path);
    char long_path[sizeof(path) + 1];
    (void)snprintf(long_path, sizeof(long_path), "%sx", path);
    BAD("listen", long_path);
    GOOD("cors-origin", "http://a", "https://a.b:1", "http://[::1]", "app+x://y");
    BAD("cors-origin", "*", "null", "a", "http:/a", "http://", "http://a/", "http://a/b",
        "http://a:", "http://a:x", "http://a:70000", "http://[]", "http://[::1",
        "http://*.a", "http://u@a", "http://a?b", "1http://a", "HTTP://a", "http://A.b",
        "http://a:80", "https://a:443", "https://a:0444", "http://[::x]");
    GOOD("cors-origin", "http://a:443", "https://a:80");
    GOOD("allowed-host", "a.b-c_d", "1.2.3.4", "[::1]", "A.example.");
    BAD("allowed-host", "a b", "a:80", "http://a", "a/b", "*", "*.a", "[::1", "::1",
        "[::1]:80", "a,b", "\xC3\xA4");
    BAD("connect", "/system", "my alias", "qemu:system", "qemu//system", "qemu:///a b",
        "qemu://[::1/", "://h/", "1:///");
    GOOD("connect", "qemu:///system", "my-alias_1",
         "qemu+ssh://u@[::1]:22/system?socket=/x", "new:/x", "xen:");
    GOOD("log-format", "logfmt", "json");
    BAD("log-format", "JSON", "xml", "");
    GOOD("log-filters", "1:a", " 4:b.c  2:d ");
    BAD("log-filters", "a", "0:a", "5:a", "1:", "1", "1:a b", " ", "12:a");
    GOOD("log-outputs", "1:stderr", "2:syslog:x 3:file:/tmp/a 4:journald");
    BAD("log-outputs", "stderr", "1:", "1:stdout", "1:syslog",
        "1:syslog:", "1:file:", "1:file:a", "1:file:/", "1:file:/tmp/",
        "1:file:/tmp/none/a", "1:file", "0:stderr", "1:stderr 2:", "1:journald:x");
    GOOD("pool-size", "1", "16", "007");
    BAD("pool-size", "0", "17", "-1", "x", "1x", " 1", "0x1", "1.0", "",
        "99999999999999999999999");
    GOOD("host", "a=x:///", "A.b_c-9=x:///", "-a=x:///", "a=x:///?b=c=d");
    BAD("host", "a", "=x:///", "-=x:///", "a b=x:///", "a/b=x:///", "\xC3\xA4=x:///",
        "a0123456789012345678901234567890123456789012345678901234567890123=x:///x");
}

static void test_listen_reach(void **state)
{
    (void)state;
    static const char *const local[] = {"127.0.0.1:1", "127.255.0.9:1", "localhost:1",
                                        "LOCALHOST:1", "[::1]:1",       "unix:/x"};
    static const char *const open[] = {
        "0.0.0.0:1", "128.0.0.1:1",   "127.example:1",
        "127.1:1",   "[::]:1",        "[::ffff:127.0.0.1]:1",
        ":1",        "localhost.x:1", "[fe80::1%lo]:1"};
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        struct result r = read_good(&(struct input){.args = {"-l", local[i]}});
        clear_result(&r);
    }
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        struct input in = {.args = {"-l", "127.0.0.1:1", "-l", open[i]}};
        struct result r = read_input(&in);
        if (r.rc == 0)
            fail_msg("%s was accepted", open[i]);
        assert_non_null(strstr(r.message, "open to other machines"));
        clear_result(&r);
        in.args[4] = "--allow-insecure";
        r = read_good(&in);
        clear_result(&r);
        in.args[4] = "--tls-cert=a.pem";
        in.args[5] = "--tls-key=a.pem";
        in.args[6] = i % 2 ? "--token-file=a.tokens" : "--tls-client-ca=a.pem";
        r = read_good(&in);
        clear_result(&r);
    }
}

static void test_uris_of_files(void **state)
{
    (void)state;
    static const char *const files[] = {
        "test:///x",
        "test+unix:///x?socket=/y",
        "qemu+unix:///system?socket=y",
        "qemu+unix:///system?SOCKET=",
        "qemu+tls://h/system?no_tty=1;pkipath=y",
        "qemu+ssh://h/system?x=1&keyf%69le=y",
        "qemu+libssh://h/session?known_hosts=y",
        "qemu:///embed?root=/x",
        "secret:///system?root=x",
        "qemu+tls://h/system?x=%2fy",
        "qemu+tls://h/system?x=/y",
        "unix:/x",
        "unix:///x",
        "exec:x",
        "qemu:/%73ystem",
    };
    static const char *const none[] = {
        "qemu:///system",
        "qemu+tls://h/system",
        "qemu+ssh://u@h:1/session?no_tty=1",
        "xen:///",
        "xen+tls://h",
        "tcp://10.0.0.2:49152",
        "tcp://[fe80::1]",
        "rdma://h",
        "qemu+tls://h/system#/x",
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (!vg_uri_names_file(files[i]))
            fail_msg("%s names a file", files[i]);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        if (vg_uri_names_file(none[i]))
            fail_msg("%s names no file", none[i]);
}

static void test_unsafe_uris(void **state)
{
    (void)state;
    static const char *const safe[] = {
        "test:///default",
        "qemu+ssh://u@h/system?keyfile=/k&no_verify=0",
        "qemu+ssh://h/system?socket=/command=x",
        "qemu+tls://h/system?pkipath=/x&nocommand=1",
        "qemu+external://h/",
        "ext+tcp://h/",
        "qemu:///system#?command=x",
        "qemu+libssh2://h/?known_hosts_verify=normal",
    };
    static const char *const unsafe[] = {
        "",
        "qemu+ext:///system",
        "qemu+EXT://h/",
        "qemu+ext://h/?command=/x",
        "qemu+ssh://u:pw@h/?command=/x",
        "qemu+ssh://u:pw@h/?a=b&command=/x",
        "qemu+ssh://u:pw@h/?a=b;Command=/x",
        "qemu+ssh://u:pw@h/?%63omman%64=/x",
        "qemu+ssh://u:pw@h/?netcat=/x",
        "qemu+tls://u:pw@h/?no_verify=1",
        "qemu+tls://u:pw@h/?no_verify=%31",
        "qemu+tls://u:pw@h/?no_verify=2",
        "qemu+tls://u:pw@h/?no_verify",
        "qemu+libssh2://u:pw@h/?known_hosts_verify=ignore",
    };
    for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++) {
        struct result r = read_good(&(struct input){.args = {"--connect", safe[i]}});
        clear_result(&r);
    }
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
        char host[200];
        (void)snprintf(host, sizeof(host), "h=%s", unsafe[i]);
        const char *const args[][2] = {{"--connect", unsafe[i]}, {"--host", host}};
        for (size_t k = 0; k < 2; k++) {
            struct input in = {.args = {args[k][0], args[k][1]}};
            struct result r = read_input(&in);
            if (r.rc == 0)
                fail_msg("%s was accepted", unsafe[i]);
            assert_non_null(strstr(r.message, "--allow-unsafe-uri"));
            assert_null(strstr(r.message, "pw"));
            clear_result(&r);
            in.args[2] = "--allow-unsafe-uri";
            r = read_good(&in);
            assert_string_equal(r.config.hosts.v[0].uri, unsafe[i]);
            clear_result(&r);
        }
    }
}

/* ---- help -------------------------------------------------------------------------- */

static void test_help(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    vg_config_help(out);
    assert_int_equal(fclose(out), 0);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        assert_true(strcspn(line, "\n") <= 90);
        assert_int_not_equal(line[strcspn(line, "\n")], '\0');
    }
#define X(field, KIND, name, letter, arg, def, min, max, help)                           \
    assert_non_null(strstr(text, "--" name " "));
#include "server/config/config.def"
#undef X
    assert_non_null(strstr(text, "\n  -c, --connect URI "));
    assert_non_null(strstr(text, "(default 127.0.0.1:8080)"));
    assert_non_null(strstr(text, "(default 4096)"));
    assert_non_null(strstr(text, "--check-config "));
    assert_non_null(strstr(text, "-V, --version "));
    assert_non_null(strstr(text, "-h, --help "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_config_file),     cmocka_unit_test(test_lists),
        cmocka_unit_test(test_admin_uris),      cmocka_unit_test(test_default_host),
        cmocka_unit_test(test_no_default_host), cmocka_unit_test(test_bool_words),
        cmocka_unit_test(test_actions),         cmocka_unit_test(test_grammars),
        cmocka_unit_test(test_listen_reach),    cmocka_unit_test(test_unsafe_uris),
        cmocka_unit_test(test_uris_of_files),   cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
