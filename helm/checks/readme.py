"""The chart's README: a page written by hand (`README.template.md`) with tables made from values.yaml.

`python -m helm.checks.readme` writes it; the tests compare. The comment over a key says what it is for; a key without
one belongs to the nearest one above it that has one.
"""

import json
import re
import sys
from collections.abc import Iterator

import yaml

from helm.checks.places import CHART, CHECKS, README, VALUES

TEMPLATE = CHECKS / "README.template.md"
_MARK = "<!-- values -->\n"
_DEFAULT_LENGTH_MAX = 60


class Undocumented(ValueError):
    """A value that has no comment, nor has anything above it."""


class _Row:
    def __init__(self, key: str, default: str, text: str) -> None:
        self.key, self.default, self.text = key, default, text

    def __str__(self) -> str:
        return f"| `{self.key}` | {self.default} | {self.text} |"


def rows() -> list[_Row]:
    """A row per documented value, in the order of values.yaml. Raises `Undocumented`."""
    text = VALUES.read_text(encoding="utf-8")
    root = yaml.compose(text)
    if not isinstance(root, yaml.MappingNode):
        raise Undocumented("values.yaml is no map")
    return list(_rows(root, "", text.splitlines()))


def _rows(node: yaml.MappingNode, above: str, lines: list[str]) -> Iterator[_Row]:
    for key_node, value_node in node.value:
        key = f"{above}{key_node.value}"
        text = _comment_over(key_node.start_mark.line, lines)
        below = isinstance(value_node, yaml.MappingNode) and value_node.value
        if below and _has_comments(value_node, lines):
            if text:
                yield _Row(key, "", text)
            yield from _rows(value_node, f"{key}.", lines)
        elif text:
            yield _Row(key, _default(value_node), text)
        else:
            raise Undocumented(f"values.yaml: {key} has no comment")


def _has_comments(node: yaml.MappingNode, lines: list[str]) -> bool:
    return any(
        _comment_over(key.start_mark.line, lines)
        or (isinstance(value, yaml.MappingNode) and _has_comments(value, lines))
        for key, value in node.value
    )


def _comment_over(line: int, lines: list[str]) -> str:
    """The comment block that ends right over a line."""
    found: list[str] = []
    while line > 0 and (match := re.fullmatch(r"\s*# ?(.*)", lines[line - 1])):
        found.insert(0, match[1])
        line -= 1
    return " ".join(found).replace("|", "\\|")


def _default(node: yaml.Node) -> str:
    value = yaml.safe_load(yaml.serialize(node))
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _DEFAULT_LENGTH_MAX else "see values.yaml"


def page() -> str:
    """The README as it should be."""
    template = TEMPLATE.read_text(encoding="utf-8")
    before, after = template.split(_MARK)
    table = "\n".join(["| value | default | what it is for |", "|---|---|---|", *map(str, rows())])
    return f"{before}{table}\n{after}"


def findings() -> list[str]:
    """Whether the README is what values.yaml says."""
    if not README.exists() or README.read_text(encoding="utf-8") != page():
        return [f"{README.relative_to(CHART.parents[1])} is not what values.yaml says: run `make helm-docs`"]
    return []


if __name__ == "__main__":
    README.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{README.relative_to(CHART.parents[1])}: {len(rows())} values\n")
