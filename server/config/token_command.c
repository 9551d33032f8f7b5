/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/config/token_command.h"

#include "server/base/private_file.h"
#include "server/config/internal.h"
#include "server/config/token_edit.h"
#include "server/config/token_file.h"
#include "virtgate/cleanup.h"
#include "virtgate/text.h"

#include <ctype.h>
#include <getopt.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define EXIT_USAGE  2
#define SECRET_SIZE 32 /* random bytes */
#define TIME_FORM   "%Y-%m-%dT%H:%M:%SZ"
#define LONG_AGO    "1970-01-01T00:00:00Z"

static const char help[] =
    "Usage: virtgate token create NAME ROLE [OPTION]...\n"
    "       virtgate token list [OPTION]...\n"
    "       virtgate token revoke NAME [OPTION]...\n"
    "\n"
    "Keeps the file of bearer tokens that the gateway reads (--token-file). A gateway "
    "that\n"
    "runs reads it again within a second.\n"
    "\n"
    "  create      make a token of that name and role (viewer, operator, admin) and "
    "print it.\n"
    "              It is shown this once: the file has its SHA-256 alone.\n"
    "  list        print name, role, expiry and keys of all tokens, one a line\n"
    "  revoke      take the token out. The last one stays, expired: a file without a "
    "token\n"
    "              is refused.\n"
    "\n"
    "      --token-file FILE   the file; create makes it, 0600, where it is not there\n"
    "  -f, --config FILE       the gateway's config file, whose token-file is meant\n"
    "      --expires WHEN      create: 2027-01-31T00:00:00Z, or from now on: 90d, 12h, "
    "30m\n"
    "      --allow LIST        create: permissions beside the role's, separated by "
    "commas\n"
    "      --deny LIST         create: permissions that the token has in no case\n"
    "      --hosts GLOBS       create: hosts that it sees, separated by commas\n"
    "      --domains GLOBS     create: domains that it sees\n"
    "  -h, --help              print this and exit\n"
    "\n"
    "Without --token-file and --config the environment decides: VIRTGATE_TOKEN_FILE, "
    "then\n"
    "VIRTGATE_CONFIG. The exit status is 0, 1 where it failed, 2 where it was called "
    "wrong.\n"
    "\n"
    "Examples:\n"
    "  virtgate token create ci operator --token-file /etc/virtgate/tokens --expires "
    "90d\n"
    "  virtgate token create web admin --domains 'web-*' --deny domain:delete\n";

enum { EXPIRES, ALLOW, DENY, HOSTS, DOMAINS, TOKEN_FILE, CONFIG, N_OPTIONS };

static const struct option options[] = {
    [EXPIRES] = {"expires", required_argument, NULL, EXPIRES},
    [ALLOW] = {"allow", required_argument, NULL, ALLOW},
    [DENY] = {"deny", required_argument, NULL, DENY},
    [HOSTS] = {"hosts", required_argument, NULL, HOSTS},
    [DOMAINS] = {"domains", required_argument, NULL, DOMAINS},
    [TOKEN_FILE] = {"token-file", required_argument, NULL, TOKEN_FILE},
    [CONFIG] = {"config", required_argument, NULL, CONFIG},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct command {
    const char *given[N_OPTIONS]; /* NULL: not given */
    char *const *words;           /* behind create, list, revoke */
    int n_words;
    const char *path;
    char *message; /* what failed; owned */
};

static int fail_usage(const char *why)
{
    fprintf(stderr, "virtgate token: %s; --help tells more\n", why);
    return EXIT_USAGE;
}

static int fail(struct command *c)
{
    fprintf(stderr, "virtgate token: %s\n", c->message ? c->message : "out of memory");
    return EXIT_FAILURE;
}

static void add(struct vg_text *to, const char *text)
{
    vg_text_add(to, text, strlen(text));
}

/* ---- lines ------------------------------------------------------------------------- */

/* Whether a line of `n` bytes is a token's: reads it. Any other stays as it is. */
static bool read_line(const char *line, size_t n, struct vg_token *ret)
{
    char fault[VG_RIGHTS_FAULT_SIZE];
    vg_autofree char *copy = strndup(line, n);

    *ret = (struct vg_token){0};
    return copy && line[strspn(line, " \t")] != '#' &&
           !vg_token_parse_line(copy, ret, fault);
}

/* The lines of a file; `at` is moved behind one. False: there are no more. */
static bool next_line(const char **at, const char **ret_line, size_t *ret_n)
{
    if (!**at)
        return false;
    *ret_line = *at;
    *ret_n = strcspn(*at, "\n");
    *at += *ret_n + ((*at)[*ret_n] == '\n');
    return true;
}

static bool is_past(const struct vg_token *token)
{
    return token->expires && token->expires <= time(NULL);
}

static size_t count_tokens(const char *text, const char *name, bool but_past)
{
    struct vg_token token;
    const char *line;
    size_t n, count = 0;

    while (next_line(&text, &line, &n))
        count += read_line(line, n, &token) && (!name || strcmp(token.name, name) == 0) &&
                 !(but_past && is_past(&token));
    return count;
}

/* The file without the token's lines. */
static void copy_others(const char *text, const char *name, struct vg_text *to)
{
    struct vg_token token;
    const char *line;
    size_t n;

    while (next_line(&text, &line, &n)) {
        if (read_line(line, n, &token) && strcmp(token.name, name) == 0)
            continue;
        vg_text_add(to, line, n);
        vg_text_add(to, "\n", 1);
    }
}

/* ---- create ------------------------------------------------------------------------ */

/* "90d" from now on, or a time as it is; NULL: neither. Owned. */
static char *read_expiry(const char *text)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t digits = strspn(text, "0123456789");
    char shown[32];

    for (size_t i = 0; i < 3; i++) {
        vg_autofree char *number = strndup(text, digits);
        int64_t count;
        struct tm tm;
        if (!digits || digits > 6 || text[digits] != units[i].unit || text[digits + 1] ||
            !number || vg_config_parse_number(number, &count) < 0)
            continue;
        time_t at = time(NULL) + count * units[i].seconds;
        return gmtime_r(&at, &tm) && strftime(shown, sizeof(shown), TIME_FORM, &tm)
                   ? strdup(shown)
                   : NULL;
    }
    return digits && text[digits] == '-' ? strdup(text) : NULL;
}

static bool is_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!isgraph((unsigned char)*p))
            return false;
    return *name && *name != '#' && strlen(name) < VG_TOKEN_NAME_SIZE;
}

static void write_hash(const unsigned char hash[VG_TOKEN_HASH_SIZE],
                       char ret[static 2 * VG_TOKEN_HASH_SIZE + 1])
{
    for (size_t i = 0; i < VG_TOKEN_HASH_SIZE; i++)
        snprintf(ret + 2 * i, 3, "%02x", hash[i]);
}

/* The token, and its hash in hexadecimal. -1: there is no randomness to be had. */
static int make_secret(char ret_token[static 2 * SECRET_SIZE],
                       char ret_hash[static 2 * VG_TOKEN_HASH_SIZE + 1])
{
    unsigned char secret[SECRET_SIZE], hash[VG_TOKEN_HASH_SIZE];
    const gnutls_datum_t raw = {.data = secret, .size = SECRET_SIZE};
    gnutls_datum_t text = {0};

    if (getrandom(secret, SECRET_SIZE, 0) != SECRET_SIZE ||
        gnutls_base64_encode2(&raw, &text) < 0)
        return -1;
    size_t n = 0;
    for (unsigned int i = 0; i < text.size && text.data[i] != '='; i++)
        ret_token[n++] = text.data[i] == '+'   ? '-'
                         : text.data[i] == '/' ? '_'
                                               : (char)text.data[i];
    ret_token[n] = '\0';
    gnutls_free(text.data);
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, ret_token, n, hash) < 0)
        return -1;
    write_hash(hash, ret_hash);
    return 0;
}

/* The new line, checked as the gateway does. Owned; NULL: the message says why. */
static char *make_line(struct command *c, const char *hash)
{
    static const char *const keys[] = {[ALLOW] = " allow=",
                                       [DENY] = " deny=",
                                       [HOSTS] = " hosts=",
                                       [DOMAINS] = " domains="};
    vg_autofree char *expiry = NULL;
    char fault[VG_RIGHTS_FAULT_SIZE];
    struct vg_token token = {0};
    struct vg_text text = {0};

    if (c->given[EXPIRES] && !(expiry = read_expiry(c->given[EXPIRES]))) {
        vg_private_fail(&c->message, "--expires is like 2027-01-31T00:00:00Z or 90d");
        return NULL;
    }
    const char *const words[] = {
        c->words[0],         " ", c->words[1], " ", hash, expiry ? " " : "",
        expiry ? expiry : ""};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        add(&text, words[i]);
    for (int i = ALLOW; i <= DOMAINS; i++) {
        add(&text, c->given[i] ? keys[i] : "");
        add(&text, c->given[i] ? c->given[i] : "");
    }
    size_t n;
    vg_autofree char *line = vg_text_finish(&text, &n);
    vg_autofree char *copy = line ? strdup(line) : NULL;
    const char *why = copy ? vg_token_parse_line(copy, &token, fault) : "";
    if (!why && is_past(&token))
        why = "--expires is in the past";
    if (!why && !strchr(line, '\n'))
        return vg_take(&line);
    if (!why || *why)
        vg_private_fail(&c->message, "%s", why ? why : "a value holds a line's end");
    return NULL;
}

static int add_token(struct command *c, struct vg_token_edit *edit, const char *line)
{
    struct vg_text text = {0};
    size_t n;

    if (count_tokens(edit->text, c->words[0], true))
        return vg_private_fail(&c->message,
                               "there is a token `%s` already; revoke it, or "
                               "take another name",
                               c->words[0]);
    copy_others(edit->text, c->words[0], &text);
    add(&text, line);
    add(&text, "\n");
    vg_autofree char *whole = vg_text_finish(&text, &n);
    return whole ? vg_token_edit_save(edit, whole, &c->message) : -1;
}

static int create_token(struct command *c)
{
    char token[2 * SECRET_SIZE], hash[2 * VG_TOKEN_HASH_SIZE + 1];
    struct vg_token_edit edit;

    if (c->n_words != 2)
        return fail_usage("create takes a NAME and a ROLE");
    if (!is_name(c->words[0]))
        return fail_usage(
            "a NAME is 1 to 63 visible ASCII characters, and not a comment");
    if (make_secret(token, hash) < 0) {
        vg_private_fail(&c->message, "no random bytes, or no SHA-256");
        return fail(c);
    }
    vg_autofree char *line = make_line(c, hash);
    if (!line || vg_token_edit_begin(c->path, true, &edit, &c->message) < 0)
        return fail(c);
    int rc = add_token(c, &edit, line);
    vg_token_edit_end(&edit);
    if (rc < 0)
        return fail(c);
    puts(token);
    fprintf(stderr, "virtgate token: `%s` is in %s; its token is shown this once\n",
            c->words[0], c->path);
    return EXIT_SUCCESS;
}

/* ---- list, revoke ------------------------------------------------------------------ */

static void print_token(const char *line, size_t n, const struct vg_token *token)
{
    char expiry[32] = "never";
    struct tm tm;
    vg_autofree char *copy = strndup(line, n);
    char *rest = copy;

    if (token->expires && gmtime_r(&token->expires, &tm))
        strftime(expiry, sizeof(expiry), TIME_FORM, &tm);
    printf("%-20s %-8s %-20s", token->name, vg_role_name(token->rights->role),
           is_past(token) ? "expired" : expiry);
    for (char *word; rest && (word = strtok_r(rest, " \t\r", &rest));)
        if (strchr(word, '=') && word != copy && strcmp(word, token->name) != 0)
            printf(" %s", word);
    printf("\n");
}

static int list_tokens(struct command *c)
{
    struct vg_tokens tokens;
    vg_autofree char *text = NULL;
    const char *line;
    size_t n;

    if (c->n_words)
        return fail_usage("list takes no word");
    if (vg_tokens_read(c->path, &tokens, &c->message) < 0)
        return fail(c);
    vg_tokens_clear(&tokens); /* it is as the gateway accepts it */
    text = vg_private_read(c->path, true, &c->message);
    if (!text)
        return fail(c);
    for (const char *at = text; next_line(&at, &line, &n);) {
        struct vg_token token;
        if (read_line(line, n, &token))
            print_token(line, n, &token);
    }
    return EXIT_SUCCESS;
}

/* The last token's line, with an expiry long ago. */
static void add_expired(const char *text, const char *name, struct vg_text *to)
{
    char hash[2 * VG_TOKEN_HASH_SIZE + 1];
    struct vg_token token;
    const char *line;
    size_t n;

    while (next_line(&text, &line, &n)) {
        if (!read_line(line, n, &token) || strcmp(token.name, name) != 0)
            continue;
        write_hash(token.hash, hash);
        const char *const words[] = {name, " ", vg_role_name(token.rights->role), " ",
                                     hash};
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            add(to, words[i]);
        add(to, " " LONG_AGO "\n");
        return;
    }
}

static int take_token(struct command *c, struct vg_token_edit *edit)
{
    const char *name = c->words[0];
    size_t of_name = count_tokens(edit->text, name, false);
    size_t n;
    struct vg_text text = {0};

    if (!of_name)
        return vg_private_fail(&c->message, "`%s` has no token `%s`", c->path, name);
    copy_others(edit->text, name, &text);
    if (of_name == count_tokens(edit->text, NULL, false))
        add_expired(edit->text, name, &text);
    vg_autofree char *whole = vg_text_finish(&text, &n);
    return whole ? vg_token_edit_save(edit, whole, &c->message) : -1;
}

static int revoke_token(struct command *c)
{
    struct vg_token_edit edit;

    if (c->n_words != 1)
        return fail_usage("revoke takes a NAME");
    if (vg_token_edit_begin(c->path, false, &edit, &c->message) < 0)
        return fail(c);
    int rc = take_token(c, &edit);
    vg_token_edit_end(&edit);
    return rc < 0 ? fail(c) : EXIT_SUCCESS;
}

/* ---- the command line -------------------------------------------------------------- */

/* The file that is meant; owned. NULL: the message says why. */
static char *find_file(struct command *c)
{
    const char *file = c->given[TOKEN_FILE], *config = c->given[CONFIG];

    if (!file && !config)
        file = getenv("VIRTGATE_TOKEN_FILE");
    if (!file && !config)
        config = getenv("VIRTGATE_CONFIG");
    if (file && *file)
        return strdup(file);
    if (config && *config)
        return vg_config_find_token_file(config, &c->message);
    vg_private_fail(&c->message, "which file? Give --token-file FILE or --config FILE");
    return NULL;
}

static int run(struct command *c, int (*action)(struct command *c))
{
    vg_autofree char *path = find_file(c);
    c->path = path;
    int rc = path ? action(c) : fail(c);
    free(vg_take(&c->message));
    return rc;
}

int vg_token_command(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*action)(struct command *c);
    } actions[] = {
        {"create", create_token}, {"list", list_tokens}, {"revoke", revoke_token}};
    struct command c = {0};

    optind = 2; /* behind "token" */
    for (int o; (o = getopt_long(argc, argv, "f:h", options, NULL)) != -1;) {
        if (o == 'h')
            return fputs(help, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        if (o == '?')
            return EXIT_USAGE; /* getopt said why */
        c.given[o == 'f' ? CONFIG : o] = optarg;
    }
    const char *name = optind < argc ? argv[optind] : "";
    c.words = argv + optind + 1;
    c.n_words = argc - optind - 1;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i].name, name) == 0)
            return run(&c, actions[i].action);
    return fail_usage("the commands are create, list and revoke");
}
