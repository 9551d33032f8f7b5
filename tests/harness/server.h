/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A gateway process under test: VIRTGATE_BIN (default build/virtgate), under the words of
 * VG_WRAP if set (valgrind ...), on an ephemeral port of 127.0.0.1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Seconds until something that must come has not: long enough for sanitizers on a machine
 * that does ten other things. A limit on what a test waits for, not on how fast it is. */
#define LONG_ENOUGH 60

struct server {
    pid_t pid;
    int port;
    char log[64];  /* file that takes its stderr */
    char base[64]; /* http://127.0.0.1:PORT */
};

/* Starts it with these arguments (ended by NULL) and --listen 127.0.0.1:0, and waits
 * until it listens. On failure -1, with its stderr on ours. */
int server_start(struct server *s, const char *const args[]);

/* Waits until /health/ready answers 200. False after `seconds`. */
bool server_ready(const struct server *s, double seconds);

/* Waits until it has read all that at least `clients` connections sent: what was asked is
 * at work, or waits in it. */
bool server_heard(const struct server *s, int clients);

/* SIGTERM; waits. The exit status, 128 + signal when a signal ended it, -1 when it did
 * not end within `seconds` (it is killed then). Prints the log when that is not 0, and
 * removes it. */
int server_stop(struct server *s, double seconds);

/* Runs the gateway to its end with these arguments; its exit status. What it printed
 * (stdout and stderr) is in *ret_output, owned by the caller. */
int server_run(const char *const args[], char **ret_output);

/* A unix socket at that path that takes connections and never says a word. -1: there is
 * none.
 */
int listen_mutely(const char *path);

/* The whole text of a file, owned by the caller; NULL when it cannot be read. */
char *read_whole(const char *path);

/* Runs a program and waits for it; its exit status. */
int run_program(const char *const argv[]);

double seconds_now(void);
void sleep_seconds(double seconds);
