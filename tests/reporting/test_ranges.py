"""Range headers, as RFC 9110 has them in section 14.1.2 for a representation of 10000 bytes."""

from __future__ import annotations

import pytest

from reporting import ranges


@pytest.mark.parametrize(
    ("header", "found"),
    [
        # The standard's own examples.
        ("bytes=0-499", range(500)),
        ("bytes=500-999", range(500, 1000)),
        ("bytes=-500", range(9500, 10000)),
        ("bytes=9500-", range(9500, 10000)),
        # A last byte behind the end is the end; a suffix longer than the file is all of it.
        ("bytes=9000-20000", range(9000, 10000)),
        ("bytes=-20000", range(10000)),
        ("Bytes=1-1", range(1, 2)),
    ],
)
def test_one_range_is_found(header, found):
    assert ranges.asked(header, 10_000) == found


@pytest.mark.parametrize(
    "header",
    ["", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-0,-1", "items=0-5", "bytes=a-b", "bytes=٣-"],
)
def test_of_what_is_no_single_range_the_whole_is_sent(header):
    assert ranges.asked(header, 10_000) is None


@pytest.mark.parametrize("header", ["bytes=10000-", "bytes=10000-10001", "bytes=-0"])
def test_a_range_behind_the_end_can_not_be_sent(header):
    with pytest.raises(ranges.UnsatisfiableError):
        ranges.asked(header, 10_000)


def test_nothing_of_an_empty_file_can_be_sent_in_parts():
    with pytest.raises(ranges.UnsatisfiableError):
        ranges.asked("bytes=0-", 0)


def test_a_range_goes_on_with_the_same_bytes_alone():
    assert ranges.stands("", '"a"')
    assert ranges.stands('"a"', '"a"')
    assert not ranges.stands('"b"', '"a"')
    # A weak tag and a date say nothing of the bytes.
    assert not ranges.stands('W/"a"', '"a"')
    assert not ranges.stands("Sun, 29 Nov 2026 05:00:00 GMT", '"a"')
