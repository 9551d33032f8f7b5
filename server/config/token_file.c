/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/config/token_file.h"

#include "server/base/digits.h"
#include "server/base/private_file.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_FORM "NAME ROLE SHA256 [EXPIRES] [KEY=VALUE...]"
#define SPACE     " \t\r\n"

static int parse_hash(const char *text, unsigned char *ret)
{
    const size_t n = (size_t)VG_TOKEN_HASH_SIZE * 2;

    if (strlen(text) != n || strspn(text, "0123456789abcdefABCDEF") != n)
        return -1;
    for (size_t i = 0; i < VG_TOKEN_HASH_SIZE; i++)
        ret[i] = (unsigned char)(vg_hex_value(text[2 * i]) * 16 +
                                 vg_hex_value(text[2 * i + 1]));
    return 0;
}

static int parse_expiry(const char *text, time_t *ret)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end || (strcmp(end, "Z") != 0 && strcmp(end, "+00:00") != 0))
        return -1;
    const int day = tm.tm_mday;
    time_t at = timegm(&tm); /* makes March of the 30th of February */
    if (tm.tm_mday != day)
        return -1;
    *ret = at ? at : 1; /* 0 is never */
    return 0;
}

/* What sha256sum makes of a token that was not there: a variable without a value, say. */
static const unsigned char hash_of_nothing[VG_TOKEN_HASH_SIZE] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
    0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
    0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

static const char *parse_words(char **rest, struct vg_token *ret,
                               struct vg_rights_spec *spec)
{
    const char *words[3];

    for (size_t i = 0; i < 3; i++)
        if (!(words[i] = strtok_r(*rest, SPACE, rest)))
            return "expected " LINE_FORM;
    if (strlen(words[0]) >= sizeof(ret->name))
        return "the name is too long";
    snprintf(ret->name, sizeof(ret->name), "%s", words[0]);
    if (vg_role_parse(words[1], &spec->role) < 0)
        return "the role is none of viewer, operator, admin";
    if (parse_hash(words[2], ret->hash) < 0)
        return "the hash is not 64 hexadecimal digits";
    if (memcmp(ret->hash, hash_of_nothing, sizeof(hash_of_nothing)) == 0)
        return "the hash is that of an empty token";
    return NULL;
}

static const char *parse_key(char *word, struct vg_rights_spec *spec)
{
    const struct {
        const char *name, **ret;
    } keys[] = {{"allow", &spec->allow},
                {"deny", &spec->deny},
                {"hosts", &spec->hosts},
                {"domains", &spec->domains}};
    char *value = strchr(word, '=');

    *value++ = '\0';
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].name, word) != 0)
            continue;
        if (*keys[i].ret)
            return "a key is there twice";
        *keys[i].ret = value;
        return NULL;
    }
    return "the keys are allow=, deny=, hosts= and domains=";
}

/* What follows the hash: an expiry, and keys. */
static const char *parse_rest(char *rest, struct vg_token *ret,
                              struct vg_rights_spec *spec)
{
    const char *fault = NULL;
    bool first = true;

    for (char *word; !fault && (word = strtok_r(rest, SPACE, &rest)); first = false) {
        if (strchr(word, '='))
            fault = parse_key(word, spec);
        else if (!first)
            fault = "expected " LINE_FORM;
        else if (parse_expiry(word, &ret->expires) < 0)
            fault = "the expiry is not like 2027-01-31T00:00:00Z";
    }
    return fault;
}

const char *vg_token_parse_line(char *line, struct vg_token *ret,
                                char ret_fault[static VG_RIGHTS_FAULT_SIZE])
{
    struct vg_rights_spec spec = {0};
    const char *fault = parse_words(&line, ret, &spec);

    if (!fault)
        fault = parse_rest(line, ret, &spec);
    if (fault)
        return fault;
    ret->rights = vg_rights_intern(&spec, ret_fault);
    return ret->rights ? NULL : ret_fault;
}

static int add_token(struct vg_tokens *tokens, const struct vg_token *token)
{
    struct vg_token *grown = reallocarray(tokens->v, tokens->n + 1, sizeof(*grown));

    if (!grown)
        return -1;
    tokens->v = grown;
    grown[tokens->n++] = *token;
    return 0;
}

static int read_lines(FILE *file, const char *path, struct vg_tokens *ret, char **reterr)
{
    vg_autofree char *line = NULL;
    size_t size = 0;
    unsigned int number = 0;

    for (ssize_t n; (n = getline(&line, &size, file)) >= 0;) {
        number++;
        if (strlen(line) != (size_t)n) /* what narrows the token may stand behind it */
            return vg_private_fail(reterr, "%s:%u: there is a NUL byte", path, number);
        const char *start = line + strspn(line, " \t\r\n");
        if (*start == '#' || *start == '\0')
            continue;
        struct vg_token token = {0};
        char text[VG_RIGHTS_FAULT_SIZE];
        const char *fault = vg_token_parse_line(line, &token, text);
        if (fault && !*fault)
            return -1;
        if (fault)
            return vg_private_fail(reterr, "%s:%u: %s", path, number, fault);
        if (add_token(ret, &token) < 0)
            return -1;
    }
    if (ferror(file))
        return vg_private_fail(reterr, "cannot read `%s`: %s", path, strerror(errno));
    if (!ret->n)
        return vg_private_fail(reterr,
                               "`%s` holds no token; expected lines of " LINE_FORM, path);
    return 0;
}

int vg_tokens_read(const char *path, struct vg_tokens *ret, char **reterr)
{
    int fd = vg_private_open(path, true, reterr);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

    *ret = (struct vg_tokens){0};
    if (fd >= 0 && !file)
        close(fd);
    if (!file)
        return -1;
    int rc = read_lines(file, path, ret, reterr);
    (void)fclose(file);
    if (rc < 0)
        vg_tokens_clear(ret);
    return rc;
}

void vg_tokens_clear(struct vg_tokens *tokens)
{
    free(tokens->v);
    *tokens = (struct vg_tokens){0};
}
