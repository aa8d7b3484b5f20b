"""What one file shows of its de-identification: the evidence that the proofs of a series rest on.

It is gathered where the file is parsed. The written file is parsed again, and held against the
original by other means than those that wrote it: values are decoded, digested and compared, dates
held against the calendar, and what a row of the table lets stand is read without its rules.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.datadict import keyword_dict
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

from imaging import ct_dose
from imaging import deidentification_table as table
from imaging.contours import structure_set
from imaging.element_places import beyond, creator_of, named, place_of, places_of
from imaging.headers import header_of
from imaging.identifiers import parts_of
from imaging.meanings import Elements
from imaging.pixels import decoded
from imaging.segments import segmentation

Json = Any
_PREAMBLE = 128
_LONGEST_TEXT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one file shows. The headers are of the original and of what was written."""

    pixels_before: str
    pixels_after: str
    before: Mapping[str, Json]
    after: Mapping[str, Json]
    beyond: tuple[str, ...]
    unmoved: tuple[str, ...]
    attributes: int

    def to_json(self) -> dict[str, Json]:
        return {
            name: list(value) if isinstance(value := getattr(self, name), tuple) else value
            for name in self.__slots__
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Evidence:
        lists = {name: tuple(map(str, value[name])) for name in ("beyond", "unmoved")}
        return cls(**dict(value) | lists)


def evidence_of(
    original: Dataset,
    written: bytes,
    *,
    header: Mapping[str, Json],
    date_shift_days: int,
    again: Dataset | None = None,
) -> Evidence:
    """What one file shows, the written one parsed again.

    Parameters
    ----------
    original : Dataset
        The accepted image.
    written : bytes
        The whole file that is to be released.
    header : mapping
        What `pet_header` or `slice_header` read in it, as JSON values.
    date_shift_days : int
        The days by which every date is to have moved.
    again : Dataset, optional
        `written` as it was parsed again; without it that is done here.
    """
    again = again or dcmread(io.BytesIO(written))
    places = list(places_of(again))
    pixels_before, pixels_after = digests_of_values(original, again)
    return Evidence(
        pixels_before=pixels_before,
        pixels_after=pixels_after,
        before=_cut(_undescribed(header_of(original).to_json())),
        after=header,
        beyond=tuple(named(beyond(places) + _oddities(again, written))),
        unmoved=tuple(named(unmoved(original, again, date_shift_days))),
        attributes=len(places),
    )


def _undescribed(header: Mapping[str, Json]) -> Mapping[str, Json]:
    """A header without what people typed: of the original it may name somebody."""
    return {**header, "series_description": "", "study_description": ""}


def _cut(value: Json) -> Json:
    """A header whose texts are no longer than any that decides something."""
    if isinstance(value, Mapping):
        return {name: _cut(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cut(one) for one in value]
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def digests_of_values(before: Dataset, after: Dataset) -> tuple[str, str]:
    """SHA-256 of what is measured, or of where it is measured, before and after."""
    kinds = {
        "RTSTRUCT": digest_of_contours,
        "SEG": digest_of_segments,
        "SR": ct_dose.digest_of,
    }
    known = [kinds.get(ds.get("Modality", "")) for ds in (before, after)]
    if any(known):
        one, other = (kind or digest_of_pixels for kind in known)
        return one(before), other(after)
    values, again = decoded(before), decoded(after)
    digest = digest_of(values)
    if values.dtype == again.dtype and np.array_equal(values, again):
        return digest, digest
    return digest, digest_of(again)


def digest_of_segments(ds: Dataset) -> str:
    """SHA-256 of the segments of a segmentation: the bits, and of each frame what and where."""
    drawn, found, known = segmentation(ds), hashlib.sha256(), dict[str, int]()
    matrix = drawn.regions[0].matrix
    found.update(f"{matrix.shape} {[_ordinal(uid, known) for uid in drawn.series]} ".encode())
    for numbers in (matrix.spacing, matrix.orientation):
        found.update(numbers.astype("<f8").tobytes())
    found.update(matrix.packed.tobytes())
    for segment in drawn.regions:
        reference = _ordinal(segment.frame_of_reference_uid, known)
        for frame in segment.frames:
            image = _ordinal(frame.image, known)
            found.update(f"{segment.number} {reference} {frame.number} {image} ".encode())
            found.update(frame.position.astype("<f8").tobytes())
    return found.hexdigest()


def digest_of_contours(ds: Dataset) -> str:
    """SHA-256 of the regions of a structure set: their numbers, each contour, and its image.

    UIDs count by their first occurrence, so that the same one before is the same one after.
    """
    drawn, found, known = structure_set(ds), hashlib.sha256(), dict[str, int]()
    for uid in drawn.series:
        found.update(f"series {_ordinal(uid, known)} ".encode())
    for region in drawn.regions:
        frame = _ordinal(region.frame_of_reference_uid, known)
        for contour in region.contours:
            image = _ordinal(contour.image, known)
            found.update(f"{region.number} {frame} {image} {contour.points.shape} ".encode())
            found.update(contour.points.astype("<f8").tobytes())
    return found.hexdigest()


def _ordinal(uid: str, known: dict[str, int]) -> int:
    return known.setdefault(uid, len(known)) if uid else -1


def digest_of_pixels(ds: Dataset) -> str:
    return digest_of(decoded(ds))


def digest_of(values: NDArray[np.integer]) -> str:
    """SHA-256 of stored values, whatever their encoding was."""
    found = hashlib.sha256(f"{values.shape} {values.dtype.kind}{values.itemsize} ".encode())
    found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def _oddities(again: Dataset, written: bytes) -> list[str]:
    """What a row lets stand, and no value may: read from what was written, without the rules.

    A preamble that is not zero, UIDs that are neither the standard's nor ours, an age above 89
    years, a description in other words than those of the vocabulary.
    """
    found = [] if written[:_PREAMBLE] == bytes(_PREAMBLE) else ["preamble"]
    elements = Elements(again)
    age = elements.read("PatientAge", _text_at)
    if age.endswith("Y") and age > "089Y":
        found.append("(0010,1010)")
    for path, tags, vocabulary in _cleaned(table.ROWS):
        words = {word for text in _texts_at(elements, path) for word in text.split()}
        found += [] if words <= vocabulary else [tags]
    return found + foreign_uids(again)


def foreign_uids(again: Dataset) -> list[str]:
    """The places of UIDs that are neither the standard's nor ours."""
    return [
        place
        for place, _, parts in _values(again, _UIDS)
        if any(part not in UID_dictionary and not part.startswith("2.25.") for part in parts)
    ]


@lru_cache(4)
def _cleaned(rows: tuple[table.Row, ...]) -> tuple[tuple[str, str, frozenset[str]], ...]:
    """Path and tags of what may say only words of a vocabulary, and these."""
    return tuple(
        (row.path, row.tags, frozenset(_VOCABULARIES[row.action]))
        for row in rows
        if row.action in _VOCABULARIES
    )


_VOCABULARIES = MappingProxyType(
    {table.Action.DESCRIBED: table.DESCRIPTORS, table.Action.LABELLED: table.LABELS}
)


def _text_at(ds: Dataset, keyword: str) -> str:
    return str(ds.get(keyword, ""))


def _texts_at(elements: Elements, path: str) -> tuple[str, ...]:
    """The texts at a path of keywords, of every item on the way."""
    keyword, _, inside = path.partition(".")
    tag = keyword_dict[keyword]
    if tag not in elements:
        return ()
    return elements.tell(tag, _texts_within, inside) if inside else elements.tell(tag, _parts_at)


def _texts_within(ds: Dataset, tag: int, path: str) -> tuple[str, ...]:
    return tuple(text for item in ds[tag].value for text in _texts_at(Elements(item), path))


# Dates.


def unmoved(original: Dataset, again: Dataset, days: int) -> list[str]:
    """The places of dates that are not those of the original moved by `days`."""
    before = {
        place: {_moved(part, representation, days) for part in parts}
        for place, representation, parts in _values(original, _DATES, like=again)
    }
    return [
        place
        for place, representation, parts in _values(again, _DATES)
        if not {_moved(part, representation, 0) for part in parts} <= before.get(place, set())
    ]


def _moved(text: str, representation: str, days: int) -> tuple[date | None, str]:
    """The day of a DA or DT moved, and what follows it; no day where there is none."""
    plain = text.replace(".", "") if representation == "DA" else text
    try:
        day = date(int(plain[:4]), int(plain[4:6]), int(plain[6:8]))
        return day + timedelta(days=days), plain[8:]
    except (ValueError, OverflowError):
        return None, text


_DATES, _UIDS = frozenset({"DA", "DT"}), frozenset({"UI"})
# Place, VR and texts of dates or UIDs, the items of sequences numbered.
Values = tuple[tuple[str, str, tuple[str, ...]], ...]


def _values(
    ds: Dataset, kinds: frozenset[str], *, like: Dataset | None = None, within: str = ""
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The values of some VRs; of `ds` only what `like` has."""
    mine = Elements(ds)
    model = mine if like is None else Elements(like)
    for tag in model:
        representation = model.element(tag).VR
        if representation != "SQ" and representation not in kinds:
            continue
        same = _same(mine, tag, model)
        if same is None:
            continue
        place = within + place_of(model.ds, tag)
        if representation != "SQ":
            yield place, representation, mine.tell(same, _parts_at)
        elif like is None:
            yield from mine.tell(same, _values_within, kinds, place)
        else:
            yield from mine.tell_of_both(same, model, tag, _values_alike, kinds, place)


def _parts_at(ds: Dataset, tag: int) -> tuple[str, ...]:
    return tuple(parts_of(ds[tag].value))


def _values_within(ds: Dataset, tag: int, kinds: frozenset[str], place: str) -> Values:
    return tuple(
        value
        for number, item in enumerate(ds[tag].value)
        for value in _values(item, kinds, within=f"{place}[{number}].")
    )


def _values_alike(
    ds: Dataset, tag: int, like: Dataset, its_tag: int, kinds: frozenset[str], place: str
) -> Values:
    pairs = zip(ds[tag].value, like[its_tag].value, strict=False)
    return tuple(
        value
        for number, (item, one) in enumerate(pairs)
        for value in _values(item, kinds, like=one, within=f"{place}[{number}].")
    )


def _same(mine: Elements, tag: int, model: Elements) -> int | None:
    """The tag of an element in `mine`; a private block may have another number there."""
    if mine is model or not tag & 0x10000 or tag & 0xFFFF <= 0xFF:
        return tag if tag in mine else None
    group, element = tag >> 16, tag & 0xFFFF
    creator = creator_of(model.ds, group, element >> 8)
    for block in range(0x10, 0x100):
        if group << 16 | block in mine and creator_of(mine.ds, group, block) == creator:
            found = group << 16 | block << 8 | element & 0xFF
            return found if found in mine else None
    return None
