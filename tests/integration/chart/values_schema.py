"""The schema of the chart's values, from the values themselves and the comments above them.

The comments are those that helm-schema reads (https://github.com/dadav/helm-schema): YAML of a
JSON schema between two lines ``# @schema``, and after them ``# --`` and a description, which
helm-docs reads too. Neither helm-schema nor helm-values-schema-json can be had as a Go module by
every proxy; where one can, it takes the place of this module.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml

_TYPES: Final = {
    "tag:yaml.org,2002:str": "string",
    "tag:yaml.org,2002:int": "integer",
    "tag:yaml.org,2002:bool": "boolean",
    "tag:yaml.org,2002:null": "null",
    "tag:yaml.org,2002:seq": "array",
    "tag:yaml.org,2002:map": "object",
}
_BLOCK: Final = re.compile(r"@schema\n(.*?)\n@schema", re.DOTALL)
_DESCRIPTION: Final = re.compile(r"^-- (.*)", re.DOTALL | re.MULTILINE)


def schema(values: str) -> str:
    """Write the JSON schema of a values file.

    A key is of the type of its value; a mapping takes no keys besides its own, unless it is empty,
    holds an object of Kubernetes, or its comment says otherwise.

    Raises
    ------
    ValueError
        A key has no description, or the file is no mapping.
    """
    root = yaml.compose(values)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("values.yaml: must be a mapping")  # noqa: TRY004 - of what it holds.
    found = _of_mapping(root, values.splitlines(), "")
    top = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart"}
    return json.dumps(top | found, indent=2) + "\n"


def _of_mapping(node: yaml.MappingNode, lines: list[str], path: str) -> dict[str, Any]:
    properties = {
        key.value: _of(key, value, lines, f"{path}.{key.value}".lstrip("."))
        for key, value in node.value
    }
    # Helm fills in what is left out; a key is missing only where someone sets it to null.
    required = [name for name, one in properties.items() if "null" not in one["type"]]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


def _of(key: yaml.Node, value: yaml.Node, lines: list[str], path: str) -> dict[str, Any]:
    comment = _comment_above(lines, key.start_mark.line)
    block = _BLOCK.search(comment)
    own: dict[str, Any] = yaml.safe_load(block[1]) if block else {}
    description = _DESCRIPTION.search(comment)
    if description:
        text = " ".join(description[1].split())
        return {"description": text, "type": _TYPES[value.tag], **own}
    if isinstance(value, yaml.MappingNode) and value.value:
        return _of_mapping(value, lines, path) | own
    raise ValueError(f"values.yaml: {path} has no description, a comment `# -- ...` above it")


def _comment_above(lines: list[str], number: int) -> str:
    """Text of the comment that ends just above a line, counted from zero."""
    first = number
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    # Of the indentation, what makes a schema's own YAML remains.
    return "\n".join(re.sub(r"^\s*# ?", "", line) for line in lines[first:number])
