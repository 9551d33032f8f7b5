/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * X-Request-Id.
 */
#include "server/http/internal.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Ids of proxies and libraries: UUIDs, base64, names. */
static bool is_request_id(const char *id)
{
    size_t n = strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "._~+/=:@-");
    return n > 0 && id[n] == '\0' && n < VG_REQUEST_ID_SIZE;
}

/* A ULID: 48 bits of time, 80 that no other request has. */
static void make_request_id(char ret[static VG_REQUEST_ID_SIZE])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    static atomic_uint_fast64_t counter;
    static atomic_uint_fast64_t seed;
    struct timespec now;
    uint64_t random = atomic_load_explicit(&seed, memory_order_relaxed);

    if (!random) {
        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
            random = (uint64_t)vg_now_ns();
        atomic_store(&seed, random | 1);
    }
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    uint64_t low = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
    for (int i = 9; i >= 0; i--, ms >>= 5)
        ret[i] = digits[ms & 31];
    for (int i = 17; i >= 10; i--, random >>= 5)
        ret[i] = digits[random & 31];
    for (int i = 25; i >= 18; i--, low >>= 5)
        ret[i] = digits[low & 31];
    ret[26] = '\0';
}

void vg_http_request_id(char ret[static VG_REQUEST_ID_SIZE], const char *given)
{
    if (given && is_request_id(given))
        memcpy(ret, given, strlen(given) + 1);
    else
        make_request_id(ret);
}
