"""Removes who a patient is from an image's header and keeps what a measurement needs.

A keep-list (`imaging.deidentification_table`): an attribute that has no row is gone, at every
level, private or not, known to a dictionary or not. What is kept is written anew from its
parsed value, and only where the value has the form of its kind: a number, a date, a word of the
standard. Text that people type is never kept.

The mistake to fear is moving some of the dates. For gallium-68 one day is a factor of 2.5
million, so every date moves by the same number of days: in date-times, inside sequences and
in the two private elements that a standardized uptake value needs. Times of day stay.

After DICOM PS3.15 Annex E, Basic Application Level Confidentiality Profile with the options that
the rows name.
"""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, keyword_dict, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, UID_dictionary

from imaging.contours import texts_of
from imaging.deidentification_table import (
    DESCRIPTORS,
    LABELS,
    METHODS,
    PRIVATE_ROWS,
    ROWS,
    TABLE,
    Action,
    PrivateRow,
    Row,
)
from imaging.elements import PIXEL_DATA
from imaging.encoding import CHARACTER_SET, data_set, raw, raw_of, raw_sequence, text_of
from imaging.identifiers import (
    LONGEST_REMEMBERED,
    Identifiers,
    identifiers_of,
    is_named_in,
    listed,
    parts_of,
    words_of,
)
from imaging.meanings import MEMORY, NO_MEMORY, Elements, Memory, as_read
from imaging.nuclides import nuclide_from_text
from imaging.pixels import decoded
from imaging.plain_values import plain_text, plain_value


@dataclass(frozen=True)
class DeidentificationPolicy:
    """How the images of one patient lose their identity.

    `uid_key` is the trial's secret, `date_shift_days` the patient's; the others are written where
    patient and clinical trial are named. `enrolled_on` is a DA value, empty where it is not known
    how many days after the enrolment the images were made.
    """

    uid_key: bytes
    date_shift_days: int
    trial: str
    site: str
    subject: str
    sponsor: str = ""
    time_point: str = ""
    enrolled_on: str = ""


@dataclass(frozen=True)
class Deidentified:
    """A de-identified image and what became of each attribute: names of tags, no values.

    `elements` are as they are to be written. `known` is what of the original names somebody, to
    look for in what is written.
    """

    elements: Kept
    report: dict[str, Any]
    known: Identifiers

    @property
    def dataset(self) -> Dataset:
        """A data set of its own, ready to be written."""
        return data_set(self.elements)


@dataclass(frozen=True, eq=False)
class _Context:
    """What a rule may need besides the value.

    One is equal to none but itself, which is told at once; see `_context_of`.
    """

    policy: DeidentificationPolicy
    known: Identifiers
    memory: Memory = MEMORY


def _context_of(policy: DeidentificationPolicy, known: Identifiers) -> _Context:
    """The same for all images that name the same; no rule looks at their UIDs."""
    if sum(map(len, known.values)) > LONGEST_REMEMBERED:
        return _Context(policy, known, NO_MEMORY)
    return _remembered_context(policy, known.values, known.words)


@lru_cache(16)
def _remembered_context(
    policy: DeidentificationPolicy, values: frozenset[str], words: frozenset[str]
) -> _Context:
    return _Context(policy, Identifiers(values, words, frozenset()))


# By the numbers of their tags.
Kept = dict[int, RawDataElement]
# A rule turns the parts of a value, as text, into those to be written; none: it is removed.
Parts = list[str]
Rule = Callable[[Parts, _Context], Parts]


@dataclass
class _Report:
    kept: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def to_json(self) -> dict[str, Any]:
        return {
            "table": TABLE,
            "kept": sorted(self.kept),
            "replaced": sorted(self.replaced),
            "removed": sorted(self.removed - self.kept - self.replaced),
        }

    def add(self, decision: Decision) -> None:
        self.kept |= decision.kept
        self.replaced |= decision.replaced
        self.removed |= decision.removed


def written_on_purpose(policy: DeidentificationPolicy) -> frozenset[str]:
    """What stands in every image that is written, whatever the original says."""
    return frozenset({policy.subject, policy.trial, policy.site})


def keyed_digest(value: str, *, key: bytes) -> str:
    """HMAC-SHA-256 of `value` in hexadecimal; nothing for nothing.

    >>> keyed_digest("what do ya want for nothing?", key=b"Jefe")[:16]
    '5bdcc146bf60754e'
    """
    return hmac.digest(key, value.encode(), "sha256").hex() if value else ""


def keyed_uid(uid: str, *, key: bytes) -> str:
    """The UID that stands for `uid` wherever it occurs in a trial; those of DICOM stay.

    >>> keyed_uid("1.2.840.10008.1.2", key=b"secret")
    '1.2.840.10008.1.2'
    >>> keyed_uid("1.2.3", key=b"secret").startswith("2.25.")
    True
    """
    if uid in UID_dictionary:
        return uid
    digest = bytes.fromhex(keyed_digest(uid, key=key))
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def shifted_date(text: str, days: int) -> str:
    """A DA value moved by `days`; nothing where it is no date, such as zeros.

    >>> shifted_date("20240301", -1), shifted_date("00000000", -1)
    ('20240229', '')
    """
    digits = text.replace(".", "")
    if not re.fullmatch(r"[0-9]{8}", digits):
        return ""
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        return (day + timedelta(days=days)).isoformat().replace("-", "")
    except (ValueError, OverflowError):
        return ""


def shifted_instant(text: str, days: int) -> str:
    """A DT value moved by `days`, clock and zone as they were.

    One without a day can't be moved by days and is nothing.

    >>> shifted_instant("20240301235959.5+0100", -1), shifted_instant("202403", -1)
    ('20240229235959.5+0100', '')
    """
    match = re.fullmatch(r"([0-9]{8})([0-9]{0,6}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?)", text)
    day = shifted_date(match[1], days) if match else ""
    return day + match[2] if match and day else ""


def deidentify(ds: Dataset, policy: DeidentificationPolicy) -> Deidentified:
    """A new data set without the patient's identity, ready to be written.

    Parameters
    ----------
    ds : Dataset
        One accepted image with its file meta information; it is not changed.
    policy : DeidentificationPolicy

    Returns
    -------
    Deidentified
        Native Explicit VR Little Endian, with new file meta information.
    """
    known = identifiers_of(ds)
    context = _context_of(policy, known)
    result, report = _kept(Elements(ds, context.memory), IMAGE, context, path="")
    _keep_private(ds, result, context, report)
    _keep_pixels(ds, result, report)
    _mark(result, context, report)
    return Deidentified(result, report.to_json(), known)


# What is kept.


def _number(parts: Parts, _: _Context) -> Parts:
    form = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
    return parts if all(len(p) <= 32 and re.fullmatch(form, p) for p in parts) else []


# Linear in its input: what follows a number can't begin one.
_NUMBER = rb"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,3})?"
_COORDINATES = re.compile(_NUMBER + rb"(?:\\" + _NUMBER + rb")*")


def _places(parts: Parts, _: _Context) -> Parts:
    """Coordinates as they were written, however many; see `_keep_places`."""
    return parts if _COORDINATES.fullmatch("\\".join(parts).encode()) else []


def _pointer(parts: Parts, _: _Context) -> Parts:
    """The tag of an attribute, as pydicom writes it."""
    return [p for p in parts if re.fullmatch(r"\([0-9a-f]{4},[0-9a-f]{4}\)", p, re.IGNORECASE)]


def _date(parts: Parts, context: _Context) -> Parts:
    return [shifted_date(part, context.policy.date_shift_days) for part in parts]


def _instant(parts: Parts, context: _Context) -> Parts:
    return [shifted_instant(part, context.policy.date_shift_days) for part in parts]


def _time(parts: Parts, _: _Context) -> Parts:
    return parts if all(re.fullmatch(r"[0-9:]{2,8}(\.[0-9]{1,6})?", p) for p in parts) else []


def _zone(parts: Parts, _: _Context) -> Parts:
    return parts if all(re.fullmatch(r"[+-][0-9]{4}", part) for part in parts) else []


def _age(parts: Parts, _: _Context) -> Parts:
    """Ages above 89 years identify, by themselves."""
    return [p for p in parts if re.fullmatch(r"[0-9]{3}[DWM]|0[0-8][0-9]Y", p)]


def _uid(parts: Parts, context: _Context) -> Parts:
    return [keyed_uid(part, key=context.policy.uid_key) for part in parts]


def _standard_uid(parts: Parts, _: _Context) -> Parts:
    return [part for part in parts if part in UID_dictionary]


def _word(parts: Parts, _: _Context) -> Parts:
    """Words of the standard and of the vendors' machines; any other may be a name."""
    return [part for part in parts if part in _WORDS]


def _device(parts: Parts, context: _Context) -> Parts:
    """What a machine writes of itself, unless it has a word of anybody's identity."""
    return [
        part
        for part in parts
        if re.fullmatch(r"[ -~]{1,64}", part)
        and not words_of(part) & context.known.words
        and not is_named_in(part, context.known)
    ]


def _code(parts: Parts, _: _Context) -> Parts:
    """A code of SNOMED CT or of its older form."""
    return [p for p in parts if re.fullmatch(r"[0-9]{6,18}|[A-Z]-[A-Z]?[0-9A-F]{4,5}", p)]


def _meaning(parts: Parts, _: _Context) -> Parts:
    """The nuclide, tracer or route that a free text names, in our own words."""
    return [word for part in parts if (word := _substance(part))]


def _described(parts: Parts, context: _Context) -> Parts:
    """Of a description the words of the vocabulary, in our order; none of anybody's identity."""
    said = [_in_vocabulary(part, context) for part in parts]
    return [text for text in said if text]


def _labelled(parts: Parts, context: _Context) -> Parts:
    """Of a region's label the words for regions; its number tells it from others."""
    said = [_said(re.sub(r"[\d_]+", " ", part), LABELS, context) for part in parts]
    return [" ".join(words or ["REGION"]) for words in said]


def _in_vocabulary(text: str, context: _Context) -> str:
    found = _said(text, DESCRIPTORS, context)
    if "NAC" in found and "AC" in found:
        # "No AC" says both; what is not corrected must not be taken for what is.
        found.remove("AC")
    return " ".join(found)


def _said(text: str, vocabulary: Mapping[str, tuple[str, ...]], context: _Context) -> list[str]:
    """Which of a vocabulary a text says, but for words of anybody's identity."""
    words = set(re.split(r"[\W_]+", text.casefold())) - context.known.words
    plain = f" {' '.join(re.split(r'[^a-z0-9]+', text.casefold()))} "
    return [
        word
        for word, signs in vocabulary.items()
        if any(sign in words if " " not in sign else f" {sign} " in plain for sign in signs)
    ]


def _substance(text: str) -> str:
    plain = text.casefold()
    tracer = next((word for sign, word in _SUBSTANCES.items() if sign in plain), "")
    return tracer or nuclide_from_text(text) or ""


_SUBSTANCES = {
    "pentixafor": "Pentixafor",
    "fluorodeoxyglucose": "FDG",
    "fdg": "FDG",
    "dotatate": "DOTATATE",
    "dotatoc": "DOTATOC",
    "psma": "PSMA",
    "fluorothymidine": "FLT",
    "sodium fluoride": "Sodium fluoride",
    "intravenous": "Intravenous route",
}


# What is said in several words; of a dose report what its items mean (PS3.16 TID 10011 to 10013).
_PHRASES = {
    "WHOLE BODY",
    "CSA MIP",
    "CSA MPR",
    "CYLINDRICAL RING",
    "X-Ray Radiation Dose Report",
    "Procedure reported",
    "Scope of Accumulation",
    "CT Accumulated Dose Data",
    "Total Number of Irradiation Events",
    "CT Dose Length Product Total",
    "CT Acquisition",
    "CT Acquisition Type",
    "Constant Angle Acquisition",
    "Target Region",
    "Irradiation Event UID",
    "CT Dose",
    "Mean CTDIvol",
    "CTDIw Phantom Type",
    "IEC Head Dosimetry Phantom",
    "IEC Body Dosimetry Phantom",
    "DLP",
    "HAS CONCEPT MOD",
    "HAS OBS CONTEXT",
    "mGy.cm",
    "mGycm",
    "mGy",
    "{events}",
    "events",
}
_WORDS = _PHRASES | listed(
    # Image Type, Series Type, Counts Source.
    "ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER OTHER MIP MPR CSAMANIPULATED "
    "CSAPARALLEL REFORMATTED AVERAGE STATIC DYNAMIC GATED WHOLEBODY IMAGE REPROJECTION "
    "EMISSION TRANSMISSION "
    # Modality, Patient's Sex, Patient Position, Photometric Interpretation.
    "PT CT RTSTRUCT SEG BINARY F M O HFS FFS HFP FFP HFDR HFDL FFDR FFDL MONOCHROME1 MONOCHROME2 "
    # Units, SUV Type, Rescale Type, Decay Correction.
    "BQML CNTS GML CM2ML PROPCNTS PROPCPS CPS CM2 PCNT MLMINML NONE STDDEV MLMING MLG 1CM "
    "UMOLML BSA BW LBM LBMJAMES128 LBMJANMA IBW HU US SUV START ADMIN "
    # Corrected Image, Randoms Correction Method, Lossy Image Compression, yes and no.
    "DECY ATTN SCAT DTIM MOTN PMOT CLN CLIN RAN RADL DCAL NORM RANSNG SLSENS BEDR "
    "DLYD SING RTSUB 00 01 YES NO "
    # Contour Geometric Type, ROI Generation Algorithm, RT ROI Interpreted Type.
    "CLOSED_PLANAR CLOSEDPLANAR_XOR POINT AUTOMATIC SEMIAUTOMATIC MANUAL EXTERNAL PTV CTV GTV "
    "TREATED_VOLUME IRRAD_VOLUME BOLUS AVOIDANCE ORGAN MARKER REGISTRATION ISOCENTER "
    "CONTRAST_AGENT CAVITY SUPPORT FIXATION DOSE_REGION CONTROL "
    # Coding schemes.
    "SCT SRT SNM3 99SDM DCM UCUM "
    # Value Type, Relationship Type and Continuity of Content of a report, and whether it is whole.
    "SR CONTAINER NUM CODE UIDREF CONTAINS SEPARATE CONTINUOUS COMPLETE PARTIAL VERIFIED "
    "UNVERIFIED"
)


_RULES: Mapping[Action, Rule] = MappingProxyType(
    {
        Action.NUMBER: _number,
        Action.TIME: _time,
        Action.ZONE: _zone,
        Action.AGE: _age,
        Action.WORD: _word,
        Action.CODE: _code,
        Action.MACHINE: _device,
        Action.STANDARD_UID: _standard_uid,
        Action.DATE: _date,
        Action.INSTANT: _instant,
        Action.UID: _uid,
        Action.SUBSTANCE: _meaning,
        Action.DESCRIBED: _described,
        Action.LABELLED: _labelled,
        Action.PLACES: _places,
        Action.POINTER: _pointer,
    }
)


# They look at nothing but the value and the policy.
RULES_OF_ONE = frozenset[Any]({_number, _time, _date, _instant, _uid})


class Level(dict[str, "Rule | Level"]):
    """The rows of one level by keyword, each with its rule; a level holds those of its items.

    Not changed once it is made; one is equal to none but itself, which is told at once.
    """

    __eq__ = object.__eq__
    __hash__ = object.__hash__  # type: ignore[assignment]  # of a dict, which has none


Blocks = Mapping[tuple[int, str], Mapping[int, tuple[str, Rule]]]


def level_of(rows: Iterable[Row], within: str = "") -> Level:
    rows = tuple(rows)
    return Level(
        {
            row.keyword: level_of(rows, row.path)
            if row.action is Action.ITEMS
            else _RULES[row.action]
            for row in rows
            if row.within == within and (row.action is Action.ITEMS or row.action in _RULES)
        }
    )


def blocks_of(rows: Iterable[PrivateRow]) -> Blocks:
    """Group and exact private creator, then element: VR to write and rule."""
    blocks: dict[tuple[int, str], dict[int, tuple[str, Rule]]] = {}
    for row in rows:
        rule = row.representation, _RULES[row.action]
        blocks.setdefault((row.group, row.creator), {})[row.element] = rule
    return MappingProxyType(blocks)


IMAGE = level_of(ROWS)
PRIVATE = blocks_of(PRIVATE_ROWS)
_EMPTIED = {
    within: tuple(r.keyword for r in ROWS if r.action is Action.EMPTY and r.within == within)
    for within in {row.within for row in ROWS}
}
# What objects of a kind want present and only people say.
_OF_MODALITY: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "RTSTRUCT": {"StructureSetLabel": "REGIONS", "OperatorsName": ""},
        "SEG": {"ContentLabel": "REGIONS", "ContentDescription": "", "ContentCreatorName": ""},
    }
)
_BINARY: Mapping[str, Callable[[str], int | float]] = MappingProxyType(
    {
        "US": int,
        "SS": int,
        "UL": int,
        "SL": int,
        "FL": float,
        "FD": float,
        "AT": lambda text: int(text[1:5] + text[6:10], 16),
    }
)


# How it is kept.


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one element: what is written, if anything, and the places it is said of."""

    written: RawDataElement | None = None
    kept: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


_GONE = Decision()


def _kept(elements: Elements, level: Level, context: _Context, path: str) -> tuple[Kept, _Report]:
    """What the keep-list leaves of one level."""
    result: Kept = {}
    report = _Report(removed={path + _name(tag) for tag in elements})
    for keyword, rule in level.items():
        tag = keyword_dict[keyword]
        if tag in elements:
            decision = elements.tell(tag, _decided, rule, context, path + keyword)
            if decision.written:
                result[tag] = decision.written
            report.add(decision)
    for keyword in _EMPTIED[path[:-1]] if path else ():
        result[keyword_dict[keyword]] = raw_of(_empty(keyword))
        report.replaced.add(path + keyword)
    return result, report


def decided(
    ds: Dataset,
    tag: int,
    rule: Rule | Level,
    policy: DeidentificationPolicy,
    known: Identifiers,
    place: str,
) -> Decision:
    """What becomes of one element of an image that names what `known` has."""
    return _decided(ds, tag, rule, _context_of(policy, known), place)


def _decided(ds: Dataset, tag: int, rule: Rule | Level, context: _Context, place: str) -> Decision:
    """What becomes of one element that has a row: as bytes, for it may be that of many images."""
    if isinstance(rule, Level):
        return _items_decided(ds, tag, rule, context, place)
    if rule is _places:
        return _places_decided(ds, tag, context, place)
    if (plain := _plain_decided(ds, tag, rule, context, place)) is not None:
        return plain
    # pydicom converts at first access, and raises these for text that is no number.
    try:
        element = ds[tag]
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        return _GONE
    before = parts_of(element.value)
    after = rule(before, context)
    if before and not any(after):
        return _GONE
    written, places = raw_of(_element(tag, _representation(element), after)), frozenset({place})
    return Decision(written, kept=places) if after == before else Decision(written, replaced=places)


def _plain_decided(
    ds: Dataset, tag: int, rule: Rule, context: _Context, place: str
) -> Decision | None:
    """As `_decided`, of a plain value that becomes one; None of any other."""
    element = as_read(ds)[tag]
    if not isinstance(element, RawDataElement) or element.is_implicit_VR:
        return None
    kind = element.VR
    text = plain_text(kind, element.value)
    if text is None or kind is None or kind != dictionary_VR(tag):
        return None
    before = text.split("\\")
    after = rule(before, context)
    value = plain_value(kind, "\\".join(after))
    if value is None:
        return None
    written, places = raw(tag, kind, value), frozenset({place})
    return Decision(written, kept=places) if after == before else Decision(written, replaced=places)


def _items_decided(ds: Dataset, tag: int, level: Level, context: _Context, place: str) -> Decision:
    items = (Elements(item, context.memory) for item in _items(ds[tag].value))
    results = [_kept(item, level, context, f"{place}.") for item in items]
    reports = [report for _, report in results]
    return Decision(
        raw_sequence(tag, [kept for kept, _ in results]),
        kept=frozenset({place}.union(*(one.kept for one in reports))),
        replaced=frozenset[str]().union(*(one.replaced for one in reports)),
        removed=frozenset[str]().union(*(one.removed for one in reports)),
    )


def _places_decided(ds: Dataset, tag: int, context: _Context, place: str) -> Decision:
    """Thousands of coordinates as one text: an object of each would take most of a minute."""
    after = _places(texts_of(ds, keyword_for_tag(tag)), context)
    if not after:
        return _GONE
    # A long text is not taken apart when it is set, nor when it is written.
    element = DataElement(tag, "LT", "\\".join(after))
    element.VR = dictionary_VR(tag)
    return Decision(raw_of(element), kept=frozenset({place}))


def _keep_private(ds: Dataset, result: Kept, context: _Context, report: _Report) -> None:
    """The private elements a measurement needs, in whichever block their creator reserved."""
    found = Dataset()
    creators = [
        tag for tag in map(int, ds.keys()) if tag & 0x10000 and 0x10 <= tag & 0xFFFF <= 0xFF
    ]
    for (group, creator), elements in PRIVATE.items():
        block = _block(ds, [tag for tag in creators if tag >> 16 == group], creator)
        if block is None:
            continue
        for number, (representation, rule) in elements.items():
            tag = Tag(group, block << 8 | number)
            after = rule(parts_of(ds[tag].value), context) if tag in ds else []
            if any(after):
                target = found.private_block(group, creator, create=True)
                target.add_new(number, representation, after if len(after) > 1 else after[0])
                report.replaced.add(_name(tag))
                report.kept.add(_name(Tag(group, block)))
    result.update({int(element.tag): raw_of(element) for element in found})


def _block(ds: Dataset, creators: list[int], creator: str) -> int | None:
    for tag in creators:
        if parts_of(ds[tag].value) == [creator]:
            return tag & 0xFF
    return None


def _keep_pixels(ds: Dataset, result: Kept, report: _Report) -> None:
    """Stored values as they were, native, and without foreign bits above the high bit."""
    if "PixelData" not in ds:
        return
    syntax = ds.file_meta.TransferSyntaxUID
    is_little = syntax in {ExplicitVRLittleEndian, ImplicitVRLittleEndian}
    if is_little and ds.BitsAllocated == ds.BitsStored:
        pixels = ds.PixelData
    else:
        # pydicom clears the bits above the high bit, where overlays may hide.
        pixels = decoded(ds).tobytes()
    result[PIXEL_DATA] = raw(PIXEL_DATA, "OW", pixels + b"\0" * (len(pixels) % 2))
    report.kept.add("PixelData")


def _mark(result: Kept, context: _Context, report: _Report) -> None:
    """Say whose image it now is, and what was done to it."""
    marks = _marks(
        context.policy,
        sponsor=_ours(context.policy.sponsor, context),
        time_point=_ours(context.policy.time_point, context),
        modality=text_of(result, "Modality"),
        studied=text_of(result, "StudyDate"),
    )
    for tag, element in marks.items():
        result[tag] = element
        report.replaced.add(_name(tag))


@lru_cache(16)
def _marks(
    policy: DeidentificationPolicy, *, sponsor: str, time_point: str, modality: str, studied: str
) -> Mapping[int, RawDataElement]:
    written = {
        "SpecificCharacterSet": CHARACTER_SET,
        "PatientName": policy.subject,
        "PatientID": policy.subject,
        "ClinicalTrialSponsorName": sponsor or "Not recorded",
        "ClinicalTrialProtocolID": policy.trial,
        "ClinicalTrialSiteID": policy.site,
        "ClinicalTrialSubjectID": policy.subject,
        "ClinicalTrialTimePointID": time_point,
        "PatientIdentityRemoved": "YES",
        "DeidentificationMethod": TABLE,
        "DeidentificationMethodCodeSequence": [_method(*one.value) for one in METHODS],
        "LongitudinalTemporalInformationModified": "MODIFIED",
        # Heads are not defaced, so a face can be rendered from them.
        "RecognizableVisualFeatures": "YES",
        **_days_after_enrolment(studied, policy),
        **dict.fromkeys(_EMPTIED[""], ""),
        **_OF_MODALITY.get(modality, {}),
    }
    marks = Dataset()
    for keyword, value in written.items():
        setattr(marks, keyword, value)
    return MappingProxyType({int(element.tag): raw_of(element) for element in marks})


def _days_after_enrolment(studied: str, policy: DeidentificationPolicy) -> dict[str, Any]:
    """Days from the enrolment to the study, which stay what they were while both dates move.

    PS3.3 C.7.2.3, Clinical Trial Study Module.
    """
    enrolled = shifted_date(policy.enrolled_on, policy.date_shift_days)
    if not (enrolled and studied):
        return {}
    first = next(filter(None, studied.split("\\")))
    days = date.fromisoformat(first) - date.fromisoformat(enrolled)
    return {
        "LongitudinalTemporalOffsetFromEvent": float(days.days),
        "LongitudinalTemporalEventType": "ENROLLMENT",
    }


def _ours(text: str, context: _Context) -> str:
    """What the trial says of itself, unless the original says it too: sponsors are hospitals."""
    return "" if is_named_in(text, context.known) else text[:64]


def _method(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _element(tag: int, representation: str, value: list[Any]) -> DataElement:
    if representation in _BINARY:
        value = [_BINARY[representation](part) for part in value]
    # Real files have values a little longer than the standard allows; they are kept whole.
    return DataElement(tag, representation, value, validation_mode=IGNORE)


def _empty(keyword: str) -> DataElement:
    return DataElement(keyword_dict[keyword], dictionary_VR(keyword_dict[keyword]), "")


def _representation(element: DataElement) -> str:
    """The dictionary's VR; where it leaves two, the one that was read."""
    allowed = dictionary_VR(element.tag).split(" or ")
    return element.VR if element.VR in allowed else allowed[0]


def _items(value: Any) -> list[Dataset]:
    return [item for item in value if isinstance(item, Dataset)] if value else []


@lru_cache(4096)
def _name(tag: int) -> str:
    """Keyword of a tag, or its number; a private block by its place, as it has no fixed one."""
    group, element = tag >> 16, tag & 0xFFFF
    if group % 2 and element > 0xFF:
        return f"({group:04x},xx{element & 0xFF:02x})"
    return keyword_for_tag(tag) or f"({group:04x},{element:04x})"
