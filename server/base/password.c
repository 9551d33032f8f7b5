/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/password.h.
 */
#include "virtgate/password.h"

#include "virtgate/cleanup.h"

#include <crypt.h>
#include <string.h>

/* More than the 5,000 that are the default: a seed lies on a disk. */
#define ROUNDS 100000

/* "$6$salt$hash", "$y$j9T$salt$hash": a kind, and at least a salt and a hash. */
bool vg_password_is_hashed(const char *text)
{
    static const char *const kinds[] = {"$1$",  "$5$",  "$6$",  "$y$",
                                        "$gy$", "$2a$", "$2b$", "$2y$"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t n = strlen(kinds[i]);
        if (strncmp(text, kinds[i], n) == 0) {
            const char *end = strchr(text + n, '$');
            bool bcrypt = kinds[i][1] == '2';
            return end && strlen(end) > (bcrypt ? 50 : 20) && !strpbrk(text, " :\n");
        }
    }
    return false;
}

char *vg_password_hash(const char *password)
{
    vg_autofree char *salt = crypt_gensalt_ra("$6$", ROUNDS, NULL, 0);
    vg_autofree struct crypt_data *data = calloc(1, sizeof(*data));
    const char *hash = salt && data ? crypt_r(password, salt, data) : NULL;
    char *made = hash && hash[0] == '$' ? strdup(hash) : NULL;

    if (data)
        explicit_bzero(data, sizeof(*data));
    return made;
}
