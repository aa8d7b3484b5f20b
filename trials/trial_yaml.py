"""YAML as trial files use it: safe, each key once, bounded, and with the line of every value.

The one mistake to fear is a file that says a thing twice and a loader that lets the last one
win; the next is a small file that expands to a large one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml

# Values a trial file may come to once its aliases are followed; ours have about a thousand.
MAXIMUM_VALUES = 50_000
DEEPEST = 40


class TrialYamlError(ValueError):
    """Text that is no YAML a trial file may be; `line` counts from one, if it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Read:
    """The content of a file, and where in it each value stands."""

    content: Any
    node: yaml.Node | None

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of the value at `path`, or of the nearest thing around it."""
        node = self.node
        for part in path:
            inner = _inner(node, part)
            if inner is None:
                break
            node = inner
        return node.start_mark.line + 1 if node is not None else None


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key stands once; the usual loader lets the last one win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: list[Any] = []
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                block = node.start_mark.line + 1
                raise TrialYamlError(
                    f"{key!r} stands twice in the block at line {block}.",
                    key_node.start_mark.line + 1,
                )
            seen.append(key)
        return dict(super().construct_mapping(node, deep=deep))


def read(text: str) -> Read:
    """The content of a trial file; raises TrialYamlError."""
    try:
        content = yaml.load(text, _Loader)  # noqa: S506  a subclass of the safe loader
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise TrialYamlError(
            f"This is not YAML: {error.problem or error.context}.", line
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise TrialYamlError(f"This is not YAML: {error}") from error
    except (ValueError, TypeError) as error:
        if isinstance(error, TrialYamlError):
            raise
        raise TrialYamlError(f"A value here is none that can be kept: {error}.") from error
    return Read(_Plain().of(content), node)


def text(content: Any) -> str:
    """Content as YAML, in the order it has."""
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))


class _Plain:
    """Dates as text, no infinity (JSON has neither), and not more of it than is sensible."""

    def __init__(self) -> None:
        self.left = MAXIMUM_VALUES

    def of(self, value: Any, depth: int = 0) -> Any:
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            raise TrialYamlError("The file comes to more than a trial can be: are aliases nested?")
        if isinstance(value, dict):
            return {str(key): self.of(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list):
            return [self.of(one, depth + 1) for one in value]
        if isinstance(value, float) and not math.isfinite(value):
            raise TrialYamlError(f"{value} is not a number that can be kept.")
        if isinstance(value, set | bytes | tuple):
            raise TrialYamlError(f"A {type(value).__name__} is nothing a trial file holds.")
        return value.isoformat() if isinstance(value, date) else value


def _inner(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found = node.value[part]
        return found if isinstance(found, yaml.Node) else None
    return None
