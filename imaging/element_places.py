"""Where elements stand in a file, by their numbers; each row of the keep-list is such a place.

A private element is known by its creator, whatever block it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from imaging import deidentification_table as table
from imaging.identifiers import parts_of
from imaging.meanings import Elements


def places_of(ds: Dataset, within: str = "") -> Iterator[str]:
    """Every element by its place: "(0054,0016).(0018,1074)", "(7053,xx00) Some Creator"."""
    elements = Elements(ds)
    for tag in elements:
        yield within + place_of(ds, tag)
        # Of a written file each element says its VR, and need not be converted for it.
        if elements.element(tag).VR == "SQ":
            yield from elements.tell(tag, _places_within, within)


def _places_within(ds: Dataset, tag: int, within: str) -> tuple[str, ...]:
    inside = f"{within}{place_of(ds, tag)}."
    return tuple(place for item in ds[tag].value for place in places_of(item, inside))


def place_of(ds: Dataset, tag: int) -> str:
    """Where an element of a data set stands; what is above it is not told."""
    if not tag & 0x10000:
        return public_place(tag)
    group, element = tag >> 16, tag & 0xFFFF
    if 0x10 <= element <= 0xFF:
        return private_place(group, creator_of(ds, group, element))
    return private_place(group, creator_of(ds, group, element >> 8), element & 0xFF)


@lru_cache(4096)
def public_place(tag: int) -> str:
    """The place of a public element.

    >>> public_place(0x00541300)
    '(0054,1300)'
    """
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def creator_of(ds: Dataset, group: int, block: int) -> str:
    """Whose a private block is, as the file says; "nobody" where nothing reserves it."""
    tag = Tag(group, block)
    return "\\".join(parts_of(ds[tag].value)) if tag in ds else "nobody"


def private_place(group: int, creator: str, element: int | None = None) -> str:
    """The place of a private element; without one that of the element that reserves the block.

    >>> private_place(0x7053, "Philips PET Private Group", 0x09)
    '(7053,xx09) Philips PET Private Group'
    >>> private_place(0x7053, "Philips PET Private Group")
    '(7053,00xx) Philips PET Private Group'
    """
    number = "00xx" if element is None else f"xx{element:02x}"
    return f"({group:04x},{number}) {creator}"


@lru_cache(4)
def allowed(
    rows: tuple[table.Row, ...], private_rows: tuple[table.PrivateRow, ...]
) -> frozenset[str]:
    """Every place that the keep-list has a row for."""
    tags = {row.path: row.tags for row in rows}
    public = set()
    for row in rows:
        above = row.within.split(".") if row.within else []
        paths = [".".join(above[: n + 1]) for n in range(len(above))]
        public.add(".".join([*(tags.get(path, path) for path in paths), row.tags]))
    private = {(row.group, row.creator, row.element) for row in private_rows}
    creators = {private_place(group, creator) for group, creator, _ in private}
    return frozenset(public | creators | {private_place(*one) for one in private})


def beyond(places: Iterable[str]) -> list[str]:
    """The places that the keep-list has no row for."""
    return sorted(set(places) - allowed(table.ROWS, table.PRIVATE_ROWS))


def named(places: Iterable[str]) -> list[str]:
    """Places by their numbers alone: a private creator may be a text that somebody typed."""
    return sorted({place.split(" ")[0] for place in places})
