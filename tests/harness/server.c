/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starting and stopping the gateway. Its port is read from its log: the line of source
 * `http` with msg=listening and address=127.0.0.1:PORT.
 */
#include "server.h"

#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGS 64

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void sleep_seconds(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

int listen_mutely(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    unlink(path);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
        listen(fd, 64) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

char *read_whole(const char *path)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return NULL;
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, '\0', in) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(in);
    return text;
}

/* argv of the gateway: the words of VG_WRAP, the binary, args, what is added. `words` is
 * the memory of VG_WRAP's words. */
static void make_argv(const char *argv[MAX_ARGS], char *words, const char *const args[],
                      bool listen)
{
    size_t n = 0;
    for (char *save, *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    const char *binary = getenv("VIRTGATE_BIN");
    argv[n++] = binary ? binary : "build/virtgate";
    for (; *args && n < MAX_ARGS - 3; args++)
        argv[n++] = *args;
    if (listen) {
        argv[n++] = "--listen";
        argv[n++] = "127.0.0.1:0";
    }
    argv[n] = NULL;
}

/* In the child: nothing of the caller's environment may configure the gateway, and it
 * must not outlive a test that crashed. */
__attribute__((noreturn)) static void exec_child(const char *const argv[], int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDERR_FILENO);
    dup2(out, STDOUT_FILENO);
    unsetenv("LIBVIRT_DEFAULT_URI");
    unsetenv("VIRTGATE_CONNECT");
    unsetenv("VIRTGATE_LISTEN");
    unsetenv("VIRTGATE_TOKEN_FILE");
    unsetenv("VIRTGATE_BIN"); /* ours, and no option's */
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static pid_t spawn(const char *const args[], bool listen, int out)
{
    const char *argv[MAX_ARGS];
    const char *wrap = getenv("VG_WRAP");
    char *words = strdup(wrap ? wrap : "");
    if (!words)
        return -1;
    make_argv(argv, words, args, listen);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        exec_child(argv, out);
    free(words);
    return pid;
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void print_log(const struct server *s)
{
    char *log = read_whole(s->log);
    fprintf(stderr, "---- the gateway's log ----\n%s---- end of log ----\n",
            log ? log : "");
    free(log);
}

/* The port of the log's listening line; 0 while it is not there. */
static int listening_port(const char *path)
{
    char *log = read_whole(path);
    int port = 0;
    for (char *save, *line = strtok_r(log, "\n", &save); line && !port;
         line = strtok_r(NULL, "\n", &save)) {
        const char *address =
            strstr(line, "listening") ? strstr(line, "127.0.0.1:") : NULL;
        if (address)
            port = (int)strtol(address + strlen("127.0.0.1:"), NULL, 10);
    }
    free(log);
    return port;
}

int server_start(struct server *s, const char *const args[])
{
    snprintf(s->log, sizeof(s->log), "/tmp/vg-test-log.XXXXXX");
    int out = mkostemp(s->log, O_APPEND | O_CLOEXEC);
    if (out < 0)
        return -1;
    s->port = 0;
    s->pid = spawn(args, true, out);
    close(out);
    double until = seconds_now() + LONG_ENOUGH;
    while (s->pid > 0 && seconds_now() < until) {
        s->port = listening_port(s->log);
        if (s->port)
            break;
        int status;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            fprintf(stderr, "the gateway ended with status %d\n", exit_status(status));
            s->pid = -1;
            break;
        }
        sleep_seconds(0.005);
    }
    snprintf(s->base, sizeof(s->base), "http://127.0.0.1:%d", s->port);
    if (s->port)
        return 0;
    print_log(s);
    if (s->pid > 0)
        server_stop(s, 1);
    unlink(s->log);
    return -1;
}

bool server_ready(const struct server *s, double seconds)
{
    struct client *c = client_new(s->base);
    bool ready = false;
    for (double until = seconds_now() + seconds; !ready && seconds_now() < until;) {
        struct response *r = client_get(c, "/health/ready");
        ready = r->status == 200;
        response_free(r);
        if (!ready)
            sleep_seconds(0.02);
    }
    client_free(c);
    return ready;
}

/* How many clients are connected; -1: one of them waits to be accepted, or to be read. A
 * line of /proc/net/tcp has the local and the remote address, the state, and
 * tx_queue:rx_queue. */
static int clients_read(int port)
{
    char *table = read_whole("/proc/net/tcp");
    int n = 0;
    for (char *save, *line = strtok_r(table, "\n", &save); line && n >= 0;
         line = strtok_r(NULL, "\n", &save)) {
        unsigned int local, state, unread;
        if (sscanf(line, " %*d: %*x:%x %*x:%*x %x %*x:%x", &local, &state, &unread) !=
                3 ||
            local != (unsigned int)port)
            continue;
        if (unread)
            n = -1;
        else
            n += state == TCP_ESTABLISHED;
    }
    free(table);
    return n;
}

bool server_heard(const struct server *s, int clients)
{
    for (double until = seconds_now() + LONG_ENOUGH; seconds_now() < until;) {
        if (clients_read(s->port) >= clients)
            return true;
        sleep_seconds(0.02);
    }
    return false;
}

/* Waits for a child; -1 when it did not end in time and was killed. */
static int reap(pid_t pid, double seconds)
{
    int status;
    for (double until = seconds_now() + seconds; seconds_now() < until;) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return exit_status(status);
        sleep_seconds(0.005);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

int server_stop(struct server *s, double seconds)
{
    int status = -1;
    if (s->pid > 0) {
        kill(s->pid, SIGTERM);
        status = reap(s->pid, seconds);
    }
    s->pid = -1;
    if (status != 0) {
        fprintf(stderr, "the gateway ended with status %d\n", status);
        print_log(s);
    }
    unlink(s->log);
    return status;
}

int server_run(const char *const args[], char **ret_output)
{
    char path[] = "/tmp/vg-test-out.XXXXXX";
    int out = mkostemp(path, O_APPEND | O_CLOEXEC);
    if (out < 0)
        return -1;
    pid_t pid = spawn(args, false, out);
    close(out);
    int status = pid > 0 ? reap(pid, LONG_ENOUGH) : -1;
    *ret_output = read_whole(path);
    unlink(path);
    return status;
}

int run_program(const char *const argv[])
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return exit_status(status);
}
