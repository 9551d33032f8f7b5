/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bearer tokens (RFC 6750). The token file has one token a line: NAME ROLE SHA256
 * [EXPIRES], the SHA-256 of the token in hexadecimal, the expiry as RFC 3339. The tokens
 * themselves are nowhere on this machine.
 */
#include "server/http_internal.h"

#include "virtgate/cleanup.h"
#include "virtgate/log.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HASH_SIZE 32

struct token {
    char name[sizeof(((struct vg_request *)0)->principal)];
    enum vg_role role;
    unsigned char hash[HASH_SIZE];
    time_t expires; /* 0: never */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct token *tokens;
static size_t n_tokens;

/* ---- the file ---------------------------------------------------------------------- */

static int parse_role(const char *text, enum vg_role *ret)
{
    static const char *const names[] = {NULL, "viewer", "operator", "admin"};
    for (enum vg_role r = VG_ROLE_VIEWER; r <= VG_ROLE_ADMIN; r++) {
        if (strcmp(names[r], text) == 0) {
            *ret = r;
            return 0;
        }
    }
    return -1;
}

static int parse_hash(const char *text, unsigned char *ret)
{
    gnutls_datum_t hex = {.data = (unsigned char *)(uintptr_t)text,
                          .size = (unsigned int)strlen(text)};
    size_t n = HASH_SIZE;
    if (hex.size != 2 * HASH_SIZE)
        return -1;
    return gnutls_hex_decode(&hex, ret, &n) == 0 && n == HASH_SIZE ? 0 : -1;
}

static int parse_expiry(const char *text, time_t *ret)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end || (strcmp(end, "Z") != 0 && strcmp(end, "+00:00") != 0))
        return -1;
    time_t at = timegm(&tm);
    *ret = at ? at : 1; /* 0 is never */
    return 0;
}

/* NULL when the line is right, else what is wrong with it. */
static const char *parse_line(char *line, struct token *ret)
{
    char *rest = line;
    const char *words[5];
    size_t n = 0;

    for (char *word; n < 5 && (word = strtok_r(rest, " \t\r\n", &rest)); n++)
        words[n] = word;
    if (n < 3 || n > 4)
        return "expected NAME ROLE SHA256 [EXPIRES]";
    if (strlen(words[0]) >= sizeof(ret->name))
        return "the name is too long";
    snprintf(ret->name, sizeof(ret->name), "%s", words[0]);
    if (parse_role(words[1], &ret->role) < 0)
        return "the role is none of viewer, operator, admin";
    if (parse_hash(words[2], ret->hash) < 0)
        return "the hash is not 64 hexadecimal digits";
    if (n == 4 && parse_expiry(words[3], &ret->expires) < 0)
        return "the expiry is not like 2027-01-31T00:00:00Z";
    return NULL;
}

static int read_file(FILE *file, const char *path, struct token **ret, size_t *ret_n)
{
    vg_autofree char *line = NULL;
    size_t size = 0;
    unsigned int number = 0;

    while (getline(&line, &size, file) >= 0) {
        number++;
        const char *start = line + strspn(line, " \t\r\n");
        if (*start == '#' || *start == '\0')
            continue;
        struct token token = {0};
        const char *fault = parse_line(line, &token);
        if (fault) {
            vg_log(VG_LOG_ERROR, "auth", "%s:%u: %s", path, number, fault);
            return -1;
        }
        struct token *grown = realloc(*ret, (*ret_n + 1) * sizeof(**ret));
        if (!grown)
            return -1;
        *ret = grown;
        grown[(*ret_n)++] = token;
    }
    return 0;
}

int vg_http_auth_load(const char *path)
{
    struct token *list = NULL;
    size_t n = 0;
    FILE *file = fopen(path, "re");

    if (!file) {
        vg_log(VG_LOG_ERROR, "auth", "cannot read the token file %s: %s", path,
               strerror(errno));
        return -1;
    }
    int rc = read_file(file, path, &list, &n);
    fclose(file);
    if (rc < 0) {
        free(list);
        return -1;
    }
    VG_LOCK(&lock);
    free(tokens);
    tokens = list;
    n_tokens = n;
    return 0;
}

void vg_http_auth_free(void)
{
    free(tokens);
    tokens = NULL;
    n_tokens = 0;
}

/* ---- a call ------------------------------------------------------------------------ */

static enum vg_role find_token(const char *text, char *ret_name, size_t size)
{
    unsigned char hash[HASH_SIZE];
    enum vg_role role = VG_ROLE_NONE;

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), hash) < 0)
        return VG_ROLE_NONE;
    VG_LOCK(&lock);
    /* all of them, in the same time whichever it is */
    for (size_t i = 0; i < n_tokens; i++) {
        bool same = gnutls_memcmp(hash, tokens[i].hash, HASH_SIZE) == 0;
        if (same && (!tokens[i].expires || tokens[i].expires > time(NULL))) {
            role = tokens[i].role;
            snprintf(ret_name, size, "%s", tokens[i].name);
        }
    }
    return role;
}

/* libmicrohttpd only asks for a certificate; whether one came and is good, is for us to
 * see. */
static bool is_certified(struct vg_http_call *call)
{
    struct vg_http_conn *conn = call->conn;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned int status = 1;

    if (!conn->checked && info)
        conn->certified =
            gnutls_certificate_verify_peers2(info->tls_session, &status) == 0 &&
            status == 0;
    conn->checked = true;
    return conn->certified;
}

enum vg_role vg_http_auth(struct vg_http_call *call, const struct vg_config *config)
{
    const char *header = call->headers.authorization;

    if (config->tls_client_ca && !call->conn->local && !is_certified(call))
        return VG_ROLE_NONE;
    if (!config->token_file)
        return VG_ROLE_ADMIN;
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return VG_ROLE_NONE;
    return find_token(header + 7 + strspn(header + 7, " "), call->rq->principal,
                      sizeof(call->rq->principal));
}
