"""Proofs that a de-identified series is what it was, and names nobody.

Each is made on what was written, by another way than the one that wrote it: pixels are decoded
again, the SUV is computed from both headers, dates are compared with the calendar, and another
parser lists what stands in the file. The parsing process gathers the evidence of one file; the
proofs of a series are made from the evidence of all of its files.

The mistake to fear is a proof that holds because it was not made: it says so, and is not held.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.datadict import keyword_dict
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID_dictionary

from imaging import ct_dose
from imaging import deidentification_table as table
from imaging.contours import structure_set
from imaging.headers import PetHeader, header_of
from imaging.identifiers import listed, parts_of
from imaging.meanings import Elements
from imaging.pixels import decoded
from imaging.segments import segmentation
from imaging.suv import assess

Json = Any
# The tables that were read and agreed, by version and SHA-256 of their rows: other rows under a
# known version are a table that somebody changed without saying so.
KNOWN_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "TrialTrace keep-list 2": "1d3fcf85d2e62fea52209ee2eb371da5"
        "d71befb1eec116564d822c9d6c74309c",
        "TrialTrace keep-list 3": "880da2c6a4ad253f74ac64f0f0909162"
        "d5d1a566b90b8c2f64ee9722afe03da1",
        "TrialTrace keep-list 4": "a206b60c6a6e3d8abe961b342b4b7399"
        "35d4ccfb039957a9e97b6e1411e89a50",
        "TrialTrace keep-list 5": "bf8166f81248260e431455c1b6920c96"
        "401bc260e7565d02a5facea2ce761da4",
        "TrialTrace keep-list 6": "f4ed929c0445353551765482844e1498"
        "f1e32786b0d3092437fe28f98e479732",
    }
)
_PREAMBLE = 128
# File meta information as PS3.10 wants it, written anew.
_META = frozenset(f"(0002,{number:04x})" for number in (0, 1, 2, 3, 0x10, 0x12, 0x13))
# What makes of a stored value a number at a place; the header is read once before, once after.
_MEANING = listed(
    "modality instance_number number_of_frames position orientation pixel_spacing "
    "slice_thickness rows columns samples_per_pixel bits_allocated bits_stored high_bit "
    "pixel_representation photometric_interpretation rescale_slope rescale_intercept"
)
_NUMBERS = listed(
    "patient_weight patient_size number_of_slices frame_reference_time actual_frame_duration "
    "decay_factor philips_suv_factor philips_activity_factor"
)
_MOST_NAMED = 5
_LONGEST_TEXT = 1024


class Kind(StrEnum):
    """What is proved."""

    PIXELS = "pixels"
    SUV_FACTOR = "suv_factor"
    IDENTIFIERS = "identifiers"
    SECOND_PARSER = "second_parser"
    KEEP_LIST = "keep_list"


class Outcome(StrEnum):
    HELD = "held"
    FAILED = "failed"
    NOT_MADE = "not_made"


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof of a series; `detail` is a sentence without any value of the original's."""

    kind: Kind
    outcome: Outcome
    detail: str


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


# What stands where.


def places_of(ds: Dataset, within: str = "") -> Iterator[str]:
    """Every element by its place: "(0054,0016).(0018,1074)", "(7053,xx00) Some Creator"."""
    elements = Elements(ds)
    for tag in elements:
        yield within + _place(ds, tag)
        # Of a written file each element says its VR, and need not be converted for it.
        if elements.element(tag).VR == "SQ":
            yield from elements.tell(tag, _places_within, within)


def _places_within(ds: Dataset, tag: int, within: str) -> tuple[str, ...]:
    inside = f"{within}{_place(ds, tag)}."
    return tuple(place for item in ds[tag].value for place in places_of(item, inside))


def _place(ds: Dataset, tag: int) -> str:
    if not tag & 0x10000:
        return _public(tag)
    group, element = tag >> 16, tag & 0xFFFF
    if 0x10 <= element <= 0xFF:
        return _private(group, _creator(ds, group, element))
    return _private(group, _creator(ds, group, element >> 8), element & 0xFF)


@lru_cache(4096)
def _public(tag: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def _creator(ds: Dataset, group: int, block: int) -> str:
    tag = Tag(group, block)
    return "\\".join(parts_of(ds[tag].value)) if tag in ds else "nobody"


def _private(group: int, creator: str, element: int | None = None) -> str:
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
    creators = {_private(group, creator) for group, creator, _ in private}
    return frozenset(public | creators | {_private(*one) for one in private})


def beyond(places: Iterable[str]) -> list[str]:
    """The places that the keep-list has no row for."""
    return sorted(set(places) - allowed(table.ROWS, table.PRIVATE_ROWS))


def named(places: Iterable[str]) -> list[str]:
    """Places by their numbers alone: a private creator may be a text that somebody typed."""
    return sorted({place.split(" ")[0] for place in places})


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
        place = within + _place(model.ds, tag)
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
    creator = _creator(model.ds, group, element >> 8)
    for block in range(0x10, 0x100):
        if group << 16 | block in mine and _creator(mine.ds, group, block) == creator:
            found = group << 16 | block << 8 | element & 0xFF
            return found if found in mine else None
    return None


# The second parser.

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
    place = "" if group % 2 else _public(group << 16 | element)
    # The value tells whose a private block is, and nothing else.
    value = "" if place else match[4]
    return None if group == 0xFFFE else (depth, group, element, value, place)


def _dumped(group: int, element: int, value: str, creators: dict[tuple[int, int], str]) -> str:
    """The place of a private element."""
    if 0x10 <= element <= 0xFF:
        text = re.match(r"\[(.*)\] +#", value)
        creators[group, element] = text[1] if text else "nobody"
        return _private(group, creators[group, element])
    return _private(group, creators.get((group, element >> 8), "nobody"), element & 0xFF)


# The proofs of a series.


def of_pixels(files: Sequence[Evidence]) -> Proof:
    """Decoded values, rescale and geometry are the same before and after."""
    if changed := sum(one.pixels_before != one.pixels_after for one in files):
        return _failed(
            Kind.PIXELS, f"In {changed} of {_images(files)} the decoded pixel values differ."
        )
    before, after = (
        {name: [getattr(one, side).get(name) for one in files] for name in _MEANING}
        for side in ("before", "after")
    )
    if differing := _differing(before, after):
        return _failed(Kind.PIXELS, f"What the pixel values mean, or where, differs: {differing}.")
    return _held(
        Kind.PIXELS,
        f"{_images(files)}: the SHA-256 of the decoded pixel values, rescale and geometry are the "
        "same before and after.",
    )


def of_suv(files: Sequence[Evidence]) -> Proof:
    """The SUV of the series is the same from the headers before and after."""
    if files[0].after["modality"] != "PT":
        detail = f"Not made: of {files[0].after['modality']} no SUV is computed."
        return Proof(Kind.SUV_FACTOR, Outcome.NOT_MADE, detail)
    headers = [
        [PetHeader.from_json(getattr(one, side)) for one in files] for side in ("before", "after")
    ]
    before, after = map(_assessed, headers)
    if before == after and (differing := _differing(*map(_numbers, headers))):
        return _failed(Kind.SUV_FACTOR, f"What an SUV rests on differs: {differing}.")
    if before != after:
        return _failed(
            Kind.SUV_FACTOR,
            f"The SUV from the headers is not the same: {_said(before)} before, "
            f"{_said(after)} after.",
        )
    return _held(Kind.SUV_FACTOR, f"{_said(after)}, before and after.".capitalize())


def _differing(before: Mapping[str, Json], after: Mapping[str, Json]) -> str:
    """The names of what is not the same, as words."""
    names = sorted(name for name in before if before[name] != after[name])
    return ", ".join(name.replace("_", " ") for name in names)


def _assessed(headers: Sequence[PetHeader]) -> dict[str, Json]:
    verdict = assess(headers)
    scale = verdict.scale or verdict.candidate
    found: dict[str, Json] = {
        "status": verdict.status,
        "code": verdict.code,
        "attribute": verdict.attribute,
        "witnesses": [(one.key, one.offset, one.says) for one in verdict.witnesses],
    }
    if scale is None:
        return found
    names = ("factor", "factors", "flags", "adaptations", "decay_seconds")
    return found | {name: getattr(scale, name) for name in names}


def _numbers(headers: Sequence[PetHeader]) -> dict[str, Json]:
    """What other normalisations and checks rest on besides the factor, slice by slice."""
    return {name: [getattr(header, name) for header in headers] for name in _NUMBERS}


def _said(found: Mapping[str, Json]) -> str:
    if "factor" not in found:
        return f"{found['status']} {found['code']}".strip()
    factor = found["factor"]
    number = "one factor a slice" if factor is None else f"factor {factor:.9g}"
    return f"{found['status']} {found['code']}".strip() + f", {number}"


def of_identifiers(files: Sequence[Evidence]) -> Proof:
    """What was written was searched; a file in which something was found has no evidence."""
    return _held(
        Kind.IDENTIFIERS,
        f"{_images(files)}: nothing that names somebody in the original stands in any byte of "
        "what was written.",
    )


def of_keep_list(files: Sequence[Evidence]) -> Proof:
    """Our own parser finds nothing beyond the table, and no date that did not move."""
    if KNOWN_TABLES.get(table.TABLE) != table.digest():
        return _failed(
            Kind.KEEP_LIST, f"The rows of the table are not those of {table.TABLE}: it was changed."
        )
    if strange := sorted({place for one in files for place in one.beyond}):
        return _failed(Kind.KEEP_LIST, f"Not on the keep-list: {_few(strange)}.")
    if still := sorted({place for one in files for place in one.unmoved}):
        return _failed(Kind.KEEP_LIST, f"Dates that did not move with the others: {_few(still)}.")
    count = sum(one.attributes for one in files)
    return _held(
        Kind.KEEP_LIST,
        f"{_images(files)}: {count} attributes, none without a row in the table; every date moved "
        "by the same number of days.",
    )


def of_dump(dumps: Iterable[str], *, version: str, count: int) -> Proof:
    """Another parser lists no attribute beyond the table.

    Parameters
    ----------
    dumps : iterable of str
        What dcmdump printed of the files of a series, of some at a time: none is kept.
    version : str
        Of dcmdump.
    count : int
        How many files it was given.
    """
    try:
        files = [places for dump in dumps for places in places_in_dump(dump)]
    except DumpError as error:
        return _failed(Kind.SECOND_PARSER, str(error))
    if len(files) != count or not all(files):
        return _failed(Kind.SECOND_PARSER, "dcmdump could not read every file that was written.")
    if strange := named(set(beyond(set[str]().union(*files))) - _META):
        return _failed(Kind.SECOND_PARSER, f"dcmdump lists beyond the keep-list: {_few(strange)}.")
    total = sum(map(len, files))
    return _held(
        Kind.SECOND_PARSER,
        f"dcmdump {version} lists {total} attributes in {count} files, none without a row in the "
        "table.",
    )


def no_dump(why: str) -> Proof:
    return Proof(Kind.SECOND_PARSER, Outcome.NOT_MADE, f"Not made: {why}")


def failed_dump(why: str) -> Proof:
    return _failed(Kind.SECOND_PARSER, why)


def _held(kind: Kind, detail: str) -> Proof:
    return Proof(kind, Outcome.HELD, detail)


def _failed(kind: Kind, detail: str) -> Proof:
    return Proof(kind, Outcome.FAILED, detail)


def _images(files: Sequence[Evidence]) -> str:
    return "1 image" if len(files) == 1 else f"{len(files)} images"


def _few(places: Sequence[str]) -> str:
    more = len(places) - _MOST_NAMED
    return ", ".join(places[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
