/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Block jobs of real guests: pulled, rebased, committed and copied over a chain of three
 * images; watched, slowed, given up, pivoted.
 */
#include "tests/qemu/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID_ARG LIBVIRT("INVALID_ARG")
#define NOT_RUNNING LIBVIRT("OPERATION_INVALID")

#define MACHINE GUEST_WITH_DISK("job", "top.qcow2")

#define DISK "/domains/job/disks/vda"
#define JOB  DISK "/job"
#define SLOW "'bandwidth':65536,'flags':['bandwidth-bytes']"
#define DEST                                                                             \
    "'dest':'<disk type=\\u0027file\\u0027><driver type=\\u0027qcow2\\u0027/>"           \
    "<source file=\\u0027${dir}/copy.qcow2\\u0027/></disk>'"

static const struct step stopped[] = {
    {"POST", "/domains", 201, NULL, .xml = MACHINE},
    {"POST", DISK "/pull", 409, NOT_RUNNING},
    {"POST", DISK "/rebase", 409, NOT_RUNNING},
    {"POST", DISK "/commit", 400, INVALID_ARG}, /* the chain is not known yet */
    {"POST", DISK "/copy", 409, NOT_RUNNING, .json = "{" DEST "}"},
    {"GET", JOB, 409, NOT_RUNNING},
    {"DELETE", JOB, 409, NOT_RUNNING},
    {"PATCH", JOB, 409, NOT_RUNNING, .json = "{'bandwidth':1}"},
    {"POST", "/domains/job/start", 204, ""},
    {"GET", DISK, 200,
     "{'source':'${dir}/top.qcow2','backingChain':[{'type':'file','format':'qcow2',"
     "'source':'${dir}/mid.qcow2','index':2},{'source':'${dir}/base.qcow2','index':3}]}"},
};

static const struct step none[] = {
    {"GET", JOB, 200, "{'active':false,'type':'<absent>'}"},
    {"GET", "/domains/job/disks/nosuch/job", 404, INVALID_ARG},
    {"PATCH", JOB, 409, INVALID_ARG, .json = "{'bandwidth':1}"},
    {"PATCH", "/domains/job/disks/nosuch/job", 404, INVALID_ARG,
     .json = "{'bandwidth':1}"},
    {"DELETE", JOB, 409, INVALID_ARG},
    {"DELETE", "/domains/job/disks/nosuch/job", 404, INVALID_ARG},
    {"POST", "/domains/job/disks/nosuch/pull", 404, INVALID_ARG},
    {"POST", DISK "/rebase", 400, INVALID_ARG, .json = "{'base':'/nosuch'}"},
    {"POST", DISK "/commit", 400, INVALID_ARG, .json = "{'top':'/nosuch'}"},
    {"POST", DISK "/copy", 409, NOT_RUNNING, .json = "{" DEST "}"},
    {"POST", DISK "/copy", 422, "{'error':{}}", .json = "{'dest':'<nosuch/>'}"},
};

static const struct step watched[] = {
    {"POST", DISK "/pull", 202, "{'id':'$pull','kind':'pullDomainDisk','job':'" JOB "'}",
     .json = "{" SLOW "}", .wants = {"Location: /operations/*", "X-Request-Id: *"}},
    {"GET", JOB, 200, "{'active':true,'type':'pull','current':'<int>','end':'<int>'}"},
    {"GET", JOB "?flags=bandwidth-bytes", 200,
     "{'active':true,'bandwidth':65536,'ready':'<absent>'}"},
    {"PATCH", JOB, 200, "{'active':true,'bandwidth':131072}",
     .json = "{'bandwidth':131072,'flags':['bandwidth-bytes']}"},
    {"PATCH", JOB, 200, "{'active':true,'bandwidth':3}", .json = "{'bandwidth':3}"},
    {"PATCH", JOB "?flags=bandwidth-bytes", 200, "{'bandwidth':65536}",
     .json = "{'bandwidth':65536}"},
    {"POST", DISK "/pull", 409, "{'error':{}}"},
    {"DELETE", JOB "?flags=pivot", 409, "{'error':{}}"},
    {"DELETE", JOB, 204, ""},
    {"GET", JOB, 200, "{'active':false}"},
    {"GET", "/operations/${pull}?wait=60", 200,
     "{'state':'cancelled','cancelRequested':false,'status':409,"
     "'error':{'type':'urn:virtgate:error:job-cancelled'}}"},
    /* the one that was refused is none */
    {"GET", "/operations", 200, "{'operations':[{'id':'$pull'}]}"},
};

/* To its end, and all of its chain. */
static const struct step pulled[] = {
    {"POST", DISK "/pull", 200, "{'kind':'pullDomainDisk','state':'succeeded'}",
     .headers = {"Prefer: wait=60"}, .wants = {"Preference-Applied: wait=60"}},
    {"GET", DISK, 200, "{'source':'${dir}/top.qcow2','backingChain':[]}"},
};

static const struct step idle = {"GET", JOB, 200, "{'active':false}"};
static const struct step ready = {"GET", JOB, 200, "{'active':true,'ready':true}"};

static const struct step rebase[] = {{"POST", DISK "/rebase", 202, "{'id':'$rebase'}",
                                      .json = "{'base':'vda[3]'}",
                                      .wants = {"Location: /operations/*"}}};
static const struct step rebased[] = {
    {"GET", "/operations/${rebase}?wait=60", 200, "{'state':'succeeded','status':200}"},
    {"GET", DISK, 200, "{'backingChain':[{'source':'${dir}/base.qcow2'}]}"},
};

static const struct step commit[] = {
    {"POST", DISK "/commit", 200,
     "{'state':'succeeded','status':200,'result':'<absent>','progress':'<absent>'}",
     .json = "{'top':'${dir}/mid.qcow2','base':'${dir}/base.qcow2','bandwidth':100}",
     .headers = {"Prefer: wait=60"},
     .wants = {"Location: /operations/*", "Preference-Applied: wait=60"}}};
static const struct step active_commit[] = {
    {"GET", DISK, 200, "{'backingChain':[{'source':'${dir}/base.qcow2'}]}"},
    {"POST", DISK "/commit", 202, "{'id':'$active'}", .json = "{'flags':['active']}"},
    {"GET", JOB, 200, "{'active':true,'type':'active-commit','ready':'<any>'}"},
};
static const struct step given_up[] = {
    {"GET", "/operations/${active}", 200,
     "{'state':'running','progress':{'type':'active-commit','ready':true}}"},
    {"DELETE", JOB "?async=true", 202, "", .wants = {"Location: " JOB}},
    {"GET", "/operations/${active}?wait=60", 200, "{'state':'cancelled'}"},
};
static const struct step again[] = {
    {"GET", DISK, 200, "{'source':'${dir}/top.qcow2'}"},
    /* the disk by its image's path, and it is not over in this time */
    {"POST",
     "/hosts/default/domains/job/disks/%2F${path}%2Ftop.qcow2/commit?flags=active", 202,
     "{'id':'$again','state':'running'}", .headers = {"Prefer: wait=1"},
     .wants = {"Location: /hosts/default/operations/*", "Preference-Applied: wait=1"}},
};
static const struct step pivot[] = {
    {"DELETE", JOB "?pivot=true", 204, ""},
    {"GET", JOB, 200, "{'active':false}"},
};
static const struct step committed[] = {
    {"GET", "/operations/${again}?wait=60", 200, "{'state':'succeeded','status':200}"},
    {"GET", DISK, 200, "{'source':'${dir}/base.qcow2','backingChain':[]}"},
};

static const struct step slow_copy[] = {
    {"POST", DISK "/copy", 202, "{'id':'$slow','state':'running'}",
     .headers = {"Idempotency-Key: copy"},
     .json = "{" DEST ",'bandwidth':65536,'granularity':65536,'bufSize':1048576,"
             "'flags':['transient-job']}"},
    {"POST", DISK "/copy", 202, "{'id':'$slow','state':'running'}",
     .headers = {"Idempotency-Key: copy"},
     .json = "{" DEST ",'bandwidth':65536,'granularity':65536,'bufSize':1048576,"
             "'flags':['transient-job']}"},
    {"GET", JOB, 200, "{'active':true,'type':'copy','ready':false}"},
    {"GET", "/operations?domain=job&kind=copyDomainDisk&state=running", 200,
     "{'operations':[{'id':'$slow','domain':{'name':'job'},'cancellable':true}]}"},
    {"GET", "/operations?domain=other&state=running", 200, "{'operations':[]}"},
    {"GET", "/operations/${slow}", 200,
     "{'state':'running','progress':{'active':true,'type':'copy','bandwidth':'<int>',"
     "'current':'<int>','end':'<int>','percent':'<any>','ready':false}}"},
    {"DELETE", JOB "?flags=pivot", 409, LIBVIRT("BLOCK_COPY_ACTIVE")},
    {"DELETE", "/operations/${slow}?flags=postcopy", 400, GATEWAY("invalid-value")},
    {"DELETE", "/operations/${slow}", 202, "{'cancelRequested':true}"},
    {"GET", "/operations/${slow}?wait=60", 200,
     "{'state':'cancelled','cancellable':false,'progress':'<absent>'}"},
    {"DELETE", "/operations/${slow}", 409, GATEWAY("conflict")},
    {"GET", DISK, 200, "{'source':'${dir}/top.qcow2'}"},
};
static const struct step copy[] = {{"POST", DISK "/copy?flags=transient-job,reuse-ext",
                                    202, "{'id':'$copy'}", .json = "{" DEST "}"}};
static const struct step copied[] = {
    {"GET", "/operations/${copy}?wait=60", 200, "{'state':'succeeded','status':200}"},
    {"GET", DISK, 200, "{'source':'${dir}/copy.qcow2','backingChain':[]}"},
};

static const struct step end[] = {
    {"POST", "/domains/job/destroy", 204, ""},
    {"DELETE", "/domains/job", 204, ""},
};
static const struct step begin[] = {
    {"POST", "/domains", 201, NULL, .xml = MACHINE},
    {"POST", "/domains/job/start", 204, ""},
};

/* base holds something; mid and top are what was written since. */
static void make_chain(const char *dir)
{
    guest_image_raw(dir, "data.raw", "DATA", 16 << 20);
    guest_image_convert(dir, "data.raw", "base.qcow2");
    guest_image_qcow2(dir, "mid.qcow2", "base.qcow2", NULL);
    guest_image_qcow2(dir, "top.qcow2", "mid.qcow2", NULL);
}

static void test_pull(struct scenario *s)
{
    scenario_run(s, stopped, COUNT(stopped));
    scenario_run(s, none, COUNT(none));
    scenario_run(s, watched, COUNT(watched));
    scenario_run(s, rebase, COUNT(rebase));
    scenario_until(s, &idle, 60);
    scenario_run(s, rebased, COUNT(rebased));
    scenario_run(s, pulled, COUNT(pulled));
    scenario_run(s, end, COUNT(end));
}

/* Whose client is gone does not wait for the operation's end. */
static void test_abandoned_wait(struct scenario *s)
{
    char target[100];
    snprintf(target, sizeof(target), "/operations/%s?wait=60",
             json_string_value(json_object_get(s->captures, "active")));
    check_that(raw_hang_up(s->server.port, target),
               "waiting for an operation ends with its client");
}

static void test_commit(struct scenario *s)
{
    scenario_run(s, begin, COUNT(begin));
    scenario_run(s, commit, COUNT(commit));
    scenario_until(s, &idle, 60);
    scenario_run(s, active_commit, COUNT(active_commit));
    scenario_until(s, &ready, 60);
    test_abandoned_wait(s);
    scenario_run(s, given_up, COUNT(given_up));
    scenario_until(s, &idle, 60);
    scenario_run(s, again, COUNT(again));
    scenario_until(s, &ready, 60);
    scenario_run(s, pivot, COUNT(pivot));
    scenario_run(s, committed, COUNT(committed));
    scenario_run(s, end, COUNT(end));
}

static void test_copy(struct scenario *s)
{
    scenario_run(s, begin, COUNT(begin));
    scenario_run(s, slow_copy, COUNT(slow_copy));
    scenario_run(s, copy, COUNT(copy));
    scenario_until(s, &ready, 60);
    scenario_run(s, pivot, COUNT(pivot));
    scenario_run(s, copied, COUNT(copied));
    scenario_run(s, end, COUNT(end));
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "qemu block jobs", ARGS("-c", guest_uri()))) {
        char *dir = guest_folder(&s);
        char path[64]; /* the same in a path's segment */
        snprintf(path, sizeof(path), "tmp%%2F%s", strrchr(dir, '/') + 1);
        json_object_set_new(s.captures, "path", json_string(path));
        make_chain(dir);
        test_pull(&s);
        make_chain(dir);
        test_commit(&s);
        make_chain(dir);
        test_copy(&s);
        guests_remove(&s);
        guest_folder_remove(dir);
        scenario_end(&s);
    }
    return checks_report();
}
