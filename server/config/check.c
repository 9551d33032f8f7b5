/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a configuration may say: the grammar of each value, and the rules between options
 * that keep a gateway from being open by accident. Messages never quote a libvirt URI,
 * which may hold a password.
 */
#include "server/config/internal.h"
#include "server/base/address.h"
#include "server/base/url_pattern.h"
#include "server/config/role_rule.h"
#include "server/config/tls.h"
#include "server/config/token_file.h"
#include "server/base/log.h"
#include "virtgate/uri.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "virtgate/cleanup.h"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* ---- addresses --------------------------------------------------------------------- */

/* A copy of ADDR in `ADDR:PORT`, without an IPv6 address' brackets; NULL: not that form.
 */
static char *split_address(const char *listen, bool *ret_v6)
{
    const char *colon = strrchr(listen, ':');
    if (!colon || !vg_config_is_port(colon + 1))
        return NULL;
    size_t n = (size_t)(colon - listen);
    *ret_v6 = listen[0] == '[';
    if (!*ret_v6)
        return strspn(listen, ALNUM ".-_") == n ? strndup(listen, n) : NULL;
    if (n < 3 || listen[n - 1] != ']')
        return NULL;
    return strndup(listen + 1, n - 2);
}

static bool is_listen(const char *listen);

/* Whether two addresses stand in one value, of which the first would be a path with a
 * blank. */
static bool has_second(const char *listen)
{
    const char *blank = listen + strcspn(listen, " \t");
    return *blank && (is_listen(blank + 1) || has_second(blank + 1));
}

static bool is_listen(const char *listen)
{
    if (strncmp(listen, "unix:", 5) == 0) {
        size_t n = strlen(listen + 5);
        return n > 0 && n < sizeof(((struct sockaddr_un *)0)->sun_path) &&
               !has_second(listen);
    }
    bool v6 = false;
    vg_autofree char *address = split_address(listen, &v6);
    if (!address || !v6)
        return address != NULL;
    address[strcspn(address, "%")] = '\0';
    struct in6_addr bits;
    return inet_pton(AF_INET6, address, &bits) == 1;
}

/* Only what cannot be reached from another machine, whatever a resolver says. */
static bool is_local(const char *listen)
{
    if (strncmp(listen, "unix:", 5) == 0)
        return true;
    bool v6 = false;
    vg_autofree char *address = split_address(listen, &v6);
    if (!address)
        return false;
    struct in6_addr bits6;
    if (v6)
        return inet_pton(AF_INET6, address, &bits6) == 1 && IN6_IS_ADDR_LOOPBACK(&bits6);
    struct in_addr bits;
    if (inet_pton(AF_INET, address, &bits) == 1)
        return ntohl(bits.s_addr) >> 24 == 127;
    return strcasecmp(address, "localhost") == 0;
}

/* ---- logging ----------------------------------------------------------------------- */

static bool is_level(const char *item, size_t n)
{
    return n > 2 && item[0] >= '1' && item[0] <= '4' && item[1] == ':';
}

static bool is_filter(const char *item, size_t n)
{
    return is_level(item, n);
}

static bool is_output(const char *item, size_t n)
{
    if (!is_level(item, n))
        return false;
    const char *to = item + 2;
    n -= 2;
    if ((n == 6 && memcmp(to, "stderr", n) == 0) ||
        (n == 8 && memcmp(to, "journald", n) == 0))
        return true;
    return (n > 7 && memcmp(to, "syslog:", 7) == 0) ||
           (n > 6 && memcmp(to, "file:/", 6) == 0);
}

/* At least one item, and all of them good. */
static bool is_list(const char *text, bool (*is_item)(const char *, size_t))
{
    size_t items = 0;
    for (text += strspn(text, " "); *text; text += strspn(text, " "), items++) {
        size_t n = strcspn(text, " ");
        if (!is_item(text, n))
            return false;
        text += n;
    }
    return items > 0;
}

/* ---- one value --------------------------------------------------------------------- */

/* An empty URI has a rule of its own, with allow-unsafe-uri. */
static int check_uri(struct vg_config_read *r, const char *where, const char *uri)
{
    const char *why = *uri ? vg_config_find_no_uri(uri) : NULL;
    return why ? vg_config_fail(r,
                                "%s: this is no libvirt URI: %s; expected "
                                "SCHEME://[HOST]/PATH, as in qemu:///system",
                                where, why)
               : 0;
}

static int check_origin(struct vg_config_read *r, const char *where, const char *value)
{
    vg_autofree char *right = vg_config_spell_origin(value);
    if (right && strcmp(right, value) != 0)
        return vg_config_fail(
            r, "%s: browsers do not send `%.80s` as an origin; write `%.80s`", where,
            value, right);
    return 0;
}

static int check_host(struct vg_config_read *r, const char *where, const char *value)
{
    const char *equals = strchr(value, '=');
    if (!equals || !vg_config_is_host_name(value, (size_t)(equals - value)))
        return vg_config_fail(r,
                              "%s: expected NAME=URI, NAME being 1 to 64 of "
                              "A-Z a-z 0-9 . _ - and not `-` alone",
                              where);
    return check_uri(r, where, equals + 1);
}

/* What is wrong with a rule that gives a role; NULL: nothing. */
static const char *find_rule_fault(enum vg_config_index option, const char *value)
{
    struct vg_role_rule rule = {0};
    const char *accepted =
        option == VG_CONFIG_I_tls_client_roles ? vg_role_rule_of_client(value, &rule)
        : option == VG_CONFIG_I_unix_roles     ? vg_role_rule_of_socket(value, &rule)
                                               : NULL;
    vg_role_rule_clear(&rule);
    return accepted;
}

static int check_text(struct vg_config_read *r, enum vg_config_index option,
                      const char *where, const char *value)
{
    const char *accepted = find_rule_fault(option, value);
    struct vg_network network;
    if (option == VG_CONFIG_I_listen && !is_listen(value))
        accepted = "ADDR:PORT, [IPV6]:PORT or unix:PATH, PORT being 0 to 65535";
    else if (option == VG_CONFIG_I_cors_origins && !vg_config_is_origin(value))
        accepted = "SCHEME://HOST or SCHEME://HOST:PORT, without a path; `*` is not one";
    else if (option == VG_CONFIG_I_local_dir && value[0] != '/')
        accepted = "an absolute path";
    else if (option == VG_CONFIG_I_log_format && strcmp(value, "logfmt") != 0 &&
             strcmp(value, "json") != 0)
        accepted = "logfmt or json";
    else if (option == VG_CONFIG_I_allowed_hosts && !vg_config_is_hostname(value))
        accepted = "a name or address as in the header Host, without a port";
    else if ((option == VG_CONFIG_I_trust_header ||
              option == VG_CONFIG_I_trust_role_header) &&
             !vg_config_is_header(value))
        accepted = "the name of a header that a proxy sets, as X-Remote-User";
    else if (option == VG_CONFIG_I_trusted_proxies && !vg_network_parse(value, &network))
        accepted = "an IPv4 or IPv6 address, ADDRESS/BITS or unix";
    else if (option == VG_CONFIG_I_import_from && !vg_url_pattern_is(value))
        accepted = "https://HOST[:PORT]/PATH or http://..., with * in the path alone";
    else if (option == VG_CONFIG_I_import_networks &&
             (!vg_network_parse(value, &network) || network.address.family == AF_UNIX))
        accepted = "an IPv4 or IPv6 address, or ADDRESS/BITS";
    else if (option == VG_CONFIG_I_path_prefix && !vg_config_is_path_prefix(value))
        accepted = "a path as /virt, of A-Z a-z 0-9 . _ ~ - and 100 characters at most, "
                   "without a slash at its end";
    else if (option == VG_CONFIG_I_log_filters && !is_list(value, is_filter))
        accepted = "LEVEL:MATCH, separated by spaces, LEVEL being 1 to 4";
    else if (option == VG_CONFIG_I_log_outputs && !is_list(value, is_output))
        accepted = "LEVEL:stderr, LEVEL:syslog:NAME, LEVEL:file:/PATH or LEVEL:journald, "
                   "separated by spaces, LEVEL being 1 to 4";
    bool many = vg_config_options[option].kind == VG_CONFIG_K_TEXTS && r->line &&
                value[strcspn(value, " \t")];
    if (accepted)
        return vg_config_fail(r, "%s: expected %s%s, not `%.80s`", where, accepted,
                              many ? ", one per line" : "", value);
    if (option == VG_CONFIG_I_connect)
        return check_uri(r, where, value);
    return option == VG_CONFIG_I_cors_origins ? check_origin(r, where, value) : 0;
}

int vg_config_check_value(struct vg_config_read *r, enum vg_config_index option,
                          const char *where, const char *value)
{
    const struct vg_config_option *o = &vg_config_options[option];
    int64_t number;
    bool on;
    /* An empty URI has a rule of its own, with allow-unsafe-uri. */
    if (!*value && option != VG_CONFIG_I_connect)
        return vg_config_fail(r, "%s: the value is empty, expected %s", where,
                              o->arg ? o->arg : "yes or no");
    switch (o->kind) {
    case VG_CONFIG_K_NUMBER:
        if (vg_config_parse_number(value, &number) < 0 || number < o->min ||
            number > o->max)
            return vg_config_fail(r,
                                  "%s: expected a number from %lld to %lld, not `%.80s`",
                                  where, (long long)o->min, (long long)o->max, value);
        return 0;
    case VG_CONFIG_K_BOOL:
    case VG_CONFIG_K_SWITCH:
        if (vg_config_parse_bool(value, &on) < 0)
            return vg_config_fail(r,
                                  "%s: expected yes, true, on, 1, no, false, off or 0, "
                                  "not `%.80s`",
                                  where, value);
        return 0;
    case VG_CONFIG_K_HOSTS:
        return check_host(r, where, value);
    case VG_CONFIG_K_TEXT:
    case VG_CONFIG_K_TEXTS:
        return check_text(r, option, where, value);
    }
    return 0;
}

/* ---- rules between options --------------------------------------------------------- */

static int check_uris(struct vg_config_read *r)
{
    const struct vg_config *c = &r->config;
    if (c->allow_unsafe_uri)
        return 0;
    const char *why = c->connect ? vg_uri_find_unsafe(c->connect) : NULL;
    if (why)
        return vg_config_fail(r,
                              "%s: this libvirt URI is unsafe: %s; to accept it, give "
                              "--allow-unsafe-uri",
                              r->where[VG_CONFIG_I_connect].v[0], why);
    for (size_t i = 0; i < c->hosts.n; i++) {
        why = vg_uri_find_unsafe(c->hosts.v[i].uri);
        if (why)
            return vg_config_fail(r,
                                  "%s: the libvirt URI of host `%s` is unsafe: %s; to "
                                  "accept it, give --allow-unsafe-uri",
                                  r->where[VG_CONFIG_I_hosts].v[i], c->hosts.v[i].name,
                                  why);
    }
    return 0;
}

static int check_hosts(struct vg_config_read *r)
{
    const struct vg_host_configs *h = &r->config.hosts;
    for (size_t i = 0; i < h->n; i++) {
        const char *where = r->where[VG_CONFIG_I_hosts].v[i];
        for (size_t j = 0; j < i; j++) {
            if (strcmp(h->v[i].name, h->v[j].name) == 0)
                return vg_config_fail(r, "%s: host `%s` is there twice", where,
                                      h->v[i].name);
        }
        if (r->config.connect && strcmp(h->v[i].name, "default") == 0)
            return vg_config_fail(r,
                                  "%s: host `default` is already the one of %s; give "
                                  "only one of them",
                                  where, r->where[VG_CONFIG_I_connect].v[0]);
    }
    return 0;
}

/* Whether there will be a host of that name: `default` is made of no option at all. */
static bool has_host(const struct vg_config *c, const char *name)
{
    for (size_t i = 0; i < c->hosts.n; i++) {
        if (strcmp(c->hosts.v[i].name, name) == 0)
            return true;
    }
    return strcmp(name, "default") == 0 && (c->connect || !c->hosts.n);
}

static int check_admin_uris(struct vg_config_read *r)
{
    const struct vg_host_configs *a = &r->config.admin_uris;
    for (size_t i = 0; i < a->n; i++) {
        const char *where = r->where[VG_CONFIG_I_admin_uris].v[i];
        if (!has_host(&r->config, a->v[i].name))
            return vg_config_fail(r, "%s: there is no host `%s`", where, a->v[i].name);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(a->v[i].name, a->v[j].name) == 0)
                return vg_config_fail(r, "%s: host `%s` has an admin-uri already, at %s",
                                      where, a->v[i].name,
                                      r->where[VG_CONFIG_I_admin_uris].v[j]);
        }
    }
    return 0;
}

/* Fails with what a check of a file found, and the option that names the file. */
static int fail_file(struct vg_config_read *r, enum vg_config_index option,
                     const char *message)
{
    return vg_config_fail(r, "%s: %s", r->where[option].v[0],
                          message ? message : "out of memory");
}

static int check_tokens(struct vg_config_read *r)
{
    struct vg_tokens tokens;
    vg_autofree char *message = NULL;
    if (r->config.token_file &&
        vg_tokens_read(r->config.token_file, &tokens, &message) < 0)
        return fail_file(r, VG_CONFIG_I_token_file, message);
    if (r->config.token_file)
        vg_tokens_clear(&tokens);
    return 0;
}

static int check_pem(struct vg_config_read *r, enum vg_config_index option,
                     const char *path, int (*check)(const char *, char **))
{
    vg_autofree char *message = NULL;
    return path && check(path, &message) < 0 ? fail_file(r, option, message) : 0;
}

static int check_files(struct vg_config_read *r)
{
    const struct vg_config *c = &r->config;
    vg_autofree char *message = NULL;
    if (check_tokens(r) < 0 ||
        check_pem(r, VG_CONFIG_I_tls_cert, c->tls_cert, vg_tls_check_certificates) < 0 ||
        check_pem(r, VG_CONFIG_I_tls_key, c->tls_key, vg_tls_check_key) < 0)
        return -1;
    if (c->tls_cert && vg_tls_check_pair(c->tls_cert, c->tls_key, &message) < 0)
        return fail_file(r, VG_CONFIG_I_tls_key, message);
    return check_pem(r, VG_CONFIG_I_tls_client_ca, c->tls_client_ca,
                     vg_tls_check_certificates);
}

static int check_folder(struct vg_config_read *r)
{
    const char *dir = r->config.local_dir;
    struct stat st;
    if (!dir || (stat(dir, &st) == 0 && S_ISDIR(st.st_mode)))
        return 0;
    return vg_config_fail(r, "%s: `%.200s` is no folder",
                          r->where[VG_CONFIG_I_local_dir].v[0], dir);
}

static int check_tls(struct vg_config_read *r)
{
    const struct vg_config *c = &r->config;
    if (c->tls_cert && !c->tls_key)
        return vg_config_fail(r, "%s: needs --tls-key as well",
                              r->where[VG_CONFIG_I_tls_cert].v[0]);
    if (c->tls_key && !c->tls_cert)
        return vg_config_fail(r, "%s: needs --tls-cert as well",
                              r->where[VG_CONFIG_I_tls_key].v[0]);
    if (c->tls_client_ca && !c->tls_cert)
        return vg_config_fail(r, "%s: needs --tls-cert and --tls-key as well",
                              r->where[VG_CONFIG_I_tls_client_ca].v[0]);
    if (c->tls_client_roles.n && !c->tls_client_ca)
        return vg_config_fail(r, "%s: needs --tls-client-ca as well",
                              r->where[VG_CONFIG_I_tls_client_roles].v[0]);
    return 0;
}

static bool has_unix(const struct vg_texts *listen)
{
    for (size_t i = 0; i < listen->n; i++)
        if (strncmp(listen->v[i], "unix:", 5) == 0)
            return true;
    return false;
}

/* A proxy that names its callers has a unix socket, and a role on it: nobody would be
 * believed else. */
static int check_trust(struct vg_config_read *r)
{
    const struct vg_config *c = &r->config;

    if (!c->trust_header && c->trust_role_header)
        return vg_config_fail(r, "%s: needs --trust-header as well",
                              r->where[VG_CONFIG_I_trust_role_header].v[0]);
    if (!c->trust_header)
        return 0;
    const char *where = r->where[VG_CONFIG_I_trust_header].v[0];
    if (c->trust_role_header && strcasecmp(c->trust_header, c->trust_role_header) == 0)
        return vg_config_fail(r, "%s: is the header of --trust-role-header, too", where);
    if (!has_unix(&c->listen))
        return vg_config_fail(r,
                              "%s: a proxy is believed on a unix socket alone; give "
                              "--listen unix:PATH",
                              where);
    if (c->token_file && !c->unix_roles.n)
        return vg_config_fail(r,
                              "%s: needs --unix-role as well: the proxy's process, and "
                              "the most that its callers may do",
                              where);
    return 0;
}

/* Whoever has no name would be the gateway itself to libvirt. */
static int check_identity(struct vg_config_read *r)
{
    const struct vg_config *c = &r->config;

    if (!c->pass_identity || c->token_file || c->tls_client_ca || c->unix_roles.n)
        return 0;
    return vg_config_fail(r,
                          "%s: nobody has a name here; give --token-file, "
                          "--tls-client-ca or --unix-role",
                          r->where[VG_CONFIG_I_pass_identity].v[0]);
}

static int check_reach(struct vg_config_read *r)
{
    const struct vg_config *c = &r->config;
    bool known = c->token_file || c->tls_client_ca;
    if (c->allow_insecure || (known && c->tls_cert))
        return 0;
    const char *fix = c->tls_cert ? "--token-file or --tls-client-ca"
                      : known     ? "--tls-cert and --tls-key"
                                  : "--token-file, --tls-cert and --tls-key";
    for (size_t i = 0; i < c->listen.n; i++) {
        if (!is_local(c->listen.v[i]))
            return vg_config_fail(r,
                                  "%s: `%s` is open to other machines, which needs "
                                  "authentication and TLS: give %s, or listen on "
                                  "127.0.0.1, or give --allow-insecure",
                                  r->where[VG_CONFIG_I_listen].v[i], c->listen.v[i], fix);
    }
    return 0;
}

static int check_outputs(struct vg_config_read *r)
{
    vg_autofree char *message = NULL;
    if (vg_log_check_outputs(r->config.log_outputs, &message) < 0)
        return fail_file(r, VG_CONFIG_I_log_outputs, message);
    return 0;
}

static int check_audit(struct vg_config_read *r)
{
    const struct vg_config *c = &r->config;
    const struct vg_log_options log = {.level = (enum vg_log_level)c->log_level,
                                       .filters = c->log_filters,
                                       .outputs = c->log_outputs};
    if (!c->audit_required || vg_log_would_write(&log, VG_LOG_INFO, "audit"))
        return 0;
    return vg_config_fail(r,
                          "%s: no output of the log takes lines of source `audit` and "
                          "level 2 (log-outputs, log-filters, log-level)",
                          r->where[VG_CONFIG_I_audit_required].v[0]);
}

int vg_config_check_all(struct vg_config_read *r)
{
    if (check_hosts(r) < 0 || check_admin_uris(r) < 0 || check_uris(r) < 0 ||
        check_tls(r) < 0 || check_trust(r) < 0 || check_identity(r) < 0 ||
        check_reach(r) < 0 || check_audit(r) < 0)
        return -1;
    return check_files(r) < 0 || check_folder(r) < 0 ? -1 : check_outputs(r);
}
