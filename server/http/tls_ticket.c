/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/tls_ticket.h. Of the key that it is given GnuTLS makes those that encrypt
 * tickets, another one every few hours. The key itself lives for a day: what it has
 * encrypted cannot be read any more when it has gone, and who comes with an older ticket
 * gets a full handshake.
 */
#include "server/http/tls_ticket.h"

#include "server/base/clock.h"
#include "virtgate/cleanup.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>

#define KEY_LIFE_NS (24 * 3600 * VG_SECOND_NS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gnutls_datum_t key;
static int64_t key_until_ns;

/* Lock held. */
static void forget_key(void)
{
    if (key.data)
        gnutls_memset(key.data, 0, key.size);
    gnutls_free(key.data);
    key = (gnutls_datum_t){0};
}

/* Lock held. -1: there is none. */
static int renew_key(void)
{
    int64_t now = vg_coarse_ns();

    if (key.data && now < key_until_ns)
        return 0;
    forget_key();
    key_until_ns = now + KEY_LIFE_NS;
    return gnutls_session_ticket_key_generate(&key) < 0 ? -1 : 0;
}

void vg_http_tls_tickets(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    if (!info || !info->tls_session)
        return;
    VG_LOCK(&lock);
    if (renew_key() == 0)
        gnutls_session_ticket_enable_server(info->tls_session, &key); /* copies it */
}

void vg_http_tls_tickets_end(void)
{
    VG_LOCK(&lock);
    forget_key();
}
