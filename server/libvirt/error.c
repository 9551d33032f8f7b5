/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one place where an error becomes an answer: the gateway's own (error.def) and
 * libvirt's (virError, with the status from error-status.tsv). Everything is copied at
 * once, because the next libvirt call on the thread, even a free, overwrites the thread's
 * last error.
 */
#include "virtgate/error.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT  4096 /* bytes of a text of libvirt's that are shown */
#define MAX_QUOTE 200  /* bytes of a document that a detail quotes */

#include "server/base/redact.h"
#include "server/libvirt/error.h"
#include "virtgate/autoptr.h"
#include "virtgate/cleanup.h"
#include "virtgate/enum.h"
#include "virtgate/json.h"
#include "virtgate/metrics.h"

#define UNKNOWN_CODE_STATUS 502
#define RETRY_AFTER         1

struct own_error {
    const char *slug, *title;
    int status;
    bool retryable;
};

static const struct own_error own_errors[] = {
#define X(id, slug_, status_, retryable_, title_)                                        \
    [VG_E_##id] = {                                                                      \
        .slug = slug_, .title = title_, .status = status_, .retryable = retryable_},
#include "virtgate/error.def"
#undef X
};

static bool worth_retrying(int status)
{
    return status == 503 || status == 504;
}

void vg_error_set_retryable(struct vg_error *e, bool retryable)
{
    e->retryable = retryable;
    e->retry_after = retryable ? RETRY_AFTER : 0;
}

void vg_error_set_status(struct vg_error *e, int status)
{
    e->status = status;
    vg_error_set_retryable(e, worth_retrying(status));
}

void vg_error_set(struct vg_error *e, enum vg_error_id id, const char *fmt, ...)
{
    /* The new text may quote the old one: format before clearing. */
    vg_autofree char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    char *detail = vg_redact(text); /* it may quote a URI */

    vg_error_clear(e);
    const struct own_error *own = &own_errors[id];
    e->status = own->status;
    e->slug = own->slug;
    e->title = own->title;
    e->detail = detail;
    vg_error_set_retryable(e, own->retryable);
}

static const char out_of_memory[] = "Out of memory";

int vg_error_set_memory(struct vg_error *e)
{
    vg_error_set(e, VG_E_INTERNAL, "%s", out_of_memory);
    return -1;
}

bool vg_error_is_memory(const struct vg_error *e)
{
    return e->status && !e->virt && (!e->detail || strcmp(e->detail, out_of_memory) == 0);
}

/* The connection to the host broke. These codes mean something else from other domains.
 */
static bool is_transport(const virError *err)
{
    return err->domain == VIR_FROM_RPC &&
           (err->code == VIR_ERR_INTERNAL_ERROR || err->code == VIR_ERR_SYSTEM_ERROR);
}

/* A document's, which libvirt calls an internal error: of that domain is its parser of
 * devices' addresses, and nothing else (conf/device_conf.c). */
static bool is_of_device_document(const virError *err)
{
    return err->domain == VIR_FROM_DEVICE && err->code == VIR_ERR_INTERNAL_ERROR;
}

static int find_status(const virError *err)
{
    if (is_transport(err))
        return 503;
    if (is_of_device_document(err))
        return 422;
    for (size_t i = 0; i < vg_error_statuses_count; i++)
        if (vg_error_statuses[i].code == err->code)
            return vg_error_statuses[i].status;
    return UNKNOWN_CODE_STATUS;
}

/* Texts that decide something, because no fact does. None is libvirt's, which are in the
 * language of its daemon. */
static const char *const texts[] = {
    /* strerror(ECANCELED) of QEMU, which libvirt starts in the C locale: a backup in pull
     * mode ends well by being aborted, and the event of its end has no other sign of it
     */
    [VG_TEXT_JOB_ABORTED] = "Operation canceled",
};

bool vg_virt_text_is(enum vg_virt_text which, const char *text)
{
    return text && strcmp(text, texts[which]) == 0;
}

/* The constant's name in C, null for one newer than this build. */
static json_t *symbol_to_json(const struct vg_enum *e, int value)
{
    const struct vg_enum_value *v = vg_enum_find(e, value);
    return v ? json_string(v->symbol) : json_null();
}

/* Without secrets, and of what libvirt quotes from a document the beginning. Owned. */
static char *show_text(const char *text)
{
    char *shown = vg_redact(text);
    size_t n = MAX_TEXT;

    if (!shown || strlen(shown) <= n)
        return shown;
    while (n && ((unsigned char)shown[n] & 0xC0) == 0x80)
        n--; /* no part of a character */
    memcpy(shown + n, "...", 4);
    return shown;
}

static bool is_inside_character(const char *at)
{
    return ((unsigned char)*at & 0xC0) == 0x80;
}

/* Of a document that is not well-formed, libvirt quotes the whole line and points at the
 * place below it: "NAME:LINE: FAULT\nQUOTE\n---^". Shown are the column and what is near
 * it. Takes the text. Owned. */
static char *show_place(char *text)
{
    vg_autofree char *whole = text;
    char *shown = NULL;
    const char *quote = whole ? strchr(whole, '\n') : NULL;
    const char *pointer = quote ? strrchr(++quote, '\n') : NULL;
    size_t column = pointer ? strlen(pointer + 1) : 0;

    if (!column || pointer[column] != '^')
        return vg_take(&whole);
    const char *end = quote + column < pointer ? quote + column : pointer;
    const char *start = end - quote > MAX_QUOTE / 2 ? end - MAX_QUOTE / 2 : quote;
    end = pointer - start > MAX_QUOTE ? start + MAX_QUOTE : pointer;
    while (start < end && is_inside_character(start))
        start++;
    while (end > start && is_inside_character(end))
        end--;
    if (asprintf(&shown, "%.*s, column %zu: %s%.*s%s", (int)(quote - 1 - whole), whole,
                 column, start > quote ? "..." : "", (int)(end - start), start,
                 end < pointer ? "..." : "") < 0)
        return NULL;
    return shown;
}

static char *make_detail(const virError *err)
{
    if (err->code == VIR_ERR_XML_DETAIL && err->message)
        return show_place(vg_redact(err->message));
    return show_text(err->message ? err->message : "libvirt gave no message");
}

/* A text of libvirt's, which may quote a URI. */
static json_t *text_to_json(const char *text)
{
    vg_autofree char *shown = show_text(text);
    return vg_json_text(shown);
}

static json_t *virt_to_json(const virError *err)
{
    return json_pack(
        "{s:i, s:o, s:i, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:i, s:i}", "code", err->code,
        "codeName", symbol_to_json(&vg_enum_virErrorNumber, err->code), "domain",
        err->domain, "domainName", symbol_to_json(&vg_enum_virErrorDomain, err->domain),
        "level", (int)err->level, "levelName",
        symbol_to_json(&vg_enum_virErrorLevel, (int)err->level), "message",
        text_to_json(err->message), "str1", text_to_json(err->str1), "str2",
        text_to_json(err->str2), "str3", text_to_json(err->str3), "int1", err->int1,
        "int2", err->int2);
}

void vg_error_copy_virt(struct vg_error *e, const virError *err)
{
    vg_count_virt_error(err->code);
    vg_error_clear(e);
    vg_error_set_status(e, find_status(err));
    e->detail = make_detail(err);
    e->virt = virt_to_json(err);
    if (!e->virt) {
        vg_error_set_memory(e);
        e->transport = is_transport(err);
        return;
    }
    e->transport = is_transport(err);
}

int vg_error_set_virt(struct vg_error *e)
{
    virError err = {0};
    if (virCopyLastError(&err) <= 0) {
        vg_error_set(e, VG_E_INTERNAL,
                     "libvirt failed and does not say why: out of memory, or the "
                     "connection ended");
        return -1;
    }
    vg_error_copy_virt(e, &err);
    virResetError(&err);
    /* Whoever fails next without an error must not be blamed with this one. */
    virResetLastError();
    return -1;
}

/* A copy of the text with `to` for each `from`; NULL: out of memory. Owned. */
static char *replace_text(const char *text, const char *from, const char *to)
{
    char *copy = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&copy, &size);

    if (!out)
        return NULL;
    for (const char *at; (at = strstr(text, from)); text = at + strlen(from))
        fprintf(out, "%.*s%s", (int)(at - text), text, to);
    fputs(text, out);
    if (fclose(out) == 0)
        return copy;
    free(copy);
    return NULL;
}

void vg_error_replace(struct vg_error *e, const char *from, const char *to)
{
    static const char *const texts_of_virt[] = {"message", "str1", "str2", "str3"};
    char *detail = e->detail ? replace_text(e->detail, from, to) : NULL;

    free(e->detail);
    e->detail = detail;
    for (size_t i = 0; e->virt && i < sizeof(texts_of_virt) / sizeof(char *); i++) {
        const char *text = json_string_value(json_object_get(e->virt, texts_of_virt[i]));
        vg_autofree char *made = text ? replace_text(text, from, to) : NULL;
        if (text)
            json_object_set_new(e->virt, texts_of_virt[i],
                                made ? vg_json_text(made) : json_null());
    }
}

void vg_error_clear(struct vg_error *e)
{
    free(e->detail);
    free(e->holder);
    json_decref(e->virt);
    *e = (struct vg_error){0};
}

/* libvirt's text for the code alone: str1 is the format "Domain not found: %s". Where it
 * has none ("%s" for system errors, or NULL, or what is no format of the message but a
 * function's name, as of invalid arguments), the code's own name in words. */
static json_t *virt_title(json_t *virt, const struct vg_enum_value *code)
{
    const char *format = json_string_value(json_object_get(virt, "str1"));
    const char *message = json_string_value(json_object_get(virt, "message"));
    size_t len = format ? strcspn(format, "%") : 0;
    if (message && format && strncmp(message, format, len) != 0)
        len = 0;
    while (len > 0 && strchr(" :'\"(", format[len - 1]))
        len--;
    if (len > 0)
        return json_stringn(format, len);
    if (!code)
        return json_string("libvirt error unknown to this gateway");
    vg_autofree char *words = strdup(code->name);
    for (char *c = words; c && *c; c++)
        if (*c == '-')
            *c = ' ';
    return json_string(words);
}

static int add_virt(json_t *problem, json_t *virt)
{
    int number = (int)json_integer_value(json_object_get(virt, "code"));
    const struct vg_enum_value *code = vg_enum_find(&vg_enum_virErrorNumber, number);
    json_t *type = code ? json_sprintf("urn:libvirt:error:%s", code->symbol)
                        : json_sprintf("urn:libvirt:error:%d", number);
    return json_object_set_new(problem, "type", type) |
           json_object_set_new(problem, "title", virt_title(virt, code));
}

static int add_own(json_t *problem, const struct vg_error *e)
{
    /* libvirt's error without its fields: there was no memory for them. */
    const char *slug = e->slug ? e->slug : own_errors[VG_E_INTERNAL].slug;
    const char *title = e->title ? e->title : own_errors[VG_E_INTERNAL].title;
    return json_object_set_new(problem, "type",
                               json_sprintf("urn:virtgate:error:%s", slug)) |
           json_object_set_new(problem, "title", json_string(title));
}

bool vg_error_is_virt(const struct vg_error *e, int number)
{
    return e->virt && json_integer_value(json_object_get(e->virt, "code")) == number;
}

bool vg_error_is_unsendable(const struct vg_error *e)
{
    return !e->transport && vg_error_is_virt(e, VIR_ERR_RPC);
}

bool vg_error_is_from(const struct vg_error *e, int domain)
{
    return e->virt && json_integer_value(json_object_get(e->virt, "domain")) == domain;
}

int vg_error_number(const struct vg_error *e)
{
    json_int_t number = json_integer_value(json_object_get(e->virt, "int1"));
    return vg_error_is_virt(e, VIR_ERR_SYSTEM_ERROR) && number > 0 ? (int)number : 0;
}

json_t *vg_error_to_json(const struct vg_error *e)
{
    json_auto_t *problem = json_object();
    if (!problem)
        return NULL;
    int bad = e->virt && !e->slug ? add_virt(problem, e->virt) : add_own(problem, e);
    bad |= json_object_set_new(problem, "status", json_integer(e->status));
    bad |= json_object_set_new(problem, "detail", vg_json_text(e->detail));
    bad |= json_object_set_new(problem, "retryable", json_boolean(e->retryable));
    if (e->permission)
        bad |= json_object_set_new(problem, "permission", json_string(e->permission));
    if (e->holder)
        bad |= json_object_set_new(problem, "holder", vg_json_text(e->holder));
    if (e->outcome == VG_OUTCOME_UNKNOWN)
        bad |= json_object_set_new(problem, "outcome", json_string("unknown"));
    if (e->virt)
        bad |= json_object_set(problem, "error", e->virt);
    return bad ? NULL : vg_take(&problem);
}

void vg_error_copy(struct vg_error *to, const struct vg_error *from)
{
    vg_error_clear(to);
    *to = *from;
    to->detail = from->detail ? strdup(from->detail) : NULL;
    to->holder = from->holder ? strdup(from->holder) : NULL;
    /* Copied whole: who drops jansson's last reference to what two threads shared frees
     * it without having seen the other done with it (released there, never acquired). */
    to->virt = json_deep_copy(from->virt);
}
