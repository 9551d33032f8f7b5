/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which functions of libvirt the handler of which operation calls: the tests run the
 * gateway's objects linked with wrappers (calls.py), which tell here. Lines of
 * "operationId FUNCTION" are appended to the file that VG_TRACE names, each once;
 * tests/contract/rights.py holds them against the rows' permissions. Lines of
 * "+ FUNCTION" and "- FUNCTION" say that one was seen to succeed, and to fail with
 * libvirt's error: tests/contract/outcomes.py. With VG_TRACE_ALL in the environment every
 * call is a line: tests/qemu/call_counts.py.
 */
#pragma once

#include <stdbool.h>

/* The calling thread is about to call this one. `function` lives as long as the program.
 */
void trace_call(const char *function);

/* The call of this one has ended. One that failed without an error of libvirt's is not
 * told. */
void trace_result(const char *function, bool succeeded);
