/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "virtgate/digest.h"

#include "virtgate/cleanup.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct algorithm {
    const char *name;
    gnutls_digest_algorithm_t id;
    size_t size;              /* in bytes, 32 at most */
    enum vg_error_id differs; /* what a mismatch is */
};

static const struct algorithm announced = {"sha-256", GNUTLS_DIG_SHA256, 32,
                                           VG_E_DIGEST_MISMATCH};
static const struct algorithm checksums[] = {
    {"sha1", GNUTLS_DIG_SHA1, 20, VG_E_CHECKSUM_MISMATCH},
    {"sha256", GNUTLS_DIG_SHA256, 32, VG_E_CHECKSUM_MISMATCH},
};

struct vg_digest {
    const struct algorithm *algorithm;
    gnutls_hash_hd_t hash;
    char expected[VG_DIGEST_TEXT_SIZE];
};

unsigned char *vg_base64_decode(const char *text, size_t n, size_t *ret_n)
{
    const gnutls_datum_t base64 = {(unsigned char *)(uintptr_t)text, (unsigned int)n};
    gnutls_datum_t bytes = {0};
    size_t padding = n && text[n - 1] == '=' ? (n > 1 && text[n - 2] == '=' ? 2 : 1) : 0;
    size_t good = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                               "0123456789+/");

    if (n % 4 != 0 || n > INT32_MAX || good < n - padding)
        return NULL;
    unsigned char *ret = malloc(n / 4 * 3 + 1);
    if (ret && n && gnutls_base64_decode2(&base64, &bytes) < 0) {
        free(ret);
        return NULL;
    }
    if (!ret)
        return NULL;
    if (n)
        memcpy(ret, bytes.data, bytes.size);
    ret[bytes.size] = '\0';
    *ret_n = bytes.size;
    gnutls_free(bytes.data);
    return ret;
}

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
static int make(struct vg_digest **ret, const struct algorithm *algorithm,
                const char *value, size_t n, struct vg_error *reterr)
{
    struct vg_digest *digest = calloc(1, sizeof(*digest));

    if (!digest || gnutls_hash_init(&digest->hash, algorithm->id) < 0) {
        free(digest);
        return vg_error_set_memory(reterr);
    }
    digest->algorithm = algorithm;
    memcpy(digest->expected, value, n);
    *ret = digest;
    return 0;
}

static int write_text(unsigned char *bytes, size_t size, char ret[VG_DIGEST_TEXT_SIZE])
{
    const gnutls_datum_t data = {bytes, (unsigned int)size};
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
    return make(ret, &announced, value, n, reterr);
}

int vg_digest_read_checksum(struct vg_digest **ret, const char *field,
                            struct vg_error *reterr)
{
    const char *blank = strchr(field, ' ');
    size_t n = blank ? (size_t)(blank - field) : 0, size = 0;

    for (size_t i = 0; blank && i < sizeof(checksums) / sizeof(checksums[0]); i++) {
        const struct algorithm *a = &checksums[i];
        if (strlen(a->name) != n || strncmp(a->name, field, n) != 0)
            continue;
        size_t length = strlen(blank + 1);
        vg_autofree unsigned char *bytes = vg_base64_decode(blank + 1, length, &size);
        if (bytes && size == a->size)
            return make(ret, a, blank + 1, length, reterr);
    }
    vg_error_set(reterr, VG_E_INVALID_VALUE,
                 "Upload-Checksum: 'ALGORITHM BASE64' is accepted, of sha1 or sha256");
    return -1;
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
    return write_text(bytes, sizeof(bytes), base64) < 0
               ? vg_error_set_memory(reterr)
               : make(ret, &announced, base64, VG_DIGEST_TEXT_SIZE - 1, reterr);
}

int vg_digest_copy(struct vg_digest **ret, const struct vg_digest *digest,
                   struct vg_error *reterr)
{
    *ret = NULL;
    if (!digest)
        return 0;
    struct vg_digest *copy = malloc(sizeof(*copy));
    if (copy) {
        *copy = *digest;
        copy->hash = gnutls_hash_copy(digest->hash);
    }
    if (copy && copy->hash) {
        *ret = copy;
        return 0;
    }
    free(copy);
    return vg_error_set_memory(reterr);
}

void vg_digest_add(struct vg_digest *digest, const void *data, size_t n)
{
    if (digest)
        (void)gnutls_hash(digest->hash, data, n);
}

int vg_digest_new(struct vg_digest **ret, struct vg_error *reterr)
{
    return make(ret, &announced, "", 0, reterr);
}

int vg_digest_write(struct vg_digest *digest, char ret[VG_DIGEST_TEXT_SIZE])
{
    unsigned char bytes[32];

    gnutls_hash_output(digest->hash, bytes);
    return write_text(bytes, digest->algorithm->size, ret);
}

int vg_digest_check(struct vg_digest *digest, struct vg_error *reterr)
{
    char found[VG_DIGEST_TEXT_SIZE] = "";

    if (!digest)
        return 0;
    if (vg_digest_write(digest, found) < 0)
        return vg_error_set_memory(reterr);
    if (strcmp(found, digest->expected) == 0)
        return 0;
    vg_error_set(reterr, digest->algorithm->differs,
                 "%s of what came is %s, and %s was announced: it was damaged on its "
                 "way, or is something else",
                 digest->algorithm->name, found, digest->expected);
    return -1;
}

void vg_digest_free(struct vg_digest *digest)
{
    if (!digest)
        return;
    gnutls_hash_deinit(digest->hash, NULL);
    free(digest);
}
