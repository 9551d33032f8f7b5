/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "virtgate/digest.h"

#include "virtgate/cleanup.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct vg_digest {
    gnutls_hash_hd_t hash;
    char expected[VG_DIGEST_TEXT_SIZE];
};

/* The value of sha-256 in a dictionary of RFC 8941, "sha-256=:BASE64:, ..."; NULL: it has
 * none. */
static const char *find_value(const char *field)
{
    static const char key[] = "sha-256=:";

    for (const char *p = field; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (strncmp(p, key, strlen(key)) == 0)
            return p + strlen(key);
    }
    return NULL;
}

/* Of `n` characters of Base64. */
static int make(struct vg_digest **ret, const char *value, size_t n,
                struct vg_error *reterr)
{
    struct vg_digest *digest = calloc(1, sizeof(*digest));

    if (!digest || gnutls_hash_init(&digest->hash, GNUTLS_DIG_SHA256) < 0) {
        free(digest);
        return vg_error_set_memory(reterr);
    }
    memcpy(digest->expected, value, n);
    *ret = digest;
    return 0;
}

static int write_text(unsigned char bytes[32], char ret[VG_DIGEST_TEXT_SIZE])
{
    const gnutls_datum_t data = {bytes, 32};
    gnutls_datum_t text = {0};

    if (gnutls_base64_encode2(&data, &text) < 0)
        return -1;
    snprintf(ret, VG_DIGEST_TEXT_SIZE, "%.*s", (int)text.size, (const char *)text.data);
    gnutls_free(text.data);
    return 0;
}

int vg_digest_read(struct vg_digest **ret, const char *name, const char *field,
                   struct vg_error *reterr)
{
    const char *value = find_value(field);
    size_t n = value ? strcspn(value, ":") : 0;

    if (n != VG_DIGEST_TEXT_SIZE - 1 || value[n] != ':') {
        vg_error_set(reterr, VG_E_INVALID_VALUE,
                     "%s: 'sha-256=:BASE64:' is accepted, of 32 bytes", name);
        return -1;
    }
    return make(ret, value, n, reterr);
}

int vg_digest_read_hex(struct vg_digest **ret, const char *text, struct vg_error *reterr)
{
    unsigned char bytes[32];
    size_t size = sizeof(bytes);
    const gnutls_datum_t hex = {(unsigned char *)(uintptr_t)text,
                                (unsigned int)strnlen(text, 65)};
    char base64[VG_DIGEST_TEXT_SIZE];

    if (hex.size != 64 || gnutls_hex_decode(&hex, bytes, &size) < 0 ||
        size != sizeof(bytes)) {
        vg_error_set(reterr, VG_E_INVALID_VALUE,
                     "'sha256': 64 hexadecimal digits are accepted");
        return -1;
    }
    return write_text(bytes, base64) < 0
               ? vg_error_set_memory(reterr)
               : make(ret, base64, VG_DIGEST_TEXT_SIZE - 1, reterr);
}

void vg_digest_add(struct vg_digest *digest, const void *data, size_t n)
{
    if (digest)
        (void)gnutls_hash(digest->hash, data, n);
}

static int write_found(struct vg_digest *digest, char ret[VG_DIGEST_TEXT_SIZE])
{
    unsigned char bytes[32];

    gnutls_hash_output(digest->hash, bytes);
    return write_text(bytes, ret);
}

int vg_digest_check(struct vg_digest *digest, struct vg_error *reterr)
{
    char found[VG_DIGEST_TEXT_SIZE] = "";

    if (!digest)
        return 0;
    if (write_found(digest, found) < 0)
        return vg_error_set_memory(reterr);
    if (strcmp(found, digest->expected) == 0)
        return 0;
    vg_error_set(
        reterr, VG_E_DIGEST_MISMATCH,
        "sha-256 of what came is %s, and %s was announced: it was damaged on its "
        "way, or is something else",
        found, digest->expected);
    return -1;
}

void vg_digest_free(struct vg_digest *digest)
{
    if (!digest)
        return;
    gnutls_hash_deinit(digest->hash, NULL);
    free(digest);
}
