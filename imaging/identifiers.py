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
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID_dictionary


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
    values, persons, words, uids = set[str](), set[str](), set[str](), set[str]()
    for keyword, texts in _texts(ds, DEEPEST):
        if keyword in _WORDED:
            words.update(*map(words_of, texts))
        if keyword in PERSONS:
            persons.update(texts)
        elif keyword in TEXTS:
            # "3D-RAMLA" is the name of a reconstruction too; what people type has more words.
            values.update(text for text in texts if len(words_of(text) - _SCANS) > 1)
        elif keyword == BIRTH:
            values.update(form for text in texts for form in _forms_of_date(text))
        elif keyword in NUMBERS or keyword in PLACES:
            values.update(text for text in texts if not _is_of_scanners(text))
        else:
            uids.update(text for text in texts if text not in UID_dictionary)
    persons = {name for name in persons if not is_a_vendor(name)}
    parts = {part for name in persons for part in re.split(r"[\^=]", name) if part}
    named = parts | {name.replace("^", " ").strip() for name in persons} | persons
    return Identifiers(
        values=frozenset(values | {name for name in named if not is_a_vendor(name)}),
        words=frozenset(words - VENDORS),
        uids=frozenset(uids),
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
    sought = {v for v in known.values | known.uids if len(v) >= SHORTEST} - ours
    # Regions name a thousand slices by their UIDs: these are looked up, not looked for.
    if _digits_in(header) & sought:
        return True
    plain = header.lower()
    if any(_stands(plain, form) for v in sought if not _UID.fullmatch(v) for form in _encoded(v)):
        return True
    lettered = _lettered(header)
    if any(form in lettered for value in sought for form in _in_base64(value)):
        return True
    forms = {
        form
        for value in sought
        if len(value) >= SHORTEST_IN_PIXELS and len(set(value)) >= FEWEST_LETTERS
        for form in _encoded(value)
    }
    if not _may_hold(pixels, forms):
        return False
    below = pixels.lower()
    return any(form in below for form in forms)


def _may_hold(data: bytes, forms: Iterable[bytes]) -> bool:
    """Whether `data` holds the first eight bytes of a form; one walk over `data` for all forms.

    They are taken two and two. Where the data have a first pair of any form, at an even or an odd
    place, the next pairs are looked at; what goes through that is for the exact search to say.
    """
    if len(data) < SHORTEST_IN_PIXELS:
        return False
    pairs = np.zeros((SHORTEST_IN_PIXELS // 2, 2**16), bool)
    for form in forms:
        for place, known in enumerate(pairs):
            one, other = form[2 * place : 2 * place + 2]
            # Forms are in small letters, and data are searched for both.
            for first in {one, *bytes([one]).upper()}:
                for second in {other, *bytes([other]).upper()}:
                    known[first | second << 8] = True
    for start in (0, 1):
        found = np.frombuffer(data, "<u2", (len(data) - start) // 2, start)
        at = np.flatnonzero(pairs[0][found[: max(len(found) - len(pairs) + 1, 0)]])
        for place, known in enumerate(pairs[1:], start=1):
            at = at[known[found[at + place]]]
        if at.size:
            return True
    return False


def words_of(text: str) -> set[str]:
    return {word for word in re.split(r"[\W_]+", text.casefold()) if len(word) >= 3}


def is_a_vendor(text: str) -> bool:
    words = words_of(text)
    return bool(words) and words <= VENDORS


def _is_of_scanners(text: str) -> bool:
    """Whether a place or number has only words of scanners: a room is often called PET/CT."""
    words = words_of(text)
    return bool(words) and words <= _SCANS


def _texts(ds: Dataset, depth: int) -> Iterator[tuple[str, list[str]]]:
    """Keyword and texts of every element that may name somebody, or that is a UID."""
    # To iterate over the data set itself would convert every value, hostile ones too.
    for tag in list(ds.keys()):
        keyword = keyword_for_tag(tag)
        if not keyword:
            continue
        kind = dictionary_VR(tag)
        if kind == "SQ" and depth:
            for item in ds[tag].value or ():
                yield from _texts(item, depth - 1)
        elif kind == "UI" or keyword in _SOUGHT:
            yield keyword, parts_of(ds[tag].value)


_SOUGHT = PERSONS | NUMBERS | PLACES | TEXTS | {BIRTH}


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


def _encoded(value: str) -> set[bytes]:
    """A value as bytes in small letters, in every encoding a machine may have written it in."""
    small = value.lower()
    return {
        small.encode(),
        small.encode("latin-1", "replace"),
        small.encode("utf-16-le"),
        small.encode("utf-16-be"),
    }


def _in_base64(value: str) -> Iterator[bytes]:
    """What of a value's base64 is the same wherever it begins within three bytes."""
    for before, whole in ((0, 0), (1, 2), (2, 3)):
        text = value.encode()
        end = (before + len(text)) * 8 // 6
        yield base64.b64encode(bytes(before) + text)[whole:end]


_UID = re.compile(r"[0-9.]+")


def _digits_in(data: bytes) -> set[str]:
    """Every whole run of digits and dots, in one byte a letter or in two."""
    runs = set(re.findall(rb"[0-9.]{%d,}" % SHORTEST, data))
    for pair in (rb"(?:[0-9.]\0){%d,}", rb"(?:\0[0-9.]){%d,}"):
        runs |= {run.replace(b"\0", b"") for run in re.findall(pair % SHORTEST, data)}
    return {run.decode() for run in runs}


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
