/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A request as a handler sees it: path, arguments, body. A handler runs on one thread
 * from first to last call; a request is not to be used after its reply was returned.
 *
 * Functions that fail put the reason into the request's error, for `return vg_fail(rq)`.
 */
#pragma once

#include "virtgate/enum.h"
#include "virtgate/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VG_UUID_SIZE 37 /* a UUID as text, with its NUL */

struct vg_request;

/* The decoded path segment of pattern word {name}. Borrowed; never NULL for a name that
 * stands in the route's pattern. */
const char *vg_path(const struct vg_request *rq, const char *name);

/* The same where it is no name of something that is there, which libvirt looks up, but
 * one that it keeps, or gives to the guest: XML has all its characters. NULL: the
 * request's error is set. */
const char *vg_path_text(struct vg_request *rq, const char *name);

/* The request's own error, to be filled before vg_fail(). */
struct vg_error *vg_request_error(struct vg_request *rq);

/* The name of the host the request is for ("default" on bare paths). Borrowed. */
const char *vg_host_name(const struct vg_request *rq);

/* What stands before every path of the gateway (--path-prefix), "" for nothing; to be put
 * before paths in answers (Location and Link are given without it). Static. */
const char *vg_path_prefix(void);

/* The path up to and including the host: "" on bare paths, else "/hosts/NAME", encoded;
 * for links. Borrowed. */
const char *vg_host_prefix(const struct vg_request *rq);

/* Whether the caller has these permissions, separated by blanks (route.h): for what is
 * left out of an answer where not. */
bool vg_request_may(const struct vg_request *rq, const char *permissions);

/* An argument that was given needs these permissions beside those of its row. Ask before
 * anything is done: whoever cancels the operation that the request may begin needs them,
 * too. `why` begins the error's text: "'emulator' is a program that the host then runs".
 * -1: the caller lacks one, the request's error is set. */
int vg_request_ask(struct vg_request *rq, const char *permissions, const char *why);

/* The same where the flags of a document may show its passwords: `shown` says whether. */
int vg_request_ask_secrets(struct vg_request *rq, bool shown);

/* Of a POST that makes an object, when it is known whether there is one of that name: -1
 * where `If-None-Match: *` says that there is to be none, and the request's error, a 412,
 * is set. */
int vg_request_check_new(struct vg_request *rq, bool exists);

/* Whether it says so, and vg_request_check_new() matters. */
bool vg_request_wants_new(const struct vg_request *rq);

/* Whether the Accept header prefers application/xml to JSON. */
bool vg_wants_xml(const struct vg_request *rq);

/* The media type of the image that the Accept header prefers: "image/png" or
 * "image/x-portable-pixmap"; NULL when any will do. Static. */
const char *vg_wants_image(const struct vg_request *rq);

/* Whether the Accept header prefers OpenMetrics to Prometheus' own format. */
bool vg_wants_openmetrics(const struct vg_request *rq);

/* Whether it is a HEAD, where its status is to tell what GET's body does. Not on a row
 * that is shared: a GET would get its answer. */
bool vg_is_head(const struct vg_request *rq);

/* The text of an application/xml body (NUL-terminated, not checked yet: xml.h), NULL when
 * the body is not XML. Borrowed. */
const char *vg_xml_body(const struct vg_request *rq);

/* The body of a row that VG_TAKES_BYTES, its length in *ret_n; NULL: there is none.
 * Borrowed. */
const unsigned char *vg_bytes_body(const struct vg_request *rq, size_t *ret_n);

/* ---- arguments ---------------------------------------------------------------------
 *
 * What a handler accepts is an array of fields, ended by VG_END. vg_args reads the
 * query's keys and, when a JSON body was sent, its members by the same names. An unknown
 * key, a key given twice (also: in both), a wrong type, an unknown flag is a 400 that
 * names what is accepted. Outputs of absent fields keep their value.
 *
 * Texts, in queries and bodies, keys of objects included, hold only characters that XML
 * has: what libvirt keeps of them it keeps as XML, and a guest whose XML cannot be read
 * again is lost when libvirtd restarts.
 */
enum vg_field_kind {
    VG_FIELD_END,
    VG_FIELD_TEXT,     /* const char *, borrowed from the request */
    VG_FIELD_BOOL,     /* bool; in a query also true, false, 1, 0, yes, no */
    VG_FIELD_MAYBE,    /* int: 1 or 0; what it was before (-1, say) when absent */
    VG_FIELD_NUMBER,   /* int64_t within [min, max] */
    VG_FIELD_UNSIGNED, /* uint64_t, all of them, as addresses are; text, in a body also
                        * a number: "4096", "0x1000" */
    VG_FIELD_ENUM,     /* int: one name of `names` */
    VG_FIELD_FLAGS,   /* unsigned int: JSON array of names; in a query separated by commas
                       */
    VG_FIELD_JSON,    /* json_t *, borrowed; body only */
    VG_FIELD_COMMAND, /* the same for what no document and no name is made of, a command's
                       * arguments: it may hold any character */
    VG_FIELD_CPUS,    /* struct vg_cpumap: "0-3,^2", in a body also [0, 1, 3] */
    VG_FIELD_REST,    /* json_t *, borrowed: an object of the body's members that no other
                       * field names, for merge patches of what libvirt names */
};

struct vg_field {
    const char *name;
    enum vg_field_kind kind;
    void *ret;
    const struct vg_enum *names;
    int64_t min, max;
    bool required;
};

/* clang-format off */
#define VG_TEXT(n, p)           {.name = (n), .kind = VG_FIELD_TEXT, .ret = (p)}
#define VG_NEED_TEXT(n, p)      {.name = (n), .kind = VG_FIELD_TEXT, .ret = (p), .required = true}
#define VG_BOOL(n, p)           {.name = (n), .kind = VG_FIELD_BOOL, .ret = (p)}
#define VG_MAYBE(n, p)          {.name = (n), .kind = VG_FIELD_MAYBE, .ret = (p)}
#define VG_NEED_BOOL(n, p)      {.name = (n), .kind = VG_FIELD_BOOL, .ret = (p), .required = true}
#define VG_NUMBER(n, p, lo, hi) {.name = (n), .kind = VG_FIELD_NUMBER, .ret = (p), .min = (lo), .max = (hi)}
#define VG_NEED_NUMBER(n, p, lo, hi) {.name = (n), .kind = VG_FIELD_NUMBER, .ret = (p), .min = (lo), .max = (hi), .required = true}
#define VG_UNSIGNED(n, p)       {.name = (n), .kind = VG_FIELD_UNSIGNED, .ret = (p)}
#define VG_ENUM(n, p, type)     {.name = (n), .kind = VG_FIELD_ENUM, .ret = (p), .names = &vg_enum_##type}
#define VG_NEED_ENUM(n, p, type) {.name = (n), .kind = VG_FIELD_ENUM, .ret = (p), .names = &vg_enum_##type, .required = true}
#define VG_FLAGS(n, p, type)    {.name = (n), .kind = VG_FIELD_FLAGS, .ret = (p), .names = &vg_enum_##type}
#define VG_NAMES(n, p, table)   {.name = (n), .kind = VG_FIELD_FLAGS, .ret = (p), .names = (table)}
#define VG_ONE_OF(n, p, table)  {.name = (n), .kind = VG_FIELD_ENUM, .ret = (p), .names = (table)}
#define VG_JSON(n, p)           {.name = (n), .kind = VG_FIELD_JSON, .ret = (p)}
#define VG_COMMAND(n, p)        {.name = (n), .kind = VG_FIELD_COMMAND, .ret = (p)}
#define VG_CPUS(n, p)           {.name = (n), .kind = VG_FIELD_CPUS, .ret = (p)}
#define VG_NEED_CPUS(n, p)      {.name = (n), .kind = VG_FIELD_CPUS, .ret = (p), .required = true}
#define VG_REST(p)              {.name = "...", .kind = VG_FIELD_REST, .ret = (p)}
#define VG_END                  {.name = NULL, .kind = VG_FIELD_END}
/* clang-format on */

/* The most fields that a table may have, its end not counted. */
#define VG_ARGS_MAX 40

/* Reads the arguments. -1: the request's error is set. Call it once, first. */
int vg_args(struct vg_request *rq, const struct vg_field *fields);

/* Reads an object that is a part of the body, as an item of an array is, by a table of
 * its own; `where` ("disks/0") begins what errors say. Call it after vg_args(). -1: the
 * request's error is set. */
int vg_args_object(struct vg_request *rq, const char *where, json_t *object,
                   const struct vg_field *fields);

/* Refuses a member of the body for its value: `where` is its path ("disks/0/format"),
 * `accepted` says what would do ("a number above 0"). Returns -1, with the request's
 * error set. */
int vg_args_fail_member(struct vg_request *rq, const char *where, const char *accepted);

/* The same with a text of the caller's, as printf() formats it, of what is no member, or
 * of several. */
#define vg_fail_value(rq, ...)                                                           \
    (vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE, __VA_ARGS__), -1)

/* The path segment {name} as a number from 0 to max. -1: the request's error is set. */
int vg_path_number(struct vg_request *rq, const char *name, int64_t max,
                   unsigned int *ret);

/* Whether the body has the member `name`, for a table that depends on it. */
bool vg_peek_member(const struct vg_request *rq, const char *name);

/* Whether the argument `name` is given as true, for a table that depends on it. */
bool vg_peek_true(const struct vg_request *rq, const char *name);
