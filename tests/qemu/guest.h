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
#define GUEST(name) GUEST_WITH(name, "")
/* One with a disk, an image of qcow2 in ${dir}. */
#define GUEST_WITH_DISK(name, image)                                                     \
    "<domain type='qemu'><name>" name "</name>"                                          \
    "<memory unit='MiB'>16</memory><vcpu>1</vcpu>"                                       \
    "<os><type arch='x86_64' machine='pc'>hvm</type></os>"                               \
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"                          \
    "<controller type='usb' model='none'/><memballoon model='none'/>"                    \
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"                 \
    "<source file='${dir}/" image "'/><target dev='vda' bus='virtio'/></disk>"           \
    "</devices></domain>"
/* One that takes another vCPU, with an I/O thread and a balloon. */
#define TWO_VCPUS(name)                                                                  \
    "<domain type='qemu'><name>" name "</name><memory unit='MiB'>32</memory>"            \
    "<vcpu current='1'>2</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/>"    \
    "<vcpu id='1' enabled='no' hotpluggable='yes'/></vcpus><iothreads>1</iothreads>"     \
    "<os><type arch='x86_64' machine='pc'>hvm</type></os>"                               \
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"                          \
    "<controller type='usb' model='none'/><memballoon "                                  \
    "model='virtio'/></devices></domain>"
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

/* A folder for images that QEMU may open; ${dir} in rows. Owned by the caller, who
 * removes it with all that is in it. */
char *guest_folder(struct scenario *s);
void guest_folder_remove(char *dir_steal);

/* Images in it: raw, of one text again and again; qcow2, of a size ("8M") or based on
 * another; the same content as qcow2. One check each. */
void guest_image_raw(const char *dir, const char *name, const char *text, size_t size);
void guest_image_qcow2(const char *dir, const char *name, const char *base,
                       const char *size);
void guest_image_convert(const char *dir, const char *from, const char *to);
