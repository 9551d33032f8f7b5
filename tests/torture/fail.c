/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Preloaded into the gateway: makes one allocation fail that its own code, jansson or
 * libmicrohttpd asks for. Who asks is seen by the return address, so allocations inside
 * libvirt and glib, which abort without memory by design, are left alone. libc's own
 * functions that allocate are wrapped, too, for their callers.
 */
#include "fail.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's, behind these wrappers. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
int __vasprintf_chk(char **ret, int flag, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
int __asprintf_chk(char **ret, int flag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
char *__strdup(const char *s);
char *__strndup(const char *s, size_t n);

#define MAX_RANGES 16

static struct fail_page *page;
static struct range {
    uintptr_t begin, end, base;
    const char *name;
} ranges[MAX_RANGES];
static size_t n_ranges;

static bool is_wanted(const char *name)
{
    return !*name /* the program */ || strstr(name, "libjansson") ||
           strstr(name, "libmicrohttpd");
}

static int take_object(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    if (!is_wanted(info->dlpi_name))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && n_ranges < MAX_RANGES; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        uintptr_t begin = info->dlpi_addr + p->p_vaddr;
        ranges[n_ranges++] =
            (struct range){begin, begin + p->p_memsz, info->dlpi_addr, info->dlpi_name};
    }
    return 0;
}

__attribute__((constructor)) static void open_page(void)
{
    const char *path = getenv(FAIL_FILE_VARIABLE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    dl_iterate_phdr(take_object, NULL);
    void *p = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p != MAP_FAILED)
        page = p;
}

static void note_failure(uintptr_t caller, const struct range *r)
{
    const char *slash = strrchr(r->name, '/');
    const char *name = slash ? slash + 1 : *r->name ? r->name : "virtgate";
    size_t n = strnlen(name, sizeof(page->module) - 1);
    memcpy(page->module, name, n);
    page->module[n] = '\0';
    page->offset = caller - r->base;
    atomic_fetch_add(&page->failed, 1);
}

static bool must_fail(const void *return_address)
{
    uintptr_t caller = (uintptr_t)return_address;
    if (!page || atomic_load(&page->left) <= 0)
        return false;
    for (size_t i = 0; i < n_ranges; i++) {
        if (caller < ranges[i].begin || caller >= ranges[i].end)
            continue;
        if (atomic_fetch_sub(&page->left, 1) != 1)
            return false;
        note_failure(caller - 1, &ranges[i]);
        errno = ENOMEM;
        return true;
    }
    return false;
}
#define MUST_FAIL must_fail(__builtin_return_address(0))

void *malloc(size_t n)
{
    return MUST_FAIL ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return MUST_FAIL ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return MUST_FAIL ? NULL : __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (MUST_FAIL || __builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(p, bytes);
}

static char *copy(const char *s, size_t n)
{
    char *text = __libc_malloc(n + 1);
    if (text) {
        memcpy(text, s, n);
        text[n] = '\0';
    }
    return text;
}

char *strdup(const char *s)
{
    return MUST_FAIL ? NULL : copy(s, strlen(s));
}

char *strndup(const char *s, size_t n)
{
    return MUST_FAIL ? NULL : copy(s, strnlen(s, n));
}

char *__strdup(const char *s)
{
    return MUST_FAIL ? NULL : copy(s, strlen(s));
}

char *__strndup(const char *s, size_t n)
{
    return MUST_FAIL ? NULL : copy(s, strnlen(s, n));
}

__attribute__((format(printf, 2, 0))) static int print(char **ret, const char *fmt,
                                                       va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *text = n >= 0 ? __libc_malloc((size_t)n + 1) : NULL;
    if (!text)
        return -1;
    vsnprintf(text, (size_t)n + 1, fmt, args);
    *ret = text;
    return n;
}

int vasprintf(char **ret, const char *fmt, va_list args)
{
    return MUST_FAIL ? -1 : print(ret, fmt, args);
}

int __vasprintf_chk(char **ret, int flag, const char *fmt, va_list args)
{
    (void)flag;
    return MUST_FAIL ? -1 : print(ret, fmt, args);
}

int asprintf(char **ret, const char *fmt, ...)
{
    if (MUST_FAIL)
        return -1;
    va_list args;
    va_start(args, fmt);
    int n = print(ret, fmt, args);
    va_end(args);
    return n;
}

int __asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
    (void)flag;
    if (MUST_FAIL)
        return -1;
    va_list args;
    va_start(args, fmt);
    int n = print(ret, fmt, args);
    va_end(args);
    return n;
}

FILE *open_memstream(char **ret, size_t *ret_size)
{
    static FILE *(*real)(char **, size_t *);
    if (MUST_FAIL)
        return NULL;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "open_memstream");
    return real(ret, ret_size);
}
