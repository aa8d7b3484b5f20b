"""What dcmdump of DCMTK prints of files, as the places of their elements."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from imaging.element_places import private_place, public_place

_LINE = re.compile(r"( *)\(([0-9a-f]{4}),([0-9a-f]{4})\) (?:[A-Za-z?]{2}) ?(.*)")
_FILE = "# dcmdump ("
# Depth, group, element, value and place.
_Line = tuple[int, int, int, str, str]


class DumpError(ValueError):
    """A dump that is not what dcmdump prints."""


def places_in_dump(dump: str) -> list[list[str]]:
    """What dcmdump (DCMTK) lists, file by file, by place.

    Parameters
    ----------
    dump : str
        What it prints with `+F`, which heads each file.

    Raises
    ------
    DumpError
        If a line is neither an element nor a remark.
    """
    # Most lines are the same in all files of a series, and what is listed is in nearly all: each
    # line is looked into once, and so is each list of what lines say, which are numbered.
    lines, said = dump.splitlines(), dict[_Line | None, int]()
    known = {line: said.setdefault(_line_of(line), len(said)) for line in dict.fromkeys(lines)}
    numbers = list(map(known.__getitem__, lines))
    heads = {line for line in known if line.startswith(_FILE)}
    starts = [number for number, line in enumerate(lines) if line in heads]
    told, found = list(said), dict[tuple[int, ...], list[str]]()
    if any(told[one] for one in numbers[: starts[0] if starts else None]):
        raise DumpError("dcmdump printed an element that is in no file.")
    files = []
    for start, end in pairwise([*starts, len(lines)]):
        listed = tuple(numbers[start:end])
        if listed not in found:
            found[listed] = _places_listed(filter(None, (told[one] for one in listed)))
        files.append(found[listed])
    return files


def _places_listed(lines: Iterable[_Line]) -> list[str]:
    """The places of the elements that the lines of one file say."""
    places: list[str] = []
    above: list[str] = []
    creators: dict[tuple[int, int], str] = {}
    for depth, group, element, value, place in lines:
        if depth > len(above):
            raise DumpError("dcmdump printed an element that is in no sequence.")
        above[depth:] = [place or _dumped(group, element, value, creators)]
        places.append(".".join(above) if depth else above[0])
    return places


def _line_of(line: str) -> _Line | None:
    """What a line says, and its place unless that rests on other lines.

    None where it is a remark or ends an item.
    """
    if not line.strip() or line.startswith("#"):
        return None
    match = _LINE.fullmatch(line)
    if not match:
        raise DumpError("dcmdump printed a line that is no element.")
    # An item stands two steps in from its sequence, and its elements two more.
    depth, group, element = len(match[1]) // 4, int(match[2], 16), int(match[3], 16)
    place = "" if group % 2 else public_place(group << 16 | element)
    # The value tells whose a private block is, and nothing else.
    value = "" if place else match[4]
    return None if group == 0xFFFE else (depth, group, element, value, place)


def _dumped(group: int, element: int, value: str, creators: dict[tuple[int, int], str]) -> str:
    """The place of a private element."""
    if 0x10 <= element <= 0xFF:
        text = re.match(r"\[(.*)\] +#", value)
        creators[group, element] = text[1] if text else "nobody"
        return private_place(group, creators[group, element])
    return private_place(group, creators.get((group, element >> 8), "nobody"), element & 0xFF)
