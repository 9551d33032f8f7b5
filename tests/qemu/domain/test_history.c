/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/history.c and the rates beside statistics, on QEMU: whoever reads all
 * statistics feeds them; a rename, a restart, a guest that goes.
 */
#include "tests/qemu/guest.h"

#define UUID "7d3f1c52-2f0b-4c8e-9a56-0d6c9b6f1a01"

static const struct step begin[] = {
    {"POST", "/domains?start=true", 201, NULL, .xml = GUEST_UUID("h1", UUID)},
    {"POST", "/domains?start=true", 201, NULL, .xml = GUEST("h2")},
    {"POST", "/domains", 201, NULL, .xml = GUEST("off")},
    {"GET", "/domains/h1/history?seconds=20", 200,
     "{'name':'h1','points':2,'series':{'cpuPercent':['<any>','<any>']}}"},
};

/* The gateway asks by itself, and soon again where it has seen a guest only once. */
static const struct step is_sampled = {
    "GET", "/domains/h1/history?seconds=10&fields=cpuPercent", 200,
    "{'points':1,'series':{'cpuPercent':['<number>']}}"};

/* Who reads all statistics feeds it, too. */
static const struct step has_rates = {
    "GET", "/domain-stats", 200,
    "{'domains':[{'name':'h1','rates':{'time':'<string>','cpuPercent':'<number>'}},"
    "{'name':'h2','rates':{'cpuPercent':'<number>'}},{'name':'off'}]}"};

static const struct step has_history = {
    "GET", "/domains/h1/history?seconds=20&fields=cpuPercent,memoryKiB,memoryRssKiB", 200,
    "{'points':2,'series':{'cpuPercent':['<any>','<number>'],"
    "'memoryKiB':['<any>',16384],'memoryRssKiB':['<any>','<int>']}}"};

static const struct step then[] = {
    {"GET", "/domains/off/history?seconds=10", 200,
     "{'id':null,'series':{'cpuPercent':[null],'memoryKiB':[null]}}"},
    {"GET", "/hosts/-/domain-stats?groups=state", 200,
     "{'domains':[{'name':'h1','host':'default','rates':{'cpuPercent':'<number>'}},{},{}]"
     ","
     "'unreachable':[]}"},
    {"GET", "/domains/h1/stats?groups=state", 200,
     "{'name':'h1','stats':{},'rates':{'cpuPercent':'<number>'}}"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*virtgate_history_domains{host=\"default\"} 2\n*"},
    {"POST", "/domains/h2/destroy", 204, ""},
    {"DELETE", "/domains/h2", 204, ""},
    {"DELETE", "/domains/off", 204, ""},
    {"POST", "/domains/h1/destroy", 204, ""},
    {"POST", "/domains/h1/rename", 200, "{'name':'renamed'}",
     .json = "{'name':'renamed'}"},
    {"GET", "/domain-stats", 200, "{'domains':[{'name':'renamed'}]}"},
    {"GET", "/domains/renamed/history?fields=memoryKiB", 200,
     "{'name':'renamed','uuid':'" UUID "'}", .contains = "*16384*"},
    {"GET", "/domain-stats", 200, "{'domains':[{'name':'renamed'}]}"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*virtgate_history_domains{host=\"default\"} 1\n*"},
    {"GET", "/domains/h2/history", 404, LIBVIRT("NO_DOMAIN")},
};

/* Of the host beside its guests: how busy it was since it was asked before. */
static const struct step has_percent = {
    "GET", "/hosts?view=full", 200,
    "{'hosts':[{'host':'default','domains':{'running':2,'shutoff':1,'total':3},"
    "'node':{'cpus':'<int>','memoryKiB':'<int>','freeMemoryKiB':'<int>',"
    "'cpuPercent':'<number>'}}]}"};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "history", ARGS("-c", guest_uri()))) {
        scenario_run(&s, begin, COUNT(begin));
        scenario_until(&s, &is_sampled, 60);
        scenario_until(&s, &has_rates, 60);
        scenario_until(&s, &has_history, 60);
        scenario_until(&s, &has_percent, 60);
        scenario_run(&s, then, COUNT(then));
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
