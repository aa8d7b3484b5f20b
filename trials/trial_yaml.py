"""YAML as trial files use it: safe, each key once, bounded, and with the line of every value.

The one mistake to fear is a file that says a thing twice and a loader that lets the last one
win; the next is a small file that expands to a large one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

# What a trial file may come to once its aliases are followed; ours have about a thousand values.
MAXIMUM_VALUES = 50_000
MAXIMUM_CHARACTERS = 1_000_000
DEEPEST = 40
# YAML 1.1 reads 010 as eight and 1:30 as ninety; whoever writes a cap or a limit means neither.
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9]+")
# Larger numbers no database column and no reader of JSON keeps as they are.
_LARGEST = 1e15
_TAG = "tag:yaml.org,2002:"
_TRUE = {"yes", "true", "on"}
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class TrialYamlError(ValueError):
    """Text that is no YAML a trial file may be; `line` counts from one."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Read:
    """The content of a file, and where in it each value stands."""

    content: Any
    node: yaml.Node | None

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the value at `path`, or of the nearest thing around it."""
        node = self.node
        for part in path:
            inner = _inner(node, part)
            if inner is None:
                break
            node = inner
        return _line(node) if node is not None else 1


def read(text: str) -> Read:
    """The content of a trial file; raises TrialYamlError."""
    if len(text) > MAXIMUM_CHARACTERS:
        message = f"A trial file has at most {MAXIMUM_CHARACTERS:,} characters."
        raise TrialYamlError(message, text.count("\n", 0, MAXIMUM_CHARACTERS) + 1)
    node = _composed(text)
    return Read(_Content().of(node) if node is not None else None, node)


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark; raises TrialYamlError."""
    try:
        written = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"The file is not UTF-8: byte {error.start} can't be read. Save it as UTF-8."
        raise TrialYamlError(message, line) from error
    return written.replace("\r\n", "\n").replace("\r", "\n")


def text(content: Any) -> str:
    """Content as YAML, in the order it has."""
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))


def _composed(text: str) -> yaml.Node | None:
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise TrialYamlError(f"{_code(error.character)} can't stand in a file.", line) from error
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else loader.line + 1
        message = f"This is not YAML: {error.problem or error.context}."
        raise TrialYamlError(message, line) from error
    except RecursionError as error:
        raise TrialYamlError("This is nested deeper than a trial is.", loader.line + 1) from error
    except (ValueError, OverflowError) as error:
        # An escaped character beyond the last of Unicode, which PyYAML lets through.
        message = "There is no such character or number."
        raise TrialYamlError(message, loader.line + 1) from error
    finally:
        loader.dispose()


class _Content:
    """Nodes as JSON has them: keys are text, dates stay as written, and no more than sensible."""

    def __init__(self) -> None:
        self.values = MAXIMUM_VALUES
        self.characters = MAXIMUM_CHARACTERS

    def of(self, node: yaml.Node, depth: int = 0) -> Any:
        self.values -= 1
        self.characters -= len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        if self.values < 0 or self.characters < 0 or depth > DEEPEST:
            message = "The file comes to more than a trial can be: are aliases nested?"
            raise TrialYamlError(message, _line(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, depth + 1)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.of(one, depth + 1) for one in node.value]
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        raise TrialYamlError(
            f"A value tagged {_tag(node)} is nothing a trial file holds.", _line(node)
        )

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = _key(key)
            if name in found:
                message = f"{name!r} stands twice in the block at line {_line(node)}."
                raise TrialYamlError(message, _line(key))
            found[name] = self.of(value, depth)
        return found


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise TrialYamlError("A key is a word, not a list or a block.", _line(node))
    if node.tag == f"{_TAG}merge":
        raise TrialYamlError("Blocks are not merged by <<: write out what they hold.", _line(node))
    # As written: a key that YAML would read as a number or a boolean is a name all the same.
    return _kept(node)


def _scalar(node: yaml.ScalarNode) -> Any:
    """A single value. A tag that was written must be the one the value has by itself."""
    kind = node.tag.removeprefix(_TAG)
    if kind in {"str", "timestamp", "value", "merge"}:
        return _kept(node)
    implicit = yaml.SafeLoader.yaml_implicit_resolvers.get(node.value[:1], [])
    if not any(tag == node.tag and regexp.match(node.value) for tag, regexp in implicit):
        raise TrialYamlError(
            f"{node.value[:80]!r} is nothing that {_tag(node)} stands for.", _line(node)
        )
    if kind == "null":
        return None
    if kind == "bool":
        return node.value.lower() in _TRUE
    return _number(node)


def _number(node: yaml.ScalarNode) -> int | float:
    written = node.value
    if not _NUMBER.fullmatch(written):
        message = f"Write {written[:80]!r} as a decimal number, or in quotes if it is a text."
        raise TrialYamlError(message, _line(node))
    number = float(written)
    if not math.isfinite(number) or abs(number) > _LARGEST:
        raise TrialYamlError(f"{written[:80]} is not a number that can be kept.", _line(node))
    return int(written) if node.tag == f"{_TAG}int" else number


def _kept(node: yaml.ScalarNode) -> str:
    """The text of a node; what neither the database nor an XML export can hold is refused."""
    if found := _UNPRINTABLE.search(node.value):
        raise TrialYamlError(f"{_code(ord(found[0]))} can't stand in a text.", _line(node))
    return str(node.value)


def _code(character: int) -> str:
    return f"The character U+{character:04X}"


def _tag(node: yaml.Node) -> str:
    return f"!{node.tag.removeprefix(_TAG)[:80]}"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _inner(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found = node.value[part]
        return found if isinstance(found, yaml.Node) else None
    return None
