/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the header fields mean: framing, Host and Origin, Accept and Content-Type against
 * a route. Lines of the input, in the order of `slots`.
 */
#include "fuzz.h"

#include "server/http/internal.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

static const struct vg_route routes[] = {
    {VG_GET, "/domains/{domain}/xml", "getXml", NULL, .needs = "domain:read",
     .gives = VG_GIVES_XML_OR_JSON},
    {VG_GET, "/domains/{domain}/screenshot", "getScreenshot", NULL,
     .needs = "domain:read", .gives = VG_GIVES_IMAGE},
    {VG_POST, "/domains", "define", NULL, .needs = "gateway:document",
     .takes = VG_TAKES_XML},
    {VG_GET, "/openapi.yaml", "openapi", NULL, .runs_on = VG_ON_NETWORK_THREAD},
};

/* Each line is one field's value; an empty line: the field is absent. */
static void take_lines(struct vg_http_headers *h, char *text)
{
    const char **const slots[] = {
        &h->accept,         &h->content_type,      &h->host,       &h->origin,
        &h->content_length, &h->transfer_encoding, &h->fetch_site, &h->accept_encoding,
        &h->if_none_match,  &h->content_encoding,
    };
    char *rest = text, *line;
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
        if ((line = strsep(&rest, "\n")) && *line)
            *slots[i] = line;
    h->n_host = h->host != NULL;
    h->n_length = h->content_length != NULL;
    h->n_encoding = h->transfer_encoding != NULL;
}

static void check_call(struct vg_http_call *call, const struct vg_config *config,
                       char *text)
{
    struct vg_request *rq = call->rq;
    take_lines(&call->headers, text);
    if (vg_http_check(call, "HTTP/1.1", config) < 0 ||
        vg_http_negotiate(call, config) < 0) {
        fuzz_check_error(rq);
        return;
    }
    MUST(call->headers.n_host == 1);
    MUST(!(call->headers.content_length && call->headers.transfer_encoding));
    MUST(rq->accept != VG_ACCEPT_OTHER);
    MUST(rq->accept != VG_ACCEPT_XML || vg_route_gives_xml(rq->route));
    MUST((rq->accept != VG_ACCEPT_PNG && rq->accept != VG_ACCEPT_PPM) ||
         rq->route->gives == VG_GIVES_IMAGE);
    MUST(rq->body_kind != VG_BODY_XML || rq->route->takes == VG_TAKES_XML);
    if (call->headers.transfer_encoding && vg_http_negotiate_body(call, config) < 0) {
        fuzz_check_error(rq);
        return;
    }
    bool has_body = vg_http_has_body(&call->headers);
    /* a type of XML without a body is an empty document */
    MUST(has_body ? rq->body_kind != VG_BODY_NONE : rq->body_kind != VG_BODY_JSON);
    if (has_body)
        MUST(vg_http_take_body(call, "{}", 2) == 0 && rq->body_length == 2);
    vg_http_release_body(call);
    vg_http_release_headers(&call->headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char address[] = "127.0.0.1:8080", name[] = "gw.example",
         page[] = "https://ui.example";
    char *listen[] = {address}, *allowed[] = {name}, *origins[] = {page};
    const struct vg_config config = {
        .listen = {listen, 1},
        .allowed_hosts = {allowed, 1},
        .cors_origins = {origins, 1},
        .max_json_bytes = 1024,
        .max_document_bytes = 4096,
        .body_memory = 65536,
        .body_memory_per_token = 65536,
    };
    vg_http_limit_start(&config);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        vg_autofree char *text = fuzz_text(data, size);
        struct vg_http_conn conn = {.fd = -1};
        struct vg_http_call call = {.conn = &conn, .rq = vg_request_new()};
        call.rq->route = &routes[i];
        call.rq->method = routes[i].method;
        MUST(vg_request_parse_target(call.rq, routes[i].pattern) == 0);
        check_call(&call, &config, text);
        free(call.origin);
        vg_request_unref(call.rq);
    }
    return 0;
}
