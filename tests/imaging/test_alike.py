"""What is made of an image by the pattern of another is what is made of it alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian

from imaging.alike import MOST_LESSONS, MOST_TRIES, MOST_VARYING, Answer, Patterns
from imaging.deidentification import DeidentificationPolicy
from imaging.parser_child import (
    REHEARSAL,
    as_json,
    deidentified,
    encoded,
    examined,
    inspect,
    looked_into,
    parsed,
    remade,
)
from tests.imaging.test_deidentification import POLICY
from tests.imaging.test_deidentification_mutants import IMAGES

SEED = 7265
SLICES = ("siemens", "ge", "philips", "in_utc")


def planted(ds: Dataset, tag: int, kind: str, value: bytes) -> None:
    value += (b"\0" if kind == "UI" else b" ") * (len(value) % 2)
    ds[tag] = RawDataElement(Tag(tag), kind, len(value), value, 0, False, True)


def a_slice(ds: Dataset, number: int) -> Dataset:
    """What differs from slice to slice in the files of a scanner."""
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{10**number}"
    ds.InstanceNumber = number
    ds.ImagePositionPatient = [-100.5, 7, f"{-3.25 * number:.6f}"]
    ds.SliceLocation = f"{-3.25 * number:.2f}"
    ds.AcquisitionTime = f"1{number:01}1500.{number}"
    ds.ContentDate, ds.ContentTime = "20260301", f"10150{number}"
    ds.FrameReferenceTime, ds.ActualFrameDuration = f"{1000 * number}", "120000"
    ds.RescaleSlope, ds.DecayFactor = f"1.{number}25", f"1.00{number}"
    planted(ds, 0x00280107, "US", bytes([number, 1]))
    ds.WindowWidth = number + 1
    planted(ds, 0x00291010, "OB", bytes(range(number, number + 40)))
    planted(ds, 0x00290010, "LO", b"SIEMENS CSA HEADER")
    values = np.random.default_rng(number).integers(0, 100, (ds.Rows, ds.Columns), np.int16)
    ds.PixelData = values.tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def a_series(name: str, count: int = 6) -> list[Dataset]:
    return [a_slice(IMAGES[name](), number) for number in range(1, count + 1)]


def alone(data: bytes, policy: DeidentificationPolicy = POLICY) -> Answer:
    """What is made of it in a process that has seen no other."""
    return examined(data, policy, Patterns())


def is_the_same_for_all(files: Iterable[bytes], patterns: Patterns | None = None) -> int:
    """Compare each with what it becomes alone; how many were made by a pattern."""
    patterns, count = patterns or Patterns(), 0
    for data in files:
        count += patterns.made(data, POLICY) is not None
        made, expected = examined(data, POLICY, patterns), alone(data)
        assert made == expected
        assert list(made[0].get("made", {}).items()) == list(expected[0].get("made", {}).items())
    return count


@pytest.mark.parametrize("name", SLICES)
def test_slices_of_a_series_are_made_by_the_pattern_of_the_first_two(name):
    series = [encoded(ds) for ds in a_series(name, 7)]
    assert is_the_same_for_all(series) == 5
    assert all(alone(data)[0]["verdict"] == "accepted" for data in series)


@pytest.mark.reference
def test_slices_with_the_headers_of_real_scanners_are_too(reference_data):
    found = []
    for file in sorted((reference_data / "pet_headers").glob("*.dcm")):
        series = []
        for number in range(1, 6):
            ds = pydicom.dcmread(file)
            ds.Rows = ds.Columns = 4
            ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
            series.append(encoded(a_slice(ds, number)))
        found.append(is_the_same_for_all(series))
    assert len(found) > 27
    assert found.count(3) > 20


TAGS = [
    (0x00080008, "CS"),
    (0x00080018, "UI"),
    (0x00020003, "UI"),
    (0x0020000D, "UI"),
    (0x00083010, "UI"),
    (0x00080022, "DA"),
    (0x00080020, "DA"),
    (0x00080012, "DA"),
    (0x0008002A, "DT"),
    (0x00080032, "TM"),
    (0x00200013, "IS"),
    (0x00200032, "DS"),
    (0x00281053, "DS"),
    (0x00280103, "US"),
    (0x00280101, "US"),
    (0x00541300, "DS"),
    (0x00541330, "US"),
    (0x00280107, "US"),
    (0x00281051, "DS"),
    (0x00291010, "OB"),
    (0x00191001, "LO"),
    (0x70531000, "DS"),
    (0x00100010, "PN"),
    (0x00101010, "AS"),
    (0x00101030, "DS"),
    (0x00080081, "ST"),
    (0x00204000, "LT"),
    (0x0008103E, "LO"),
    (0x00080005, "CS"),
    (0x00321064, "SQ"),
]
VALUES = [
    b"",
    b"1",
    b"-1.5",
    b"1\\2\\3",
    b"1\\2\\x",
    b"1e400",
    b"  7",
    b"20260302",
    b"19000101",
    b"20261345",
    b"101112",
    b"101112.25",
    b"20260301101112",
    b"1.2.3.4.5",
    b"1.2.840.10008.1.2",
    b"2.25.7",
    b"Schneider-Lang^Henriette",
    b"\1\0",
    b"ISO_IR 192",
    b"ORIGINAL\\PRIMARY",
    b"x" * 300,
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SLICES),
    st.lists(
        st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(VALUES)), max_size=2),
        min_size=4,
        max_size=7,
    ),
)
def test_slices_that_differ_in_anything_become_what_each_becomes_alone(name, several):
    files = []
    for ds, changes in zip(a_series(name, len(several)), several, strict=True):
        for (tag, kind), value in changes:
            holder = ds.file_meta if tag >> 16 == 2 else ds
            if kind == "SQ":
                ds.RequestedProcedureCodeSequence = [Dataset()]
                ds.RequestedProcedureCodeSequence[0].CodeMeaning = value.decode("latin-1")
            else:
                planted(holder, tag, kind, value)
        files.append(encoded(ds) if ds.file_meta.get("MediaStorageSOPInstanceUID") else b"")
    is_the_same_for_all(files)


@pytest.mark.parametrize("name", SLICES)
def test_bytes_that_differ_anywhere_are_made_as_alone(name):
    """Behind three sound slices, so that there is a pattern to be led astray."""
    chance, series = (
        random.Random(SEED),  # noqa: S311  no secret: a failure has to come again
        [encoded(ds) for ds in a_series(name, 4)],
    )
    patterns = Patterns()
    assert is_the_same_for_all(series, patterns) == 2
    for _ in range(100):
        data = bytearray(series[chance.randrange(4)])
        for _ in range(chance.randrange(1, 3)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(2)] = bytes(
                chance.randrange(256) for _ in range(chance.randrange(3))
            )
        assert examined(bytes(data), POLICY, patterns) == alone(bytes(data))


def hidden(series: Sequence[Dataset], what: str) -> bytes:
    ds = series[-1]
    if what == "pixels":
        name = str(ds.PatientName).encode() * 9
        ds.PixelData = name[: len(ds.PixelData)].ljust(len(ds.PixelData), b" ")
    elif what == "UID":
        ds.StudyID = ds.AccessionNumber = "123456"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.123456"
    else:
        ds.SliceLocation = "1234567"
    return encoded(ds)


@pytest.mark.requirement("R101")
@pytest.mark.parametrize("what", ["pixels", "UID", "number"])
def test_an_identifier_in_what_differs_is_found_as_ever(what):
    series = a_series("siemens")
    for ds in series:
        ds.Rows = ds.Columns = 16
        ds.PixelData = bytes(512)
        ds.PatientName, ds.PatientID = "Schneider-Lang^Henriette", "1234567"
    patterns = Patterns()
    last = hidden(series, what)
    assert is_the_same_for_all(map(encoded, series[:-1]), patterns) == 3
    assert is_the_same_for_all([last], patterns) == 0
    assert "made" not in alone(last)[0] or what == "UID"


def test_another_policy_is_another_pattern():
    series, patterns = [encoded(ds) for ds in a_series("ge")], Patterns()
    other = DeidentificationPolicy(b"o" * 32, 5, "OTHER", "S", "OTHER-1")
    for data in series:
        assert examined(data, POLICY, patterns) == alone(data)
        assert examined(data, other, patterns) == alone(data, other)


@pytest.mark.parametrize("name", SLICES)
def test_verdicts_alone_and_what_is_made_later_are_by_pattern_too(name):
    """Of images whose scan nobody named yet, and of those that a person lets through."""
    series = [encoded(ds) for ds in a_series(name)]
    patterns, later = Patterns(), Patterns()
    for number, data in enumerate([*series, series[-1][:-1]]):
        assert looked_into(data, patterns) == as_json(inspect(data))
        assert (patterns.made(data, REHEARSAL) is not None) is (1 <= number < len(series))
    for number, data in enumerate(series):
        assert remade(data, POLICY, later) == deidentified(parsed(data), POLICY)
        assert (later.made(data, POLICY) is not None) is (number >= 1)


def test_what_never_resembles_is_not_made_only_to_learn():
    patterns = Patterns()
    for number in range(MOST_LESSONS):
        assert patterns.is_learning
        ds = a_slice(IMAGES["ge"](), 1)
        ds.PatientName = f"Somebody^{number}"
        looked_into(encoded(ds), patterns)
    assert not patterns.is_learning


def test_no_more_is_learnt_than_said():
    series, patterns = a_series("ge", MOST_TRIES + 4), Patterns()
    for number, ds in enumerate(series):
        # Each differs in one more.
        for more in range(number):
            planted(ds, 0x00191001 + more, "LO", b"%d" % number)
        for more in range(number, MOST_VARYING):
            planted(ds, 0x00191001 + more, "LO", b"none")
        examined(encoded(ds), POLICY, patterns)
    assert patterns.made(encoded(series[-1]), POLICY) is None
