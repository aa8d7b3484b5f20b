"""A plain value is read and written as pydicom reads and writes it."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.tag import BaseTag

from imaging import header_elements, header_values
from imaging.encoding import raw_of
from imaging.plain_values import plain_text, plain_value

# Any tag: neither reading nor writing looks at it where the VR is said.
TAG = 0x00280030
KINDS = ("DS", "IS", "TM", "DA", "DT", "UI")
READERS = (
    header_values.plain,
    header_values.texts,
    header_values.numbers,
    header_values.as_number,
    header_values.as_date,
    header_values.as_time,
    header_values.as_instant,
    header_values.as_zone,
)
values = st.one_of(
    st.from_regex(r"[0-9]{1,18}([.\\][0-9]{1,12}){0,4}[ \0]?", fullmatch=True),
    st.from_regex(r"[-+]?[0-9]{0,3}\.?[0-9]{0,3}([eE][-+]?[0-9]{1,3})?[ ]{0,2}", fullmatch=True),
    st.text("0123456789.+-eE\\ \0", max_size=20),
).map(str.encode)


def read_by_pydicom(kind: str, value: bytes) -> object:
    raw = RawDataElement(BaseTag(TAG), kind, len(value), value, 0, False, True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return convert_raw_data_element(raw, encoding=["iso8859"]).value


def attempted(read, value) -> object:
    return header_elements.attempt(read, lambda: value)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(KINDS), values)
def test_a_plain_value_is_what_pydicom_makes_of_it(kind, value):
    value += b" " * (len(value) % 2)
    text = plain_text(kind, value)
    if text is None:
        return
    found = read_by_pydicom(kind, value)
    parts = text.split("\\")
    many = found if len(parts) > 1 else [found]
    assert [str(one) for one in many] == parts
    written = raw_of(DataElement(TAG, kind, parts, validation_mode=IGNORE))
    assert (written.VR, written.value) == (kind, value)
    assert plain_value(kind, text) == value
    for read in READERS:
        if len(parts) == 1 or read in header_values.OF_SEVERAL:
            assert attempted(read, text) == attempted(read, found)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("DS", b"-123.456\\0\\1.5e-3 "),
        ("DS", b"0000012345.00000"),
        ("IS", b"+00012"),
        ("TM", b"101112.123456 "),
        ("DA", b"20240229"),
        ("DT", b"20240229101112"),
        ("UI", b"1.2.840.10008.1.2\0"),
    ],
)
def test_what_scanners_write_is_plain(kind, value):
    assert plain_text(kind, value) == re.sub("[ \0]$", "", value.decode())


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("DS", b"12345678901234567 "),
        ("DS", b" 1.5"),
        ("DS", b"1.5  "),
        ("DS", b"nan "),
        ("DS", b"1\\"),
        ("DS", b"1e400 "),
        ("IS", b"1.0 "),
        ("IS", b"\xb2 "),
        ("TM", b"1011"),
        ("DA", b"2024.1.1"),
        ("UI", b"1.02"),
        ("UI", b"1.2 "),
        ("UI", b"1" * 65 + b".1"),
        ("LO", b"12"),
        ("DS", b""),
        ("DS", None),
    ],
)
def test_what_is_not_as_the_forms_have_it_is_left_to_pydicom(kind, value):
    assert plain_text(kind, value) is None
