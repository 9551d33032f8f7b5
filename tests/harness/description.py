# SPDX-License-Identifier: LGPL-2.1-or-later
"""openapi.yaml, or what /openapi.json answers, as tests read it."""


def resolve(document, node):
    """What the node refers to within the document ("#/components/schemas/Event"), or itself."""
    while "$ref" in node:
        target = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return node
