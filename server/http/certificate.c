/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/certificate.h"

#include "server/base/log.h"
#include "server/base/private_file.h"
#include "server/config/tls.h"
#include "virtgate/cleanup.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <string.h>

struct pair {
    gnutls_x509_crt_t *chain; /* owned */
    unsigned int n;
    gnutls_x509_privkey_t key; /* owned */
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct pair current; /* under the lock */

static void clear_pair(struct pair *pair)
{
    for (unsigned int i = 0; i < pair->n; i++)
        gnutls_x509_crt_deinit(pair->chain[i]);
    gnutls_free(pair->chain);
    gnutls_x509_privkey_deinit(pair->key);
    *pair = (struct pair){0};
}

static int import(const char *chain, const char *key, struct pair *ret)
{
    const gnutls_datum_t chain_pem = {.data = (unsigned char *)(uintptr_t)chain,
                                      .size = (unsigned int)strlen(chain)};
    const gnutls_datum_t key_pem = {.data = (unsigned char *)(uintptr_t)key,
                                    .size = (unsigned int)strlen(key)};

    if (gnutls_x509_crt_list_import2(&ret->chain, &ret->n, &chain_pem,
                                     GNUTLS_X509_FMT_PEM, 0) < 0) {
        ret->n = 0;
        return -1;
    }
    return gnutls_x509_privkey_init(&ret->key) < 0 ||
                   gnutls_x509_privkey_import2(ret->key, &key_pem, GNUTLS_X509_FMT_PEM,
                                               NULL, 0) < 0
               ? -1
               : 0;
}

/* The files as they are: readable, of the gateway's own user, and one pair. */
static int read_pair(const struct vg_config *config, struct pair *ret, char **reterr)
{
    vg_autofree char *chain = vg_private_read(config->tls_cert, false, reterr);
    vg_autofree char *key = chain ? vg_private_read(config->tls_key, true, reterr) : NULL;

    if (!key || vg_tls_check_certificates(config->tls_cert, reterr) < 0 ||
        vg_tls_check_key(config->tls_key, reterr) < 0 ||
        vg_tls_check_pair(config->tls_cert, config->tls_key, reterr) < 0)
        return -1;
    if (import(chain, key, ret) == 0)
        return 0;
    clear_pair(ret);
    return vg_private_fail(reterr, "cannot take `%s` with the key in `%s`",
                           config->tls_cert, config->tls_key);
}

int vg_http_certificate_load(const struct vg_config *config)
{
    struct pair read = {0}, old;
    vg_autofree char *message = NULL;

    if (read_pair(config, &read, &message) < 0) {
        vg_log(VG_LOG_ERROR, "http", "%s%s",
               current.n ? "the old certificate stays in use: " : "",
               message ? message : "out of memory");
        return -1;
    }
    pthread_rwlock_wrlock(&lock);
    old = current;
    current = read;
    pthread_rwlock_unlock(&lock);
    clear_pair(&old);
    return 0;
}

void vg_http_certificate_free(void)
{
    clear_pair(&current);
}

/* Lock held. -1: out of memory. */
static int copy_chain(gnutls_pcert_st **ret, unsigned int *ret_n)
{
    gnutls_pcert_st *copy = gnutls_calloc(current.n ? current.n : 1, sizeof(*copy));

    *ret_n = 0;
    for (unsigned int i = 0; copy && i < current.n; i++) {
        if (gnutls_pcert_import_x509(&copy[i], current.chain[i], 0) < 0)
            break;
        (*ret_n)++;
    }
    *ret = copy;
    return copy && *ret_n == current.n ? 0 : -1;
}

/* Lock held. -1: out of memory. */
static int copy_key(gnutls_privkey_t *ret)
{
    if (gnutls_privkey_init(ret) < 0)
        return -1;
    if (gnutls_privkey_import_x509(*ret, current.key, GNUTLS_PRIVKEY_IMPORT_COPY) == 0)
        return 0;
    gnutls_privkey_deinit(*ret);
    return -1;
}

int vg_http_certificate_give(gnutls_session_t session,
                             const struct gnutls_cert_retr_st *info,
                             gnutls_pcert_st **ret_certificates, unsigned int *ret_n,
                             gnutls_ocsp_data_st **ret_ocsp, unsigned int *ret_n_ocsp,
                             gnutls_privkey_t *ret_key, unsigned int *ret_flags)
{
    (void)session;
    (void)info;
    *ret_ocsp = NULL;
    *ret_n_ocsp = 0;
    pthread_rwlock_rdlock(&lock);
    int rc = copy_chain(ret_certificates, ret_n);
    if (rc == 0)
        rc = copy_key(ret_key);
    pthread_rwlock_unlock(&lock);
    if (rc == 0) {
        *ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
        return 0;
    }
    for (unsigned int i = 0; i < *ret_n; i++)
        gnutls_pcert_deinit(&(*ret_certificates)[i]);
    gnutls_free(*ret_certificates);
    *ret_certificates = NULL;
    *ret_n = 0;
    return -1;
}
