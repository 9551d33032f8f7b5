/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pages for browsers and the files they load: the API reference at /docs, the console
 * at /ui/.
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

/* The page's files are beside it: it is left for the path that ends with a slash. */
static struct vg_reply get_ui_link(struct vg_request *rq)
{
    static const char page[] = "<!DOCTYPE html>\n<title>virtgate</title>\n"
                               "<meta http-equiv=\"refresh\" content=\"0; url=ui/\">\n<a "
                               "href=\"ui/\">virtgate</a>\n";
    static struct vg_cached cached;
    return vg_ok_cached(rq, &cached, "text/html; charset=utf-8", page, sizeof(page) - 1);
}

static struct vg_reply get_ui(struct vg_request *rq)
{
    static struct vg_cached cached;
    return vg_ok_cached(rq, &cached, "text/html; charset=utf-8", vg_ui_page,
                        vg_ui_page_len);
}

static struct vg_reply give_file(struct vg_request *rq, struct vg_web_file *file,
                                 const char *name, const char *page)
{
    struct vg_reply reply;

    while (file->name && strcmp(file->name, name) != 0)
        file++;
    if (!file->name) {
        vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND,
                     "The page %s has no file '%.100s'", page, name);
        return vg_fail(rq);
    }
    if (vg_cached_reply(rq, &file->cached, &reply))
        return reply;
    return vg_keep(rq, &file->cached,
                   vg_ok_gzip(rq, file->type, file->gzip, file->length));
}

static struct vg_reply get_docs_file(struct vg_request *rq)
{
    return give_file(rq, vg_docs_files, vg_path(rq, "file"), "/docs");
}

static struct vg_reply get_ui_file(struct vg_request *rq)
{
    return give_file(rq, vg_ui_files, vg_path(rq, "asset"), "/ui/");
}

/* clang-format off */
const struct vg_route vg_routes_docs[] = {
    {VG_GET, "/docs", "getDocs", get_docs,
     .runs_on = VG_ON_NETWORK_THREAD, .gives = VG_GIVES_PAGE, .hosts = VG_NO_HOST},
    {VG_GET, "/docs/{file}", "getDocsFile", get_docs_file,
     .runs_on = VG_ON_NETWORK_THREAD, .gives = VG_GIVES_FILES, .hosts = VG_NO_HOST},
    {VG_GET, "/ui", "getUiLink", get_ui_link,
     .runs_on = VG_ON_NETWORK_THREAD, .gives = VG_GIVES_PAGE, .hosts = VG_NO_HOST},
    {VG_GET, "/ui/", "getUi", get_ui,
     .runs_on = VG_ON_NETWORK_THREAD, .gives = VG_GIVES_PAGE, .hosts = VG_NO_HOST},
    {VG_GET, "/ui/{asset}", "getUiFile", get_ui_file,
     .runs_on = VG_ON_NETWORK_THREAD, .gives = VG_GIVES_FILES, .hosts = VG_NO_HOST},
    {0},
};
/* clang-format on */
