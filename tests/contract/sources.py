# SPDX-License-Identifier: LGPL-2.1-or-later
"""The C sources, as the contract tests read them."""
import re
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A string, a character constant, or a comment.
_TOKEN = re.compile(r'("(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')|/\*.*?\*/|//[^\n]*', re.DOTALL)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.MULTILINE)


def sources(*folders: str) -> list[str]:
    """Paths of the C files below folders, from the root."""
    return sorted(str(path.relative_to(ROOT)) for folder in folders
                  for path in (ROOT / folder).rglob("*.[ch]"))


@lru_cache(maxsize=None)
def text_of(file: str) -> str:
    """A C file without its comments, as many lines as before."""
    return _TOKEN.sub(lambda m: m[1] or "\n" * m[0].count("\n"), (ROOT / file).read_text())


@lru_cache(maxsize=None)
def code_of(file: str) -> str:
    """The same without what strings and character constants hold, but for what is included."""
    return re.sub(r'^([ \t]*#[ \t]*include[ \t].*)$|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'',
                  lambda m: m[1] or ('""' if m[0][0] == '"' else "0"), text_of(file),
                  flags=re.MULTILINE)


@lru_cache(maxsize=None)
def includes_of(file: str) -> tuple[str, ...]:
    """What a file includes itself: virtgate/x.h, server/base/list.h, libvirt/libvirt.h."""
    return tuple(_INCLUDE.findall(text_of(file)))


def project_file(include: str) -> str | None:
    """The project's file behind an include, if it is one."""
    for file in (f"include/{include}", include):
        if (ROOT / file).is_file():
            return file
    return None


def lines_matching(file: str, regex: str) -> list[str]:
    """FILE:LINE of the lines of code that match."""
    pattern = re.compile(regex)
    return [f"{file}:{number}: {line.strip()}"
            for number, line in enumerate(code_of(file).splitlines(), 1) if pattern.search(line)]
