/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may do what: bearer tokens and their roles, --read-only, origins (CORS and foreign
 * pages), unix sockets, and TLS with and without client certificates.
 */
#include "tests/harness/steps.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VIEWER   "Authorization: Bearer viewer-token"
#define OPERATOR "Authorization: Bearer operator-token"
#define ADMIN    "Authorization: Bearer admin-token"
#define EXPIRED  "Authorization: Bearer expired-token"
#define FUTURE   "Authorization: Bearer future-token"
#define XML(name)                                                                        \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<os><type>hvm</type></os></domain>"

static const struct step roles[] = {
    {"GET", "/health/live", 200, "{'status':'live'}"},
    {"GET", "/health/ready", 200, NULL},
    {"GET", "/openapi.json", 200, "{'openapi':'3.1.0'}"},
    {"GET", "/docs", 200, NULL, .contains = "*<html*"},
    {"GET", "/docs/docs.js", 200, NULL},
    {"GET", "/domains", 401, GATEWAY("unauthorized"),
     .wants = {"WWW-Authenticate: Bearer*"}},
    {"GET", "/domains", 401, GATEWAY("unauthorized"),
     .headers = {"Authorization: Bearer nonsense"}},
    {"GET", "/domains", 401, GATEWAY("unauthorized"),
     .headers = {"Authorization: Bearer "}},
    {"GET", "/domains", 401, GATEWAY("unauthorized"),
     .headers = {"Authorization: Bearer"}},
    {"GET", "/domains", 401, GATEWAY("unauthorized"),
     .headers = {"Authorization: Bearer   \t "}},
    {"GET", "/domains", 401, GATEWAY("unauthorized"),
     .headers = {"Authorization: Basic dmlld2VyLXRva2Vu"}},
    {"GET", "/domains", 401, GATEWAY("unauthorized"), .headers = {EXPIRED}},
    {"GET", "/domains?token=admin-token", 401, GATEWAY("unauthorized")},
    {"GET", "/domains", 200, NULL, .headers = {VIEWER}},
    {"GET", "/domains", 200, NULL, .headers = {FUTURE}},
    {"GET", "/domains", 200, NULL, .headers = {"authorization: bearer viewer-token"}},
    {"GET", "/domains/test/xml", 200, NULL, .headers = {VIEWER}},
    {"GET", "/domains/test?view=config", 200, NULL, .headers = {VIEWER}},
    {"GET", "/domains/test?view=config&flags=secure", 403, GATEWAY("forbidden"),
     .headers = {VIEWER}, .contains = "*admin*"},
    {"GET", "/domains/test?view=config&flags=migratable", 403, GATEWAY("forbidden"),
     .headers = {OPERATOR}, .contains = "*admin*"},
    {"GET", "/domains/test/xml?flags=secure", 403, GATEWAY("forbidden"),
     .headers = {VIEWER}},
    {"GET", "/domains/test?view=config&flags=secure", 200, NULL, .headers = {ADMIN}},
    {"GET", "/connection/domain-capabilities?emulator=/bin/sh", 403, GATEWAY("forbidden"),
     .headers = {OPERATOR}, .contains = "*admin*"},
    {"GET", "/domains/test/qemu/events", 403, GATEWAY("forbidden"), .headers = {OPERATOR},
     .contains = "*admin*"},
    {"GET", "/domains/test/qemu/events", 501, LIBVIRT("NO_SUPPORT"), .headers = {ADMIN}},
    {"PATCH", "/domains/test", 403, GATEWAY("forbidden"), .json = "{'domain':{}}",
     .headers = {OPERATOR}},
    {"PUT", "/domains/test", 403, GATEWAY("forbidden"), .json = "{'domain':{}}",
     .headers = {OPERATOR}},
    {"POST", "/connection/domain-xml-to-native", 403, GATEWAY("forbidden"), .json = "{}",
     .headers = {OPERATOR}},
    {"POST", "/domains/test/snapshots", 403, GATEWAY("forbidden"),
     .xml = "<domainsnapshot/>", .headers = {OPERATOR}, .contains = "*admin*"},
    {"POST", "/domains/test/suspend", 403, GATEWAY("forbidden"), .headers = {VIEWER},
     .contains = "*operator*"},
    {"POST", "/domains", 403, GATEWAY("forbidden"), .xml = XML("a"), .headers = {VIEWER}},
    {"POST", "/domains/test/suspend", 401, GATEWAY("unauthorized")},
    {"POST", "/domains/test/suspend", 204, "", .headers = {OPERATOR}},
    {"POST", "/domains/test/resume", 204, "", .headers = {OPERATOR}},
    {"PUT", "/domains/test/autostart", 200, NULL, .json = "{'autostart':false}",
     .headers = {OPERATOR}},
    {"POST", "/domains", 403, GATEWAY("forbidden"), .xml = XML("a"),
     .headers = {OPERATOR}},
    {"DELETE", "/domains/test", 403, GATEWAY("forbidden"), .headers = {OPERATOR}},
    {"PUT", "/domains/test/xml", 403, GATEWAY("forbidden"), .xml = XML("test"),
     .headers = {OPERATOR}},
    {"POST", "/domains", 201, NULL, .xml = XML("a"), .headers = {ADMIN}},
    {"DELETE", "/domains/a", 204, NULL, .headers = {ADMIN}},
    {"GET", "/nosuch", 404, GATEWAY("not-found"), .headers = {ADMIN}},
};

static const struct step reloaded[] = {
    {"GET", "/domains", 401, GATEWAY("unauthorized"), .headers = {ADMIN}},
    {"GET", "/domains", 200, NULL, .headers = {"Authorization: Bearer new-token"}},
};

static const struct step read_only[] = {
    {"GET", "/whoami", 200, "{'role':'admin'}", .contains = "*\"domain:read\"*"},
    {"GET", "/whoami", 200, NULL,
     .contains = "*\"permissions\":\\[*\"secret:read\"\\],*"},
    {"GET", "/domains", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domains/test/xml", 200, NULL, .contains = "<domain *</domain>*"},
    {"POST", "/domains/test/suspend", 403, GATEWAY("read-only")},
    {"POST", "/domains", 403, GATEWAY("read-only"), .xml = XML("a")},
    {"DELETE", "/domains/test", 403, GATEWAY("read-only")},
    {"PUT", "/domains/test/autostart", 403, GATEWAY("read-only"),
     .json = "{'autostart':true}"},
    {"GET", "/domains/test", 200, "{'state':'running'}"},
};

#define PAGE "https://page.example"

static const struct step origins[] = {
    {"GET", "/domains", 200, NULL, .headers = {"Origin: " PAGE},
     .wants = {"Access-Control-Allow-Origin: " PAGE, "Vary: *Origin*"}},
    {"OPTIONS", "/domains/test/start", 204, "",
     .headers = {"Origin: " PAGE, "Access-Control-Request-Method: POST",
                 "Access-Control-Request-Headers: authorization, content-type"},
     .wants = {"Access-Control-Allow-Origin: " PAGE,
               "Access-Control-Allow-Methods: *POST*",
               "Access-Control-Allow-Headers: *"}},
    {"GET", "/domains", 403, GATEWAY("forbidden"),
     .headers = {"Origin: https://evil.example"},
     .wants = {"!Access-Control-Allow-Origin"}},
    {"GET", "/domains", 403, GATEWAY("forbidden"),
     .headers = {"Origin: https://page.example.evil"}},
    {"GET", "/domains", 403, GATEWAY("forbidden"),
     .headers = {"Origin: http://page.example"}},
    {"GET", "/domains", 403, GATEWAY("forbidden"), .headers = {"Origin: null"}},
    {"POST", "/domains/test/destroy", 403, GATEWAY("forbidden"),
     .headers = {"Origin: https://evil.example"}},
    {"POST", "/domains/test/destroy", 403, GATEWAY("forbidden"),
     .headers = {"Sec-Fetch-Site: cross-site"}},
    {"OPTIONS", "/domains/test/start", 403, NULL,
     .headers = {"Origin: https://evil.example", "Access-Control-Request-Method: POST"},
     .wants = {"!Access-Control-Allow-Origin"}},
    {"GET", "/domains", 403, GATEWAY("forbidden"),
     .headers = {"Sec-Fetch-Site: cross-site"}},
    {"GET", "/connection/domain-capabilities?emulator=/bin/sh", 403, GATEWAY("forbidden"),
     .headers = {"Sec-Fetch-Site: cross-site"}, .contains = "*--cors-origin*"},
    {"GET", "/health/live", 200, NULL, .headers = {"Sec-Fetch-Site: cross-site"}},
    {"GET", "/domains/test", 200, "{'state':'running'}",
     .wants = {"!Access-Control-Allow-Origin"}},
};

/* ---- tokens ------------------------------------------------------------------------ */

static void run_shell(const char *command, const char *dir)
{
    check_that(run_program(ARGS("sh", "-ec", command, "sh", dir)) == 0, "sh: %s",
               command);
}

static const char make_tokens[] =
    "umask 077; cd \"$1\"; rm -f tokens; h() { printf %s \"$1\" | sha256sum | cut -d' ' "
    "-f1; }\n"
    "{ echo '# NAME ROLE SHA256 [EXPIRES]'; echo\n"
    "echo \"v viewer $(h viewer-token)\"\n"
    "echo \"o operator $(h operator-token)\"\n"
    "echo \"a admin $(h admin-token)\"\n"
    "echo \"x admin $(h expired-token) 2020-01-01T00:00:00Z\"\n"
    "echo \"f viewer $(h future-token) 2999-01-01T00:00:00Z\"\n"
    "} >tokens";
static const char change_tokens[] =
    "umask 077; cd \"$1\"; echo \"n viewer $(printf %s new-token | sha256sum | "
    "cut -d' ' -f1)\" >tokens";

/* No token, nor its hash, may stand in the log. */
static void check_log(const struct scenario *s)
{
    char *log = read_whole(s->server.log);
    check_that(log && !strstr(log, "admin-token") && !strstr(log, "expired-token"),
               "the log shows a token");
    free(log);
}

/* That a text stands in the log `n` times; waited for. */
static void wait_log(const struct scenario *s, const char *text, size_t n)
{
    size_t found = 0;
    for (int i = 0; i < LONG_ENOUGH * 50 && found < n; i++) {
        sleep_seconds(0.02);
        char *log = read_whole(s->server.log);
        found = 0;
        for (const char *p = log; p && (p = strstr(p, text)); p += strlen(text))
            found++;
        free(log);
    }
    check_that(found == n, "%s stands in the log %zu times, not %zu", text, found, n);
}

/* A bad file keeps the old tokens, and the log says so and why. */
static void test_bad_reloads(struct scenario *s, const char *dir)
{
    static const struct {
        const char *change, *why;
    } rows[] = {
        {"echo nonsense >\"$1\"/tokens", "tokens:1: expected NAME ROLE SHA256 [EXPIRES]"},
        {"echo '#' >\"$1\"/tokens", "holds no token"},
        {"chmod 604 \"$1\"/tokens", "is world-readable; run: chmod o-rw"},
        {"chmod 620 \"$1\"/tokens", "is group-writable; run: chmod g-w"},
        {"umask 077; echo \"e admin $(sha256sum </dev/null | cut -d' ' -f1)\" "
         ">\"$1\"/tokens; chmod 600 \"$1\"/tokens",
         "tokens:1: the hash is that of an empty token"},
        {"rm \"$1\"/tokens", "No such file or directory"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        run_shell(rows[i].change, dir);
        kill(s->server.pid, SIGHUP);
        wait_log(s, "msg=\"reopening logs", i + 2);
        wait_log(s, "the old tokens stay in force: ", i + 1);
        wait_log(s, rows[i].why, 1);
        scenario_run(s, reloaded, COUNT(reloaded));
    }
    wait_log(s, "tokens read again", 1);
    run_shell("umask 077; echo nonsense >\"$1\"/tokens", dir);
}

static void test_roles(const char *dir)
{
    char file[128];
    snprintf(file, sizeof(file), "%s/tokens", dir);
    run_shell(make_tokens, dir);
    struct scenario s;
    if (!scenario_begin(&s, "roles", ARGS("-c", "test:///default", "--token-file", file)))
        return;
    scenario_run(&s, roles, COUNT(roles));
    run_shell(change_tokens, dir);
    kill(s.server.pid, SIGHUP);
    scenario_until(&s, &reloaded[0], 5);
    scenario_run(&s, reloaded, COUNT(reloaded));
    test_bad_reloads(&s, dir);
    check_log(&s);
    scenario_end(&s);

    char *output = NULL;
    int status = server_run(
        ARGS("-c", "test:///default", "--listen", "127.0.0.1:0", "--token-file", file),
        &output);
    check_that(status > 0 && output && strstr(output, "tokens"),
               "a bad token file: status %d, %s", status, output ? output : "");
    free(output);
    run_shell(make_tokens, dir);
    run_shell("chmod 644 \"$1\"/tokens", dir);
    status = server_run(
        ARGS("-c", "test:///default", "--listen", "127.0.0.1:0", "--token-file", file),
        &output);
    check_that(status > 0 && status < 128, "a token file others may read: status %d",
               status);
    free(output);
}

/* Two tokens of one name, as when one takes the other's place: what one of them did is no
 * answer for the other. */
static void test_one_name(const char *dir)
{
#define ONE "Authorization: Bearer one-token"
#define TWO "Authorization: Bearer two-token"
#define KEY "Idempotency-Key: k1"
    static const struct step rows[] = {
        {"POST", "/domains/test/suspend", 204, "", .headers = {ONE, KEY}},
        {"POST", "/domains/test/suspend", 204, "", .headers = {ONE, KEY}},
        {"POST", "/domains/test/suspend", 409, NULL, .headers = {TWO, KEY}},
        {"POST", "/domains/test/resume", 422, GATEWAY("idempotency-mismatch"),
         .headers = {ONE, KEY}},
        {"POST", "/domains/test/resume", 204, "",
         .headers = {TWO, "Idempotency-Key: k2"}},
        {"POST", "/domains/test/suspend", 422, GATEWAY("idempotency-mismatch"),
         .json = "{}", .headers = {ONE, KEY}},
        {"GET", "/domains/test", 200, "{'state':'running'}", .headers = {ONE}},
    };
    char file[128];
    struct scenario s;
    snprintf(file, sizeof(file), "%s/one-name", dir);
    run_shell("umask 077; cd \"$1\"; for t in one two; do echo \"ci operator $(printf "
              "%s $t-token | sha256sum | cut -d' ' -f1)\"; done >one-name",
              dir);
    if (!scenario_begin(&s, "one name",
                        ARGS("-c", "test:///default", "--token-file", file)))
        return;
    scenario_run(&s, rows, COUNT(rows));
    scenario_end(&s);
}

/* ---- TLS --------------------------------------------------------------------------- */

static void wait_for_log(const struct scenario *s, const char *text)
{
    bool found = false;
    for (int i = 0; i < LONG_ENOUGH * 50 && !found; i++) {
        char *log = read_whole(s->server.log);
        found = log && strstr(log, text);
        free(log);
        sleep_seconds(0.02);
    }
    check_that(found, "%s: %s does not stand in the log", s->name, text);
}

static const char make_certificates[] =
    "cd \"$1\"; exec 2>openssl.log\n"
    "ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
    "-keyout $1.key -out $1.pem -subj /CN=$1; }\n"
    "leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
    "-keyout $2.key -out $2.csr -subj \"$3\"\n"
    "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' >$2.ext\n"
    "[ -z \"$4\" ] || echo extendedKeyUsage=$4 >>$2.ext\n"
    "openssl x509 -req -in $2.csr -CA $1.pem -CAkey $1.key -CAcreateserial -days 2 "
    "-extfile $2.ext -out $2.pem; }\n"
    "ca ca; ca other; leaf ca server /CN=server; leaf other stranger /CN=stranger\n"
    "leaf ca client \"/CN=a client\nlevel=error\"; leaf ca unnamed /O=unnamed\n"
    "leaf ca purposed /CN=purposed clientAuth,serverAuth; leaf ca host /CN=host "
    "serverAuth\n"
    "chmod 600 *.key";

struct tls_case {
    const char *name;
    const char *certificate; /* of the client; NULL: none */
    long version;            /* CURLOPT_SSLVERSION */
    long status;             /* 0: no connection */
    const char *header;      /* of the request; NULL: none */
    const char *contains;    /* of the answer with its header; NULL: not looked at */
};

/* The status, and the answer with its header in *ret, owned. */
static long tls_status(const struct scenario *s, const char *dir,
                       const struct tls_case *c, char **ret)
{
    size_t size = 0;
    char url[64], ca[128], pem[128], key[128];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/domains", s->server.port);
    snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, c->version);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    FILE *out = open_memstream(ret, &size);
    if (!out)
        abort();
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, out);
    struct curl_slist *headers = c->header ? curl_slist_append(NULL, c->header) : NULL;
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (c->certificate) {
        snprintf(pem, sizeof(pem), "%s/%s.pem", dir, c->certificate);
        snprintf(key, sizeof(key), "%s/%s.key", dir, c->certificate);
        curl_easy_setopt(curl, CURLOPT_SSLCERT, pem);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, key);
    }
    long status = 0;
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    fclose(out);
    return status;
}

static void check_tls_case(const struct scenario *s, const char *dir,
                           const struct tls_case *c)
{
    char *answer = NULL;
    long status = tls_status(s, dir, c, &answer);
    check_that(status == c->status, "%s: %s: should be %ld, is %ld", s->name, c->name,
               c->status, status);
    if (c->contains)
        check_that(strstr(answer, c->contains), "%s: %s: no %s in %s", s->name, c->name,
                   c->contains, answer);
    free(answer);
}

/* The first case is one that is answered 200. `principals` are to stand in the log. */
static void run_tls(const char *name, const char *dir, const char *const args[],
                    const struct tls_case *cases, size_t n,
                    const char *const principals[])
{
    struct scenario s;
    if (!scenario_begin_unready(&s, name, args))
        return;
    long status = 0;
    for (int i = 0; i < LONG_ENOUGH * 20 && status != 200; i++) {
        char *answer = NULL;
        sleep_seconds(0.05);
        status = tls_status(&s, dir, &cases[0], &answer);
        free(answer);
    }
    for (size_t i = 0; i < n; i++)
        check_tls_case(&s, dir, &cases[i]);
    for (size_t i = 0; principals[i]; i++)
        wait_for_log(&s, principals[i]);
    bool closed;
    const char *plain = "GET /domains HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct response *r = raw_request(s.server.port, plain, strlen(plain), 3, &closed);
    check_response(r->status != 200, r, "%s: plain HTTP on the TLS port", name);
    response_free(r);
    scenario_end(&s);
}

static void test_tls(const char *dir)
{
    static const struct tls_case open[] = {
        {"TLS 1.3", NULL, CURL_SSLVERSION_TLSv1_3, 200},
        {"TLS 1.2", NULL, CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2, 200},
        {"TLS 1.1", NULL, CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1, 0},
        {"TLS 1.0", NULL, CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_0, 0},
    };
    static const struct tls_case mutual[] = {
        {"certificate", "client", CURL_SSLVERSION_DEFAULT, 200},
        {"no common name", "unnamed", CURL_SSLVERSION_DEFAULT, 200},
        {"for clients, too", "purposed", CURL_SSLVERSION_DEFAULT, 200},
        {"for servers alone", "host", CURL_SSLVERSION_DEFAULT, 401, NULL,
         "WWW-Authenticate: ClientCertificate realm="},
        {"no certificate", NULL, CURL_SSLVERSION_DEFAULT, 401, NULL,
         "WWW-Authenticate: ClientCertificate realm="},
        {"another CA's certificate", "stranger", CURL_SSLVERSION_DEFAULT, 401, NULL,
         "\"detail\":\"Show a client certificate "},
    };
    static const struct tls_case both[] = {
        {"certificate and token", "client", CURL_SSLVERSION_DEFAULT, 200, VIEWER},
        {"certificate alone", "client", CURL_SSLVERSION_DEFAULT, 401, NULL,
         "WWW-Authenticate: Bearer realm="},
        {"certificate and bad token", "client", CURL_SSLVERSION_DEFAULT, 401, EXPIRED,
         "Send `Authorization: Bearer TOKEN`"},
        {"token alone", NULL, CURL_SSLVERSION_DEFAULT, 401, VIEWER,
         "Show a client certificate "},
    };
    char cert[128], key[128], ca[128], tokens[128];
    snprintf(tokens, sizeof(tokens), "%s/tokens", dir);
    snprintf(cert, sizeof(cert), "%s/server.pem", dir);
    snprintf(key, sizeof(key), "%s/server.key", dir);
    snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
    run_shell(make_certificates, dir);
    run_tls("TLS", dir,
            ARGS("-c", "test:///default", "--tls-cert", cert, "--tls-key", key), open,
            COUNT(open), ARGS("principal=- "));
    run_tls("mutual TLS", dir,
            ARGS("-c", "test:///default", "--tls-cert", cert, "--tls-key", key,
                 "--tls-client-ca", ca),
            mutual, COUNT(mutual),
            ARGS("principal=\"a client\\nlevel=error\" ", "principal=\"O=unnamed\" "));
    run_shell(make_tokens, dir);
    run_tls("mutual TLS with tokens", dir,
            ARGS("-c", "test:///default", "--tls-cert", cert, "--tls-key", key,
                 "--tls-client-ca", ca, "--token-file", tokens),
            both, COUNT(both), ARGS("principal=v "));
    char *output = NULL;
    int status = server_run(
        ARGS("-c", "test:///default", "--listen", "127.0.0.1:0", "--tls-cert", cert),
        &output);
    check_that(status == 2, "a certificate without a key: status %d: %s", status,
               output ? output : "");
    free(output);
}

/* ---- unix socket ------------------------------------------------------------------- */

static void test_unix_socket(const char *dir)
{
    char path[128], option[160];
    snprintf(path, sizeof(path), "%s/socket", dir);
    snprintf(option, sizeof(option), "unix:%s", path);
    struct scenario s;
    if (!scenario_begin(&s, "unix socket",
                        ARGS("-c", "test:///default", "--listen", option)))
        return;
    CURL *curl = curl_easy_init();
    FILE *null = fopen("/dev/null", "we");
    long status = 0;
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
    curl_easy_setopt(curl, CURLOPT_URL, "http://localhost/domains/test");
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, null);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (null)
        fclose(null);
    check_that(status == 200, "GET /domains/test by the unix socket: %ld", status);
    scenario_end(&s);
    check_that(access(path, F_OK) != 0, "the unix socket is left behind");
}

static void run_rows(const char *name, const char *const args[], const struct step *rows,
                     size_t n)
{
    struct scenario s;
    if (!scenario_begin(&s, name, args))
        return;
    scenario_run(&s, rows, n);
    scenario_end(&s);
}

int main(void)
{
    char dir[] = "/tmp/vg-test-auth.XXXXXX";
    if (!mkdtemp(dir))
        abort();
    test_roles(dir);
    test_one_name(dir);
    run_rows("read-only", ARGS("-c", "test:///default", "--read-only"), read_only,
             COUNT(read_only));
    run_rows("origins", ARGS("-c", "test:///default", "--cors-origin", PAGE), origins,
             COUNT(origins));
    run_rows("allowed host",
             ARGS("-c", "test:///default", "--allowed-host", "gw.example"),
             (const struct step[]){
                 {"GET", "/domains", 200, NULL, .headers = {"Host: gw.example"}},
                 {"GET", "/domains", 200, NULL, .headers = {"Host: gw.example:8080"}},
                 {"GET", "/domains", 421, GATEWAY("misdirected-request"),
                  .headers = {"Host: other.example"}},
             },
             3);
    test_tls(dir);
    test_unix_socket(dir);
    run_program(ARGS("rm", "-rf", dir));
    return checks_report();
}
