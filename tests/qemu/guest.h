/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the QEMU tests share: the private libvirtd of libvirtd.sh, and guests small enough
 * that starting one takes a quarter of a second without KVM.
 */
#pragma once

#include "tests/harness/steps.h"

/* A guest without disk or network; `more` are further elements before <devices>. */
#define GUEST_WITH(name, more)                                                           \
    "<domain type='qemu'><name>" name "</name>" more                                     \
    "<memory unit='MiB'>16</memory><vcpu>1</vcpu>"                                       \
    "<os><type arch='x86_64' machine='pc'>hvm</type></os>"                               \
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"                          \
    "<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"
#define GUEST(name)            GUEST_WITH(name, "")
#define GUEST_UUID(name, uuid) GUEST_WITH(name, "<uuid>" uuid "</uuid>")

/* The URI of the private libvirtd; exits with 77 when there is none (run it by
 * tests/run.sh or `tests/qemu/libvirtd.sh run PROGRAM`). */
const char *guest_uri(void);

/* tests/qemu/libvirtd.sh VERB; its exit status. */
int libvirtd(const char *verb);

/* Pid of the QEMU process of a guest; 0 when there is none. */
pid_t guest_pid(const char *name);

/* Ends and undefines all guests. */
void guests_remove(struct scenario *s);
