/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads that nobody joins: they tell by other means that they are gone.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>

/* Starts one with a stack of so many bytes. 0, or an errno value. */
static inline int vg_thread_detach(void *(*run)(void *data), void *data, size_t stack)
{
    pthread_t thread;
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, stack);
    int rc = pthread_create(&thread, &attr, run, data);
    pthread_attr_destroy(&attr);
    return rc;
}
