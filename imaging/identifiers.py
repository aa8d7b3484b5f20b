"""What of an original names its patient, and whether any of it stands in what was written.

The second look after de-identification. It knows nothing of the keep-list: it takes every
value of the original that may name somebody, at every level, and looks for it in the bytes,
as text of four encodings and in base64. The mistake to fear on the other side is a value found
by chance, which would stop an image nobody could name: hence the lengths below.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import chain, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID_dictionary

from imaging.meanings import LONGEST, Elements


def listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Who and whose, by keyword; everything that a person's or a site's papers say as well.
PERSONS = listed(
    "PatientName OtherPatientNames PatientBirthName PatientMotherBirthName ResponsiblePerson "
    "ReferringPhysicianName PerformingPhysicianName OperatorsName PhysiciansOfRecord "
    "NameOfPhysiciansReadingStudy RequestingPhysician ScheduledPerformingPhysicianName "
    "ConsultingPhysicianName ContentCreatorName PersonName OrderEnteredBy ROIInterpreter "
    "ReviewerName"
)
NUMBERS = listed(
    "PatientID OtherPatientIDs AccessionNumber StudyID MedicalRecordLocator AdmissionID "
    "ServiceEpisodeID InsurancePlanIdentification MilitaryRank PatientTelephoneNumbers "
    "DeviceSerialNumber RequestedProcedureID ScheduledProcedureStepID "
    "PerformedProcedureStepID FillerOrderNumberImagingServiceRequest "
    "PlacerOrderNumberImagingServiceRequest GantryID PlateID DetectorID"
)
PLACES = listed(
    "PatientAddress InstitutionName InstitutionAddress InstitutionalDepartmentName StationName "
    "IssuerOfPatientID CurrentPatientLocation PatientInstitutionResidence "
    "CountryOfResidence RegionOfResidence"
)
TEXTS = listed(
    "StudyDescription SeriesDescription PatientComments ImageComments StudyComments "
    "AdditionalPatientHistory RequestedProcedureDescription ScheduledProcedureStepDescription "
    "PerformedProcedureStepDescription ReasonForStudy RequestedProcedureComments "
    "AcquisitionComments Occupation StructureSetLabel StructureSetName StructureSetDescription "
    "ROIName ROIDescription ROIObservationLabel ROIObservationDescription SegmentLabel "
    "SegmentDescription ContentLabel ContentDescription TrackingID"
)
BIRTH = "PatientBirthDate"
# Whose single words name somebody too, as "Henriette" does of a name.
_WORDED = PERSONS | listed(
    "PatientID OtherPatientIDs AccessionNumber InstitutionName PatientAddress"
)
DEEPEST = 8
# Shorter values are found by chance, and so are those of a few letters that repeat.
SHORTEST, SHORTEST_IN_PIXELS, FEWEST_LETTERS = 6, 8, 4
# Texts of a file that are remembered are no longer than that in all.
LONGEST_REMEMBERED = 2**14
# Bytes that are looked up at once, and how many hits by chance are looked into one by one.
WORD, MANY = 4, 64
# Wherever so many bytes begin, a word of them lies at a multiple of four.
LOOKED_UP = 2 * WORD - 1
# A "name" of the machine's maker, as phantoms have it, names nobody; nor does a description in
# the words that every scanner writes of itself.
VENDORS = listed(
    "medical systems healthcare siemens healthineers philips canon toshiba united imaging mediso"
)
_SCANS = VENDORS | listed(
    "pet wholebody whole body scan discovery biograph gemini ingenuity vereos signa celesteion "
    "cartesion advance allegro guardian "
    # What descriptions are cleaned to; see imaging.deidentification.
    "ctac acct noac nac head brain mip suv fdg psma dotatate dotatoc pentixafor corrected "
    "uncorrected "
    # What labels of regions are cleaned to.
    "rtstruct gtv ctv ptv tumour tumor lesion mass node metastasis edema necrosis liver spleen "
    "marrow bone lung kidney adrenal aorta bladder heart muscle left right region regions "
    "neoplasm organ tissue structure segmentation source segment seg"
)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Values of an original that may name somebody: whole ones, and single words of some.

    `values` are as they were written, `words` those of persons, numbers and places, `uids` its
    own UIDs.
    """

    values: frozenset[str]
    words: frozenset[str]
    uids: frozenset[str]


def identifiers_of(ds: Dataset) -> Identifiers:
    """Everything in `ds`, at every level, that may name its patient or those around it."""
    said = tuple(_texts(ds, DEEPEST))
    naming = tuple(one for one in said if one[0] in _SOUGHT)
    is_short = sum(len(text) for _, texts in naming for text in texts) <= LONGEST_REMEMBERED
    values, words = (_naming if is_short else _naming.__wrapped__)(naming)
    texts = {text for keyword, texts in said if keyword not in _SOUGHT for text in texts}
    return Identifiers(values, words, frozenset(texts - UID_dictionary.keys()))


# The images of a series say the same of whom they are of.
@lru_cache(16)
def _naming(said: Said) -> tuple[frozenset[str], frozenset[str]]:
    """The values that may name somebody, and the single words."""
    values, persons, words = set[str](), set[str](), set[str]()
    for keyword, texts in said:
        if keyword in _WORDED:
            words.update(*map(words_of, texts))
        if keyword in PERSONS:
            persons.update(texts)
        elif keyword in TEXTS:
            # "3D-RAMLA" is the name of a reconstruction too; what people type has more words.
            values.update(text for text in texts if len(words_of(text) - _SCANS) > 1)
        elif keyword == BIRTH:
            values.update(form for text in texts for form in _forms_of_date(text))
        else:
            values.update(text for text in texts if not _is_of_scanners(text))
    persons = {name for name in persons if not is_a_vendor(name)}
    parts = {part for name in persons for part in re.split(r"[\^=]", name) if part}
    named = parts | {name.replace("^", " ").strip() for name in persons} | persons
    return (
        frozenset(values | {name for name in named if not is_a_vendor(name)}),
        frozenset(words - VENDORS),
    )


def is_named_in(text: str, known: Identifiers) -> bool:
    """Whether a text that a machine wrote holds a value that names somebody."""
    plain = text.casefold()
    return any(len(value) >= FEWEST_LETTERS and value.casefold() in plain for value in known.values)


def residue(
    header: bytes, pixels: bytes, known: Identifiers, *, ours: frozenset[str] = frozenset()
) -> bool:
    """Whether anything of `known` stands in a file as written.

    Parameters
    ----------
    header, pixels : bytes
        The file up to its pixel values, and these.
    known : Identifiers
        Of the original.
    ours : frozenset of str
        What was written on purpose: trial, site and subject.
    """
    few = _are_few(known.values)
    values = (_sought_of if few else _sought_of.__wrapped__)(known.values, ours)
    uids = {uid for uid in known.uids if len(uid) >= SHORTEST} - ours
    # Regions name a thousand slices by their UIDs: these are looked up, not looked for.
    digits = _digits_in(header)
    if not (uids.isdisjoint(digits) and values.isdisjoint(digits)):
        return True
    sought = (_forms_of if _are_few(values) else _forms_of.__wrapped__)(values)
    if _may_hold(header, sought.begins) and _is_in(header, sought.texts, sought.in_base64):
        return True
    # Few are no digits, so few are looked for as text.
    strange = [form for uid in uids if not _UID.fullmatch(uid) for form in _encoded(uid)]
    if _is_in(header, [*sought.short, *strange], [form for u in uids for form in _in_base64(u)]):
        return True
    in_pixels = [form for uid in uids if _is_told_in_pixels(uid) for form in _encoded(uid)]
    begins = sought.pixel_begins.union(form[:SHORTEST_IN_PIXELS] for form in in_pixels)
    if not _may_hold(pixels, begins):
        return False
    below = pixels.lower()
    return any(form in below for form in chain(sought.in_pixels, in_pixels))


def _is_in(header: bytes, texts: Iterable[bytes], in_base64: Iterable[bytes]) -> bool:
    """Whether one of these forms of a text, or of its base64, stands there: each is looked for."""
    plain, lettered = header.lower(), _lettered(header)
    return any(form in plain and _stands(plain, form) for form in texts) or any(
        form in lettered for form in in_base64
    )


def _are_few(values: frozenset[str]) -> bool:
    """Whether what is made of values is remembered; it is made anew where they are long."""
    return sum(map(len, values)) <= LONGEST_REMEMBERED


@lru_cache(16)
def _sought_of(values: frozenset[str], ours: frozenset[str]) -> frozenset[str]:
    return frozenset(value for value in values if len(value) >= SHORTEST) - ours


@dataclass(frozen=True, slots=True)
class _Forms:
    """What values are looked for as: texts, base64, and in pixels; and how each begins.

    `short` are texts that are too short to be looked up by their beginning.
    """

    texts: tuple[bytes, ...]
    short: tuple[bytes, ...]
    in_base64: tuple[bytes, ...]
    begins: frozenset[bytes]
    in_pixels: tuple[bytes, ...]
    pixel_begins: frozenset[bytes]


@lru_cache(16)
def _forms_of(values: frozenset[str]) -> _Forms:
    # Digits are looked up as whole runs.
    texts = {form for value in values if not _UID.fullmatch(value) for form in _encoded(value)}
    in_base64 = {form for value in values for form in _in_base64(value)}
    told = {form for value in values if _is_told_in_pixels(value) for form in _encoded(value)}
    long = {form for form in texts if len(form) >= LOOKED_UP}
    return _Forms(
        texts=tuple(long),
        short=tuple(texts - long),
        in_base64=tuple(in_base64),
        begins=frozenset(form[:LOOKED_UP].lower() for form in long | in_base64),
        in_pixels=tuple(told),
        pixel_begins=frozenset(form[:SHORTEST_IN_PIXELS] for form in told),
    )


def _is_told_in_pixels(value: str) -> bool:
    return len(value) >= SHORTEST_IN_PIXELS and len(set(value)) >= FEWEST_LETTERS


def _may_hold(data: bytes, begins: frozenset[bytes]) -> bool:
    """Whether `data` may hold one of these beginnings of seven bytes or more, large or small.

    Wherever one begins, four of it, from one of the first four on, lie at a multiple of four
    from the beginning of `data`: so each word of four there is looked up, half by half. Around one
    that is of a beginning all are compared; where many are, the exact search is to say.
    """
    first, second = _halves(begins)
    words = np.frombuffer(data, "<u2", len(data) // WORD * 2).reshape(-1, 2)
    at = np.flatnonzero((first != 0).take(words[:, 0]))
    at = at[(first[words[at, 0]] & second[words[at, 1]]) != 0]
    if at.size > MANY:
        return True
    lengths = {len(begin) for begin in begins}
    places = (max(WORD * one - back, 0) for one in at.tolist() for back in range(WORD))
    return any(data[one : one + n].lower() in begins for one in places for n in lengths)


@lru_cache(16)
def _halves(begins: frozenset[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """For each two bytes, a bit for each place where they are half a word of a beginning.

    Forms are in small letters, and data are searched for both.
    """
    halves = np.zeros((2, 2**16), np.uint8)
    for begin, place, half in product(begins, range(WORD), range(2)):
        one, other = begin[place + 2 * half : place + 2 * half + 2]
        for low, high in product({one, *bytes([one]).upper()}, {other, *bytes([other]).upper()}):
            halves[half, low | high << 8] |= 1 << place
    return halves[0], halves[1]


def words_of(text: str) -> set[str]:
    return {word for word in re.split(r"[\W_]+", text.casefold()) if len(word) >= 3}


def is_a_vendor(text: str) -> bool:
    words = words_of(text)
    return bool(words) and words <= VENDORS


def _is_of_scanners(text: str) -> bool:
    """Whether a place or number has only words of scanners: a room is often called PET/CT."""
    words = words_of(text)
    return bool(words) and words <= _SCANS


# Of each element that may name somebody, or that is a UID, keyword and texts.
Said = tuple[tuple[str, tuple[str, ...]], ...]


def _texts(ds: Dataset, depth: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    # To iterate over the data set itself would convert every value, hostile ones too.
    elements = Elements(ds)
    for tag in elements:
        if _speaks(tag):
            yield from elements.tell(tag, _said, depth)


def _said(ds: Dataset, tag: int, depth: int) -> Said:
    keyword = keyword_for_tag(tag)
    if dictionary_VR(tag) != "SQ":
        return ((keyword, tuple(parts_of(ds[tag].value))),)
    items = ds[tag].value or () if depth else ()
    return tuple(one for item in items for one in _texts(item, depth - 1))


_SOUGHT = PERSONS | NUMBERS | PLACES | TEXTS | {BIRTH}


def names_somebody(tag: int) -> bool:
    """Whether an element may name somebody, or has items that may."""
    return _speaks(tag) and dictionary_VR(tag) != "UI"


@lru_cache(4096)
def _speaks(tag: int) -> bool:
    """Whether an element may name somebody, or is a UID, or has items that may."""
    keyword = keyword_for_tag(tag)
    return bool(keyword) and (keyword in _SOUGHT or dictionary_VR(tag) in {"SQ", "UI"})


def parts_of(value: Any) -> list[str]:
    """The parts of a value as text; private ones may arrive as bytes padded with NUL."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str):
        value = value.split("\\")
    if value is None:
        return []
    # A PersonName iterates over its letters.
    many = value if isinstance(value, (list, MultiValue)) else [value]
    return [text for part in many if (text := str(part).strip(" \0\t\r\n"))]


def _forms_of_date(text: str) -> Iterator[str]:
    """A date of birth as people and machines write it."""
    try:
        day = date.fromisoformat(text.replace(".", ""))
    except ValueError:
        return
    yield from (day.strftime(form) for form in ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"))
    yield from (day.strftime(form) for form in ("%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d%b%Y"))


def _encoded(value: str) -> frozenset[bytes]:
    return (_forms if len(value) <= LONGEST else _forms.__wrapped__)(value)


@lru_cache(1024)
def _forms(value: str) -> frozenset[bytes]:
    """A value as bytes in small letters, in every encoding a machine may have written it in."""
    small = value.lower()
    return frozenset(
        {
            small.encode(),
            small.encode("latin-1", "replace"),
            small.encode("utf-16-le"),
            small.encode("utf-16-be"),
        }
    )


def _in_base64(value: str) -> tuple[bytes, ...]:
    return (_base64 if len(value) <= LONGEST else _base64.__wrapped__)(value)


@lru_cache(1024)
def _base64(value: str) -> tuple[bytes, ...]:
    """What of a value's base64 is the same wherever it begins within three bytes."""
    text = value.encode()
    return tuple(
        base64.b64encode(bytes(before) + text)[whole : (before + len(text)) * 8 // 6]
        for before, whole in ((0, 0), (1, 2), (2, 3))
    )


_UID = re.compile(r"[0-9.]+")


def _digits_in(data: bytes) -> set[str]:
    """Every whole run of digits and dots, in one byte a letter or in two."""
    runs = set(re.findall(rb"[0-9.]{%d,}" % SHORTEST, data))
    # Looked for among digits and zeros alone first: most headers have none, and are done with.
    kinds = data.translate(_KINDS)
    for pair, kind in _WIDE:
        if kind in kinds:
            runs |= {run.replace(b"\0", b"") for run in pair.findall(data)}
    return {run.decode() for run in runs}


# Digits and dots are "1", zeros "0", and all others "2".
_KINDS = bytes(49 if byte in b"0123456789." else 48 if byte == 0 else 50 for byte in range(256))
_WIDE = (
    (re.compile(rb"(?:[0-9.]\0){%d,}" % SHORTEST), b"10" * SHORTEST),
    (re.compile(rb"(?:\0[0-9.]){%d,}" % SHORTEST), b"01" * SHORTEST),
)


def _lettered(data: bytes) -> bytes:
    """The runs of base64's alphabet that have a letter, which base64 of any text has."""
    runs = re.findall(rb"[A-Za-z0-9+/]{%d,}" % SHORTEST, data)
    return b"\n".join(run for run in runs if not run.isdigit())


def _stands(data: bytes, form: bytes) -> bool:
    """Whether `form` stands in `data`, and not as a part of a longer number."""
    at = data.find(form)
    while at >= 0:
        around = data[at - 1 : at] + data[at + len(form) : at + len(form) + 1]
        if not set(around) & set(b"0123456789."):
            return True
        at = data.find(form, at + 1)
    return False
