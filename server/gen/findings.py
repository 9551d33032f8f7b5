# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a generator has no rule for. On a libvirt that is known it fails the build: somebody
forgot a row. On a newer one it is said, and the build goes on by the general rules.
"""
import argparse
import re
import sys
from pathlib import Path

# Everything up to it was looked through: Debian 12 has 9.0, Debian 13 has 11.3.
NEWEST_KNOWN = (11, 3)


class Findings:
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.texts: list[str] = []
        parser.add_argument("--libvirt", required=True, metavar="VERSION",
                            help="of the API description: 11.3.0")

    def add(self, text: str) -> None:
        self.texts.append(text)

    def report(self, args: argparse.Namespace) -> None:
        """Says them all; ends the program where the version is known."""
        generator = Path(sys.argv[0]).name
        version = tuple(int(n) for n in re.findall(r"\d+", args.libvirt)[:2])
        for text in self.texts:
            print(f"{generator}: {text}", file=sys.stderr)
        if self.texts and version <= NEWEST_KNOWN:
            sys.exit(f"{generator}: libvirt {args.libvirt} is known, so this must not be")
