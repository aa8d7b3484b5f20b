"""Every row of the keep-list can be defended before the standard's own table."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from django.core.management import call_command
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.sr.codedict import codes

from imaging import ps315
from imaging.deidentification_table import (
    METHODS,
    PRIVATE_ROWS,
    ROWS,
    TABLE,
    Action,
    Option,
    as_markdown,
    as_text,
)
from imaging.ps315 import basic_profile

# What fulfils each action of the standard's table without any option (PS3.15 E.1.1): X removes,
# Z leaves it empty or writes what is nobody's, D writes that, U replaces by another UID.
FULFIL = {
    "X": set(),
    "Z": {Action.EMPTY, Action.WRITE},
    "D": {Action.WRITE},
    # Of a sequence, the UIDs in its items.
    "U": {Action.UID, Action.ITEMS},
}
KINDS = {
    Action.DATE: {"DA"},
    Action.INSTANT: {"DT"},
    Action.TIME: {"TM"},
    Action.UID: {"UI"},
    Action.STANDARD_UID: {"UI"},
    Action.AGE: {"AS"},
    Action.ITEMS: {"SQ"},
    Action.NUMBER: {"DS", "IS", "US", "UL", "FD", "US or SS"},
}


def needs_an_option(row) -> bool:
    """Whether the standard, without any option, would not let the row do what it does."""
    allowed = row.standard.replace("*", "").split("/")
    return bool(row.standard) and not any(row.action in FULFIL[one] for one in allowed)


@pytest.mark.requirement("R88")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_a_row_that_the_standard_would_remove_names_the_option_that_keeps_it(row):
    assert (row.option is not None) == needs_an_option(row)


@pytest.mark.requirement("R88")
@pytest.mark.parametrize("row", PRIVATE_ROWS, ids=lambda row: row.path)
def test_a_private_row_rests_on_safe_private_and_is_never_a_date_as_it_was(row):
    assert (row.standard, row.option) == ("X", Option.SAFE_PRIVATE)
    assert (row.representation, row.action) in {("DS", Action.NUMBER), ("DT", Action.INSTANT)}


# PS3.15 Table E.1-1, the columns of the options, as read in the catalogue of requirements:
# K keeps these with Retain Patient Characteristics, C changes those with Modified Dates.
CHARACTERISTICS = {"PatientWeight", "PatientSize", "PatientSex", "PatientAge"}


@pytest.mark.requirement("R88")
def test_each_option_keeps_what_the_standard_says_it_keeps():
    kept = {row.keyword for row in ROWS if row.option is Option.PATIENT_CHARACTERISTICS}
    assert kept == CHARACTERISTICS
    when = [row for row in ROWS if row.option is Option.MODIFIED_DATES]
    kinds = Counter(dictionary_VR(row.tag) for row in when)
    assert kinds.keys() == {"DA", "TM", "DT", "SH"}
    assert [row.keyword for row in when if dictionary_VR(row.tag) == "SH"] == [
        "TimezoneOffsetFromUTC"
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_a_row_says_why_and_fits_the_kind_of_its_attribute(row):
    assert row.reason.endswith(".")
    assert len(row.reason) > 15
    kind = dictionary_VR(row.tag)
    assert kind in KINDS.get(row.action, {kind})
    if kind in {"DA", "DT"}:
        assert row.action in {Action.DATE, Action.INSTANT, Action.EMPTY}
    if row.within:
        *above, sequence = row.within.split(".")
        holder = [one for one in ROWS if (one.keyword, one.within) == (sequence, ".".join(above))]
        assert len(holder) == 1


def test_no_row_stands_twice():
    assert len({row.path for row in (*ROWS, *PRIVATE_ROWS)}) == len(ROWS) + len(PRIVATE_ROWS)


@pytest.mark.parametrize(
    ("tag", "action"),
    [
        # PS3.15 2026c, Table E.1-1.
        ("PatientName", "Z"),
        ("PatientID", "Z/D"),
        ("PatientBirthDate", "Z"),
        ("PatientWeight", "X"),
        ("DecayCorrectionDateTime", "D"),
        ("SeriesDate", "X/D"),
        ("ContentDate", "Z/D"),
        ("AcquisitionDateTime", "X/Z/D"),
        ("FrameOfReferenceUID", "U"),
        ("ReferencedImageSequence", "X/Z/U*"),
        ("DeviceSerialNumber", "X/Z/D"),
        ("SeriesDescription", "X"),
        ("RescaleSlope", ""),
        (0x50123000, "X"),
        (0x60123000, "X"),
        (0x60120010, ""),
        (0x00291010, "X"),
    ],
)
def test_the_table_of_the_standard_is_the_one_published(tag, action):
    number = tag if isinstance(tag, int) else tag_for_keyword(tag)
    assert basic_profile(number) == action


def test_the_table_of_the_standard_is_whole():
    # 655 lines less the three ranges of groups.
    assert len(ps315._ACTIONS) == 652
    assert Counter(ps315._ACTIONS.values()).most_common(3) == [("X", 412), ("D", 93), ("U", 55)]


def test_options_are_codes_of_the_context_group():
    known = {code.value: code.meaning for code in codes.cid7050.concepts.values()}
    assert [one.meaning for one in METHODS] == [known[one.code] for one in METHODS]


@pytest.mark.parametrize(
    ("options", "expected"), [({}, as_text), ({"markdown": True}, as_markdown)]
)
def test_the_table_is_printed(options, expected):
    out = io.StringIO()
    call_command("deidentification_table", stdout=out, **options)
    assert out.getvalue().strip() == expected()
    for row in (*ROWS, *PRIVATE_ROWS):
        assert row.path in out.getvalue()
    assert TABLE in out.getvalue()
