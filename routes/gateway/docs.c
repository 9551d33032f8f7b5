/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The API reference for browsers: /docs and the files it loads.
 */
#include "virtgate/docs.h"

#include "routes/routes.h"

#include <string.h>

static struct vg_reply get_docs(struct vg_request *rq)
{
    static struct vg_cached cached;
    return vg_ok_cached(rq, &cached, "text/html; charset=utf-8", vg_docs_page,
                        vg_docs_page_len);
}

static struct vg_docs_file *find_file(const char *name)
{
    for (struct vg_docs_file *file = vg_docs_files; file->name; file++)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

static struct vg_reply get_docs_file(struct vg_request *rq)
{
    const char *name = vg_path(rq, "file");
    struct vg_docs_file *file = find_file(name);
    struct vg_reply reply;

    if (!file) {
        vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND,
                     "The API reference has no file '%.100s'", name);
        return vg_fail(rq);
    }
    if (vg_cached_reply(rq, &file->cached, &reply))
        return reply;
    return vg_keep(rq, &file->cached,
                   vg_ok_gzip(rq, file->type, file->gzip, file->length));
}

/* clang-format off */
const struct vg_route vg_routes_docs[] = {
    {VG_GET, "/docs", "getDocs", get_docs,
     .runs_on = VG_ON_NETWORK_THREAD, .gives = VG_GIVES_PAGE, .hosts = VG_NO_HOST},
    {VG_GET, "/docs/{file}", "getDocsFile", get_docs_file,
     .runs_on = VG_ON_NETWORK_THREAD, .gives = VG_GIVES_FILES, .hosts = VG_NO_HOST},
    {0},
};
/* clang-format on */
