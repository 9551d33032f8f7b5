# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys and certificates of a test, in its folder; what openssl says is in openssl.log there."""
import subprocess

SELF_SIGNED = r"""
cd "$1"; exec 2>>openssl.log
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$2" \
  -addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.crt; chmod 600 tls.key
"""

AUTHORITY = r"""
cd "$1"; exec 2>>openssl.log; shift
key() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8 \
  -keyout "$1.key" -out "$1.csr" -subj "$2"; }
leaf() { key "$1" "$2"; printf 'subjectAltName=IP:127.0.0.1\n' >ext
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext \
    -out "$1.pem"; }
key ca /CN=ca; openssl x509 -req -in ca.csr -signkey ca.key -days 2 -out ca.pem \
  -extfile /dev/stdin <<<basicConstraints=critical,CA:true
while [ $# != 0 ]; do leaf "$1" "$2"; shift 2; done
chmod 600 *.key
"""


def shell(script, *args):
    """Whether all its commands succeeded."""
    return subprocess.run(["bash", "-ec", script, "sh", *args], check=False).returncode == 0


def make_self_signed(folder, name):
    """tls.crt and its tls.key."""
    return shell(SELF_SIGNED, folder, name)


def make_authority(folder, **subjects):
    """ca.pem, and of it a NAME.pem and NAME.key for each: make_authority(at, server="/CN=gate")."""
    return shell(AUTHORITY, folder, *(word for pair in subjects.items() for word in pair))
