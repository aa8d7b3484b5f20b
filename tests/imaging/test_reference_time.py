"""What the witnesses of the reference instant say, above all where a clock stands still."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging import series_report
from imaging.headers import Instant
from imaging.suv import assess, suvbw_scale
from tests.imaging.test_suv import FACTOR, with_item

# A bed that begins 1213 s after the scan, as on an old GE export (ACRIN-NSCLC 047): believed
# to hang on its own bed's clock, SUV would be 2^(-1213/6586.2) = 0.880, 12 % too low.
LATE_BED = 1213.0


def ge(header, *starts, **changes):
    """GE slices of three-minute beds by their Frame Reference Time, all acquired "at 11:00"."""
    return [
        replace(
            header,
            manufacturer="GE MEDICAL SYSTEMS",
            sop_instance_uid=f"1.2.3.{place}",
            position=(0.0, 0.0, 3.0 * place),
            acquisition_time=time(11),
            frame_reference_time=1000.0 * start,
            # bc: T_ave of 180 s of F-18 is 89.857923 s.
            decay_factor=2 ** ((start + 89.857923) / 6586.2),
            **{"number_of_slices": len(starts)} | changes,
        )
        for place, start in enumerate(starts)
    ]


def says(verdict):
    return {one.key: one.says for one in verdict.witnesses}


def noted(verdict, key):
    (found,) = [one for one in verdict.witnesses if one.key == key]
    return found.note


def scanned_at(*clock):
    return Instant(datetime(2026, 3, 1, *clock))


def test_two_witnesses_that_hang_on_one_still_clock_do_not_confirm_each_other(header):
    verdict = assess(ge(header, LATE_BED, series_time=time(11, 40)))
    assert (verdict.status, verdict.code) == ("REVIEW", "series-time-rewritten")
    assert (says(verdict)["D"], says(verdict)["F"]) == ("void", "reference")
    assert "Acquisition Time (0008,0032) is one instant on every slice" in verdict.message


def test_a_philips_clock_that_may_stand_still_confirms_nothing(header):
    (slice_,) = ge(header, LATE_BED + 90, series_time=time(11, 40))
    philips = replace(slice_, manufacturer="Philips Medical Systems", decay_factor=1.0)
    assert assess([philips]).status == "REVIEW"


def test_a_still_clock_and_rewritten_series_time_are_for_a_person(header):
    verdict = assess(ge(header, 0, 180, 360, LATE_BED, series_time=time(11, 40)))
    assert (verdict.status, verdict.code) == ("REVIEW", "series-time-rewritten")
    assert says(verdict) == {
        "S": "void",
        "A": "reference",
        "P": "absent",
        "F": "void",
        "D": "void",
        "D'": "agrees",
        "Z": "absent",
    }
    # The clock that stands is that of the start of the scan: 11:00.
    assert verdict.candidate.factor == pytest.approx(FACTOR, rel=1e-8)


@pytest.mark.parametrize("starts", [(LATE_BED,), (0, 180, 360, LATE_BED)])
def test_a_private_clock_that_the_first_bed_confirms_gives_a_flagged_number(header, starts):
    slices = ge(header, *starts, series_time=time(11, 40), vendor_scan_time=scanned_at(11))
    verdict = assess(slices)
    assert (verdict.status, verdict.scale.flags) == (
        "COMPUTED-FLAGGED",
        ("series-time-rewritten",),
    )
    assert verdict.scale.factor == pytest.approx(FACTOR, rel=1e-8)
    assert says(verdict)["F"] == "void"
    # The same with slices missing, since every slice has the clock of the first bed.
    assert assess([replace(slices[-1], number_of_slices=99)]).scale.factor == verdict.scale.factor


@pytest.mark.parametrize("starts", [(LATE_BED,), (0, 180, 360, LATE_BED)])
def test_a_private_clock_that_nothing_confirms_gives_no_number(header, starts):
    early = scanned_at(10, 50)
    verdict = assess(ge(header, *starts, series_time=time(11, 40), vendor_scan_time=early))
    assert (verdict.status, verdict.code) == ("REVIEW", "series-time-rewritten")


def test_a_private_clock_vouches_for_that_of_a_single_bed(header):
    # 11:06 less 360 s is the private start: the clock went with the frame.
    (bed,) = ge(header, 360, series_time=time(11, 40), vendor_scan_time=scanned_at(11))
    scale = suvbw_scale([replace(bed, acquisition_time=time(11, 6))])
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)
    assert {one.key: one.says for one in scale.witnesses}["F"] == "agrees"


def test_a_ge_clock_that_goes_with_the_frames_still_confirms(header):
    beds = ge(header, 0, 180, 360, series_time=time(11, 40))
    moving = [replace(bed, acquisition_time=time(11, 3 * i)) for i, bed in enumerate(beds)]
    scale = suvbw_scale(moving)
    assert (scale.flags, scale.factor) == (
        ("series-time-rewritten",),
        pytest.approx(FACTOR, rel=1e-8),
    )


def test_a_still_clock_leaves_both_its_witnesses_in_the_table(header):
    (slice_,) = ge(header, LATE_BED)
    verdict = assess([slice_])
    table = {one.key: (one.says, one.offset) for one in verdict.witnesses}
    assert list(table) == ["S", "A", "P", "F", "D", "D'", "Z"]
    assert table["F"] == ("void", -LATE_BED)
    assert table["D"] == ("void", pytest.approx(-LATE_BED, abs=1e-6))
    assert table["D'"] == ("agrees", pytest.approx(0.0, abs=1e-6))
    assert noted(verdict, "F") == "Acquisition Time stands still while the frames move on"


@pytest.mark.parametrize("change", [{}, {"series_time": time(11, 40)}, {"series_time": None}])
@pytest.mark.parametrize("policy", ["witnesses", "ibsi", "qiba"])
def test_every_witness_has_an_instant_or_says_why_not(header, change, policy):
    none = series_report.Pixels(None, None)
    for slices in (ge(header, 0, 180, **change), [replace(header, **change)]):
        told = series_report.as_json(slices, assess(slices, policy=policy), none, [])
        listed = {one["key"]: one for one in told["witnesses"]}
        assert {"S", "A", "P", "F", "D"} <= set(listed)
        for one in listed.values():
            assert one["seconds"] is not None or one["note"], one
            assert one["says"] not in {"void", "absent"} or one["note"], one


@pytest.mark.parametrize("manufacturer", ["GE MEDICAL SYSTEMS", "SIEMENS", "Philips"])
@pytest.mark.parametrize("duration", [0.0, -180000.0])
def test_a_frame_that_does_not_last_says_nothing(header, manufacturer, duration):
    odd = replace(
        header,
        manufacturer=manufacturer,
        actual_frame_duration=duration,
        frame_reference_time=360000.0,
    )
    verdict = assess([odd])
    table = {one.key: one for one in verdict.witnesses}
    assert (table["F"].offset, table["D"].offset) == (None, None)
    assert "no positive frame duration" in table["F"].note
    assert verdict.scale.flags == ("reference-time-uncorroborated",)


@pytest.mark.parametrize("duration", [0.0, -180000.0])
def test_no_policy_goes_by_a_frame_that_does_not_last(header, duration):
    odd = replace(header, actual_frame_duration=duration, series_time=time(11, 40))
    assert assess([odd]).status == "REVIEW"
    assert assess([odd], policy="ibsi").code == "frame-reference-missing"
    # QIBA falls back on the earliest acquisition, 11:06.
    assert suvbw_scale([odd], policy="qiba").decay_seconds == 3960.0


odd_numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.sampled_from(["GE MEDICAL SYSTEMS", "SIEMENS", "Philips", "other"]),
    st.fixed_dictionaries(
        {
            "frame_reference_time": odd_numbers,
            "actual_frame_duration": odd_numbers,
            "decay_factor": odd_numbers,
            "series_time": st.sampled_from([time(11), time(11, 40)]),
        },
        optional={"patient_weight": odd_numbers},
    ),
    st.fixed_dictionaries({}, optional={"total_dose": odd_numbers, "half_life": odd_numbers}),
    st.sampled_from(["witnesses", "ibsi", "qiba"]),
)
def test_no_number_in_a_header_is_too_odd_for_a_verdict(header, vendor, changes, item, policy):
    odd = with_item(replace(header, manufacturer=vendor, **changes), **item)
    verdict = assess([odd], policy=policy)
    assert verdict.scale is None or math.isfinite(verdict.scale.factor)
    assert (verdict.scale is None) == (verdict.status in {"REVIEW", "REFUSED"})
