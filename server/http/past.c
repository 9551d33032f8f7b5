/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/past.h"

#include "server/http/conn.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

static enum MHD_Result write_field(void *data, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    fprintf(data, "%s: %s\r\n", name, value);
    return MHD_YES;
}

static void write_date(FILE *to)
{
    char text[64];
    struct tm tm;
    const time_t now = time(NULL);

    if (gmtime_r(&now, &tm) &&
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm))
        fprintf(to, "Date: %s\r\n", text);
}

static void write_answer(FILE *to, const struct vg_http_call *call, struct vg_body *body)
{
    fprintf(to, "HTTP/1.1 %d %s\r\n", call->status,
            MHD_get_reason_phrase_for((unsigned int)call->status));
    write_date(to);
    MHD_get_response_headers(call->response, write_field, to);
    if (call->status != 204)
        fprintf(to, "Content-Length: %zu\r\n", body ? body->length : 0);
    fputs("\r\n", to);
    if (body)
        fwrite(vg_body_plain(body), 1, body->length, to);
}

static void send_answer(const struct vg_http_call *call, struct vg_body *body)
{
    vg_autofree char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);

    if (!to)
        return;
    write_answer(to, call, body);
    if (fclose(to) == 0)
        (void)send(call->conn->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void vg_http_answer_past(struct vg_http_call *call, struct vg_reply *reply)
{
    const bool tls = vg_http_is_tls(call->connection);
    struct vg_body *body = vg_body_ref(reply->body);

    call->gzip = false;
    vg_http_build_response(call, reply, reply->allow, true);
    if (call->response && !tls)
        send_answer(call, body);
    shutdown(call->conn->fd, tls ? SHUT_RDWR : SHUT_WR);
    vg_http_release_response(call);
    vg_body_unref(body);
}
