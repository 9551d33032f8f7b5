# SPDX-License-Identifier: LGPL-2.1-or-later
"""YAML of OpenAPI descriptions as text: how it is read, and how it is written."""
import re
from pathlib import Path
from typing import Any, NoReturn

import yaml

Json = Any


def fail(message: str) -> NoReturn:
    raise SystemExit(f"openapi.py: {message}")


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's core schema, as OpenAPI wants: `no` is text, and so is 2027-01-31."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers
            if tag != "tag:yaml.org,2002:timestamp"
            and (tag != "tag:yaml.org,2002:bool" or first in "tTfF")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def construct_mapping(loader: Loader, node: yaml.MappingNode) -> dict[str, Json]:
    """A key given twice is a mistake, which YAML's own loader does not see."""
    seen: dict[str, int] = {}
    for key, _ in node.value:
        if key.value in seen:
            fail(f"{node.start_mark.name}:{key.start_mark.line + 1}: the key {key.value!r} is "
                 f"there twice, first in line {seen[key.value]}")
        seen[key.value] = key.start_mark.line + 1
    return {key.value: loader.construct_object(value, deep=True) for key, value in node.value}


Loader.add_constructor("tag:yaml.org,2002:map", construct_mapping)


def load(path: Path) -> dict[str, Json]:
    try:
        with path.open(encoding="utf-8") as text:
            document = yaml.load(text, Loader)  # a SafeLoader
    except yaml.YAMLError as e:
        fail(f"{path}: {e}")
    if not isinstance(document, dict):
        fail(f"{path}: not a mapping")
    return document


WIDTH = 100


class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Lines of text as lines; what is short and flat on one line."""

    def ignore_aliases(self, data: Json) -> bool:
        return True


def is_flat(values: list[Json]) -> bool:
    return not any(isinstance(v, (dict, list)) or "\n" in str(v) for v in values)


def represent_str(dumper: Dumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def represent_dict(dumper: Dumper, mapping: dict[str, Json]) -> yaml.Node:
    size = sum(len(str(k)) + len(str(v)) + 4 for k, v in mapping.items())
    flow = is_flat(list(mapping.values())) and (size <= 70 or "$ref" in mapping)
    return dumper.represent_mapping("tag:yaml.org,2002:map", list(mapping.items()), flow_style=flow)


def represent_list(dumper: Dumper, values: list[Json]) -> yaml.Node:
    flow = is_flat(values) and max(map(len, map(str, values)), default=0) < 40
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flow)


Dumper.add_representer(str, represent_str)
Dumper.add_representer(dict, represent_dict)
Dumper.add_representer(list, represent_list)


def write(document: Json, banner: str) -> str:
    """Members of the root and paths are parted by an empty line."""
    text: str = yaml.dump(document, Dumper=Dumper, width=WIDTH, allow_unicode=True)
    text = banner + re.sub(r"^(?=[a-z]+:|  /)", "\n", text, flags=re.M)
    if yaml.load(text, Loader) != document:  # a SafeLoader
        fail("what was written is not what is read again")
    return text
