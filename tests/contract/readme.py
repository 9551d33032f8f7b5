#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""README's tour and the samples of docs/, command by command, each file's against a gateway of its
own on test:///default. Those that need QEMU are run by tests/qemu/recipes.py.
"""
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from console import Console, blocks  # noqa: E402
from gateway import Gateway, check, report  # noqa: E402

RECIPES = 40  # at least, in docs/curl.md


def run_samples(path):
    text = path.read_text(encoding="utf-8")
    if "```console" not in text:
        return
    gateway = Gateway("test:///default")
    with tempfile.TemporaryDirectory() as folder:
        Console(folder, **{"localhost:8080": f"127.0.0.1:{gateway.port}"}).check_all(path)
    gateway.stop()


def check_recipes(path):
    """As many as promised, each one line."""
    text = path.read_text(encoding="utf-8")
    commands = [c for kind in ("", "qemu") for steps in blocks(text, kind) for c, _ in steps]
    recipes = [c for c in commands if "curl " in c and c.count("\n") == 1]
    check(len(recipes) >= RECIPES, f"{path.name} has {RECIPES} recipes", len(recipes))


def main():
    os.chdir(ROOT)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        run_samples(path)
    check_recipes(ROOT / "docs" / "curl.md")
    report()


main()
