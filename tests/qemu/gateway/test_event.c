/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Events of QEMU's own monitor, of one guest: which are told, live and afterwards.
 */
#include "tests/harness/stream.h"
#include "tests/qemu/guest.h"

#include <string.h>

#define EVENTS "/domains/e1/qemu/events"

static const struct step begin[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("e1")},
    {"POST", "/domains", 201, NULL, .xml = GUEST("e2")},
    {"POST", "/domains/e2/start", 204, ""},
};

/* That of its start comes when it will; what is looked at begins after it. */
static const struct step is_told = {"GET",
                                    "/domains/e2/qemu/events?event=RESUME&last=1&wait=0",
                                    200, "{'events':[{'name':'RESUME'}]}"};
static const struct step since[] = {
    {"GET", "/events?wait=0", 200, "{'events':[],'revision':'$begin'}"},
    {"GET", "/domains/nosuch/qemu/events", 404, LIBVIRT("NO_DOMAIN")},
};

/* A domain that is not running is watched, too. */
static const struct step act[] = {
    {"POST", "/domains/e1/start", 204, "", .json = "{'flags':['paused']}"},
    {"POST", "/domains/e1/resume", 204, ""},
    {"POST", "/domains/e2/suspend", 204, ""},
    {"POST", "/domains/e1/suspend", 204, ""},
    {"GET", EVENTS "?event=RESUME&wait=60&since=${begin}", 200,
     "{'events':[{'object':'qemu-monitor','event':'monitor','name':'RESUME',"
     "'domain':{'name':'e1'},'seconds':'<int>','microseconds':'<int>','data':null}]}"},
    {"GET", EVENTS "?event=STOP&wait=60&since=${begin}", 200,
     "{'events':[{'name':'STOP','domain':{'name':'e1'}}]}"},
};

static const struct step afterwards[] = {
    {"GET", EVENTS "?event=NOSUCH,STOP,RESUME&since=${begin}", 200,
     "{'events':[{'name':'RESUME'},{'name':'STOP'}]}",
     .headers = {"Accept: application/json"}},
    {"GET", EVENTS "?event=ST.*&wait=0&since=${begin}", 200, "{'events':[]}"},
    {"GET", EVENTS "?event=^ST.P&regex=true&wait=0&since=${begin}", 200,
     "{'events':[{'name':'STOP'}]}"},
    {"GET", EVENTS "?event=^stop$&regex=true&wait=0&since=${begin}", 200,
     "{'events':[]}"},
    {"GET", EVENTS "?event=^stop$&flags=regex,nocase&wait=0&since=${begin}", 200,
     "{'events':[{'name':'STOP'}]}"},
    {"GET", EVENTS "?event=stop,resume&flags=nocase&wait=0&since=${begin}", 200,
     "{'events':[{'name':'RESUME'},{'name':'STOP'}]}"},
    {"GET", "/domains/e2/qemu/events?event=STOP,RESUME&wait=0&since=${begin}", 200,
     "{'events':[{'name':'STOP','domain':{'name':'e2'}}]}"},
};

static void expect_name(struct stream *st, const char *name)
{
    json_t *frame = stream_next(st, LONG_ENOUGH);
    const char *got =
        json_string_value(json_object_get(json_object_get(frame, "data"), "name"));
    check_that(got && strcmp(got, name) == 0, "%s tells %s, not %s", st->path,
               got ? got : "nothing", name);
    json_decref(frame);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "monitor events", ARGS("-c", guest_uri()))) {
        scenario_run(&s, begin, COUNT(begin));
        scenario_until(&s, &is_told, 60);
        scenario_run(&s, since, COUNT(since));
        struct stream *st =
            stream_open(&s.server, EVENTS "?event=^(STOP|RESUME)$&regex=true", NULL, 0);
        json_decref(stream_next(st, LONG_ENOUGH)); /* where it begins */
        scenario_run(&s, act, COUNT(act));
        expect_name(st, "RESUME");
        expect_name(st, "STOP");
        stream_close(st);
        scenario_run(&s, afterwards, COUNT(afterwards));
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
