/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The limit that libmicrohttpd sets: a constant answer of LENGTH bytes to every request,
 * epoll threads one for each core, a response object for each request, one header field.
 *
 *   hello PORT LENGTH      on 127.0.0.1; ends on SIGTERM
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *body;
static size_t length;

static enum MHD_Result answer(void *data, struct MHD_Connection *connection,
                              const char *url, const char *method, const char *version,
                              const char *upload, size_t *upload_size, void **state)
{
    static int seen;
    (void)data, (void)url, (void)method, (void)version, (void)upload, (void)upload_size;

    if (!*state) {
        *state = &seen;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result rc = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return rc;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    sigset_t set;
    int sig;

    if (argc != 3)
        return 2;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    length = strtoul(argv[2], NULL, 10);
    body = malloc(length + 1);
    if (!body)
        return 1;
    memset(body, 'x', length);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&address, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), MHD_OPTION_END);
    if (!daemon)
        return 1;
    sigwait(&set, &sig);
    MHD_stop_daemon(daemon);
    free(body);
    return 0;
}
