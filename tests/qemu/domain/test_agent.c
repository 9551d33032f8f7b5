/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A real guest agent: a guest that boots in seconds without KVM (agent_image.sh), with
 * qemu-ga on the channel that libvirt opens. And what is said when there is none, or when
 * it no longer answers.
 */
#include "tests/qemu/guest.h"

#include <libvirt/libvirt.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ALIVE "/domains/alive"
#define AGENT ALIVE "/agent"
#define ALICE AGENT "/users/alice"
/* What an agent refuses, and what it leaves without an answer: libvirt 11.2 has codes of
 * their own for them. */
#if LIBVIR_CHECK_VERSION(11, 2, 0)
#define REFUSED "AGENT_COMMAND_FAILED"
#define SILENT  "AGENT_COMMAND_TIMEOUT"
#else
#define REFUSED "INTERNAL_ERROR"
#define SILENT  "AGENT_UNRESPONSIVE"
#endif
#define CHANNEL                                                                          \
    "<channel type='unix'><target type='virtio' "                                        \
    "name='org.qemu.guest_agent.0'/></channel>"
#define DEVICES                                                                          \
    "<emulator>/usr/bin/qemu-system-x86_64</emulator>"                                   \
    "<controller type='usb' model='none'/><memballoon model='none'/>" CHANNEL

/* ${dir} is captured before anything is run. */
#define ALIVE_XML                                                                        \
    "<domain type='qemu'><name>alive</name><memory unit='MiB'>96</memory><vcpu>2</vcpu>" \
    "<os><type arch='x86_64' machine='pc'>hvm</type>"                                    \
    "<kernel>${dir}/vmlinuz</kernel><initrd>${dir}/initrd</initrd>"                      \
    "<cmdline>quiet panic=-1</cmdline></os><features><acpi/></features>"                 \
    "<pm><suspend-to-mem enabled='yes'/></pm><devices>" DEVICES                          \
    "<disk type='file' device='disk'>"                                                   \
    "<driver name='qemu' type='raw' discard='unmap'/><source file='${dir}/disk'/>"       \
    "<target dev='vda' bus='virtio'/></disk>"                                            \
    "<video><model type='vga'/></video></devices></domain>"

/* It has the channel, and nothing that would ever answer on it. */
#define MUTE_XML                                                                         \
    "<domain type='qemu'><name>mute</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>"  \
    "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>" DEVICES              \
    "</devices></domain>"

static const struct step begin[] = {
    {"POST", "/domains", 201, NULL, .xml = ALIVE_XML},
    {"GET", AGENT "/time", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", ALIVE, 200, "{'agent':null}"},
    {"GET", ALIVE "/screenshot", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", ALIVE "/start", 204, ""},
    {"GET", AGENT "/time", 504, LIBVIRT("AGENT_UNRESPONSIVE"),
     .wants = {"Retry-After: *"}},
    {"POST", "/domains?transient=true", 201, NULL, .xml = MUTE_XML},
    {"GET", "/domains/mute", 200, "{'agent':'disconnected'}"},
    {"GET", "/domains?name=mute&fields=agent", 200,
     "{'domains':[{'agent':'disconnected'}]}"},
    {"POST", "/domains?transient=true", 201, NULL, .xml = GUEST("plain")},
};

/* ---- without an agent -------------------------------------------------------------- */

static const struct {
    const char *method, *path, *json;
} agent_calls[] = {
    {"GET", "filesystems", NULL},
    {"POST", "fs-freeze", "{}"},
    {"POST", "fs-thaw", "{}"},
    {"POST", "fs-trim", "{}"},
    {"GET", "info", NULL},
    {"GET", "time", NULL},
    {"PUT", "time", "{'seconds':1}"},
    {"GET", "vcpus", NULL},
    {"PATCH", "vcpus", "{'cpus':'0','online':true}"},
    {"POST", "command", "{'execute':'guest-ping'}"},
    {"PUT", "users/alice/password", "{'password':'x'}"},
    {"GET", "users/alice/authorized-keys", NULL},
    {"PUT", "users/alice/authorized-keys", "{'keys':[]}"},
    {"POST", "users/alice/authorized-keys", "{'keys':['ssh-ed25519 A a']}"},
    {"DELETE", "users/alice/authorized-keys", "{'keys':['ssh-ed25519 A a']}"},
};

/* libvirt's own word, and its status: silent 504, no channel 422. */
static void test_absent(struct scenario *s)
{
    for (size_t i = 0; i < COUNT(agent_calls); i++) {
        char path[128];
        struct step row = {agent_calls[i].method, path, 504,
                           LIBVIRT("AGENT_UNRESPONSIVE"), .json = agent_calls[i].json};
        snprintf(path, sizeof(path), "/domains/mute/agent/%s", agent_calls[i].path);
        scenario_run(s, &row, 1);
        snprintf(path, sizeof(path), "/domains/plain/agent/%s", agent_calls[i].path);
        row.status = 422;
        row.want = LIBVIRT("ARGUMENT_UNSUPPORTED");
        scenario_run(s, &row, 1);
    }
}

/* ---- with one ---------------------------------------------------------------------- */

static const struct step ping = {"POST", AGENT "/command", 200, "{'return':{}}",
                                 .json = "{'execute':'guest-ping'}"};

static const struct step reads[] = {
    {"GET", ALIVE, 200, "{'agent':'connected'}"},
    {"GET", AGENT "/filesystems", 200,
     "{'filesystems':[{'mountpoint':'/mnt','name':'vda','type':'ext2','devices':['vda']}]"
     "}"},
    {"GET", AGENT "/info", 200,
     "{'hostname':'tiny','os':{'id':'tiny','versionId':'1','machine':'x86_64'},"
     "'timezone':{'offset':0},'user':[],'fs':[{'mountpoint':'/mnt'}],"
     "'disk':['...',{'alias':'vda'},'...'],"
     "'if':[{'name':'lo','addr':['...',{'type':'ipv4','addr':'127.0.0.1','prefix':8},"
     "'...']}]}"},
    {"GET", AGENT "/info?types=hostname,timezone", 200,
     "{'hostname':'tiny','os':'<absent>','fs':'<absent>'}"},
    {"GET", "/hosts/default" AGENT "/info?types=hostname&by=name", 200,
     "{'hostname':'tiny'}"},
    {"POST", AGENT "/command", 200, "{'return':{'version':'<string>'}}",
     .json = "{'execute':'guest-info'}"},
    {"POST", AGENT "/command", 502, LIBVIRT(REFUSED), .json = "{'execute':'nosuch'}",
     .contains = "*nosuch has not been found*"},
};

static const struct step changes[] = {
    {"PUT", AGENT "/time", 204, "", .json = "{'seconds':1000000000,'nseconds':5}"},
    {"GET", AGENT "/time", 200, "{'seconds':'<int>','nseconds':'<int>'}",
     .contains = "*:10000000[0-9][0-9],*"},
    {"PUT", AGENT "/time", 204, "", .json = "{'flags':['sync']}"},
    {"GET", AGENT "/vcpus", 200, "{'vcpus':'0-1','online':'0-1','offlinable':'1'}"},
    {"PATCH", AGENT "/vcpus", 200, "{'vcpus':'0-1','online':'0'}",
     .json = "{'cpus':'1','online':false}"},
    {"PATCH", AGENT "/vcpus", 200, "{'online':'0-1'}",
     .json = "{'cpus':'1','online':true}"},
    {"PATCH", AGENT "/vcpus", 501, LIBVIRT("OPERATION_UNSUPPORTED"),
     .json = "{'cpus':'0','online':false}"},
    {"PATCH", AGENT "/vcpus", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'cpus':'9','online':true}"},
    {"PATCH", AGENT "/vcpus", 200, "{'online':'0-1'}",
     .json = "{'cpus':[1],'online':true}"},
    {"PATCH", AGENT "/vcpus", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':'some','online':true}"},
    {"POST", AGENT "/fs-freeze", 200, "{'filesystems':1}"},
    {"POST", AGENT "/fs-freeze", 502, LIBVIRT(REFUSED), .contains = "*freeze*"},
    {"POST", AGENT "/fs-thaw", 200, "{'filesystems':1}"},
    {"POST", AGENT "/fs-freeze", 200, "{'filesystems':1}",
     .json = "{'mountpoints':['/mnt']}"},
    {"POST", AGENT "/fs-thaw", 200, "{'filesystems':1}"},
    {"POST", AGENT "/fs-trim", 204, ""},
    {"POST", AGENT "/fs-trim", 204, "", .json = "{'minimumBytes':65536}"},
    {"POST", AGENT "/fs-trim", 422, LIBVIRT("ARGUMENT_UNSUPPORTED"),
     .json = "{'mountpoint':'/mnt'}"},
};

/* The check runs in the guest beside what comes next: it is waited for. */
static const struct step password[] = {
    {"PUT", ALICE "/password", 204, "", .json = "{'password':'s3cret word'}"},
    {"POST", AGENT "/command", 200, "{'return':{'pid':'$check'}}",
     .json = "{'execute':'guest-exec','arguments':{'path':'/bin/has-password',"
             "'arg':['alice','s3cret word']}}"},
};

static const struct step users[] = {
    /* the words of the exact file prove what `encrypted` does */
    {"PUT", ALICE "/password", 204, "",
     .json = "{'password':'$6$salt$hash','flags':['encrypted']}"},
    {"POST", AGENT "/command", 200, "{'return':'$file'}",
     .json = "{'execute':'guest-file-open','arguments':{'path':'/etc/shadow'}}"},
    /* root:*:1::::::  alice:$6$salt$hash:1:::::: */
    {"POST", AGENT "/command", 200,
     "{'return':{'buf-b64':"
     "'cm9vdDoqOjE6Ojo6OjoKYWxpY2U6JDYkc2FsdCRoYXNoOjE6Ojo6OjoK'}}",
     .json = "{'execute':'guest-file-read','arguments':{'handle':${file}}}"},
    {"PUT", AGENT "/users/nobody/password", 502, LIBVIRT(REFUSED),
     .json = "{'password':'s3cret word'}"},
    {"GET", ALICE "/authorized-keys", 502, LIBVIRT(REFUSED),
     .contains = "*No such file*"},
    {"PUT", ALICE "/authorized-keys", 200, "{'keys':['ssh-ed25519 AAAA a']}",
     .json = "{'keys':['ssh-ed25519 AAAA a']}"},
    {"POST", ALICE "/authorized-keys", 200,
     "{'keys':['ssh-ed25519 BBBB b','ssh-ed25519 AAAA a']}",
     .json = "{'keys':['ssh-ed25519 BBBB b']}"},
    {"GET", ALICE "/authorized-keys", 200,
     "{'keys':['ssh-ed25519 BBBB b','ssh-ed25519 AAAA a']}"},
    {"DELETE", ALICE "/authorized-keys", 200, "{'keys':['ssh-ed25519 BBBB b']}",
     .json = "{'keys':['ssh-ed25519 AAAA a']}"},
    {"PUT", ALICE "/authorized-keys", 200, "{'keys':[]}", .json = "{'keys':[]}"},
    {"POST", ALICE "/authorized-keys", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'keys':[]}"},
    {"GET", AGENT "/users/nobody/authorized-keys", 502, LIBVIRT(REFUSED)},
};

static const struct step checked = {
    "POST", AGENT "/command", 200, "{'return':{'exited':true,'exitcode':0}}",
    .json = "{'execute':'guest-exec-status','arguments':{'pid':${check}}}"};

/* ---- keyboard, screen, monitor, sleep ---------------------------------------------- */

#define PRESS(key)                                                                       \
    {                                                                                    \
        "POST", ALIVE "/send-key", 204, "", .json = "{'keycodes':[" key "]}"             \
    }

/* The guest writes down what is typed on its console. */
static const struct step typing[] = {
    PRESS("'h'"),
    PRESS("23"),
    {"POST", ALIVE "/send-key", 204, "", .json = "{'codeset':'usb','keycodes':[40]}"},
    {"POST", ALIVE "/send-key", 502, LIBVIRT("INTERNAL_ERROR"),
     .json = "{'keycodes':[9999]}"},
    {"POST", AGENT "/command", 200, "{'return':'$typed'}",
     .json = "{'execute':'guest-file-open','arguments':{'path':'/run/typed'}}"},
};
/* "hi" and a line feed */
static const struct step typed = {
    "POST", AGENT "/command", 200, "{'return':{'buf-b64':'aGkK'}}",
    .json = "{'execute':'guest-file-read','arguments':{'handle':${typed}}}"};

#define PNG "Content-Type: image/png"
#define PPM "Content-Type: image/x-portable-pixmap"

static const struct step outside[] = {
    {"POST", ALIVE "/nmi", 204, ""},
    {"POST", ALIVE "/processes/1/signal", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'signal':'hup'}"},
    {"GET", ALIVE "/screenshot", 200, NULL, .wants = {"Content-Type: image/*"}},
    {"GET", ALIVE "/screenshot", 200, NULL, .headers = {"Accept: image/png"},
     .wants = {PNG}},
    {"GET", ALIVE "/screenshot", 200, NULL,
     .headers = {"Accept: image/x-portable-pixmap"}, .wants = {PPM}, .contains = "P6*"},
    {"GET", ALIVE "/screenshot?screen=7", 404, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/plain/screenshot", 409, LIBVIRT("OPERATION_INVALID"),
     .contains = "*no screens*"},
    {"POST", ALIVE "/qemu/monitor", 200,
     "{'return':{'status':'running','running':true},'id':'~libvirt-*','error':'<absent>'"
     "}",
     .json = "{'execute':'query-status'}"},
    {"POST", ALIVE "/qemu/monitor", 200,
     "{'return':'<absent>','error':{'class':'CommandNotFound','desc':'~*nosuch*'}}",
     .json = "{'execute':'nosuch'}"},
    {"POST", ALIVE "/qemu/monitor", 200, "{'return':['...',{'name':'type'},'...']}",
     .json = "{'execute':'qom-list','arguments':{'path':'/machine'}}"},
    {"POST", ALIVE "/qemu/monitor", 200, "{'text':'~VM status: running*'}",
     .json = "{'hmp':'info status'}"},
    {"POST", ALIVE "/qemu/monitor", 200, "{'text':'~VM status: running*'}",
     .json = "{'execute':'info status','flags':['hmp']}"},
    {"POST", ALIVE "/pm-wakeup", 409, LIBVIRT("INTERNAL_ERROR")},
    {"POST", ALIVE "/pm-suspend", 422, LIBVIRT("ARGUMENT_UNSUPPORTED"),
     .json = "{'durationSeconds':5}"},
    {"POST", ALIVE "/pm-suspend", 204, "", .json = "{'target':'mem'}"},
};
static const struct step asleep = {"GET", ALIVE "/state", 200, "{'state':'pmsuspended'}"};
static const struct step wake[] = {
    {"GET", AGENT "/time", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", ALIVE "/pm-wakeup", 204, ""},
};
static const struct step awake = {"GET", AGENT "/time", 200, "{'seconds':'<int>'}"};

static const struct step paused[] = {
    {"POST", ALIVE "/suspend", 204, ""},
    {"GET", AGENT "/time", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", AGENT "/fs-freeze", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", ALIVE "/screenshot", 200, NULL, .wants = {"Content-Type: image/*"}},
    {"POST", ALIVE "/resume", 204, ""},
};

/* ---- an agent that stops answering ------------------------------------------------- */

struct asked {
    const char *base, *path;
    struct response *answer;
    double ended; /* when it was answered */
    atomic_bool done;
};

/* Again and again, until one is not answered: nobody tells when the agent stops, and it
 * says no while its guest is suspended. */
static void *ask_agent(void *data)
{
    struct asked *a = data;
    struct client *c = client_new(a->base);
    for (double until = seconds_now() + 60;;) {
        a->answer = client_get(c, a->path);
        bool lives = a->answer->status == 200 || a->answer->status == 409;
        if (!lives || seconds_now() > until)
            break;
        response_free(a->answer);
    }
    a->ended = seconds_now();
    atomic_store(&a->done, true);
    client_free(c);
    return NULL;
}

static const struct step stop_agent = {
    "POST", AGENT "/command", 200, "{'return':{'pid':'<int>'}}",
    .json =
        "{'execute':'guest-exec','arguments':{'path':'/bin/sh','arg':['-c',"
        "'sleep 1; kill -STOP $(pidof qemu-ga); sleep 10; kill -CONT $(pidof qemu-ga)'"
        "]}}"};

/* Calls that wait for the agent, by different rows; more than a guest may have in flight.
 */
static const char *const hanging[] = {
    AGENT "/time",     AGENT "/filesystems",
    AGENT "/info",     ALIVE "/addresses?source=agent",
    ALIVE "/hostname", ALIVE "/vcpu-count?guest=true",
    AGENT "/vcpus",    ALICE "/authorized-keys",
};
/* What needs no agent of the same guest, and of others. */
static const struct step beside[] = {
    {"GET", "/domains", 200, "{'domains':'<array>'}"},
    {"GET", ALIVE "/state", 200, "{'state':'running'}"},
    {"POST", ALIVE "/suspend", 204, ""},
    {"POST", ALIVE "/resume", 204, ""},
    {"GET", ALIVE "/stats", 200, NULL},
    {"GET", ALIVE "/addresses?source=lease", 200, NULL},
    {"GET", ALIVE "/vcpu-count", 200, "{'count':2}"},
    {"PUT", AGENT "/timeout", 204, "", .json = "{'timeout':'default'}"},
    {"GET", "/domains/mute", 200, "{'name':'mute'}"},
    {"GET", ALIVE "/screenshot", 200, NULL, .wants = {"Content-Type: image/*"}},
    {"GET", "/connection", 200, "{'alive':true}"},
};

static bool are_answered(struct asked asked[static COUNT(hanging)])
{
    bool all = true;

    for (size_t i = 0; i < COUNT(hanging); i++)
        all &= atomic_load(&asked[i].done);
    return all;
}

/* Libvirt gives up after five seconds, or ten (a sync, then a command), which is the
 * deadline: either may come first. */
static bool is_given_up(const struct response *r)
{
    return is_problem(r, 504, "VIR_ERR_" SILENT) ||
           is_problem(r, 504, "deadline-exceeded");
}

struct span {
    double begun, ended;
};
#define MAX_SPANS (200 * COUNT(beside))

/* Whether one of those requests began and ended in the second half of a wait, when the
 * agent had stopped: what had to wait for it would have ended after the wait. */
static bool is_answered_beside(const struct span *spans, size_t n, size_t which,
                               const struct asked asked[static COUNT(hanging)])
{
    for (size_t i = 0; i < COUNT(hanging); i++) {
        double ended = asked[i].ended, half = asked[i].answer->seconds / 2;
        for (size_t k = which; is_given_up(asked[i].answer) && k < n; k += COUNT(beside))
            if (spans[k].begun >= ended - half && spans[k].ended < ended)
                return true;
    }
    return false;
}

/* They wait until one gives up; nobody else does, not even who asks for something else of
 * the same guest. */
static void test_frozen_agent(struct scenario *s)
{
    struct asked asked[COUNT(hanging)];
    pthread_t threads[COUNT(hanging)];
    struct span spans[MAX_SPANS];
    double waited = 0;
    unsigned int n = 0, silent = 0;

    scenario_run(s, &stop_agent, 1);
    for (size_t i = 0; i < COUNT(hanging); i++) {
        asked[i] = (struct asked){.base = s->server.base, .path = hanging[i]};
        pthread_create(&threads[i], NULL, ask_agent, &asked[i]);
    }
    /* whole rounds: the last leaves the guest running */
    while (n < MAX_SPANS && (!are_answered(asked) || n % COUNT(beside))) {
        spans[n].begun = seconds_now();
        scenario_run(s, &beside[n % COUNT(beside)], 1);
        spans[n++].ended = seconds_now();
        sleep_seconds(0.05);
    }
    for (size_t i = 0; i < COUNT(hanging); i++) {
        pthread_join(threads[i], NULL);
        if (!is_given_up(asked[i].answer))
            continue;
        silent++;
        waited = asked[i].answer->seconds > waited ? asked[i].answer->seconds : waited;
    }
    check_response(silent > 0, asked[0].answer, "a frozen agent");
    check_that(waited > 3, "they waited %.1f s", waited);
    for (size_t i = 0; i < COUNT(beside); i++)
        check_that(is_answered_beside(spans, n, i, asked),
                   "%s %s is answered while others wait for the agent, of %u requests",
                   beside[i].method, beside[i].path, n);
    for (size_t i = 0; i < COUNT(hanging); i++)
        response_free(asked[i].answer);
    scenario_until(s, &awake, 60);
}

/* With a second of patience set, libvirt waits no longer than that. */
static const struct step patience[] = {
    {"PUT", AGENT "/timeout", 204, "", .json = "{'timeoutSeconds':1}"},
    {"PUT", AGENT "/timeout", 204, "", .json = "{'timeout':'default'}"},
    {"PUT", AGENT "/timeout", 204, "", .json = "{'timeout':'block'}"},
    {"PUT", AGENT "/timeout?timeout=default", 204, ""},
    {"PUT", "/domains/plain/agent/timeout", 204, "", .json = "{'timeoutSeconds':1}"},
};

static bool make_image(struct scenario *s)
{
    const char *dir = getenv("VG_LIBVIRTD_DIR");
    char folder[256];
    snprintf(folder, sizeof(folder), "%s/agent", dir ? dir : "/tmp/vg-libvirtd");
    json_object_set_new(s->captures, "dir", json_string(folder));
    int status = run_program(ARGS("tests/qemu/agent_image.sh", folder));
    check_that(status == 0, "agent_image.sh: %d", status);
    return status == 0;
}

static void test_agent(struct scenario *s)
{
    scenario_run(s, begin, COUNT(begin));
    test_absent(s);
    scenario_until(s, &ping, 170);
    scenario_run(s, reads, COUNT(reads));
    scenario_run(s, changes, COUNT(changes));
    scenario_run(s, password, COUNT(password));
    scenario_until(s, &checked, 60);
    scenario_run(s, users, COUNT(users));
    scenario_run(s, typing, COUNT(typing));
    scenario_until(s, &typed, 60);
    scenario_run(s, outside, COUNT(outside));
    scenario_until(s, &asleep, 60);
    scenario_run(s, wake, COUNT(wake));
    scenario_until(s, &awake, 60);
    scenario_run(s, paused, COUNT(paused));
    scenario_run(s, patience, COUNT(patience));
    test_frozen_agent(s);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "agent", ARGS("-c", guest_uri()))) {
        if (make_image(&s))
            test_agent(&s);
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
