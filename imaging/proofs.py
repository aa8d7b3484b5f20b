"""Proofs that a de-identified series is what it was, and names nobody.

Each is made on what was written, by another way than the one that wrote it: pixels are decoded
again, the SUV is computed from both headers, dates are compared with the calendar, and another
parser lists what stands in the file. The parsing process gathers the evidence of one file
(`imaging.file_evidence`); the proofs of a series are made from the evidence of all of its files.

The mistake to fear is a proof that holds because it was not made: it says so, and is not held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from imaging import deidentification_table as table
from imaging.dcmdump_listing import DumpError, places_in_dump
from imaging.element_places import beyond, named
from imaging.file_evidence import Evidence
from imaging.headers import PetHeader
from imaging.identifiers import listed
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
