/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "virtgate/digest.h"

#include "virtgate/cleanup.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
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
    struct vg_digest *digest = calloc(1, sizeof(*digest));
    if (!digest || gnutls_hash_init(&digest->hash, GNUTLS_DIG_SHA256) < 0) {
        free(digest);
        return vg_error_set_memory(reterr);
    }
    memcpy(digest->expected, value, n);
    *ret = digest;
    return 0;
}

void vg_digest_add(struct vg_digest *digest, const void *data, size_t n)
{
    if (digest)
        (void)gnutls_hash(digest->hash, data, n);
}

static int write_found(struct vg_digest *digest, char ret[VG_DIGEST_TEXT_SIZE])
{
    unsigned char bytes[32];
    const gnutls_datum_t data = {bytes, sizeof(bytes)};
    gnutls_datum_t text = {0};

    gnutls_hash_output(digest->hash, bytes);
    if (gnutls_base64_encode2(&data, &text) < 0)
        return -1;
    snprintf(ret, VG_DIGEST_TEXT_SIZE, "%.*s", (int)text.size, (const char *)text.data);
    gnutls_free(text.data);
    return 0;
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
