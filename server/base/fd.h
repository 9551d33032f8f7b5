/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Descriptors; -1 is none.
 */
#pragma once

#include <fcntl.h>
#include <unistd.h>

/* One more for what `fd` is of, of which somebody else may close his at any time: the
 * number is given to the next one then. -1: there is none to be had. Owned by the caller.
 */
static inline int vg_fd_copy(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static inline void vg_fd_close(int fd)
{
    if (fd >= 0)
        close(fd);
}
