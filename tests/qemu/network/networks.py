#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""routes/network/ on a real host: every read of networks of every mode, of their leases, fixed addresses
and ports against what libvirt's Python binding says in the same run; and the errors of both."""
import ipaddress
import json
import os
import sys
import time
import uuid
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import quote

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
sys.path.insert(0, str(ROOT / "tests/qemu"))
from differential import (check_all_read, compare_error, compare_filters_of,  # noqa: E402
                          compare_objects, error_of, names, read, same, text)
from gateway import Client, Gateway, check, report  # noqa: E402

BRIDGE = "vgdif"
MAC = "52:54:00:00:0d:1f"
# What libvirt leaves of each is compared, whatever of it a mode has.
RUN = f"""<network><name>diff run</name><forward mode='nat'/><bridge name='{BRIDGE}0'/><mtu size='1400'/>
<domain name='diff.example'/><ip address='192.168.81.1' netmask='255.255.255.0'><dhcp>
<range start='192.168.81.10' end='192.168.81.20'/>
<host mac='{MAC}' name='one' ip='192.168.81.11'/></dhcp></ip>
<ip family='ipv6' address='fd81::1' prefix='64'><dhcp><range start='fd81::10' end='fd81::20'/>
<host id='0:4:7e:7d:f0:7d:a8:bc:c5:d2:13:32:11:ed:16:ea:84:63' name='six' ip='fd81::11'/></dhcp></ip>
</network>"""
OTHERS = (f"<network><name>diff%é</name><bridge name='{BRIDGE}1'/></network>",
          f"<network><name>diff open</name><forward mode='open'/><bridge name='{BRIDGE}2'/>"
          "<ip address='192.168.82.1' prefix='24'/></network>",
          "<network><name>diff-macvtap</name><forward mode='bridge'><interface dev='lo'/></forward>"
          "<portgroup name='a' default='yes'/><portgroup name='b'/></network>",
          f"<network><name>diff-ovs</name><forward mode='bridge'/><bridge name='{BRIDGE}3'/>"
          "<virtualport type='openvswitch'/></network>")
TRANSIENT = f"<network><name>diff-transient</name><bridge name='{BRIDGE}4'/></network>"
GUEST = f"""<domain type='qemu'><name>diff-lease</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='network'/></os><devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<memballoon model='none'/><interface type='network'><source network='diff run'/><mac address='{MAC}'/>
<model type='e1000'/></interface></devices></domain>"""
PORT = """<networkport><uuid>{}</uuid><owner><name>diff-owner</name><uuid>{}</uuid></owner>
<mac address='52:54:00:00:0d:20'/><bandwidth><inbound average='1000' peak='2000' burst='3000'/>
<outbound average='500'/></bandwidth></networkport>"""
LEASE_TYPES = names("VIR_IP_ADDR_TYPE_")


def prefix_of(ip):
    if ip.get("prefix"):
        return int(ip.get("prefix"))
    return ipaddress.ip_network(f"0.0.0.0/{ip.get('netmask')}").prefixlen if ip.get("netmask") else None


def attributes(element, *keys):
    return {k: element.get(k) for k in keys if element.get(k) is not None}


def ip_of(ip):
    shown = {"family": ip.get("family", "ipv4"), **attributes(ip, "address", "netmask")}
    if prefix_of(ip) is not None:
        shown["prefix"] = prefix_of(ip)
    if (dhcp := ip.find("dhcp")) is not None:
        shown["dhcp"] = {"ranges": [attributes(r, "start", "end") for r in dhcp.findall("range")],
                         "hosts": [attributes(h, "mac", "id", "name", "ip")
                                   for h in dhcp.findall("host")]}
    return shown


def bridge_of(net):
    return None if error_of(net.bridgeName) is not None else net.bridgeName()


def brief(net):
    return {"name": net.name(), "uuid": net.UUIDString(), "active": bool(net.isActive()),
            "persistent": bool(net.isPersistent())}


def fields_of(net):
    """As the gateway shows them."""
    root = ElementTree.fromstring(net.XMLDesc(0))
    forward, domain, mtu = root.find("forward"), root.find("domain"), root.find("mtu")
    port = root.find("virtualport")
    want = brief(net) | {
        "autostart": bool(net.autostart()) if net.isPersistent() else False,
        "bridge": bridge_of(net),
        "forwardMode": None if forward is None else forward.get("mode", "nat"),
        "ips": [ip_of(ip) for ip in root.findall("ip")],
        "portgroups": [attributes(g, "name", "default") for g in root.findall("portgroup")]}
    if domain is not None:
        want["domain"] = domain.get("name")
    if mtu is not None:
        want["mtu"] = int(mtu.get("size"))
    if port is not None:
        want["virtualPort"] = port.get("type")
    return want


def path_of(net):
    return "/networks/" + quote(net.name(), safe="")


def check_networks(client, conn):
    nets = conn.listAllNetworks()
    compare_objects(client, "/networks", "networks", nets,
                    (brief, (*brief(nets[0]), "autostart", "bridge"), fields_of))
    for net in nets:
        want = fields_of(net)
        same(f"{path_of(net)} in a list of all fields",
             read(client, "/networks?name=" + quote(net.name()) + "&fields=" + ",".join(want)),
             {"networks": [want]})
    compare_filters_of(client, "networks", conn.listAllNetworks, "VIR_CONNECT_LIST_NETWORKS_")


def check_hosts(client, conn):
    path = path_of(conn.networkLookupByName("diff run")) + "/dhcp-hosts"
    for query, flags in (("", 0), ("?flags=inactive", libvirt.VIR_NETWORK_XML_INACTIVE)):
        root = ElementTree.fromstring(conn.networkLookupByName("diff run").XMLDesc(flags))
        same("fixed addresses" + query, read(client, path + query),
             {"dhcpHosts": [attributes(h, "mac", "id", "name", "ip")
                            for h in root.findall("ip/dhcp/host")]})
    same("one of them", read(client, f"{path}/{MAC.upper()}"),
         {"mac": MAC, "name": "one", "ip": "192.168.81.11"})


def lease_of(lease):
    """As the gateway shows it."""
    seconds = lease["expirytime"]
    return {"interface": lease["iface"], "expiryTimeSeconds": seconds,
            "expiryTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)),
            "type": LEASE_TYPES[lease["type"]], "mac": lease["mac"], "iaid": lease["iaid"],
            "address": lease["ipaddr"], "prefix": lease["prefix"], "hostname": lease["hostname"],
            "clientId": lease["clientid"]}


def check_leases(client, conn):
    """Of a guest that asks for an address while it boots."""
    net, end = conn.networkLookupByName("diff run"), time.monotonic() + 240
    path = path_of(net) + "/dhcp-leases"
    while not net.DHCPLeases() and time.monotonic() < end:
        time.sleep(0.5)
    check(net.DHCPLeases(), "the guest has an address")
    while True:  # it may be renewed between the two
        before, got = net.DHCPLeases(), read(client, path)
        if before == net.DHCPLeases():
            break
    same("leases", got, {"leases": [lease_of(lease) for lease in before]})
    for mac in (MAC, "52:54:00:00:00:01"):
        same(f"leases of {mac}", read(client, f"{path}?mac={mac}"),
             {"leases": [lease_of(lease) for lease in net.DHCPLeases(mac)]})
    other = conn.networkLookupByName("diff-macvtap")
    if error_of(other.DHCPLeases) is None:
        same("leases where nothing gives any", read(client, path_of(other) + "/dhcp-leases"),
             {"leases": other.DHCPLeases()})
    compare_error(client, "leases of no network", lambda: conn.networkLookupByName("nosuch"), "GET",
                  "/networks/nosuch/dhcp-leases")


def port_of(port):
    """As the gateway shows it."""
    root = ElementTree.fromstring(port.XMLDesc(0))
    plug = root.find("plug")
    want = {"uuid": port.UUIDString(), "mac": root.find("mac").get("address"),
            "owner": {"name": root.findtext("owner/name"), "uuid": root.findtext("owner/uuid")}}
    if plug is not None:
        want["plug"] = attributes(plug, "type", "bridge", "dev")
    if root.find("bandwidth/*") is not None:
        want["bandwidth"] = {e.tag: {k: int(v) for k, v in e.attrib.items()}
                             for e in root.find("bandwidth")}
    return want


def nested(params):
    """{"inbound.average": 1} as {"inbound": {"average": 1}}."""
    tree = {}
    for key, value in params.items():
        group, _, name = key.partition(".")
        tree.setdefault(group, {})[name] = value
    return tree


def check_ports(client, conn):
    net, path = conn.networkLookupByName("diff run"), "/networks/diff%20run/ports"
    net.portCreateXML(PORT.format(uuid.uuid4(), uuid.uuid4()))
    ports = sorted(net.listAllPorts(), key=lambda p: p.UUIDString())
    check(len(ports) == 2, "ports of a guest and of another", str(ports))
    same("ports", read(client, path)["ports"], [{"uuid": p.UUIDString()} for p in ports])
    same("ports in full", read(client, path + "?view=full")["ports"], [port_of(p) for p in ports])
    for port in ports:
        at = f"{path}/{port.UUIDString()}"
        same("a port", read(client, at), port_of(port))
        same("its XML", text(client, at + "/xml"), port.XMLDesc(0))
        same("its parameters", read(client, at + "/parameters"), nested(port.parameters()))
    nosuch = str(uuid.uuid4())
    compare_error(client, "no such port", lambda: net.portLookupByUUIDString(nosuch), "GET",
                  f"{path}/{nosuch}")
    off = conn.networkLookupByName("diff%é")
    compare_error(client, "ports of what is off", off.listAllPorts, "GET", path_of(off) + "/ports")
    for port in ports:
        if port.parameters():
            compare_error(client, "a floor that the network has not",
                          lambda p=port: p.setParameters({"inbound.floor": 100}, 0), "PATCH",
                          f"{path}/{port.UUIDString()}/parameters", b'{"inbound":{"floor":100}}')
        if "diff-owner" in port.XMLDesc(0):
            port.delete(0)
            same("one that is gone", [p["uuid"] for p in read(client, path)["ports"]],
                 [p.UUIDString() for p in net.listAllPorts()])


def check_metadata(client, conn):
    """libvirt has it since 9.7.0."""
    net, path = conn.networkLookupByName("diff run"), "/networks/diff%20run/metadata"
    if not hasattr(net, "setMetadata"):
        status, _, answer = client.send("GET", path + "?type=title")
        same("metadata", (status, json.loads(answer)["type"]),
             (501, "urn:virtgate:error:not-supported"))
        return
    net.setMetadata(libvirt.VIR_NETWORK_METADATA_TITLE, "a <title>", None, None,
                    libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG)
    same("a title", read(client, path + "?type=title").get("title"),
         net.metadata(libvirt.VIR_NETWORK_METADATA_TITLE, None, 0))
    compare_error(client, "no description",
                  lambda: net.metadata(libvirt.VIR_NETWORK_METADATA_DESCRIPTION, None, 0), "GET",
                  path + "?type=description")


def check_errors(client, conn):
    nowhere = str(uuid.uuid4())
    run, off = conn.networkLookupByName("diff run"), conn.networkLookupByName("diff%é")
    compare_error(client, "no such name", lambda: conn.networkLookupByName("nosuch"), "GET",
                  "/networks/nosuch")
    compare_error(client, "no such UUID", lambda: conn.networkLookupByUUIDString(nowhere), "GET",
                  f"/networks/{nowhere}?by=uuid")
    compare_error(client, "start what runs", run.create, "POST", path_of(run) + "/start")
    compare_error(client, "destroy what is off", off.destroy, "POST", path_of(off) + "/destroy")
    for what, xml in (("no name", "<network/>"), ("another root", "<domain/>"),
                      ("a name with a slash", "<network><name>a/b</name></network>"),
                      ("no such mode", "<network><name>x</name><forward mode='x'/></network>"),
                      ("an address twice", RUN.replace("diff run", "diff-twice"))):
        if error_of(lambda x=xml: conn.networkDefineXML(x)) is not None:
            compare_error(client, what, lambda x=xml: conn.networkDefineXML(x), "POST", "/networks",
                          xml.encode())
        if error_of(lambda x=xml: conn.networkCreateXML(x)) is not None:
            compare_error(client, what + ", transient", lambda x=xml: conn.networkCreateXML(x),
                          "POST", "/networks?transient=true", xml.encode())
    transient = conn.networkLookupByName("diff-transient")
    compare_error(client, "undefine what is not defined", transient.undefine, "DELETE",
                  path_of(transient))
    element = f"<host mac='{MAC}' ip='192.168.81.12'/>"
    compare_error(client, "a second fixed address of a MAC", lambda: run.update(
        libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, -1,
        element, libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG), "POST", path_of(run) + "/update",
        json.dumps({"command": "add-last", "section": "ip-dhcp-host", "xml": element,
                    "flags": ["config"]}).encode())


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    conn = libvirt.open(os.environ["VG_QEMU_URI"])
    gateway = Gateway(os.environ["VG_QEMU_URI"])
    client = Client(gateway.port)
    run = conn.networkDefineXML(RUN)
    run.create()
    run.setAutostart(1)
    mine = [run, *(conn.networkDefineXML(xml) for xml in OTHERS), conn.networkCreateXML(TRANSIENT)]
    guest = conn.createXML(GUEST)
    try:
        check_networks(client, conn)
        check_hosts(client, conn)
        check_ports(client, conn)
        check_metadata(client, conn)
        check_errors(client, conn)
        check_leases(client, conn)
        check_all_read("/networks", ("/events", "/metadata"))
    finally:
        guest.destroy()
        for net in mine:
            if net.isActive():
                persistent = net.isPersistent()
                net.destroy()
                if not persistent:
                    continue
            net.undefine()
    gateway.stop()
    conn.close()
    report()


if __name__ == "__main__":
    main()
