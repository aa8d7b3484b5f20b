"""What the witnesses of the reference instant say, above all where a clock stands still."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging import reference_time, series_report
from imaging.header_values import Instant
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


# Where a clock stands, moves, or can't be told: a second of rounding, two of spread (suv.md 3.5).

GE, PHILIPS, SIEMENS = "GE MEDICAL SYSTEMS", "Philips Medical Systems", "SIEMENS"


def clock(seconds):
    """The time of day so many seconds after eleven."""
    return (datetime(2026, 3, 1, 11) + timedelta(seconds=seconds)).time()


def beds(header, vendor, *places, **changes):
    """Slices acquired, and counted by Frame Reference Time, so many seconds after eleven."""
    return [
        replace(
            header,
            manufacturer=vendor,
            acquisition_time=clock(acquired),
            frame_reference_time=1000.0 * counted,
            **changes,
        )
        for acquired, counted in places
    ]


@pytest.mark.parametrize(
    ("vendor", "places", "said"),
    [
        (SIEMENS, [(0, 0), (0, 180)], "runs"),
        (GE, [(0, 0), (0, 180)], "still"),
        (GE, [(0, 0), (1, 180)], "still"),
        (GE, [(0, 0), (1.001, 180)], "runs"),
        # One bed: it begins at the reference, or a second after it; or later under its clock.
        (GE, [(0, 1)], "runs"),
        (GE, [(0, 1.001)], "still"),
        (GE, [(1, 1213)], "still"),
        (GE, [(1.001, 1213)], "unsure"),
        (GE, [(60, 100), (60, 102)], "unsure"),
        (GE, [(60, 100), (60, 102.001)], "still"),
        (GE, [(60, 0), (60, 2.0005)], "still"),
    ],
)
def test_a_clock_runs_or_stands_or_can_not_be_told(header, vendor, places, said):
    assert reference_time.clock_of(beds(header, vendor, *places)) == said


def test_a_slice_without_a_clock_says_nothing_of_clocks(header):
    first, second = beds(header, GE, (0, 0), (0, 180))
    silent = replace(second, acquisition_time=None)
    assert reference_time.clock_of([first, silent]) == "still"


@pytest.mark.parametrize(
    ("minutes", "middle", "said"),
    # Philips counts to the middle: 30 min that begin at the reference are counted 900 s.
    [(30, 900, "runs"), (30, 901, "runs"), (30, 901.001, "still"), (None, 1.0004, "still")],
)
def test_a_philips_frame_begins_half_of_it_before_its_middle(header, minutes, middle, said):
    duration = minutes and minutes * 60000.0
    first = beds(header, PHILIPS, (0, middle), actual_frame_duration=duration)
    assert reference_time.clock_of(first) == said


def test_the_first_bed_of_philips_confirms_series_time(header):
    (first,) = beds(header, PHILIPS, (0, 90), decay_factor=1.0)
    verdict = assess([first])
    assert (verdict.status, says(verdict)["F"]) == ("COMPUTED", "agrees")


@pytest.mark.parametrize(
    ("vendor", "places", "change", "still"),
    [
        (SIEMENS, [(0, 0), (0, 180)], {}, True),
        (SIEMENS, [(0, 0), (1, 180)], {}, True),
        (SIEMENS, [(0, 0), (1.001, 180)], {}, False),
        (SIEMENS, [(0, 1), (0, 2.9)], {}, False),
        (SIEMENS, [(0, 0), (0, 2)], {}, False),
        (SIEMENS, [(0, 0), (0, 2.0005)], {}, True),
        # A frame that begins with the series has nothing to be mistaken for.
        (GE, [(0, 1)], {"series_time": None}, False),
        (GE, [(0, 1.001)], {"series_time": None}, True),
        # It is as late as the frame is from Series Time, or from the private start of scan.
        (GE, [(60, 58)], {}, False),
        (GE, [(60, 57.999)], {}, True),
        (GE, [(160, 100)], {"vendor_scan_time": 62}, False),
        (GE, [(160, 100)], {"vendor_scan_time": 62.001}, True),
        (PHILIPS, [(360, 450)], {}, False),
        (PHILIPS, [(0, 450)], {}, True),
    ],
)
def test_a_clock_is_not_trusted_where_it_may_stand_still(header, vendor, places, change, still):
    if "vendor_scan_time" in change:
        at = datetime(2026, 3, 1, 11) + timedelta(seconds=change["vendor_scan_time"])
        change = {"vendor_scan_time": Instant(at)}
    assert reference_time.may_stand_still(beds(header, vendor, *places, **change)) is still


# What each witness says by itself


def told(slices, half_life=6586.2):
    return {one.key: one for one in reference_time.testimony(slices, half_life)}


@pytest.mark.parametrize(
    ("places", "offset", "note"),
    [
        ([(0, 0), (180, 178)], 1.0, "spread 2.00 s"),
        ([(0, 0), (180, 177.999)], None, "the slices differ by 2.0 s"),
        ([(360, 86760)], -86400.0, "spread 0.00 s"),
        ([(360, 86760.001)], None, "more than a day from Series Time"),
    ],
)
def test_slices_have_one_zero_and_on_the_day_of_the_scan(header, places, offset, note):
    found = told(beds(header, GE, *places))["F"]
    assert (found.offset, found.note) == (offset, note)


def test_private_start_and_decay_correction_are_read_in_the_zone_of_the_series(header):
    # 10:00+0100 is 11:00+0200, the Series Time.
    abroad = Instant(datetime(2026, 3, 1, 10), 3600)
    both = replace(
        header, utc_offset=7200, vendor_scan_time=abroad, decay_correction_datetime=abroad
    )
    found = told([both])
    assert [(found[key].offset, found[key].says) for key in "PZ"] == [(0.0, "agrees")] * 2


def test_a_still_frame_has_its_own_difference_before_anyone_judges(header):
    found = told(ge(header, 0, 180, 360))["D'"]
    assert (found.says, found.offset) == ("agrees", pytest.approx(0.0, abs=1e-6))


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"manufacturer": PHILIPS}, "what this vendor writes there is 1, or not known"),
        ({"decay_factor": None}, "missing on a slice"),
        ({"actual_frame_duration": None}, "no positive frame duration"),
        ({"decay_factor": 1.00001}, "1 on a slice"),
    ],
)
def test_a_decay_factor_that_says_nothing_tells_why(header, change, note):
    whole = ge(header, 0, 180, 360)
    # One slice is enough, but for the vendor, who made them all.
    cut = [replace(one, **change) if one is whole[1] else one for one in whole]
    slices = [replace(one, **change) for one in whole] if "manufacturer" in change else cut
    found = told(slices)
    assert [(found[key].offset, found[key].note) for key in ("D", "D'")] == [(None, note)] * 2


@pytest.mark.parametrize(("milliseconds", "seconds"), [(0.001, 1e-6), (0.00099, None)])
def test_a_frame_lasts_a_microsecond_at_least(header, milliseconds, seconds):
    short = replace(header, actual_frame_duration=milliseconds)
    assert reference_time.frame_duration(short) == seconds


# What is made of them. Of rubidium-82 half a percent are 0.55 s, so that two seconds count.

RUBIDIUM = 76.38


def verdict_of(one, half_life=6586.2):
    return reference_time.reference_time([one], half_life=half_life)


@pytest.mark.parametrize(("half_life", "disputed"), [(41399.9, False), (41400.0, True)])
def test_from_eleven_and_a_half_hours_on_the_dates_have_to_agree(header, half_life, disputed):
    found = verdict_of(replace(header, acquisition_date=date(2026, 2, 28)), half_life)
    assert (found.refusal is not None) is disputed
    assert disputed is False or found.refusal[0] == "reference-date-disputed"
    # A refusal has its table too.
    assert [one.key for one in found.witnesses] == ["S", "A", "P", "F", "D", "Z"]


@pytest.mark.parametrize(("chosen", "said"), [(361.0, "agrees"), (361.001, "void")])
def test_an_acquisition_before_the_reference_is_no_later_bed(header, chosen, said):
    # It is at 11:06, and a second is rounding.
    table = reference_time.judged(tuple(told([header]).values()), chosen, 6586.2)
    assert {one.key: one.says for one in table}["A"] == said


@pytest.mark.parametrize(("chosen", "said"), [(2.0, "agrees"), (2.001, "contradicts")])
def test_a_witness_may_be_off_by_two_seconds_exactly(header, chosen, said):
    table = reference_time.judged(tuple(told([header]).values()), chosen, RUBIDIUM)
    assert {one.key: one.says for one in table}["S"] == said


@pytest.fixture
def alone(header):
    """A slice of which the clocks of series and acquisition are all that is known."""
    return replace(header, frame_reference_time=None, decay_factor=None)


def test_the_private_start_alone_confirms_series_time(alone):
    scale = suvbw_scale([replace(alone, vendor_scan_time=scanned_at(11))])
    assert (scale.status, scale.flags) == ("COMPUTED", ())


def test_a_rewritten_series_time_may_be_the_private_start_all_the_same(alone):
    late = datetime(2026, 3, 1, 11, 6, 1, 500000)
    found = verdict_of(
        replace(alone, series_time=late.time(), vendor_scan_time=Instant(late)),
    )
    assert (found.instant, found.doubt, found.flags) == (late, None, ("series-time-rewritten",))


@pytest.mark.parametrize(("micro", "sure"), [(0, True), (1000, False)])
def test_the_first_bed_confirms_a_private_start_two_seconds_off(alone, micro, sure):
    private = scanned_at(11, 6, 2, micro)
    found = verdict_of(replace(alone, series_time=time(11, 40), vendor_scan_time=private), RUBIDIUM)
    assert (found.instant, found.doubt is None) == (private.local, sure)


@pytest.mark.parametrize(
    "second",
    [
        {"frame_reference_time": 449857.923},
        {"decay_factor": 1.048483},
        {"decay_correction_datetime": scanned_at(11)},
    ],
)
def test_any_second_witness_confirms_a_private_start(alone, second):
    rewritten = replace(alone, series_time=time(11, 40), vendor_scan_time=scanned_at(11))
    assert assess([rewritten]).status == "REVIEW"
    scale = suvbw_scale([replace(rewritten, **second)])
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)
    assert scale.flags == ("series-time-rewritten",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decay_factor": 1.2}, "Decay Factor contradicts"),
        (
            {"decay_factor": 1.2, "decay_correction_datetime": scanned_at(10)},
            "Decay Factor and Decay Correction DateTime contradict",
        ),
    ],
)
def test_a_third_witness_that_contradicts_two_is_for_a_person(header, change, said):
    rewritten = replace(header, series_time=time(11, 40), vendor_scan_time=scanned_at(11), **change)
    verdict = assess([rewritten])
    assert (verdict.status, verdict.code) == ("REVIEW", "series-time-rewritten")
    assert says(verdict)["F"] == "agrees"
    assert verdict.message == (
        "Series Time (0008,0031) is later than the earliest acquisition, so a workstation "
        f"rewrote it; private start of scan stands in for it and {said} that."
    )


# A single bed of GE at 11:06, whose clock only the private start can vouch for.


def lone_bed(header, counted, **changes):
    given = {"series_time": time(11, 40), "vendor_scan_time": scanned_at(11)} | changes
    (bed,) = beds(header, GE, (360, counted), **given)
    return bed


def test_frame_reference_time_alone_shows_that_the_clock_goes_with_the_bed(header):
    verdict = assess([lone_bed(header, 360, decay_factor=None)])
    assert (verdict.status, says(verdict)["F"]) == ("COMPUTED-FLAGGED", "agrees")


def test_the_decay_factor_alone_shows_that_the_clock_goes_with_the_bed(header):
    # 200 s before 11:06 is 160 s from the private start; the decay factor is that of 360 s.
    verdict = assess([lone_bed(header, 200)])
    assert (verdict.status, says(verdict)["F"], says(verdict)["D"]) == (
        "REVIEW",
        "contradicts",
        "agrees",
    )
    assert "hang on it" not in verdict.message


def test_another_clock_does_not_show_that_the_clock_goes_with_the_bed(header):
    odd = lone_bed(header, 200, decay_factor=None, decay_correction_datetime=scanned_at(11))
    verdict = assess([odd])
    assert (verdict.status, says(verdict)["F"], says(verdict)["Z"]) == (
        "COMPUTED-FLAGGED",
        "void",
        "agrees",
    )


@pytest.mark.parametrize(("micro", "said"), [(0, "agrees"), (1000, "void")])
def test_a_private_start_two_seconds_off_still_vouches_for_the_clock(header, micro, said):
    bed = lone_bed(header, 360, decay_factor=None, vendor_scan_time=scanned_at(11, 0, 2, micro))
    table = {one.key: one.says for one in verdict_of(bed, RUBIDIUM).witnesses}
    assert table["F"] == said


def test_an_acquisition_near_a_witness_that_hangs_on_it_confirms_nothing(header):
    (bed,) = beds(header, GE, (0, 30), series_time=time(11, 40), decay_factor=None)
    verdict = assess([bed])
    assert (verdict.status, says(verdict)["F"]) == ("REVIEW", "reference")


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
