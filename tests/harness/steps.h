/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * API scenarios as rows: each is one request with what its answer must be, and counts as
 * one check. Captures of one row can be used in later ones as ${name}, in paths, headers,
 * bodies and patterns.
 *
 * Every exchange is appended as one JSON line to the file named by VG_RECORD:
 *   {"method", "path", "status", "contentType", "headers": {"lower-case": "value"},
 * "body"} body is the JSON value of a JSON answer, else a string, null when empty or not
 * text.
 */
#pragma once

#include "client.h"
#include "json_match.h"
#include "server.h"

#include <stdbool.h>
#include <stddef.h>

struct step {
    const char *method;
    const char *path;
    int status;
    const char *want; /* pattern of the JSON answer; "": no body; NULL: not looked at */
    const char *json; /* JSON body, ' for " */
    const char *xml;  /* XML body */
    const char *headers[6]; /* of the request, "Name: value" */
    const char *wants[6];   /* of the answer: "Name: glob", "!Name" for absent */
    const char *contains;   /* of the answer, as text: glob */
    /* Left out where the driver cannot, or can, do this (driver.h). */
    const char *needs, *lacks;
};

/* Patterns of problems: the gateway's own, and libvirt's by its virErrorNumber:
 * GATEWAY("not-found"), LIBVIRT("NO_DOMAIN"). */
#define GATEWAY(slug) "{'type':'urn:virtgate:error:" slug "','detail':'<string>'}"
#define LIBVIRT(code) "{'type':'urn:libvirt:error:VIR_ERR_" code "','detail':'<string>'}"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ARGS(...)   ((const char *const[]){__VA_ARGS__, NULL})

struct scenario {
    struct server server;
    struct client *client;
    json_t *captures;
    const char *name;
    const char *uri; /* of the gateway's -c */
};

/* Starts a gateway with these arguments and waits until it is ready; counts a failure and
 * returns false when it does not start. */
bool scenario_begin(struct scenario *s, const char *name, const char *const args[]);
/* The same without waiting for /health/ready. */
bool scenario_begin_unready(struct scenario *s, const char *name,
                            const char *const args[]);
/* Stops it; that it exits with 0 is one check. */
void scenario_end(struct scenario *s);

/* Runs rows in order. */
void scenario_run(struct scenario *s, const struct step *rows, size_t n);
/* Runs one row until it passes, at most `seconds`; one check. */
void scenario_until(struct scenario *s, const struct step *row, double seconds);
/* PATCH takes what GET of the same path gives; two checks. */
void scenario_put_back(struct scenario *s, const char *path);
/* PATCHes a domain's title with that If-Match; the status. */
long scenario_patch_title(struct scenario *s, const char *path, const char *title,
                          const char *if_match);
/* "If-Match: " and the tag of what GET gives; owned by the caller. */
char *scenario_if_match(struct scenario *s, const char *shown);
/* Sends one request and records it; free the response. */
struct response *scenario_send(struct scenario *s, const char *method, const char *path,
                               const char *const headers[], const char *body);

/* Appends an exchange that was not sent by the above to VG_RECORD. */
void record_exchange(const char *method, const char *path, const struct response *r);

/* One check: counts it; when !ok prints the message. */
void check_that(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One check on an answer that is printed whole when it fails. */
void check_response(bool ok, const struct response *r, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether an answer is problem+json of this status whose type ends with `type`. */
bool is_problem(const struct response *r, long status, const char *type);

/* Prints "N passed, N failed"; the exit status for main(). */
int checks_report(void);
