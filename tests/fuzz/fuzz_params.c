/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Typed parameters from JSON, and to JSON from whatever names and values a daemon sends:
 * lines of NAME=VALUE.
 */
#include "fuzz.h"

#include "virtgate/cleanup.h"
#include "virtgate/params.h"

#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

static virTypedParameter current[] = {
    {.field = "cpu_shares", .type = VIR_TYPED_PARAM_ULLONG},
    {.field = "vcpu_period", .type = VIR_TYPED_PARAM_LLONG},
    {.field = "weight", .type = VIR_TYPED_PARAM_UINT},
    {.field = "group_name", .type = VIR_TYPED_PARAM_STRING},
    {.field = "flag", .type = VIR_TYPED_PARAM_BOOLEAN},
    {.field = "ratio", .type = VIR_TYPED_PARAM_DOUBLE},
    {.field = "a.b.c", .type = VIR_TYPED_PARAM_INT},
    {.field = "strange", .type = 99},
};

static void check_json(const virTypedParameter *params, int n, size_t input)
{
    json_auto_t *json = vg_params_to_json(params, n);
    MUST(json_is_object(json));
    char *text = json_dumps(json, JSON_COMPACT);
    MUST(text);
    /* No count makes more of the answer than the parameters are worth: every level of a
     * name may become a list of at most n places, and a byte of text six of JSON. */
    MUST(strlen(text) <= 64 + 6 * input + (size_t)n * (1024 + (size_t)n * 256));
    free(text);
}

static void read_json(const char *text, size_t size)
{
    struct vg_error e = {0};
    virTypedParameterPtr params = NULL;
    int n = 0;
    json_auto_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        return;
    if (vg_params_from_json(json, current, sizeof(current) / sizeof(current[0]), &params,
                            &n, &e) == 0) {
        check_json(params, n, size);
        virTypedParamsFree(params, n);
    } else {
        MUST(e.status == 400 && e.detail);
    }
    vg_error_clear(&e);
}

static void set_value(virTypedParameter *p, const char *value)
{
    p->type = (int)(strlen(value) % 8) + 1;
    if (p->type == VIR_TYPED_PARAM_STRING)
        p->value.s = (char *)(uintptr_t)value;
    else if (p->type == VIR_TYPED_PARAM_DOUBLE)
        p->value.d = strtod(value, NULL);
    else if (p->type == VIR_TYPED_PARAM_BOOLEAN)
        p->value.b = value[0] == '1';
    else
        p->value.ul = strtoull(value, NULL, 10);
}

static void write_params(char *text, size_t size)
{
    virTypedParameter params[64];
    int n = 0;
    char *rest = text;
    for (char *line; n < 64 && (line = strsep(&rest, "\n"));) {
        virTypedParameter *p = &params[n++];
        const char *value = line;
        char *name = strsep((char **)(uintptr_t)&value, "=");
        memset(p, 0, sizeof(*p));
        snprintf(p->field, sizeof(p->field), "%s", name);
        set_value(p, value ? value : "");
    }
    check_json(params, n, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vg_autofree char *text = fuzz_text(data, size);
    if (text[0] == '{')
        read_json(text, size);
    else
        write_params(text, size);
    return 0;
}
