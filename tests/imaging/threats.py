"""Every threat to an upload, made: what is sent, which way, and the one verdict on it.

The numbers are those of the catalogue of threats, T1 to T42. A threat is of one of four kinds:
a file that is judged by itself, slices that are judged as a series, files that are judged as a
transmittal, or a request that is answered at the door. No two files share a SOP Instance UID
unless that is the threat, so any of them may lie beside any other.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    MPEG2MPML,
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from imaging.elements import DEEPEST
from imaging.parser_child import encoded
from tests.imaging import answer_key, zips
from tests.imaging.conftest import pet_dataset
from tests.imaging.zips import Member, archive

TITLES: Mapping[str, str] = {
    "T1": "Zip slip",
    "T2": "Symlink entry",
    "T3": "Flat bomb",
    "T4": "Lying size",
    "T5": "Nested archives",
    "T6": "60,000 entries",
    "T7": "Same entry name twice",
    "T8": "Cut, foreign or empty archive",
    "T9": "Script in a file name",
    "T10": "Junk next to images",
    "T11": "Preamble that is a program or a page",
    "T12": "Polyglot tail",
    "T13": "No preamble",
    "T14": "Cut header",
    "T15": "Cut pixels",
    "T16": "Length of 4 GB in half a kilobyte",
    "T17": "Deep nesting",
    "T18": "Nesting and an impossible VR",
    "T19": "200,000 items",
    "T20": "200,000 elements",
    "T21": "Deflate bomb",
    "T22": "Giant dimensions or frames",
    "T23": "Unknown or video syntax",
    "T24": "Path in a UID",
    "T25": "Envelope of another image",
    "T26": "Slice of another patient",
    "T27": "Wrong patient",
    "T28": "Two studies or series",
    "T29": "Wrong modality or class",
    "T30": "Broken geometry",
    "T31": "Same UID, other content",
    "T32": "Same file twice",
    "T33": "Burned in, screen save, PDF",
    "T34": "Identifiers everywhere",
    "T35": "Odd character sets",
    "T36": "Absurd inputs of an SUV",
    "T37": "Log flooding by the size of a message",
    "T38": "HTTP: huge Content-Length, gzip body, slow client",
    "T39": "Malicious metadata shown in the web",
    "T40": "Memory fault of a decoder",
    "T41": "Token of another site, or its patient",
    "T42": "Same upload sent twice",
}

# In every name, identifier and path of what is made here; it may turn up nowhere.
CANARY = "ZZTHREAT"
PATIENT = f"{CANARY}-0815"
SCRIPT = f"<script>alert('{CANARY}')</script>"
# The canary in letters that each need a character set of their own.
CANARIES = {
    "ISO_IR 100": "Zzthräät",
    "ISO_IR 101": "Zzthręąt",
    "ISO_IR 144": "Ззтхреат",
    "ISO_IR 126": "Ζζθρεατ",
    "ISO_IR 127": "ززثريات",
    "ISO_IR 138": "זזתריאת",
    "ISO_IR 192": "Ззтхреат 金絲雀",
    "GB18030": "金丝雀",
    "ISO 2022 IR 87": "金糸雀",
}
REJECTED, QUARANTINED, RELEASED = "rejected", "quarantined", "released"
UNPACKED = ("unpacked", "archive-unpacked")
FREE = (RELEASED, "")


@dataclass(frozen=True)
class File:
    """A file that gets its verdict whatever lies beside it: state and code of its row."""

    threat: str
    name: str
    data: bytes
    state: str
    code: str = ""
    # Of an archive that is opened: state and code of its entries, in their order.
    entries: tuple[tuple[str, str], ...] = ()
    # Why it is not taken over STOW-RS, as the store response says it; None where it is kept.
    at_the_door: int | None = None

    @property
    def verdict(self) -> tuple[str, str]:
        return self.state, self.code


@dataclass(frozen=True)
class Slices:
    """A series that is released and then judged: its state and code, of itself or its run."""

    threat: str
    name: str
    files: tuple[bytes, ...]
    state: str
    code: str = ""
    # What a page quotes of its headers; of what is no word of the vocabulary, nothing.
    quoted: str = ""


@dataclass(frozen=True)
class Bag:
    """Files that are judged together: state and code of their transmittal."""

    threat: str
    name: str
    files: tuple[bytes, ...]
    state: str
    code: str = ""
    asks: bool = False
    is_incident: bool = False
    # Series that come of it.
    series: int = 0


@dataclass(frozen=True)
class Later:
    """Files that come after others were released: the verdict on those that come later."""

    threat: str
    name: str
    first: tuple[bytes, ...]
    then: tuple[bytes, ...]
    state: str
    code: str
    is_of_another: bool = False
    is_incident: bool = False


@dataclass(frozen=True)
class Request:
    """A request that is answered at the door, whichever address it is sent to."""

    threat: str
    name: str
    status: int
    headers: Mapping[str, str]


class Numbers:
    """UIDs and instance numbers that nothing else has."""

    def __init__(self, start: int) -> None:
        self.last = start

    def __call__(self) -> int:
        self.last += 1
        return self.last


def image(number: int, *, series: int | None = None, **changes) -> Dataset:
    """A slice of the patient; of a series of its own unless one is named."""
    ds = copy.deepcopy(pet_dataset())
    series = number if series is None else series
    ds.SOPInstanceUID, ds.InstanceNumber = f"1.2.3.9.{number}", str(number)
    ds.SeriesInstanceUID, ds.SeriesNumber = f"1.2.3.8.{series}", str(series)
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = f"{CANARY}^Anna", PATIENT, "19610423"
    ds.PixelData = np.full(20, number % 1000, "<i2").tobytes()
    for keyword, value in changes.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    return ds


def stack(number: int, count: int, **changes) -> list[Dataset]:
    """A regular series, 3 mm apart."""
    return [
        image(number * 1000 + n, series=number, ImagePositionPatient=[0, 0, 3 * n], **changes)
        for n in range(count)
    ]


# ------------------------------------------------------------------ broken files, byte by byte


def inserted(data: bytes, elements: bytes, *, before: bytes) -> bytes:
    """`elements` among those of the header, before the tag given as it stands in the file."""
    place = data.index(before)
    return data[:place] + elements + data[place:]


BEFORE_NAME = b"\x10\x00\x10\x00PN"
BEFORE_STUDY = b"\x20\x00\x0d\x00UI"


def nested(data: bytes, depth: int, *, kind: bytes = b"ZZ") -> bytes:
    """A file with such a nest before its Study Instance UID."""
    return inserted(data, nest(depth, kind), before=BEFORE_STUDY)


def nest(depth: int, kind: bytes = b"ZZ") -> bytes:
    """Sequences of undefined length in each other, around an element of a kind that is none."""
    return within(b"\x18\0\x30\x10" + kind + b"\x02\0ab", depth)


def within(element: bytes, depth: int) -> bytes:
    """An element in as many sequences, each of undefined length and with one item."""
    opening = b"\x18\x00\x12\x90SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    return opening * depth + element + closing * depth


def claiming_four_gigabytes(data: bytes) -> bytes:
    claim = b"\x09\x00\x10\x10OB\0\0\xfe\xff\xff\xff"
    return inserted(data, claim, before=BEFORE_NAME)


@cache
def _many_elements(count: int) -> bytes:
    return b"".join(
        (0x0019 + 2 * (n // 60000)).to_bytes(2, "little")
        + (0x1000 + n % 60000).to_bytes(2, "little")
        + b"LO\0\0"
        for n in range(count)
    )


def with_elements(data: bytes, count: int) -> bytes:
    return inserted(data, _many_elements(count), before=BEFORE_STUDY)


def with_items(data: bytes, count: int) -> bytes:
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * count
    sequence = b"\x18\x00\x12\x90SQ\0\0" + len(items).to_bytes(4, "little") + items
    return inserted(data, sequence, before=BEFORE_STUDY)


@cache
def zeros_deflated(mebibytes: int) -> bytes:
    """So many MiB of zeros, deflated: one block, again and again."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = engine.compress(bytes(2**20)) + engine.flush(zlib.Z_FULL_FLUSH)
    again = engine.compress(bytes(2**20)) + engine.flush(zlib.Z_FULL_FLUSH)
    return first + again * (mebibytes - 1) + engine.flush()


def deflate_bomb(ds: Dataset, mebibytes: int) -> bytes:
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    plain = encoded(ds)
    return plain[:400] + zeros_deflated(mebibytes)


def as_syntax(ds: Dataset, syntax: str) -> bytes:
    """A file that says it is encoded otherwise than it is."""
    data, own = encoded(ds), ExplicitVRLittleEndian.encode()
    told = UID(syntax).encode()
    told += b"\0" * (len(told) % 2)
    was = b"\x02\x00\x10\x00UI" + (len(own) + 1).to_bytes(2, "little") + own + b"\0"
    new = b"\x02\x00\x10\x00UI" + len(told).to_bytes(2, "little") + told
    assert was in data
    longer = len(new) - len(was)
    length = int.from_bytes(data[140:144], "little") + longer
    return data[:140] + length.to_bytes(4, "little") + data[144:].replace(was, new, 1)


def with_preamble(ds: Dataset, start: bytes) -> bytes:
    return start.ljust(128, b"\0")[:128] + encoded(ds)[128:]


def broken_run_length(ds: Dataset, frame: bytes) -> bytes:
    """A compressed slice whose one frame is `frame`."""
    ds.compress(RLELossless, ds.pixel_array, encoding_plugin="pydicom")
    item = b"\xfe\xff\x00\xe0"
    ds.PixelData = (
        item + bytes(4) + item + len(frame).to_bytes(4, "little") + frame
        + b"\xfe\xff\xdd\xe0" + bytes(4)
    )  # fmt: skip
    return encoded(ds)


def run_length_header(segments: int, *offsets: int) -> bytes:
    numbers = [segments, *offsets]
    return b"".join(n.to_bytes(4, "little") for n in numbers).ljust(64, b"\0")


# ------------------------------------------------------------------ files judged by themselves


@cache
def files() -> list[File]:
    """Every threat that is a file, in the order of the catalogue."""
    number = Numbers(0)
    made = [*_archives(number), *_broken(number), *_of_identity(number)]
    return [_with_door(one) for one in sorted(made, key=lambda one: int(one.threat[1:]))]


# Failure reasons of PS3.18 table I.2-2: what a sender is told before anything is parsed.
NOT_UNDERSTOOD, NO_CLASS, NO_SYNTAX = 0xC000, 0x0122, 0xC122
_DOOR = {
    "not-dicom": NOT_UNDERSTOOD,
    "sop-class-unsupported": NO_CLASS,
    "transfer-syntax-unsupported": NO_SYNTAX,
}
_OTHER_DOOR = {
    # Cut within what says what it is.
    ("T14", "140 bytes"): NOT_UNDERSTOOD,
    ("T14", "300 bytes"): NOT_UNDERSTOOD,
    ("T24", "SOPInstanceUID"): NOT_UNDERSTOOD,
    ("T25", "class"): NO_CLASS,
}


def _with_door(one: File) -> File:
    door = _DOOR.get(one.code)
    if one.data[128:132] != b"DICM":
        door = NOT_UNDERSTOOD
    return replace(one, at_the_door=_OTHER_DOOR.get((one.threat, one.name), door))


def _archives(number: Numbers) -> Iterator[File]:
    for name, (code, members) in zips.HOSTILE.items():
        if name.startswith("T"):
            yield File(name.split()[0], name, archive(members), REJECTED, code)
    bomb = [Member("bomb", zeros_deflated(512), method=8, is_packed=True, size=512 * 2**20)]
    yield File("T3", "512 MB of half a MB", archive(bomb), REJECTED, "archive-entry-too-large")
    yield File("T4", "512 MB told as 100", archive([_told_small()]), REJECTED,
               "archive-size-differs")  # fmt: skip
    yield _opened("T5", "an archive within", number, [Member("inner.zip", archive(zips.IMAGES))],
                  inside=[(REJECTED, "archive-nested")])  # fmt: skip
    yield File("T5", "nothing but an archive within", archive([Member("a.zip", archive([]))]),
               REJECTED, "archive-empty")  # fmt: skip
    many = [Member(f"IM{n}", b"x", method=0) for n in range(60_000)]
    yield File("T6", "60,000 entries", archive(many), REJECTED, "archive-too-many")
    whole = archive(zips.IMAGES)
    yield File("T8", "cut", whole[:-30], REJECTED, "archive-truncated")
    yield File("T8", "foreign", b"Rar!\x1a\x07\x01\x00" + bytes(99), REJECTED, "archive-foreign")
    yield File("T8", "empty", archive([]), REJECTED, "archive-empty")
    yield File("T8", "no image", archive([Member("readme.txt", b"x")]), REJECTED, "archive-empty")
    yield File("T8", "no zip", b"a letter that is called scan.zip", REJECTED, "not-dicom")
    yield File("T8", "an empty file", b"", REJECTED, "not-dicom")
    yield _opened("T9", "script in the name of an entry", number, [], named=f"{SCRIPT}.dcm")
    junk = ["DICOMDIR", "__MACOSX/._IM0001", "scan/.DS_Store", "Thumbs.db", f"{CANARY}.txt"]
    yield _opened("T10", "junk", number, [Member(name, b"x") for name in junk])
    letter = Member(f"{CANARY} letter", b"Dear Sir")
    yield _opened("T10", "a letter", number, [letter], inside=[(REJECTED, "not-dicom")])


def _told_small() -> Member:
    return Member("bomb", zeros_deflated(512), method=8, is_packed=True, size=100)


def _opened(
    threat: str,
    name: str,
    number: Numbers,
    others: Sequence[Member],
    *,
    inside: Sequence[tuple[str, str]] = (),
    named: str = f"{CANARY}^Anna/IM1",
) -> File:
    """An archive with one image and what else is in it."""
    members = [Member(named, encoded(image(number()))), *others]
    return File(threat, name, archive(members), *UNPACKED, entries=(FREE, *inside))


def _broken(number: Numbers) -> Iterator[File]:
    def plain(**changes) -> bytes:
        return encoded(image(number(), **changes))

    for name, start in {
        "PE": b"MZ\x90\x00", "ELF": b"\x7fELF\x02\x01\x01", "HTML": f"<html>{SCRIPT}".encode(),
        "zip": b"PK\x03\x04", "TIFF": b"II*\x00",
    }.items():  # fmt: skip
        yield File("T11", name, with_preamble(image(number()), start), *FREE)
    # What stands behind the image is not written anew.
    for name, tail in {
        "zip": archive([Member(f"../{CANARY}", CANARY.encode() * 9)]), "text": SCRIPT.encode(),
    }.items():  # fmt: skip
        yield File("T12", f"{name} behind it", plain() + tail, *FREE)
    yield File("T12", "elements behind it", plain() + _many_elements(20_000), REJECTED,
               "too-many-elements")  # fmt: skip
    yield File("T13", "no preamble", plain()[128:], REJECTED, "not-dicom")
    yield File("T13", "no preamble, no letters", plain()[132:], REJECTED, "not-dicom")
    for length, code in {
        140: "transfer-syntax-unsupported", 300: "sop-class-unsupported",
        700: "dimensions-implausible",
    }.items():  # fmt: skip
        yield File("T14", f"{length} bytes", plain()[:length], REJECTED, code)
    yield File("T14", "before a tag of pixels", _cut_before_pixels(plain()), REJECTED,
               "no-pixel-data")  # fmt: skip
    yield File("T15", "two bytes short", plain()[:-2], REJECTED, "pixel-data-length")
    yield File("T15", "a pixel short", plain(PixelData=bytes(38)), REJECTED, "pixel-data-length")
    yield File("T16", "four gigabytes", claiming_four_gigabytes(plain()), REJECTED,
               "value-too-long")  # fmt: skip
    for depth in (400, 1000, 50_000):
        yield File("T17", f"{depth} deep", nested(plain(), depth, kind=b"SH"), REJECTED,
                   "nested-too-deep")  # fmt: skip
    yield File("T17", "1,000 deep behind the pixels", plain() + nest(1000, b"SH"), REJECTED,
               "nested-too-deep")  # fmt: skip
    yield File("T18", "15 deep", nested(plain(), 15), REJECTED, "nested-too-deep")
    yield File("T18", "15 deep behind the pixels", plain() + nest(15), REJECTED,
               "nested-too-deep")  # fmt: skip
    yield File("T18", "as deep as may be", nested(plain(), DEEPEST), *FREE)
    yield File("T19", "200,000 items", with_items(plain(), 200_000), REJECTED, "too-many-elements")
    yield File("T20", "200,000 elements", with_elements(plain(), 200_000), REJECTED,
               "too-many-elements")  # fmt: skip
    yield File("T21", "1 GiB", deflate_bomb(image(number()), 1024), REJECTED,
               "transfer-syntax-unsupported")  # fmt: skip
    yield File("T22", "dimensions", plain(Rows=65535, Columns=65535), REJECTED,
               "dimensions-implausible")  # fmt: skip
    yield File("T22", "frames", plain(NumberOfFrames="2147483647"), REJECTED, "multi-frame")
    for syntax in (MPEG2MPML, UID("1.2.3"), JPEG2000Lossless):
        yield File("T23", syntax, as_syntax(image(number()), syntax), REJECTED,
                   "transfer-syntax-unsupported")  # fmt: skip
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        yield File("T24", keyword, plain(**{keyword: "../../../../etc/cron.d/zz"}), REJECTED,
                   "uid-invalid")  # fmt: skip
    for name, part in {"instance": b"1.2.3.9.", "class": b"5.1.4.1.1.128"}.items():
        other = plain().replace(part, part.replace(b"1", b"2"), 1)
        yield File("T25", name, other, REJECTED, "file-meta-contradicts")
    yield File("T29", "CT in PET", plain(Modality="CT"), REJECTED, "modality-contradicts")
    yield File("T29", "PET in CT", plain(SOPClassUID=CTImageStorage), REJECTED,
               "modality-contradicts")  # fmt: skip
    yield File("T29", "MR", plain(SOPClassUID=MRImageStorage, Modality="MR"), REJECTED,
               "sop-class-unsupported")  # fmt: skip
    yield File("T33", "PDF", plain(SOPClassUID=EncapsulatedPDFStorage, Modality="DOC"), REJECTED,
               "sop-class-unsupported")  # fmt: skip
    yield File("T33", "secondary capture", plain(SOPClassUID=SecondaryCaptureImageStorage),
               REJECTED, "sop-class-unsupported")  # fmt: skip
    for depth in (9, 12):
        yield File("T37", f"{depth} deep", nested(plain(), depth), REJECTED,
                   "nested-too-deep")  # fmt: skip
    for name, frame in {
        "offset beyond": run_length_header(2, 64, 2**31) + bytes(40),
        "255 segments": run_length_header(255, *([64] * 15)) + bytes(40),
        "no header": b"\x02",
        "nothing": b"",
    }.items():
        yield File("T40", name, broken_run_length(image(number()), frame), REJECTED, "not-readable")
    bomb = run_length_header(2, 64, 64 + 2**20) + b"\x81\0" * 2**20
    yield File("T40", "128 MB of 2", broken_run_length(image(number()), bomb), REJECTED,
               "pixel-data-length")  # fmt: skip


def _cut_before_pixels(data: bytes) -> bytes:
    return data[: data.index(b"\xe0\x7f\x10\x00OW")]


def _of_identity(number: Numbers) -> Iterator[File]:
    """Images that pass, and whose patient must not."""
    for planted in answer_key.files():
        if planted.items[0].answer is not answer_key.Answer.HELD:
            yield File("T34", planted.name, encoded(_renamed(planted.dataset, number())), *FREE)
    for charset, name in CANARIES.items():
        ds = image(number(), SpecificCharacterSet=charset, PatientName=f"{name}^{name}")
        ds.SeriesDescription = ds.PatientComments = name
        yield File("T35", charset, encoded(ds), *FREE)
    # What a character set can't be read as is read by the next best, and gone all the same.
    for charset in ("NONSENSE", "ISO_IR 192\\ISO 2022 IR 87", "", "ISO 2022 IR 999"):
        ds = image(number(), PatientComments=CANARY)
        data = inserted(encoded(ds), _charset(charset), before=b"\x08\x00\x08\x00CS")
        yield File("T35", f"told {charset or 'nothing'}", data, *FREE)
    implicit = image(number(), SeriesDescription=SCRIPT, Manufacturer=SCRIPT, PatientSize="1.7")
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    yield File("T39", "script in what is shown", encoded(implicit), *FREE)


def _charset(text: str) -> bytes:
    told = text.encode() + b" " * (len(text) % 2)
    return b"\x08\x00\x05\x00CS" + len(told).to_bytes(2, "little") + told


def _renamed(ds: Dataset, number: int) -> Dataset:
    """A file of the answer key as one of the patient of the others."""
    own = image(number)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID"):
        setattr(ds, keyword, getattr(own, keyword))
    # Of the same age too: the key has patients of any.
    ds.PatientBirthDate = own.PatientBirthDate
    ds.pop("PatientAge", None)
    return ds


# ------------------------------------------------------------------ series, once they are released

REFUSED, QUANTIFIED = "refused", "quantified"
SCREEN_SAVE = ["DERIVED", "SECONDARY", "SCREEN SAVE"]


@cache
def series() -> list[Slices]:
    """Threats that lie in several slices together, each a series of one study."""
    return [*_geometries(Numbers(100)), *_suv_inputs(Numbers(200))]


def _geometries(number: Numbers) -> Iterator[Slices]:
    def told(name: str, slices: Sequence[Dataset], code: str) -> Slices:
        return Slices("T30", name, _written(slices), REFUSED, code)

    gap = stack(number(), 6)
    del gap[3]
    yield told("missing slice", gap, "missing-slices")
    uneven = stack(number(), 4)
    uneven[2].ImagePositionPatient = [0, 0, 6.5]
    yield told("uneven spacing", uneven, "uneven-spacing")
    double = stack(number(), 4)
    double[2].ImagePositionPatient = double[1].ImagePositionPatient
    yield told("duplicate position", double, "duplicate-positions")
    matrix = stack(number(), 3)
    matrix[1].Rows, matrix[1].Columns = 5, 4
    yield told("inconsistent matrix", matrix, "mixed-matrix")
    turned = stack(number(), 3)
    turned[1].ImageOrientationPatient = [0, 1, 0, -1, 0, 0]
    yield told("inconsistent orientation", turned, "mixed-orientation")
    spaced = stack(number(), 3)
    spaced[1].PixelSpacing = [5, 5]
    yield told("inconsistent spacing", spaced, "mixed-spacing")
    framed = stack(number(), 3)
    framed[1].FrameOfReferenceUID = "1.2.9.9"
    yield told("inconsistent frame of reference", framed, "mixed-frame-of-reference")


def _suv_inputs(number: Numbers) -> Iterator[Slices]:
    """The twelve absurd inputs: of each a series that gives no number, or one with its flag."""
    changes = {
        "weight 0": ({"PatientWeight": "0"}, "weight-missing"),
        "weight missing": ({"PatientWeight": None}, "weight-missing"),
        "weight of an elephant": ({"PatientWeight": "999"}, "weight-implausible"),
        "dose 0": ({"RadionuclideTotalDose": "0"}, "dose-missing"),
        "dose missing": ({"RadionuclideTotalDose": None}, "dose-missing"),
        "dose of a reactor": ({"RadionuclideTotalDose": "1e15"}, "dose-implausible"),
        "half-life of another nuclide": ({"RadionuclideHalfLife": "4062.6"}, "half-life-disputed"),
        "half-life negative": ({"RadionuclideHalfLife": "-6586.2"}, "half-life-missing"),
        "units of nothing": ({"Units": None}, "units-unsupported"),
        "not attenuation-corrected": ({"CorrectedImage": ["DECY"]}, "not-attenuation-corrected"),
        "slope 0": ({"RescaleSlope": "0"}, "rescale-slope-missing"),
        "injected after the scan": (
            {"RadiopharmaceuticalStartDateTime": "20260301123000",
             "RadiopharmaceuticalStartTime": "123000"}, "uptake-implausible"),
    }  # fmt: skip
    for name, (given, code) in changes.items():
        slices = stack(number(), 3)
        for ds in slices:
            for keyword, value in given.items():
                _put(ds, keyword, value)
        yield Slices("T36", name, _written(slices), REFUSED, code)
    script = [_with_units(ds) for ds in stack(number(), 3)]
    yield Slices("T39", "script in the units", _written(script), REFUSED, "units-unsupported",
                 quoted="CM2ML, got nothing.")  # fmt: skip
    words = stack(number(), 3, Units="PROPCPS")
    yield Slices("T39", "a word of the vocabulary", _written(words), REFUSED, "units-unsupported",
                 quoted="CM2ML, got PROPCPS.")  # fmt: skip


def _put(ds: Dataset, keyword: str, value: str | list[str] | None) -> None:
    """Set or delete an attribute where it stands: of the image or of its tracer."""
    tracer = ds.RadiopharmaceuticalInformationSequence[0]
    place = tracer if keyword in tracer else ds
    if value is None:
        del place[keyword]
    else:
        setattr(place, keyword, value)


def _with_units(ds: Dataset) -> Dataset:
    ds.Units = "<IMG SRC=ZZ>"
    ds.Manufacturer = ds.SeriesDescription = SCRIPT
    return ds


def _written(slices: Sequence[Dataset]) -> tuple[bytes, ...]:
    return tuple(encoded(ds) for ds in slices)


# ------------------------------------------------------------------ transmittals


@cache
def bags() -> list[Bag]:
    """Threats that lie in files together, and decide about all of them."""
    number = Numbers(300)

    def two(**changes) -> tuple[bytes, ...]:
        """A slice as it should be, and one that is not."""
        series = number()
        one = image(series * 10, series=series)
        other = image(series * 10 + 1, series=series, ImagePositionPatient=[0, 0, 3], **changes)
        return _written([one, other])

    def both(**changes) -> tuple[bytes, ...]:
        return _written(stack(number(), 2, **changes))

    conflict = image(3999), image(3999, SeriesDescription="again")
    return [
        Bag("T26", "another's slice", two(PatientID=f"{CANARY}-0816"), QUARANTINED,
            "several-patients", asks=True, is_incident=True),
        Bag("T27", "sex, of one slice", two(PatientSex="M"), QUARANTINED, "sex-differs", asks=True),
        Bag("T27", "age", both(PatientBirthDate="20010101", PatientAge="025Y"), QUARANTINED,
            "age-differs", asks=True),
        Bag("T28", "two studies", two(StudyInstanceUID="1.2.77"), QUARANTINED, "several-studies"),
        Bag("T28", "two series", (*both(), *both()), QUANTIFIED, series=2),
        Bag("T31", "in one transmittal", _written(conflict), QUARANTINED, "image-known-otherwise",
            asks=True),
        Bag("T33", "burned in and screen saves",
            (*two(BurnedInAnnotation="YES"), *two(ImageType=SCREEN_SAVE)), QUARANTINED,
            "burned-in-annotation"),
        Bag("T33", "nothing but refused", (*_refused_kinds(number), b"a letter"), REJECTED,
            "dimensions-implausible"),
    ]  # fmt: skip


def _refused_kinds(number: Numbers) -> tuple[bytes, ...]:
    """Files that are refused, each for another reason."""
    changes: list[dict] = [{"Rows": 0}, {"SOPClassUID": EncapsulatedPDFStorage}]
    return _written([image(number() * 10, **one) for one in changes])


@cache
def later() -> list[Later]:
    """Threats that lie in what came before."""
    number = Numbers(400)
    first = stack(number(), 3)
    again = [image(int(first[1].InstanceNumber), series=401, SeriesDescription="again")]
    other = stack(number(), 2)
    mixed = stack(number(), 2)
    return [
        Later("T42", "the same once more", _written(first), _written(first), REJECTED,
              "nothing-new"),
        Later("T32", "the same under another wrapping", _written(first),
              (archive([Member("IM1", encoded(first[0]))]),), REJECTED, "nothing-new"),
        Later("T31", "other content under a UID that is released", _written(first),
              _written(again), QUARANTINED, "image-known-otherwise"),
        Later("T26", "images of a patient known otherwise", _written(other), _written(mixed),
              QUARANTINED, "patient-known-otherwise", is_of_another=True, is_incident=True),
    ]  # fmt: skip


# ------------------------------------------------------------------ requests


@cache
def requests() -> list[Request]:
    """What is answered before a byte of its body is read."""
    return [
        Request("T38", "a terabyte", 413, {"Content-Length": f"{2**40}"}),
        Request("T38", "a number of no end", 413, {"Content-Length": "9" * 30}),
        Request("T38", "gzip", 415, {"Content-Length": "20", "Content-Encoding": "gzip"}),
        Request("T38", "two encodings", 415,
                {"Content-Length": "20", "Content-Encoding": "gzip, br"}),
    ]  # fmt: skip


# Not made here: who asks is the threat. Of T38 the slow client is in tests/test_slow_clients.py.
ELSEWHERE = {"T41"}
