/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The JSON writer: any bytes become a valid JSON string in valid UTF-8; any tree is read
 * back as it was.
 */
#include "fuzz.h"

#include "virtgate/cleanup.h"
#include "virtgate/json.h"

#include <stdio.h>
#include <string.h>

static void check_text(const char *text)
{
    size_t n = 0;
    struct vg_json w = {0};
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, text, text);
    vg_json_end_object(&w);
    vg_autofree char *json = vg_json_finish(&w, &n);
    MUST(json && fuzz_is_utf8(json, n));
    json_auto_t *read = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
    MUST(read && json_object_size(read) == 1);
    const char *key = json_object_iter_key(json_object_iter(read));
    const char *value = json_string_value(json_object_get(read, key));
    MUST(strcmp(key, value) == 0);
    if (fuzz_is_utf8(text, strlen(text)))
        MUST(strcmp(text, value) == 0);
    json_auto_t *direct = vg_json_text(text);
    MUST(json_is_string(direct) && strcmp(json_string_value(direct), value) == 0);
}

static void check_tree(const char *text, size_t size)
{
    size_t n = 0;
    json_auto_t *tree =
        json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!tree)
        return;
    struct vg_json w = {0};
    vg_json_value(&w, NULL, tree);
    vg_autofree char *json = vg_json_finish(&w, &n);
    json_auto_t *again =
        json_loadb(json, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    MUST(again && json_equal(tree, again));
    w.number_strings = true;
    vg_json_value(&w, NULL, tree);
    vg_autofree char *strings = vg_json_finish(&w, &n);
    json_auto_t *third = json_loadb(strings, n, JSON_DECODE_ANY, NULL);
    MUST(third && json_typeof(third) <= JSON_NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vg_autofree char *text = fuzz_text(data, size);
    check_text(text);
    check_tree(text, size);
    return 0;
}
