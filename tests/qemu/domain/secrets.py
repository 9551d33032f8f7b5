#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who reads a document without its secrets and writes it back takes none of them away.

Each way to write one (XML, JSON, merge patch, another POST, one device, the XML of a saved image,
beside a save or a restore), on test:///default and on the private libvirtd (VG_QEMU_URI), for every secret that a
document of libvirt has: those that differ between what it shows with `secure` and without. What is
to go is said to be empty, and goes, the second time, too.
"""
import json
import os
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

COOKIES = "<cookies><cookie name='c'>s3cret-cookie</cookie></cookies>"
VNC = "<graphics type='vnc' autoport='yes' passwd='s3cret-v'/>"
SPICE = "<graphics type='spice' autoport='yes' passwd='s3cret-s' passwdValidTo='2040-01-02T03:04:05'/>"
DISK = ("<disk type='network' device='disk'><driver name='qemu' type='raw'/><source "
        "protocol='https' name='a/b.img'><host name='h.example' port='443'/>" + COOKIES +
        "</source><target dev='vda'/></disk>")
ALL = {"s3cret-v", "s3cret-s", "s3cret-cookie"}


def document(kind, name, devices):
    return (f"<domain type='{kind}'><name>{name}</name><title>one</title>"
            "<memory unit='MiB'>16</memory><vcpu>1</vcpu><os><type>hvm</type></os><metadata>"
            "<p:o xmlns:p='urn:p' passwd='mine'/></metadata><devices>" + devices +
            "</devices></domain>")


class Guest:
    def __init__(self, client, kind, name, devices):
        self.client, self.at = client, f"/domains/{name}"
        self.document = document(kind, name, devices)
        status = client.send("POST", "/domains", self.document.encode())[0]
        check(status == 201, f"{kind}: define {name}: {status}")

    def xml(self, flags=""):
        status, _, body = self.client.send("GET", f"{self.at}/xml?flags=inactive{flags}")
        check(status == 200, f"GET {self.at}/xml is {status}")
        return body.decode()

    def config(self):
        return self.client.get(f"{self.at}?view=config")

    def secrets(self):
        return set(re.findall(r"s3cret-\w+", self.xml(",secure")))

    def write(self, method, path, body, what, headers=None):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        answer = self.client.send(method, self.at + path, data, headers)
        check(answer[0] in (200, 204), f"{what}: {method} is {answer[0]}", answer[2][:300])
        check(b"s3cret" not in answer[2], f"{what}: the answer shows a secret", answer[2])


def retitled(text, title):
    return re.sub("<title>.*</title>", f"<title>{title}</title>", text)


def write_back(guest, driver):
    """Each way to change the title alone."""
    before = guest.xml(",secure")
    check(guest.secrets() == ALL, f"{driver}: all secrets are there", guest.secrets())
    check("s3cret" not in guest.xml(), f"{driver}: the plain document has none")

    def same(what, title):
        after = guest.xml(",secure")
        check(after == retitled(before, title), f"{driver}: {what}", f"\n{before}\n{after}")

    status, headers, config = guest.config()
    guest.write("PUT", "/xml", retitled(guest.xml(), "xml"), "XML")
    same("XML", "xml")
    guest.write("PUT", "/xml", {"xml": retitled(guest.xml(), "text")}, "XML in JSON")
    same("XML in JSON", "text")
    config = guest.config()[2]
    config["domain"]["title"] = "json"
    status, headers, _ = guest.config()
    guest.write("PUT", "", {"domain": config["domain"]}, "JSON", {"If-Match": headers["ETag"]})
    same("JSON", "json")
    devices = guest.config()[2]["domain"]["devices"]
    guest.write("PATCH", "", {"domain": {"title": "patch"}}, "PATCH")
    same("PATCH", "patch")
    guest.write("PATCH", "", {"domain": {"title": "whole", "devices": devices}}, "PATCH of devices")
    same("PATCH of devices", "whole")
    again(guest, same)
    # and backwards: displays in another order are the same displays
    graphics = devices["graphics"][::-1]
    guest.write("PATCH", "", {"domain": {"devices": {"graphics": graphics}}}, "another order")
    check(guest.secrets() == ALL, f"{driver}: another order", guest.secrets())
    guest.write("PUT", "/xml", before, "the whole document")
    same("the whole document", "one")


def again(guest, same):
    """POST of a document whose domain is there defines it anew."""
    config = guest.config()[2]
    config["domain"]["title"] = "POST of JSON"
    for body, title in ((retitled(guest.xml(), "POST").encode(), "POST"),
                        (json.dumps({"xml": retitled(guest.xml(), "POST of text")}).encode(),
                         "POST of text"),
                        (json.dumps({"domain": config["domain"]}).encode(), "POST of JSON")):
        status, _, answer = guest.client.send("POST", "/domains", body)
        check(status == 200 and b"s3cret" not in answer, f"{title} is {status}", answer)
        same(title, title)


def transient(client):
    """One that is started from the document of another, and becomes that one's definition."""
    guest = Guest(client, "qemu", "passing", VNC)
    answer = client.send("POST", "/domains?transient=true&flags=paused", guest.xml().encode())
    check(answer[0] == 201, f"start from a document: {answer[0]}", answer[2])
    text = client.send("GET", f"{guest.at}/xml?flags=secure")[2].decode()
    check("s3cret-v" in text, "what is started from a definition's document has its password", text)
    check(client.send("DELETE", guest.at)[0] == 204, "undefine it while it runs")
    text = client.send("GET", f"{guest.at}/xml?flags=inactive")[2]
    check(client.send("POST", "/domains", text)[0] == 201, "define the one that runs")
    check(guest.secrets() == {"s3cret-v"}, "the definition of one that runs", guest.secrets())
    client.send("POST", f"{guest.at}/destroy")
    client.send("DELETE", guest.at)


def given_up(guest, driver):
    """What is said to go, goes; what is said to be another, is another."""
    whole = guest.xml(",secure")
    plain = guest.xml()
    for _ in range(2):
        guest.write("PUT", "/xml", re.sub("(<graphics type='vnc')", r"\1 passwd=''", plain), "go")
        check(guest.secrets() == ALL - {"s3cret-v"}, f"{driver}: an empty passwd", guest.secrets())
        vnc = re.search("<graphics type='vnc'[^>]*>", guest.xml(",secure"))[0]
        check("passwd" not in vnc, f"{driver}: no passwd is left", vnc)
    guest.write("PUT", "/xml", plain.replace("<host name='h.example' port='443'/>",
                                             "<host name='h.example' port='443'/><cookies/>"),
                "no cookies")
    check(guest.secrets() == {"s3cret-s"}, f"{driver}: no cookies", guest.secrets())
    guest.write("PUT", "/xml", whole, "all again")
    guest.write("PUT", "/xml", re.sub("(<graphics type='spice')", r"\1 passwd='s3cret-new'", plain),
                "another")
    check(guest.secrets() == {"s3cret-v", "s3cret-new", "s3cret-cookie"}, f"{driver}: another",
          guest.secrets())
    guest.write("PUT", "/xml", plain.replace("h.example", "evil.example"), "another server")
    check("s3cret-cookie" not in guest.secrets(), f"{driver}: cookies go to no other server")
    guest.write("PUT", "/xml", re.sub("<graphics type='vnc'.*?</graphics>", "", plain, flags=re.S),
                "no display")
    check("s3cret-v" not in guest.secrets(), f"{driver}: a display that goes")
    guest.write("PUT", "/xml", plain, "a display that comes")
    check("s3cret-v" not in guest.secrets(), f"{driver}: a display that comes has no password")
    guest.write("PUT", "/xml", whole, "all again")
    check(guest.secrets() == ALL, f"{driver}: all again")


def one_device(guest, driver):
    for flags, which in (("config", ",inactive"), ("live", "")):
        text = guest.client.send("GET", f"{guest.at}/xml?flags={which[1:]}")[2].decode()
        vnc = re.search("<graphics type='vnc'.*?</graphics>", text, re.S)[0]
        check("s3cret" not in vnc, f"{driver}: {flags}: read without the password", vnc)
        guest.write("PUT", f"/devices?flags={flags}", vnc, f"a device, {flags}")
        shown = guest.client.send("GET", f"{guest.at}/xml?flags=secure{which}")[2].decode()
        check("s3cret-v" in shown, f"{driver}: {flags}: it kept its password", shown)


def managed_save(guest, driver):
    status = guest.client.send("POST", f"{guest.at}/managed-save", b"{}")[0]
    check(status == 204, f"{driver}: managed save is {status}")
    path = f"{guest.at}/managed-save/xml"
    text = guest.client.send("GET", path)[2].decode()
    check("s3cret" not in text, f"{driver}: the image's plain XML")
    guest.write("PUT", "/managed-save/xml", retitled(text, "saved"), "managed save")
    shown = guest.client.send("GET", f"{path}?flags=secure")[2].decode()
    check("s3cret-v" in shown and "<title>saved" in shown, f"{driver}: managed save", shown)
    guest.client.send("DELETE", f"{guest.at}/managed-save")


def saved_file(guest, driver):
    """A document beside a save or a restore is what runs then."""
    def shown(path):
        return guest.client.send("GET", path)[2].decode()

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        file = f"{folder}/image"
        guest.client.send("POST", f"{guest.at}/start")
        text = retitled(shown(f"{guest.at}/xml"), "saved")
        guest.write("POST", "/save", {"file": file, "xml": text}, "save")
        image = f"/save-images/xml?file={file}"
        text = shown(image + "&flags=secure")
        check("s3cret-v" in text and "<title>saved" in text, f"{driver}: a saved image", text)
        body = {"file": file, "xml": retitled(shown(image), "restored")}
        status = guest.client.send("POST", "/save-images/restore", json.dumps(body).encode())[0]
        text = shown(f"{guest.at}/xml?flags=secure")
        check(status == 204 and "s3cret-v" in text and "<title>restored" in text,
              f"{driver}: a restored guest", f"{status} {text}")


def run(uri, driver, kind):
    gateway = Gateway(uri)
    client = Client(gateway.port)
    guest = Guest(client, kind, "secrets", DISK + VNC + SPICE)
    write_back(guest, driver)
    given_up(guest, driver)
    client.send("DELETE", guest.at)
    if driver == "qemu":  # of a running guest the next definition is what counts
        guest = Guest(client, kind, "display", VNC)
        check(client.send("POST", f"{guest.at}/start")[0] == 204, "start")
        guest.write("PUT", "/xml", retitled(guest.xml(), "next"), "of one that runs")
        check(guest.secrets() == {"s3cret-v"}, "of one that runs", guest.secrets())
        text = client.send("GET", f"{guest.at}/xml")[2].decode()
        guest.write("PUT", "/xml", text, "the live document")
        check(guest.secrets() == {"s3cret-v"}, "the live document", guest.secrets())
        one_device(guest, driver)
        managed_save(guest, driver)
        saved_file(guest, driver)
        client.send("POST", f"{guest.at}/destroy")
        client.send("DELETE", guest.at)
        transient(client)
    gateway.stop()


run("test:///default", "test", "test")
if "VG_QEMU_URI" in os.environ:
    run(os.environ["VG_QEMU_URI"], "qemu", "qemu")
report()
