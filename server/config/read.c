/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options from the command line, the environment and the config file, and --help, all
 * driven by config.def. The levels are read from the highest to the lowest, because the
 * higher ones name the config file; a lower level's values are checked all the same.
 */
#include "server/config/internal.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>

#include "virtgate/cleanup.h"
#include "virtgate/json.h"

#define SPACE " \t\r\n"

/* ---- command line ------------------------------------------------------------------ */

enum {
    LONG_FIRST = 256, /* + the option's index */
    LONG_CHECK = LONG_FIRST + VG_CONFIG_COUNT,
    LONG_VERSION,
    LONG_HELP,
    LONG_END
};

static const struct option long_options[] = {
#define HAS_TEXT   required_argument
#define HAS_TEXTS  required_argument
#define HAS_NUMBER required_argument
#define HAS_HOSTS  required_argument
#define HAS_BOOL   optional_argument
#define HAS_SWITCH required_argument
#define X(field, KIND, name_, letter, arg, def, min, max, help)                          \
    {name_, HAS_##KIND, NULL, LONG_FIRST + VG_CONFIG_I_##field},
#include "server/config/config.def"
#undef X
    {"check-config", no_argument, NULL, LONG_CHECK},
    {"version", no_argument, NULL, LONG_VERSION},
    {"help", no_argument, NULL, LONG_HELP},
    {NULL, 0, NULL, 0}};

/* The `+` stops at the first word that is no option, and leaves argv in its order. */
static void list_letters(char letters[static 2 * VG_CONFIG_COUNT + 5])
{
    size_t n = 0;
    for (const char *p = "+:Vh"; *p; p++)
        letters[n++] = *p;
    for (size_t i = 0; i < VG_CONFIG_COUNT; i++) {
        if (vg_config_options[i].letter) {
            letters[n++] = vg_config_options[i].letter;
            letters[n++] = ':';
        }
    }
    letters[n] = '\0';
}

/* What getopt_long returned, with a letter made its long option. */
static int find_long(int c)
{
    if (c == 'V')
        return LONG_VERSION;
    if (c == 'h')
        return LONG_HELP;
    for (int i = 0; c > 0 && i < VG_CONFIG_COUNT; i++) {
        if (vg_config_options[i].letter == c)
            return LONG_FIRST + i;
    }
    return c;
}

/* What getopt would print itself; an option's value may be a URI, so it is not quoted. */
static int fail_option(struct vg_config_read *r, int c, const char *word)
{
    int known = find_long(optopt);
    if (c == ':')
        return vg_config_fail(r, "--%s: needs a value: %s",
                              long_options[known - LONG_FIRST].name,
                              vg_config_options[known - LONG_FIRST].arg);
    if (known >= LONG_FIRST && known < LONG_END)
        return vg_config_fail(r, "--%s: takes no value",
                              long_options[known - LONG_FIRST].name);
    if (optopt)
        return vg_config_fail(r, "-%c: unknown option; --help lists them", optopt);
    return vg_config_fail(r, "%.*s: unknown or ambiguous option; --help lists them",
                          (int)strcspn(word, "="), word);
}

static int read_command_line(struct vg_config_read *r, int argc, char **argv,
                             enum vg_config_action *action)
{
    char letters[2 * VG_CONFIG_COUNT + 5];
    list_letters(letters);
    opterr = 0;
    optind = 0; /* glibc: start afresh, for more than one call */
    for (;;) {
        int c = getopt_long(argc, argv, letters, long_options, NULL);
        if (c == -1)
            break;
        if (c == '?' || c == ':')
            return fail_option(r, c, argv[optind - 1]);
        int option = find_long(c);
        if (option == LONG_HELP || option == LONG_VERSION) {
            *action = option == LONG_HELP ? VG_CONFIG_HELP : VG_CONFIG_VERSION;
            return 0;
        }
        if (option == LONG_CHECK) {
            *action = VG_CONFIG_CHECK;
            continue;
        }
        enum vg_config_index index = (enum vg_config_index)(option - LONG_FIRST);
        vg_autofree char *where = NULL;
        if (asprintf(&where, "--%s", vg_config_options[index].name) < 0) {
            where = NULL;
            return vg_config_fail(r, "out of memory");
        }
        if (vg_config_set(r, index, VG_CONFIG_COMMAND_LINE, where,
                          optarg ? optarg : "yes") < 0)
            return -1;
    }
    if (optind < argc)
        return vg_config_fail(r, "argument %d belongs to no option; --help lists them",
                              optind);
    return 0;
}

/* ---- environment ------------------------------------------------------------------- */

#define PREFIX "VIRTGATE_"

/* VIRTGATE_POOL_SIZE of pool-size. Owned by the caller; NULL: out of memory. */
static char *name_variable(const struct vg_config_option *o)
{
    char *name = NULL;
    if (asprintf(&name, PREFIX "%s", o->name) < 0)
        return NULL;
    for (char *p = name; *p; p++)
        *p = (char)(*p == '-' ? '_' : toupper((unsigned char)*p));
    return name;
}

static int read_variable(struct vg_config_read *r, enum vg_config_index option)
{
    const struct vg_config_option *o = &vg_config_options[option];
    vg_autofree char *name = name_variable(o);
    if (!name)
        return vg_config_fail(r, "out of memory");
    const char *value = getenv(name);
    if (!value)
        return 0;
    const char *rest = value + strspn(value, SPACE);
    if ((o->kind != VG_CONFIG_K_TEXTS && o->kind != VG_CONFIG_K_HOSTS) || !*rest)
        return vg_config_set(r, option, VG_CONFIG_ENVIRONMENT, name, *rest ? value : "");
    for (; *rest; rest += strspn(rest, SPACE)) {
        size_t n = strcspn(rest, SPACE);
        vg_autofree char *word = strndup(rest, n);
        if (!word)
            return vg_config_fail(r, "out of memory");
        if (vg_config_set(r, option, VG_CONFIG_ENVIRONMENT, name, word) < 0)
            return -1;
        rest += n;
    }
    return 0;
}

static int read_environment(struct vg_config_read *r)
{
    for (enum vg_config_index i = 0; i < VG_CONFIG_COUNT; i++) {
        if (read_variable(r, i) < 0)
            return -1;
    }
    return 0;
}

/* Kubernetes and Docker tell of a service called virtgate in variables of its name. */
static bool is_of_service(const char *rest)
{
    return strncmp(rest, "SERVICE_", 8) == 0 || strcmp(rest, "PORT") == 0 ||
           strncmp(rest, "PORT_", 5) == 0;
}

static bool names_option(const char *name)
{
    for (size_t i = 0; i < VG_CONFIG_COUNT; i++) {
        vg_autofree char *known = name_variable(&vg_config_options[i]);
        if (!known || strcmp(known, name) == 0)
            return true;
    }
    return false;
}

void vg_config_find_unknown(void (*say)(const char *name))
{
    for (char **at = environ; *at; at++) {
        vg_autofree char *name = strndup(*at, strcspn(*at, "="));
        if (name && strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
            !is_of_service(name + strlen(PREFIX)) && !names_option(name))
            say(name);
    }
}

/* ---- all of it --------------------------------------------------------------------- */

/* The host `default` goes first: from --host, else what `connect` says. Where other hosts
 * are named and it is not, there is none: nobody meant this machine's own libvirt. */
static int set_default_host(struct vg_config *c)
{
    struct vg_host_configs *h = &c->hosts;
    size_t at = 0;
    while (at < h->n && strcmp(h->v[at].name, "default") != 0)
        at++;
    if (at == h->n && h->n && !c->connect)
        return 0;
    if (at == h->n && vg_config_add_host(h, "default", 7, c->connect) < 0)
        return -1;
    struct vg_host_config host = h->v[at];
    memmove(h->v + 1, h->v, at * sizeof(*h->v));
    h->v[0] = host;
    return 0;
}

static int read_all(struct vg_config_read *r, int argc, char **argv,
                    enum vg_config_action *action)
{
    if (read_command_line(r, argc, argv, action) < 0)
        return -1;
    /* --help and --version answer even when the rest is wrong. */
    bool all = *action == VG_CONFIG_RUN || *action == VG_CONFIG_CHECK;
    if (all && (read_environment(r) < 0 || vg_config_read_file(r) < 0))
        return -1;
    if (vg_config_set_defaults(r) < 0 ||
        (*action == VG_CONFIG_RUN && vg_config_take_inherited(r) < 0) ||
        (all && vg_config_check_all(r) < 0))
        return -1;
    if (set_default_host(&r->config) < 0)
        return vg_config_fail(r, "out of memory");
    return 0;
}

int vg_config_read(int argc, char **argv, struct vg_config *ret,
                   enum vg_config_action *ret_action, char **ret_message)
{
    struct vg_config_read r = {0};
    enum vg_config_action action = VG_CONFIG_RUN;
    int rc = read_all(&r, argc, argv, &action);
    if (rc == 0) {
        *ret = r.config;
        *ret_action = action;
        r.config = (struct vg_config){0};
    } else {
        *ret_message = vg_take(&r.message);
    }
    vg_config_clear_read(&r);
    return rc;
}

char *vg_config_find_token_file(const char *config_file, char **reterr)
{
    struct vg_config_read r = {0};
    char *path = NULL;

    if (vg_config_set(&r, VG_CONFIG_I_config_file, VG_CONFIG_COMMAND_LINE, "--config",
                      config_file) == 0 &&
        vg_config_read_file(&r) == 0) {
        path = vg_take(&r.config.token_file);
        if (!path)
            (void)vg_config_fail(&r, "%s: it names no token-file", config_file);
    }
    *reterr = vg_take(&r.message);
    vg_config_clear_read(&r);
    return path;
}

/* ---- help -------------------------------------------------------------------------- */

void vg_config_dump(FILE *out)
{
    static const char *const kinds[] = {
        [VG_CONFIG_K_TEXT] = "text",     [VG_CONFIG_K_TEXTS] = "texts",
        [VG_CONFIG_K_NUMBER] = "number", [VG_CONFIG_K_BOOL] = "bool",
        [VG_CONFIG_K_SWITCH] = "switch", [VG_CONFIG_K_HOSTS] = "hosts",
    };
    for (size_t i = 0; i < VG_CONFIG_COUNT; i++) {
        const struct vg_config_option *o = &vg_config_options[i];
        const char letter[2] = {o->letter, '\0'};
        vg_auto_json w = {0};
        vg_json_begin_object(&w, NULL);
        vg_json_string(&w, "name", o->name);
        vg_json_string(&w, "kind", kinds[o->kind]);
        vg_json_string(&w, "letter", letter);
        vg_json_string(&w, "arg", o->arg);
        vg_json_string(&w, "help", o->help);
        if (o->kind == VG_CONFIG_K_NUMBER)
            vg_json_int(&w, "default", o->number);
        else if (o->kind == VG_CONFIG_K_SWITCH)
            vg_json_string(&w, "default", o->number ? "yes" : "no");
        else
            vg_json_string(&w, "default", o->text);
        vg_json_end_object(&w);
        size_t n;
        vg_autofree char *line = vg_json_finish(&w, &n);
        fprintf(out, "%s\n", line ? line : "");
    }
}

enum { HELP_COLUMN = 38, HELP_WIDTH = 90 };

/* Wraps at spaces; `used` columns are already filled. */
static void print_words(FILE *out, int used, const char *text)
{
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (used > HELP_COLUMN && used + 1 + n > HELP_WIDTH) {
            fprintf(out, "\n");
            used = 0;
        }
        int gap = used < HELP_COLUMN ? HELP_COLUMN - used : 1;
        fprintf(out, "%*s%.*s", gap, "", n, text);
        used += gap + n;
        text += n + (text[n] == ' ');
    }
    fprintf(out, "\n");
}

static void print_option(FILE *out, char letter, const char *name, const char *arg,
                         const char *help)
{
    int used = letter ? fprintf(out, "  -%c, --%s", letter, name)
                      : fprintf(out, "      --%s", name);
    if (arg)
        used += fprintf(out, " %s", arg);
    print_words(out, used, help);
}

void vg_config_help(FILE *out)
{
    fprintf(out, "Usage: virtgate [OPTION]...\n"
                 "       virtgate token create|list|revoke ... (virtgate token --help)\n"
                 "An HTTP/JSON gateway to libvirt.\n\n");
    for (size_t i = 0; i < VG_CONFIG_COUNT; i++) {
        const struct vg_config_option *o = &vg_config_options[i];
        vg_autofree char *help = NULL;
        int rc =
            o->kind == VG_CONFIG_K_NUMBER
                ? asprintf(&help, "%s (default %lld)", o->help, (long long)o->number)
            : o->kind == VG_CONFIG_K_SWITCH
                ? asprintf(&help, "%s (default %s)", o->help, o->number ? "yes" : "no")
            : o->text ? asprintf(&help, "%s (default %s)", o->help, o->text)
                      : asprintf(&help, "%s", o->help);
        if (rc < 0)
            help = NULL;
        print_option(out, o->letter, o->name, o->arg, help ? help : o->help);
    }
    print_option(out, 0, "check-config", NULL, "read and check all options, then exit");
    print_option(out, 'V', "version", NULL, "print the version and exit");
    print_option(out, 'h', "help", NULL, "print this and exit");
    fprintf(out, "\nAn option without a value takes =yes or =no too. Options can also be "
                 "given in the config\nfile, `NAME = VALUE`, and in the environment, "
                 "VIRTGATE_NAME; the command line comes first,\nthen the environment, "
                 "then the file.\n");
}
