/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Levenshtein's, with one row of the table.
 */
#include "server/base/edit_distance.h"

#include <string.h>

size_t vg_edit_distance(const char *a, const char *b)
{
    size_t row[VG_EDIT_MAX], lb = strlen(b);
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < other ? change : other;
        }
    }
    return row[lb];
}
