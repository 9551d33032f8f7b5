/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gateway's own certificate and key, which may be read again while it runs: each TLS
 * handshake asks for those of now, connections that are there live on.
 */
#pragma once

#include "server/config/config.h"

#include <gnutls/abstract.h>

/* Reads the files of --tls-cert and --tls-key, again when it is called again. -1: said on
 * the log; those read before stay. Any thread. */
int vg_http_certificate_load(const struct vg_config *config);
void vg_http_certificate_free(void);

/* libmicrohttpd's MHD_OPTION_HTTPS_CERT_CALLBACK2: what it returns is the session's own
 * copy. */
int vg_http_certificate_give(gnutls_session_t session,
                             const struct gnutls_cert_retr_st *info,
                             gnutls_pcert_st **ret_certificates, unsigned int *ret_n,
                             gnutls_ocsp_data_st **ret_ocsp, unsigned int *ret_n_ocsp,
                             gnutls_privkey_t *ret_key, unsigned int *ret_flags);
