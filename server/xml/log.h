/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From here on what libxml2 would print to stderr goes to the log, source `libxml2`: for
 * the calling thread, and for all that have not used libxml2 yet. */
void vg_xml_log_errors(void);
