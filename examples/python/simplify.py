#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""openapi.yaml (OpenAPI 3.1) as OpenAPI 3.0 in JSON, for generators that read no later one.

    ./simplify.py ../../openapi.yaml >openapi-3.0.json

Of several content types JSON is left. A choice of several schemas becomes the first one in an answer, and any value
elsewhere.
"""
import json
import sys

import yaml

LEFT_OUT = ("if", "then", "else", "contentMediaType", "contentEncoding", "propertyNames", "patternProperties", "examples",
            "pattern")  # which the gateway checks, and says what is wrong


def choose(schema, first):
    """Of `anyOf` and `oneOf`, what a type can be made of."""
    choices = [one for one in schema.get("anyOf", schema.get("oneOf")) if one.get("type") != "null"]
    if first or len(choices) == 1:
        return simplify(choices[0])
    return {"type": "object", **{key: schema[key] for key in ("description",) if key in schema}}


def simplify(schema, first=False):
    if "anyOf" in schema or "oneOf" in schema:
        return choose(schema, first)
    made = {key: value for key, value in schema.items() if key not in LEFT_OUT}
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if "enum" in made:
        made["enum"] = [one for one in made["enum"] if one is not None]
    if isinstance(made.get("type"), list):
        types = [one for one in made["type"] if one != "null"]
        made["nullable"] = "null" in made["type"]
        made["type"] = types[0] if len(types) == 1 else "object"
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = simplify(made[key])
    if "properties" in made:
        made["properties"] = {name: simplify(one) for name, one in made["properties"].items()}
    if "allOf" in made:
        made["allOf"] = [simplify(one) for one in made["allOf"]]
    return made


def walk(node, answer=False):
    """Simplifies each schema, wherever it stands, in place."""
    for key, value in list(node.items()) if isinstance(node, dict) else enumerate(node):
        if key == "schema":
            node[key] = simplify(value, answer)
        elif key == "content" and "application/json" in value:
            node[key] = {"application/json": value["application/json"]}
            walk(node[key], answer)
        elif key == "schemas":
            node[key] = {name: simplify(one) for name, one in value.items()}
        elif isinstance(value, (dict, list)):
            walk(value, answer or key == "responses")


def main(path):
    with open(path, encoding="utf-8") as file:
        document = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    document["openapi"] = "3.0.3"
    schemes = document["components"]["securitySchemes"]
    for name in [name for name, one in schemes.items() if one["type"] == "mutualTLS"]:  # new in 3.1
        del schemes[name]
        document["security"] = [one for one in document["security"] if name not in one]
    walk(document)
    json.dump(document, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
