/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which requests wait for a guest's agent. An agent that hangs is common (the guest is
 * busy, or hostile), and libvirt's other calls on that guest go on beside it: so here,
 * too, these have a queue of their own.
 */
#include "server/core/request.h"

#include <string.h>

/* Names of the agent, in arguments that name a way to do something. */
static const char *const names[] = {"agent", "guest-agent", "guest"};
/* The arguments that do. `guest` is true or false. */
static const char *const ways[] = {"flags", "source"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct found {
    bool way; /* one is named */
    bool agent;
};

static void note_name(struct found *found, const char *name, size_t n)
{
    found->way = true;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
            found->agent = true;
}

static void note_pair(struct found *found, const struct vg_pair *pair)
{
    if (strcmp(pair->key, "guest") == 0)
        found->agent = found->agent || strcmp(pair->value, "true") == 0;
    for (size_t i = 0; i < COUNT(ways); i++) {
        if (strcmp(pair->key, ways[i]) != 0)
            continue;
        for (const char *p = pair->value; *p; p += *p == ',') {
            size_t n = strcspn(p, ",");
            note_name(found, p, n);
            p += n;
        }
    }
}

static void note_body(struct found *found, const json_t *body)
{
    found->agent = found->agent || json_is_true(json_object_get(body, "guest"));
    for (size_t i = 0; i < COUNT(ways); i++) {
        const json_t *value = json_object_get(body, ways[i]), *item;
        size_t k;
        if (json_is_string(value))
            note_name(found, json_string_value(value), json_string_length(value));
        json_array_foreach (value, k, item)
            if (json_is_string(item))
                note_name(found, json_string_value(item), json_string_length(item));
    }
}

bool vg_request_asks_agent(const struct vg_request *rq)
{
    enum vg_runs_on runs_on = rq->route->runs_on;
    struct found found = {0};

    if (runs_on != VG_ON_AGENT_BY_DEFAULT && runs_on != VG_ON_AGENT_IF_NAMED)
        return runs_on == VG_ON_AGENT;
    for (unsigned int i = 0; i < rq->n_query; i++)
        note_pair(&found, &rq->query[i]);
    note_body(&found, rq->json);
    return found.agent || (!found.way && runs_on == VG_ON_AGENT_BY_DEFAULT);
}
