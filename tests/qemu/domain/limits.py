#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""No document costs libvirtd, or on an in-process driver the gateway, its life or its memory.

Every number in rich.xml, a guest that has nearly all that libvirt's schemas know, is replaced by
what would be gigabytes if something multiplied it; targets of disks, which are numbers, too, and
distances of NUMA cells, which abort libvirt 9.0.0 when they are wrong. Sent as a whole, and of
devices alone, to test:///default and to a private libvirtd (VG_QEMU_URI) with little memory:
both are the same processes at the end, hardly larger, and nothing ran into a deadline.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

RICH = (HERE / "rich.xml").read_text()
NUMBER = re.compile(r"(?<=')(?:0x[0-9a-fA-F]+|-?\d+|\d+-\d+)(?=')|(?<=>)-?\d+(?=<)")
BIG = ("4294967295", "2147483647", "1048575", "-1")
MIB = 1024 * 1024
MORE = 300  # MiB that a process may grow: the largest that is accepted takes some
if "ASAN_OPTIONS" in os.environ:
    MORE *= 10  # what is freed is kept for a while
LIMIT = 3000 * MIB


def memory(pid):
    """The most that a process ever had, in MiB; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(found[1]) // 1024 if found else None


def mutations(text):
    """(what, document) for each number in it."""
    for found in NUMBER.finditer(text):
        begin, end = found.span()
        element = text[text.rfind("<", 0, begin):begin].replace("\n", " ")
        for big in BIG:
            value = f"0-{big}" if "-" in found[0][1:] else big
            yield f"{element}{value}", text[:begin] + value + text[end:]


def small(name, devices="", more=""):
    return (f"<domain type='test'><name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>"
            f"<os><type>hvm</type></os>{more}<devices>{devices}</devices></domain>")


def others():
    for bus, prefix in (("scsi", "sd"), ("sata", "sd"), ("ide", "hd"), ("fdc", "fd"),
                        ("usb", "sd"), ("virtio", "vd"), ("xen", "xvd")):
        for letters in ("zzz", "zzzz", "zzzzzz", "zzzzzzzzzzzz"):
            device = "floppy" if bus == "fdc" else "disk"
            yield f"target {prefix}{letters}", small("target", (
                f"<disk type='file' device='{device}'><source file='/nonexistent/a'/>"
                f"<target dev='{prefix}{letters}' bus='{bus}'/></disk>"))
    for sibling in ("id='1' value='20'", "id='0' value='300'", "id='0'", "value='10'",
                    "id='0' value='20'", "id='-1' value='10'", "id='x' value='10'",
                    "id='4294967296' value='10'", "id='0' value='9'", "id='' value=''"):
        yield f"sibling {sibling}", small("numa", more=(
            "<cpu><numa><cell id='0' cpus='0' memory='16384'><distances><sibling "
            f"{sibling}/></distances></cell></numa></cpu>"))
    given = "cpus='0' memory='16384'"
    for cells in ("<cell {}><distances/></cell>",
                  "<cell {}><distances><a:sibling id='0' value='10'/></distances></cell>",
                  "<cell {}><distances><sibling id='1' value='20'/></distances></cell><a:cell {}/>",
                  "<cell id='+0' {}><distances><sibling id='0' value='20'/></distances></cell>",
                  "<cell {}><distances><sibling id='0' value='20'/></distances></cell>"):
        # heap that is written over shows when it is used again
        for _ in range(4):
            yield f"distances {cells}", small("numa", more=(
                "<cpu xmlns:a='urn:a'><numa>"
                f"{cells.replace('{}', given)}</numa></cpu>"))
    # in other spellings, or split by what is no text
    for vcpus in (" 4294967295 ", "42949<!-- -->67295", "<![CDATA[4294967295]]>",
                  "&#52;294967295", "+4294967295"):
        yield f"vcpu {vcpus}", small("vcpu").replace("<vcpu>1<", f"<vcpu>{vcpus}<")
    for index in ("0x7fffffff", " 2147483647", "017777777777"):
        yield f"index {index}", small("index", f"<controller type='scsi' index='{index}'/>")
    # libvirt finds the root and all attributes by their local names
    yield "vcpu below another root", small("vcpu").replace(
        "<domain ", "<p:domain xmlns:p='urn:p' ").replace("</domain>", "</p:domain>").replace(
        "<vcpu>1<", "<vcpu>4294967295<")
    for name in ("index", "p:index"):
        yield f"{name} in a namespace", small("index", (
            f"<controller xmlns:p='urn:p' type='scsi' {name}='2147483640' "
            f"{'index' if ':' in name else 'p:index'}='1'/>"))
    yield "40,000 attributes", small("many").replace(
        "<vcpu>", "<vcpu " + " ".join(f"a{n}='1'" for n in range(40000)) + ">")


def devices(text):
    """Each device alone, as it would be attached."""
    inside = text[text.index("<devices>") + 9:text.index("</devices>")]
    for kind in ("disk", "controller", "interface", "channel", "smartcard", "hostdev"):
        yield from re.findall(rf"<{kind}\b[^>]*/>|<{kind}\b.*?</{kind}>", inside, re.S)


# What libvirtd ends at: they lack what it finds them by.
BARE = ("<disk/>", "<disk type='file'><source file='/nonexistent/a'/></disk>",
        "<disk type='file'><target bus='sata'/></disk>",
        "<filesystem type='mount'><source dir='/nonexistent'/></filesystem>",
        "<filesystem type='mount'><source dir='/nonexistent'/><target dir=''/></filesystem>")


class Watched:
    """What a process had at the beginning; for each thing sent whether it is well."""

    def __init__(self, what, pid):
        self.what, self.pid, self.before = what, pid, memory(pid)

    def look(self, after):
        now = memory(self.pid)
        check(now is not None, f"{self.what} is gone after {after}")
        if now is not None:
            check(now < self.before + MORE, f"{self.what} grew to {now} MiB by {after}")
            self.before = max(self.before, now)
        return now is not None


def send(client, watched, method, path, body, what):
    """False: something died."""
    try:
        status, _, answer = client.send(method, path, body.encode())
        own = status == 502 and b"VIR_ERR_INTERNAL_ERROR" in answer  # what libvirt finds itself
        check(status < 500 or status == 501 or own, f"{what} is {status}", answer[:300])
    except OSError as e:
        check(False, f"{what}: no answer: {e}")
    return all([w.look(what) for w in watched])


def walk(client, watched, kind):
    text = RICH.replace("type='test'", f"type='{kind}'", 1)
    sent = 0
    for what, document in [*mutations(text), *others()]:
        document = document.replace("<domain type='test'", f"<domain type='{kind}'")
        sent += 1
        if not send(client, watched, "POST", "/domains", document, f"{kind}: {what}"):
            return
    client.send("POST", "/domains", small("device").replace("'test'", f"'{kind}'", 1).encode())
    for device in devices(text):
        for what, document in mutations(device):
            sent += 1
            if not send(client, watched, "POST", "/domains/device/devices?flags=config", document,
                        f"{kind}: device {what}"):
                return
    for bare in BARE:
        path = "/domains/device/devices/detach?flags=config"
        status, _, answer = client.send("POST", path, bare.encode())
        check(status == 400 and b"<target " in answer, f"{kind}: {bare} is {status}", answer)
    check(sent > 500, f"{kind}: only {sent} documents")
    print(f"# {kind}: {sent} documents, " + ", ".join(f"{w.what} {w.before} MiB" for w in watched))


def limits(client, kind):
    """What is refused says what is accepted, as XML and as JSON; the largest is accepted."""
    for more, body in ((1, b'{"domain": {"@type": "%s", "name": "a", "memory": 16384, "vcpu": 16385,'
                           b' "os": {"type": "hvm"}}}' % kind.encode()),
                       (2, small("a").replace("<vcpu>1", "<vcpu>16385").encode())):
        status, _, answer = client.send("POST", "/domains", body)
        check(status == 400 and b"16384" in answer, f"{kind}: vcpu 16385, {more}", answer)
    for body in (b'{"domain": {"@type": "%s", "name": ".", "memory": 16384, "os": {"type": "hvm"}}}'
                 % kind.encode(), small("..").replace("'test'", f"'{kind}'").encode()):
        status, _, answer = client.send("POST", "/domains", body)
        check(status == 400 and b"folder" in answer, f"{kind}: a folder's name is {status}", answer)
    if kind == "test":
        most = small("most").replace("<vcpu>1", "<vcpu>16384")
        for document in (RICH, most, small("z", "<disk type='file'><source file='/a'/><target "
                                           "dev='vdzzz'/></disk>")):
            status, _, answer = client.send("POST", "/domains", document.encode())
            check(status == 201, f"{kind}: what is accepted is {status}", answer)


def run(uri, kind):
    gateway = Gateway(uri)
    client = Client(gateway.port)
    watched = [Watched("the gateway", gateway.process.pid)]
    if kind == "qemu":
        pid = int(subprocess.run([HERE.parent / "libvirtd.sh", "pid"], check=True, capture_output=True,
                                 text=True).stdout)
        subprocess.run(["prlimit", f"--pid={pid}", f"--as={LIMIT}"], check=True)
        watched.append(Watched("libvirtd", pid))
    limits(client, kind)
    walk(client, watched, kind)
    for name in [d["name"] for d in Client(gateway.port).get("/domains")[2]["domains"]]:
        if name != "test":
            Client(gateway.port).send("DELETE", f"/domains/{name}")
    if kind == "qemu":
        subprocess.run([HERE.parent / "libvirtd.sh", "restart"], check=True)  # without the limit
    gateway.stop()


run("test:///default", "test")
if "VG_QEMU_URI" in os.environ:
    run(os.environ["VG_QEMU_URI"], "qemu")
report()
