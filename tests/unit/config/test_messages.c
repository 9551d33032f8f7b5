/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is wrong with a configuration, in one line: the option, the variable or FILE:LINE,
 * and what is accepted there.
 */
#include "tests/unit/config/config_fixture.h"

#define KEYS                                                                             \
    "connect, host, admin-uri, listen, read-only, local-dir, token-file, tls-cert, "     \
    "tls-key, "                                                                          \
    "tls-client-ca, tls-client-role, unix-role, trust-header, trust-role-header, "       \
    "pass-identity, cors-origin, allowed-host, "                                         \
    "trusted-proxy, path-prefix, "                                                       \
    "allow-insecure, allow-unsafe-uri, log-level, "                                      \
    "log-filters, log-outputs, log-format, audit-required, http-threads, "               \
    "max-connections, "                                                                  \
    "max-connections-per-address, health-connections, "                                  \
    "max-json-bytes, max-document-bytes, "                                               \
    "body-memory, body-memory-per-token, answer-memory, "                                \
    "reads-per-second, changes-per-second, failed-tokens, streams-per-token, "           \
    "consoles-per-token, transfer-memory, "                                              \
    "header-timeout, body-timeout, idle-timeout, drain-seconds, "                        \
    "pool-size, queue-size, event-buffer, history, operations, operation-deadline, "     \
    "transfers, transfer-deadline, upload-expiry, uploads-per-token, import-from, "      \
    "import-network, consoles, "                                                         \
    "read-deadline, change-deadline"
#define HOST_FORM                                                                        \
    "expected NAME=URI, NAME being 1 to 64 of A-Z a-z 0-9 . _ - and not `-` alone"
#define SECTION_FORM                                                                     \
    "expected [host NAME], NAME being 1 to 64 of A-Z a-z 0-9 . _ - and not `-` alone"
#define PREFIX_FORM                                                                      \
    "expected a path as /virt, of A-Z a-z 0-9 . _ ~ - and 100 characters at most, "      \
    "without a slash at its end, not "
#define LINE_FORM "expected `NAME = VALUE`, [virtgate] or [host NAME]"
#define NO_CERTIFICATE                                                                   \
    "does not hold certificates in PEM (`-----BEGIN CERTIFICATE-----`): No certificate " \
    "was found."
#define URI_FORM(why)                                                                    \
    "this is no libvirt URI: " why "; expected SCHEME://[HOST]/PATH, as in "             \
    "qemu:///system"
#define OPEN " is open to other machines, which needs authentication and TLS: give "
#define NO_AUDIT                                                                         \
    "no output of the log takes lines of source `audit` and level 2 (log-outputs, "      \
    "log-filters, log-level)"
#define OR_ELSE ", or listen on 127.0.0.1, or give --allow-insecure"

struct message_row {
    struct input in;
    const char *message;
};

static void check_messages(const struct message_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect_message(&rows[i].in, rows[i].message);
}

static void test_command_line_messages(void **state)
{
    (void)state;
    static const struct message_row rows[] = {
        {{.args = {"--bogus=u:pw"}},
         "--bogus: unknown or ambiguous option; --help lists them"},
        {{.args = {"--tls-c", "x"}},
         "--tls-c: unknown or ambiguous option; --help lists them"},
        {{.args = {"-x"}}, "-x: unknown option; --help lists them"},
        {{.args = {"--listen"}}, "--listen: needs a value: ADDR:PORT|unix:PATH"},
        {{.args = {"-c"}}, "--connect: needs a value: URI"},
        {{.args = {"--check-config=x"}}, "--check-config: takes no value"},
        {{.args = {"--version=x"}}, "--version: takes no value"},
        {{.args = {"--help=x"}}, "--help: takes no value"},
        {{.args = {"--read-only", "yes"}},
         "argument 2 belongs to no option; --help lists them"},
        {{.args = {"--", "x"}}, "argument 2 belongs to no option; --help lists them"},
        {{.args = {""}}, "argument 1 belongs to no option; --help lists them"},
        {{.args = {"--read-only=maybe"}},
         "--read-only: expected yes, true, on, 1, no, false, off or 0, not `maybe`"},
        {{.args = {"--read-only="}},
         "--read-only: the value is empty, expected yes or no"},
        {{.args = {"--token-file="}}, "--token-file: the value is empty, expected FILE"},
        {{.args = {"--log-level", "5\n"}},
         "--log-level: expected a number from 1 to 4, not `5?`"},
        {{.args = {"--host=qemu://u:pw@h/"}}, "--host: " HOST_FORM},
        {{.args = {"--host=a=x:///", "--host=a=y:///"}},
         "--host: host `a` is there twice"},
        {{.args = {"--host=default=x:///", "-c", "y:///"}},
         "--host: host `default` is already the one of --connect; give only one of them"},
        {{.args = {"-l", "x"}},
         "--listen: expected ADDR:PORT, [IPV6]:PORT or unix:PATH, PORT being 0 to 65535, "
         "not `x`"},
        {{.args = {"--cors-origin=*"}},
         "--cors-origin: expected SCHEME://HOST or SCHEME://HOST:PORT, without a path; "
         "`*` is not one, not `*`"},
        {{.args = {"--cors-origin=HTTPS://Page.example:443/x"}},
         "--cors-origin: browsers do not send `HTTPS://Page.example:443/x` as an origin; "
         "write `https://page.example`"},
        {{.args = {"--allowed-host=a:80"}},
         "--allowed-host: expected a name or address as in the header Host, without a "
         "port, not `a:80`"},
        {{.args = {"--connect=u:pw"}},
         "--connect: " URI_FORM("after the scheme there is no slash")},
        {{.args = {"--host=a=/pw"}}, "--host: " URI_FORM("it has no scheme")},
        {{.args = {"--host=a=x://u:p w@h/"}}, "--host: " URI_FORM("it cannot be parsed")},
        {{.args = {"--log-outputs=1:stderr 2:file:/tmp/none/a"}},
         "--log-outputs: cannot write to `/tmp/none/a`: No such file or directory"},
        {{.args = {"--log-format=xml"}},
         "--log-format: expected logfmt or json, not `xml`"},
        {{.args = {"--log-filters=9:a"}},
         "--log-filters: expected LEVEL:MATCH, separated by spaces, LEVEL being 1 to 4, "
         "not `9:a`"},
        {{.args = {"--log-outputs=1:x"}},
         "--log-outputs: expected LEVEL:stderr, LEVEL:syslog:NAME, LEVEL:file:/PATH or "
         "LEVEL:journald, separated by spaces, LEVEL being 1 to 4, not `1:x`"},
    };
    check_messages(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Of a trail that is required and goes nowhere. */
static void test_audit_messages(void **state)
{
    (void)state;
    static const struct message_row rows[] = {
        {{.args = {"--audit-required", "--log-level=3"}}, "--audit-required: " NO_AUDIT},
        {{.args = {"--audit-required", "--log-filters=1:http 4:aud 1:audit"}},
         "--audit-required: " NO_AUDIT},
        {{.args = {"--log-outputs=3:stderr 4:journald", "--audit-required=yes"}},
         "--audit-required: " NO_AUDIT},
        {{.environment = "VIRTGATE_AUDIT_REQUIRED=1", .args = {"--log-level=4"}},
         "VIRTGATE_AUDIT_REQUIRED: " NO_AUDIT},
    };
    check_messages(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Of what stands before a gateway. */
static void test_proxy_messages(void **state)
{
    (void)state;
    static const struct message_row rows[] = {
        {{.args = {"--trusted-proxy=proxy.example"}},
         "--trusted-proxy: expected an IPv4 or IPv6 address, ADDRESS/BITS or unix, not "
         "`proxy.example`"},
        {{.args = {"--trusted-proxy=10.0.0.0/33"}},
         "--trusted-proxy: expected an IPv4 or IPv6 address, ADDRESS/BITS or unix, not "
         "`10.0.0.0/33`"},
        {{.args = {"--path-prefix=virt"}}, "--path-prefix: " PREFIX_FORM "`virt`"},
        {{.args = {"--path-prefix=/"}}, "--path-prefix: " PREFIX_FORM "`/`"},
        {{.args = {"--path-prefix=/virt/"}}, "--path-prefix: " PREFIX_FORM "`/virt/`"},
        {{.args = {"--path-prefix=/a/../b"}}, "--path-prefix: " PREFIX_FORM "`/a/../b`"},
        {{.args = {"--path-prefix=/a%20b"}}, "--path-prefix: " PREFIX_FORM "`/a%20b`"},
    };
    check_messages(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_environment_messages(void **state)
{
    (void)state;
    static const struct message_row rows[] = {
        {{.environment = "VIRTGATE_READ_ONLY=maybe"},
         "VIRTGATE_READ_ONLY: expected yes, true, on, 1, no, false, off or 0, not "
         "`maybe`"},
        {{.environment = "VIRTGATE_LOG_FORMAT= "},
         "VIRTGATE_LOG_FORMAT: the value is empty, expected logfmt|json"},
        {{.environment = "VIRTGATE_LISTEN="},
         "VIRTGATE_LISTEN: the value is empty, expected ADDR:PORT|unix:PATH"},
        {{.environment = "VIRTGATE_HOST=a=x:/// b"}, "VIRTGATE_HOST: " HOST_FORM},
        {{.environment = "VIRTGATE_LISTEN=127.0.0.1:1 0.0.0.0:2"},
         "VIRTGATE_LISTEN: `0.0.0.0:2`" OPEN
         "--token-file, --tls-cert and --tls-key" OR_ELSE},
        {{.environment = "VIRTGATE_CONFIG=none.conf"},
         "VIRTGATE_CONFIG: cannot read `none.conf`: No such file or directory"},
        {{.environment = "VIRTGATE_CONFIG=/"}, "VIRTGATE_CONFIG: `/` is a directory"},
        {{.environment = "VIRTGATE_CONNECT="},
         "VIRTGATE_CONNECT: this libvirt URI is unsafe: it is empty, so libvirt would "
         "choose the hypervisor; to accept it, give --allow-unsafe-uri"},
    };
    check_messages(rows, sizeof(rows) / sizeof(rows[0]));
    /* A container runtime's own variables are none of ours. */
    struct result r = read_good(&(struct input){.environment = "VIRTGATE_PORT=tcp://x"});
    clear_result(&r);
}

static void test_file_messages(void **state)
{
    (void)state;
    static const struct message_row rows[] = {
        {{.file = "\n\nbogus = 1\n"},
         FILE_NAME ":3: unknown key `bogus`; accepted are " KEYS},
        {{.file = "#\nbogus\npool-size = x\n"}, FILE_NAME ":2: " LINE_FORM},
        {{.file = "pool-size = x\nbogus\n"},
         FILE_NAME ":1: pool-size: expected a number from 1 to 16, not `x`"},
        {{.file = "x\n[bogus]\n"}, FILE_NAME ":1: " LINE_FORM},
        {{.file = "read-only\n"}, FILE_NAME ":1: " LINE_FORM},
        {{.file = "read-only =\n"},
         FILE_NAME ":1: read-only: the value is empty, expected yes or no"},
        {{.file = "\n[bogus]\n"},
         FILE_NAME ":2: unknown section; accepted are [virtgate] and [host NAME]"},
        {{.file = "[host]\n"},
         FILE_NAME ":1: unknown section; accepted are [virtgate] and [host NAME]"},
        {{.file = "[virtgate\n"},
         FILE_NAME ":1: unknown section; accepted are [virtgate] and [host NAME]"},
        {{.file = "[host ]\n"}, FILE_NAME ":1: " SECTION_FORM},
        {{.file = "[host -]\n"}, FILE_NAME ":1: " SECTION_FORM},
        {{.file = "[host a b]\n"}, FILE_NAME ":1: " SECTION_FORM},
        {{.file = "[host a]\n\n[virtgate]\n"},
         FILE_NAME ":1: [host a] needs `uri = URI`"},
        {{.file = "\n[host a]\n"}, FILE_NAME ":2: [host a] needs `uri = URI`"},
        {{.file = "[host a]\nlisten = x\n"},
         FILE_NAME ":2: unknown key `listen`; accepted are uri, admin-uri"},
        {{.file = "[host a]\nuri = x:///\nuri = y:///\n"},
         FILE_NAME ":3: uri is there twice in [host a]"},
        {{.file = "uri = x:///\n"},
         FILE_NAME ":1: unknown key `uri`; accepted are " KEYS},
        {{.file = "config = x\n"},
         FILE_NAME ":1: config: a config file cannot name another one"},
        {{.file = "pool-size = 1\n\npool-size = 2\n"},
         FILE_NAME ":3: pool-size is there twice; before at " FILE_NAME ":1: pool-size"},
        {{.file = "host = a\n"}, FILE_NAME ":1: host: " HOST_FORM},
        {{.file = "host = a=x:///\n[host a]\nuri = y:///\n"},
         FILE_NAME ":3: uri: host `a` is there twice"},
        {{.file = "[host default]\nuri = y:///\n", .args = {"-c", "x:///"}},
         FILE_NAME ":2: uri: host `default` is already the one of --connect; give only "
                   "one of them"},
        {{.file = "[host a]\nuri = qemu+ext:///\n"},
         FILE_NAME ":2: uri: the libvirt URI of host `a` is unsafe: the transport `ext` "
                   "runs a program; to accept it, give --allow-unsafe-uri"},
        {{.file = "listen = 127.0.0.1:1\nlisten = 0.0.0.0:2\n"},
         FILE_NAME ":2: listen: `0.0.0.0:2`" OPEN
                   "--token-file, --tls-cert and --tls-key" OR_ELSE},
        {{.file = "listen = 127.0.0.1:1 127.0.0.1:2\n"},
         FILE_NAME ":1: listen: expected ADDR:PORT, [IPV6]:PORT or unix:PATH, PORT being "
                   "0 to 65535, one per line, not `127.0.0.1:1 127.0.0.1:2`"},
        {{.file = "allowed-host = a b\n"},
         FILE_NAME ":1: allowed-host: expected a name or address as in the header Host, "
                   "without a port, one per line, not `a b`"},
        {{.file = "tls-cert = a.pem\n"},
         FILE_NAME ":1: tls-cert: needs --tls-key as well"},
    };
    check_messages(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_admin_messages(void **state)
{
    (void)state;
    static const struct message_row rows[] = {
        {{.file = "[host a]\nuri = x:///\nadmin-uri = y:///\nadmin-uri = z:///\n"},
         FILE_NAME ":4: admin-uri is there twice in [host a]"},
        {{.file = "[host a]\nadmin-uri = x:///\n"},
         FILE_NAME ":1: [host a] needs `uri = URI`"},
        {{.file = "admin-uri = b=x:///\n[host a]\nuri = x:///\n"},
         FILE_NAME ":1: admin-uri: there is no host `b`"},
        {{.file = "admin-uri = default=x:///\n[host a]\nuri = x:///\n"},
         FILE_NAME ":1: admin-uri: there is no host `default`"},
        {{.file = "admin-uri = a=x:///\n[host a]\nuri = x:///\nadmin-uri = y:///\n"},
         FILE_NAME ":4: admin-uri: host `a` has an admin-uri already, at " FILE_NAME
                   ":1: admin-uri"},
        {{.file = "admin-uri = x:///\n"}, FILE_NAME ":1: admin-uri: " HOST_FORM},
    };
    check_messages(rows, sizeof(rows) / sizeof(rows[0]));
}

/* `connect = URI`, a line of n bytes. */
static void fill_line(char *line, size_t size, size_t n)
{
    static const char key[] = "connect = test:///";
    char path[512];
    memset(path, 'x', sizeof(path));
    (void)snprintf(line, size, "%s%.*s\n", key, (int)(n - strlen(key)), path);
}

static void test_long_line(void **state)
{
    (void)state;
    char text[600] = "\n";
    fill_line(text + 1, sizeof(text) - 1, 198);
    struct result r = read_good(&(struct input){.file = text});
    assert_int_equal(strlen(r.config.connect), 188);
    clear_result(&r);
    static const size_t lengths[] = {199, 200, 500};
    for (size_t i = 0; i < 3; i++) {
        fill_line(text + 1, sizeof(text) - 1, lengths[i]);
        expect_message(&(struct input){.file = text}, FILE_NAME
                       ":2: the line is longer than 198 bytes, which the config file "
                       "cannot have; the command line and the environment can");
    }
    fill_line(text, sizeof(text), 500);
    text[500] = '\0';
    r = read_good(&(struct input){.args = {"-c", text + 10}});
    clear_result(&r);
}

static void test_rule_messages(void **state)
{
    (void)state;
    static const struct message_row rows[] = {
        {{.args = {"--tls-cert=a.pem"}}, "--tls-cert: needs --tls-key as well"},
        {{.args = {"--tls-key=a.pem"}}, "--tls-key: needs --tls-cert as well"},
        {{.args = {"--tls-client-ca=a.pem"}},
         "--tls-client-ca: needs --tls-cert and --tls-key as well"},
        {{.args = {"-l", ":1"}},
         "--listen: `:1`" OPEN "--token-file, --tls-cert and --tls-key" OR_ELSE},
        {{.args = {"-l", ":1", "--token-file=a.tokens"}},
         "--listen: `:1`" OPEN "--tls-cert and --tls-key" OR_ELSE},
        {{.args = {"-l", ":1", "--tls-cert=a.pem", "--tls-key=a.pem"}},
         "--listen: `:1`" OPEN "--token-file or --tls-client-ca" OR_ELSE},
        {{.args = {"--token-file=none"}},
         "--token-file: cannot read `none`: No such file or directory"},
        {{.args = {"--token-file=/"}}, "--token-file: `/` is a directory"},
        {{.args = {"--local-dir=a"}}, "--local-dir: expected an absolute path, not `a`"},
        {{.args = {"--local-dir=/dev/null"}}, "--local-dir: `/dev/null` is no folder"},
        {{.args = {"--local-dir=/nosuch"}}, "--local-dir: `/nosuch` is no folder"},
        {{.args = {"--token-file=bad.tokens"}},
         "--token-file: bad.tokens:3: the role is none of viewer, operator, admin"},
        {{.file = "token-file = empty.tokens\n"},
         FILE_NAME
         ":1: token-file: `empty.tokens` holds no token; expected lines of NAME "
         "ROLE SHA256 [EXPIRES] [KEY=VALUE...]"},
        {{.args = {"--token-file=open.pem"}},
         "--token-file: `open.pem` is world-writable; run: chmod o-rw 'open.pem'"},
        {{.args = {"--tls-cert=a.pem", "--tls-key=open.pem"}},
         "--tls-key: `open.pem` is world-writable; run: chmod o-rw 'open.pem'"},
        {{.args = {"--tls-cert=a.pem", "--tls-key=a.pem", "--tls-client-ca=none"}},
         "--tls-client-ca: cannot read `none`: No such file or directory"},
        {{.args = {"--tls-cert=a.tokens", "--tls-key=a.pem"}},
         "--tls-cert: `a.tokens` " NO_CERTIFICATE},
        {{.args = {"--tls-cert=a.pem", "--tls-key=a.tokens"}},
         "--tls-key: `a.tokens` does not hold a private key in PEM (`-----BEGIN PRIVATE "
         "KEY-----`) without a password: The requested data were not available."},
        {{.args = {"--tls-cert=a.pem", "--tls-key=b.pem"}},
         "--tls-key: the key in `b.pem` is not the one of the first certificate in "
         "`a.pem`: The certificate and the given key do not match."},
        {{.file = "tls-cert = a.pem\ntls-key = a.pem\ntls-client-ca = empty.tokens\n"},
         FILE_NAME ":3: tls-client-ca: `empty.tokens` " NO_CERTIFICATE},
    };
    write_file("open.pem", "x\n", 0606);
    write_file("bad.tokens", "# one\na admin " HASH "\nb root " HASH "\n", 0600);
    write_file("empty.tokens", "# none\n\n", 0600);
    check_messages(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Who can write the file can do anything; who can read it, may not read a password. */
static void test_file_modes(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *message; /* NULL: it is read */
    } rows[] = {
#define PASSWORD                                                                         \
    "the URI has a password, and `open.conf` is world-readable; run: chmod o-r "         \
    "'open.conf'"
        {"pool-size = 3\n", 0644, NULL},
        {"pool-size = 3\n", 0664,
         "--config: `open.conf` is group-writable; run: chmod g-w 'open.conf'"},
        {"pool-size = 3\n", 0646,
         "--config: `open.conf` is world-writable; run: chmod o-w 'open.conf'"},
        {"connect = esx://u@h/?x=1\n", 0644, NULL},
        {"connect = esx://u:p@h/\n", 0640, NULL},
        {"connect = esx://u:p@h/\n", 0644, "open.conf:1: connect: " PASSWORD},
        {"connect = esx://u@h/?x=1&Pass%77ord=p\n", 0644,
         "open.conf:1: connect: " PASSWORD},
        {"\nhost = a=esx://u:p@h/\n", 0604, "open.conf:2: host: " PASSWORD},
        {"[host a]\nuri = esx://u@h/?password=p\n", 0644, "open.conf:2: uri: " PASSWORD},
        {"connect = esx://h/?passwords=p#?password=p\n", 0644, NULL},
        {"connect = esx://h/a:b@c\n", 0644, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct input in = {.args = {"-f", "open.conf"}};
        write_file("open.conf", rows[i].text, rows[i].mode);
        if (rows[i].message) {
            expect_message(&in, rows[i].message);
        } else {
            struct result r = read_good(&in);
            clear_result(&r);
        }
    }
}

/* A lower level's bad value is found even where a higher level sets the option. */
static void test_lower_checked(void **state)
{
    (void)state;
    expect_message(&(struct input){.file = "pool-size = 0\n", .args = {"--pool-size=2"}},
                   FILE_NAME ":1: pool-size: expected a number from 1 to 16, not `0`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_line_messages),
        cmocka_unit_test(test_audit_messages),
        cmocka_unit_test(test_proxy_messages),
        cmocka_unit_test(test_environment_messages),
        cmocka_unit_test(test_file_messages),
        cmocka_unit_test(test_admin_messages),
        cmocka_unit_test(test_file_modes),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_rule_messages),
        cmocka_unit_test(test_lower_checked),
    };
    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
