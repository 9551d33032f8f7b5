#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the figures of `make bench` as the table of docs/performance.md, and marks what changed.

    tests/bench/table.py FIGURES [--update]

FIGURES has a line for each figure: what it is, its value, the spread of its rounds (half the
distance of the second to the last but one, as a part of the value), "at-least" or "at-most" with
the aim; separated by tabs. A figure is marked where it is worse than the one that is committed by
more than the noise: the spread of its rounds, at least a tenth. `--update` writes the table into
docs/performance.md. Nothing fails because of a figure.
"""
import argparse
import re
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parents[2] / "docs/performance.md"
LEAST_NOISE = 0.1
HEAD = "| | figure | aim |\n|---|---|---|\n"


class Figure(NamedTuple):
    what: str
    value: float | None
    spread: float
    how: str
    aim: float | None

    def shown(self) -> str:
        return "not measured" if self.value is None else format_number(self.value)

    def aim_shown(self) -> str:
        if self.aim is None:
            return ""
        return format_number(self.aim) + (" at most" if self.how == "at-most" else "")

    def reaches_aim(self) -> bool:
        if self.aim is None or self.value is None:
            return self.aim is None
        return self.value <= self.aim if self.how == "at-most" else self.value >= self.aim

    def fell_since(self, committed: float | None) -> bool:
        if committed is None or self.value is None or not self.how:
            return False
        noise = max(self.spread, LEAST_NOISE)
        if self.how == "at-most":
            return self.value > committed * (1 + noise)
        return self.value < committed * (1 - noise)


def format_number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}" if value >= 1 else f"{value:.2f}"


def read_figure(line: str) -> Figure:
    what, value, spread, how, aim = (line.rstrip("\n").split("\t") + [""] * 5)[:5]
    return Figure(what, float(value) if value else None, float(spread or 0), how,
                  float(aim) if aim else None)


def committed_figures(text: str) -> dict[str, float]:
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+) \| [^|]*\|$", text, re.M)
    return {what.strip(): float(value) for what, value in rows}


def make_table(figures: list[Figure]) -> str:
    return HEAD + "".join(f"| {f.what} | {f.shown()} | {f.aim_shown()} |\n" for f in figures)


def print_figures(figures: list[Figure], committed: dict[str, float]) -> None:
    width = max(len(f.what) for f in figures)
    for f in figures:
        before = committed.get(f.what)
        notes = ["" if f.reaches_aim() else "missed"]
        if f.fell_since(before):
            notes.append(f"WORSE than {format_number(before or 0)}")
        print(f"{f.what:<{width}} {f.shown():>12} ±{f.spread * 100:3.0f} %  "
              f"{f.aim_shown():<14} {' '.join(filter(None, notes))}".rstrip())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("figures", type=Path)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    figures = [read_figure(line) for line in options.figures.read_text().splitlines()]
    text = DOCS.read_text()
    print_figures(figures, committed_figures(text))
    if options.update:
        DOCS.write_text(re.sub(r"^\| \| .*\n(\|.*\n)+", lambda _: make_table(figures), text,
                               count=1, flags=re.M))


if __name__ == "__main__":
    main()
