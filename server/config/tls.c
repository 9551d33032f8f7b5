/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/config/tls.h"

#include "server/base/private_file.h"
#include "virtgate/cleanup.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

static gnutls_datum_t datum_of(char *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)text,
                            .size = (unsigned int)strlen(text)};
}

int vg_tls_check_certificates(const char *path, char **reterr)
{
    vg_autofree char *text = vg_private_read(path, false, reterr);
    gnutls_x509_crt_t *list = NULL;
    unsigned int n = 0;

    if (!text)
        return -1;
    const gnutls_datum_t pem = datum_of(text);
    int rc = gnutls_x509_crt_list_import2(&list, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
    for (unsigned int i = 0; rc >= 0 && i < n; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    if (rc < 0)
        return vg_private_fail(reterr,
                               "`%s` does not hold certificates in PEM (`-----BEGIN "
                               "CERTIFICATE-----`): %s",
                               path, gnutls_strerror(rc));
    return 0;
}

int vg_tls_check_key(const char *path, char **reterr)
{
    vg_autofree char *text = vg_private_read(path, true, reterr);
    gnutls_x509_privkey_t key = NULL;

    if (!text)
        return -1;
    const gnutls_datum_t pem = datum_of(text);
    int rc = gnutls_x509_privkey_init(&key);
    if (rc >= 0)
        rc = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_x509_privkey_deinit(key);
    if (rc < 0)
        return vg_private_fail(reterr,
                               "`%s` does not hold a private key in PEM (`-----BEGIN "
                               "PRIVATE KEY-----`) without a password: %s",
                               path, gnutls_strerror(rc));
    return 0;
}

int vg_tls_check_pair(const char *certificates, const char *key, char **reterr)
{
    gnutls_certificate_credentials_t both = NULL;
    int rc = gnutls_certificate_allocate_credentials(&both);

    if (rc >= 0)
        rc = gnutls_certificate_set_x509_key_file2(both, certificates, key,
                                                   GNUTLS_X509_FMT_PEM, NULL, 0);
    if (both)
        gnutls_certificate_free_credentials(both);
    if (rc < 0)
        return vg_private_fail(reterr,
                               "the key in `%s` is not the one of the first certificate "
                               "in `%s`: %s",
                               key, certificates, gnutls_strerror(rc));
    return 0;
}
