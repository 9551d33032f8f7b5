/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations whose job the domain goes on with: backups, a domain that stops meanwhile,
 * and a libvirtd that dies and comes back. Block jobs themselves are in
 * test_domain_blockjob.c.
 */
#include "tests/qemu/guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MACHINE GUEST_WITH_DISK("job", "disk.qcow2")

#define DISK   "/domains/job/disks/vda"
#define OP(id) "/operations/${" id "}"
#define TO(name)                                                                         \
    "'dest':'<disk type=\\u0027file\\u0027><driver type=\\u0027qcow2\\u0027/>"           \
    "<source file=\\u0027${dir}/" name "\\u0027/></disk>','flags':['transient-job']"
#define SLOW_COPY(name)                                                                  \
    {                                                                                    \
        "POST", DISK "/copy", 202, "{'id':'$" name "','state':'running'}",               \
            .json = "{" TO(name) ",'bandwidth':65536,'bufSize':1048576}"                 \
    }
#define PUSH(name)                                                                       \
    "<domainbackup mode='push'><disks><disk name='vda' type='file'>"                     \
    "<target file='${dir}/" name                                                         \
    "'/><driver type='qcow2'/></disk></disks></domainbackup>"
#define PULL                                                                             \
    "<domainbackup mode='pull'><server transport='unix' socket='${dir}/nbd'/><disks>"    \
    "<disk name='vda' type='file'><scratch file='${dir}/scratch'/></disk></disks>"       \
    "</domainbackup>"

static const struct step begin[] = {
    {"POST", "/domains", 201, NULL, .xml = MACHINE},
    {"POST", "/domains/job/start", 204, ""},
};
static const struct step start = {"POST", "/domains/job/start", 204, ""};

/* ---- backups ----------------------------------------------------------------------- */

static const struct step backups[] = {
    {"POST", "/domains/job/backup", 200,
     "{'id':'$push1','kind':'beginBackup','state':'succeeded','status':200,"
     "'job':'/domains/job/job','cancellable':false,'result':'<absent>'}",
     .xml = PUSH("push1"), .headers = {"Prefer: wait=60"},
     .wants = {"Location: /operations/*", "Preference-Applied: wait=60"}},
    {"GET", OP("push1"), 200, "{'state':'succeeded','endedAt':'<string>'}"},
    /* libvirt's error, and no operation of it */
    {"POST", "/domains/job/backup", 422, NULL, .xml = "<nosuch/>"},
    {"GET", "/operations", 200, "{'operations':[{'id':'$push1'}]}"},
    /* in pull mode it goes on until it is told to end */
    {"POST", "/domains/job/backup", 202, "{'id':'$pull1','state':'running'}",
     .xml = PULL},
    {"GET", OP("pull1"), 200,
     "{'state':'running','cancellable':true,"
     "'progress':{'type':'unbounded','operation':'backup','diskTempTotal':'<int>'}}"},
    {"GET", "/operations?state=running", 200, "{'operations':[{'id':'$pull1'}]}"},
    {"DELETE", OP("pull1"), 202, NULL},
    {"GET", OP("pull1") "?wait=60", 200,
     "{'state':'cancelled','cancelRequested':true,"
     "'error':{'type':'urn:virtgate:error:job-cancelled','instance':"
     "'/domains/job/backup','outcome':'<absent>'}}"},
};

/* Its disk is what a server gives it. */
#define SERVED                                                                           \
    "<domain type='qemu'><name>served</name><memory unit='MiB'>16</memory>"              \
    "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"                      \
    "<emulator>/usr/bin/qemu-system-x86_64</emulator>"                                   \
    "<controller type='usb' model='none'/><memballoon model='none'/>"                    \
    "<disk type='network' device='disk'><driver name='qemu' type='raw'/>"                \
    "<source protocol='nbd'><host transport='unix' socket='${dir}/served'/></source>"    \
    "<target dev='vda' bus='virtio'/></disk></devices></domain>"
static const struct step serve[] = {
    {"POST", "/domains", 201, NULL, .xml = SERVED},
    {"POST", "/domains/served/start", 204, "", .json = "{'flags':['paused']}"},
};
/* While the server is stopped, so that it cannot be done before it is cancelled. */
static const struct step cancel[] = {
    {"POST", "/domains/served/backup", 202, "{'id':'$push2','state':'running'}",
     .xml = PUSH("push2")},
    {"DELETE", OP("push2"), 202, "{'cancelRequested':true}"},
};
static const struct step cancelled[] = {
    {"GET", OP("push2") "?wait=60", 200,
     "{'state':'cancelled','status':409,'domain':{'name':'served'},"
     "'error':{'type':'urn:virtgate:error:job-cancelled'}}"},
    {"GET", "/domains/served/job", 200, "{'type':'none'}"},
    {"POST", "/domains/served/destroy", 204, ""},
};

/* A server of that folder's data.raw; 0: there is none. */
static pid_t start_server(const char *dir)
{
    char socket[256], data[256], pid_file[256];

    snprintf(socket, sizeof(socket), "%s/served", dir);
    snprintf(data, sizeof(data), "%s/data.raw", dir);
    snprintf(pid_file, sizeof(pid_file), "%s/served.pid", dir);
    int rc = run_program(ARGS("qemu-nbd", "--fork", "--persistent", "--format=raw",
                              "--socket", socket, "--pid-file", pid_file, data));
    char *text = rc == 0 ? read_whole(pid_file) : NULL;
    pid_t pid = text ? (pid_t)strtol(text, NULL, 10) : 0;
    free(text);
    check_that(pid > 1 && chmod(socket, 0777) == 0, "a server of a disk");
    return pid > 1 ? pid : 0;
}

static void test_cancelled_push(struct scenario *s, const char *dir)
{
    pid_t pid = start_server(dir);

    if (!pid)
        return;
    scenario_run(s, serve, COUNT(serve));
    check_that(kill(pid, SIGSTOP) == 0, "stop the server");
    scenario_run(s, cancel, COUNT(cancel));
    check_that(kill(pid, SIGCONT) == 0, "it goes on");
    scenario_run(s, cancelled, COUNT(cancelled));
    kill(pid, SIGTERM);
}

/* ---- no room ----------------------------------------------------------------------- */

static const struct step no_room_to_copy[] = {
    {"POST", DISK "/copy", 202, "{'id':'$full'}", .json = "{" TO("full/copy") "}"},
    {"GET", OP("full") "?wait=60", 200,
     "{'state':'failed','status':502,'cancelRequested':false,"
     "'error':{'type':'urn:virtgate:error:job-failed','outcome':'<absent>'}}"},
    {"GET", DISK "/job", 200, "{'active':false}"},
    {"GET", DISK, 200, "{'source':'${dir}/disk.qcow2'}"},
};
static const struct step no_room_to_back_up[] = {
    {"POST", "/domains/job/backup", 202, "{'id':'$backup'}", .xml = PUSH("full/push")},
    {"GET", OP("backup") "?wait=60", 200,
     "{'state':'failed','error':{'type':'urn:virtgate:error:job-failed',"
     "'detail':'~*No space left*'}}"},
};
/* Who waits for it is answered with the problem. */
static const struct step no_room_waiting[] = {
    {"POST", DISK "/copy", 502, GATEWAY("job-failed"), .json = "{" TO("full/copy") "}",
     .headers = {"Prefer: wait=60"}},
};

static void run_without_room(struct scenario *s, const char *path,
                             const struct step *steps, size_t n)
{
    check_that(run_program(ARGS("tests/qemu/libvirtd.sh", "exec", "mount", "-t", "tmpfs",
                                "-o", "size=2m,mode=777", "none", path)) == 0,
               "a file system of 2 MiB");
    scenario_run(s, steps, n);
    check_that(
        run_program(ARGS("tests/qemu/libvirtd.sh", "exec", "umount", "-l", path)) == 0,
        "unmount it");
}

static void test_no_room(struct scenario *s, const char *dir)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/full", dir);
    check_that(mkdir(path, 0777) == 0, "a folder to mount at");
    run_without_room(s, path, no_room_to_copy, COUNT(no_room_to_copy));
    run_without_room(s, path, no_room_to_back_up, COUNT(no_room_to_back_up));
    run_without_room(s, path, no_room_waiting, COUNT(no_room_waiting));
}

/* ---- the domain stops -------------------------------------------------------------- */

static const struct step destroyed[] = {
    SLOW_COPY("copy1"),
    {"POST", "/domains/job/destroy", 204, ""},
    {"GET", OP("copy1") "?wait=60", 200,
     "{'state':'failed','status':502,'error':{'type':'urn:virtgate:error:job-failed',"
     "'detail':'~*domain stopped*'}}"},
    {"GET", "/operations?state=failed&domain=job", 200,
     "{'operations':[{'id':'$copy1'}]}"},
    {"POST", "/domains/job/start", 204, ""},
    {"POST", "/domains/job/backup", 202, "{'id':'$pull2'}", .xml = PULL},
    {"POST", "/domains/job/destroy", 204, ""},
    {"GET", OP("pull2") "?wait=60", 200, "{'state':'failed'}"},
    {"POST", "/domains/job/start", 204, ""},
};

/* ---- libvirtd dies ----------------------------------------------------------------- */

static const struct step slow_copy = SLOW_COPY("copy2");
static const struct step other_copy = SLOW_COPY("copy3");
static const struct step goes_on = {
    "GET", OP("copy2"), 200,
    "{'state':'running','progress':{'type':'copy','ready':false}}"};
static const struct step faster = {"PATCH", DISK "/job", 200, NULL,
                                   .json = "{'bandwidth':0}"};
static const struct step ready = {"GET", OP("copy2"), 200,
                                  "{'state':'running','progress':{'ready':true}}"};
static const struct step pivoted[] = {
    {"DELETE", DISK "/job?pivot=true", 204, ""},
    {"GET", OP("copy2") "?wait=60", 200, "{'state':'succeeded','status':200}"},
    {"GET", DISK, 200, "{'source':'${dir}/copy2'}"},
};
static const struct step away = {"GET", OP("copy3"), 200, "{'state':'running'}"};
static const struct step lost = {
    "GET", OP("copy3"), 200,
    "{'state':'unknown','status':502,'error':{'type':'urn:virtgate:error:job-lost',"
    "'outcome':'unknown'}}"};
static const struct step off = {"GET", "/domains/job/state", 200, "{'state':'shutoff'}"};
static const struct step up = {"GET", "/hosts", 200,
                               "{'hosts':[{'host':'default','state':'up'}]}"};

/* QEMU's jobs live on without libvirtd. */
static void test_goes_on(struct scenario *s)
{
    scenario_run(s, &slow_copy, 1);
    check_that(libvirtd("kill") == 0, "kill libvirtd");
    check_that(libvirtd("up") == 0, "start libvirtd again");
    scenario_until(s, &up, 60);
    scenario_until(s, &goes_on, 60);
    scenario_run(s, &faster, 1);
    scenario_until(s, &ready, 60);
    scenario_run(s, pivoted, COUNT(pivoted));
}

/* What ends while nobody looks: nobody asks for it afterwards, either. */
static void test_lost(struct scenario *s)
{
    scenario_run(s, &other_copy, 1);
    check_that(libvirtd("kill") == 0, "kill libvirtd");
    pid_t pid = guest_pid("job");
    check_that(pid > 0 && kill(pid, SIGKILL) == 0, "kill the guest");
    scenario_run(s, &away, 1);
    check_that(libvirtd("up") == 0, "start libvirtd again");
    scenario_until(s, &lost, 60);
    scenario_until(s, &off, 60);
    scenario_run(s, &start, 1);
}

static void test_guest_dies(struct scenario *s)
{
    static const struct step copy = SLOW_COPY("copy4");
    static const struct step failed = {"GET", OP("copy4") "?wait=60", 200,
                                       "{'state':'failed'}"};

    scenario_run(s, &copy, 1);
    pid_t pid = guest_pid("job");
    check_that(pid > 0 && kill(pid, SIGKILL) == 0, "kill the guest");
    scenario_run(s, &failed, 1);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "jobs as operations", ARGS("-c", guest_uri()))) {
        char *dir = guest_folder(&s);
        check_that(chmod(dir, 0777) == 0, "QEMU may make sockets there");
        guest_image_raw(dir, "data.raw", "DATA", 16 << 20);
        guest_image_convert(dir, "data.raw", "disk.qcow2");
        scenario_run(&s, begin, COUNT(begin));
        scenario_run(&s, backups, COUNT(backups));
        test_cancelled_push(&s, dir);
        scenario_run(&s, destroyed, COUNT(destroyed));
        test_no_room(&s, dir);
        test_goes_on(&s);
        test_lost(&s);
        test_guest_dies(&s);
        guests_remove(&s);
        guest_folder_remove(dir);
        scenario_end(&s);
    }
    return checks_report();
}
