"""Where a rule of the SUV begins and ends, what the record may replace, and every header field."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from imaging import administration, reference_time, suv_checks
from imaging.header_values import Instant
from imaging.headers import HeaderError, pet_header
from imaging.normalisations import TURNING_BMI, NormalisationError, is_past_turning, normaliser
from imaging.suv import SuvRefused, assess, suvbw_scale
from imaging.suv_terms import Recorded
from tests.imaging.test_suv import FACTOR, series, with_item

INJECTED = datetime(2026, 3, 1, 10)


def recorded(**changes):
    given = {"weight": 70.0, "activity": 370e6, "injected_at": INJECTED, "reference": "7, v2"}
    return Recorded(**given | changes)


def lasting(header, **changes):
    """A whole series of one slice, and nothing but Series Time to go by."""
    return replace(header, frame_reference_time=None, decay_factor=None, **changes)


# What the record may replace


def test_the_record_s_weight_activity_and_time_take_the_headers_place(header):
    site = recorded(weight=140.0, activity=185e6, injected_at=datetime(2026, 3, 1, 9))
    scale = suvbw_scale([header], recorded=site, source="record")
    # 140000 / (185e6 * 2^(-7200/6586.2)): four times, and an hour's decay more.
    assert scale.factor == pytest.approx(4 * FACTOR * 2 ** (3600 / 6586.2), rel=1e-9)
    assert (scale.weight, scale.injected_activity) == (140.0, 185e6)
    assert scale.injection == datetime(2026, 3, 1, 9)
    # The headers' own clock, 10:00, is not held against the record's.
    assert (scale.adaptations, scale.flags) == (("computed-from-record",), ())
    told = [(one.name, one.tag, one.value, one.unit) for one in scale.inputs[-3:]]
    assert told == [
        ("Recorded weight", "7, v2", 140.0, "kg"),
        ("Recorded net activity", "7, v2", 185e6, "Bq"),
        (
            "Recorded injection, on the series' clock",
            "7, v2",
            "2026-03-01T09:00:00",
            "",
        ),
    ]
    # What the headers said stays beside it.
    assert {one.name: one.value for one in scale.inputs}["Patient's Weight"] == 70.0


@pytest.mark.parametrize(
    ("injected", "told"),
    [
        # The right time of the day before.
        (datetime(2026, 2, 28, 10), "1500 min before the scan"),
        (datetime(2026, 3, 2, 10), "1380 min after the scan"),
        # Two half-lives are 219.54 min.
        (datetime(2026, 3, 1, 7, 20, 27), "220 min before the scan"),
    ],
)
def test_a_day_of_the_record_that_cannot_be_is_refused_and_not_replaced(header, injected, told):
    site = recorded(injected_at=injected)
    with pytest.raises(SuvRefused) as caught:
        suvbw_scale([header], recorded=site, source="record")
    assert (caught.value.code, caught.value.status) == ("uptake-implausible", "REFUSED")
    assert told in caught.value.message
    assert caught.value.witnesses


def test_dates_moved_by_whoever_sent_the_images_leave_the_clock(header):
    site = recorded(injected_at=datetime(2026, 2, 28, 10), is_dated=False)
    scale = suvbw_scale([header], recorded=site, source="record")
    assert "injection-date-replaced" in scale.adaptations


@pytest.mark.parametrize(
    "baked",
    [
        {"units": "GML"},
        {"units": "CM2ML"},
        {"units": "CNTS", "philips_suv_factor": 0.0005},
        {"units": "CNTS", "philips_suv_factor": 0.0005, "philips_activity_factor": 0.0},
        {"units": "CNTS", "philips_suv_factor": 0.0005, "philips_activity_factor": -1.0},
    ],
)
def test_the_record_cannot_replace_what_the_scanner_baked_in(header, baked):
    told = replace(header, **baked)
    scale = suvbw_scale([told], recorded=recorded(weight=140.0), source="record")
    assert scale.factor == suvbw_scale([told]).factor
    assert (scale.flags, scale.status) == (("record-not-applied",), "COMPUTED-FLAGGED")


def test_the_record_cannot_replace_what_a_policy_takes_from_the_scanner(header):
    # QIBA prefers the scanner's SUV factor, which has weight and activity in it.
    both = {"units": "CNTS", "philips_suv_factor": 0.0005, "philips_activity_factor": 2.0}
    told, site = replace(header, **both), recorded(weight=140.0)
    scale = suvbw_scale([told], policy="qiba", recorded=site, source="record")
    assert (scale.factor, scale.flags) == (0.0005, ("record-not-applied",))
    # Nor does a recorded weight stand in for the one that the scanner did without.
    with pytest.raises(SuvRefused, match="Patient's Weight"):
        suvbw_scale([replace(told, patient_weight=None)], policy="qiba", recorded=site)
    bare = replace(told, philips_suv_factor=0.0)
    scale = suvbw_scale([bare], policy="qiba", recorded=site, source="record")
    assert scale.factor == pytest.approx(4 * FACTOR, rel=1e-9)


@pytest.mark.parametrize("becquerel", [2.0, 0.5])
def test_the_record_replaces_counts_that_become_activity_first(header, becquerel):
    counts = replace(header, units="CNTS", philips_activity_factor=becquerel)
    scale = suvbw_scale([counts], recorded=recorded(weight=140.0), source="record")
    assert scale.factor == pytest.approx(2 * becquerel * FACTOR, rel=1e-9)


@pytest.mark.parametrize("missing", [None, 0.0])
def test_a_recorded_weight_stands_in_for_one_that_is_missing_and_for_no_other(header, missing):
    bare = replace(header, patient_weight=missing)
    scale = suvbw_scale([bare], recorded=recorded(weight=140.0))
    assert scale.factor == pytest.approx(2 * FACTOR, rel=1e-9)
    assert (scale.flags, scale.status) == (("weight-from-record",), "COMPUTED-FLAGGED")
    assert scale.inputs[-1].name == "Recorded weight"
    assert suvbw_scale([header], recorded=recorded(weight=140.0)).flags == ()
    grams = replace(bare, units="GML")
    assert suvbw_scale([grams], recorded=recorded()) == suvbw_scale([grams])


def test_a_candidate_by_the_record_says_that_it_is(header):
    # Decay Factor contradicts Series Time: a person decides, about 140 kg and not about 70.
    late = replace(header, decay_factor=1.2)
    with pytest.raises(SuvRefused) as caught:
        suvbw_scale([late], recorded=recorded(weight=140.0), source="record")
    candidate = caught.value.candidate
    assert candidate.factor == pytest.approx(2 * FACTOR, rel=1e-9)
    assert candidate.adaptations == ("computed-from-record",)
    told = {one.name: one.value for one in candidate.inputs}
    assert (told["Patient's Weight"], told["Recorded weight"]) == (70.0, 140.0)


@pytest.mark.parametrize(
    ("change", "status"),
    [({"decay_factor": 1.2}, "COMPUTED-FLAGGED"), ({"decay_correction": "NONE"}, "REVIEW")],
)
def test_a_candidate_of_a_recorded_weight_is_flagged_for_it(header, change, status):
    bare = replace(header, patient_weight=None, **change)
    with pytest.raises(SuvRefused) as caught:
        suvbw_scale([bare], recorded=recorded(weight=140.0))
    candidate = caught.value.candidate
    assert candidate.factor == pytest.approx(2 * FACTOR, rel=1e-9)
    assert (candidate.flags, candidate.status) == (("weight-from-record",), status)
    told = {one.name: one.value for one in candidate.inputs}
    assert (told["Patient's Weight"], told["Recorded weight"]) == (None, 140.0)
    assert "Recorded net activity" not in told


# Edges of rules. An edge is asked on both sides, in the digits that the rule has.


@pytest.mark.parametrize(
    ("change", "item", "code"),
    [
        ({}, {"half_life": 59.9, "code_value": "", "code_meaning": ""}, "half-life-implausible"),
        ({}, {"half_life": 6586.2 * 1.0101}, "half-life-disputed"),
        ({}, {"half_life": 6586.2 * 0.9899}, "half-life-disputed"),
        ({}, {"half_life": 6586.2 * 1.0099}, ""),
        ({}, {"half_life": 6586.2 * 0.9901}, ""),
        ({}, {"total_dose": 1.001e11}, "dose-implausible"),
        ({}, {"total_dose": 1e11}, ""),
        ({}, {"total_dose": 0.01}, ""),
        ({}, {"total_dose": 0.0099}, "dose-implausible"),
        ({"patient_weight": 0.99}, {}, "weight-implausible"),
        ({"patient_weight": 999.0}, {}, "weight-implausible"),
        ({"units": "CM2ML", "patient_size": 3.0}, {}, ""),
        ({"units": "CM2ML", "patient_size": 3.01}, {}, "size-implausible"),
        ({"units": "CM2ML", "patient_size": 0.2}, {}, ""),
        ({"units": "CM2ML", "patient_size": 0.19}, {}, "size-implausible"),
        ({"units": "CM2ML", "patient_size": 20.0}, {}, ""),
        ({"units": "CM2ML", "patient_size": 300.0}, {}, ""),
        ({"units": "CM2ML", "patient_size": 301.0}, {}, "size-implausible"),
        ({"units": "CM2ML", "patient_size": -1.75}, {}, "size-missing"),
        ({"units": "CM2ML", "patient_size": 0.0}, {}, "size-missing"),
    ],
)
def test_a_rule_ends_where_it_says(header, change, item, code):
    assert assess([with_item(replace(header, **change), **item)]).code == code


@pytest.mark.parametrize("half_life", [60.0, 1e8])
def test_a_half_life_may_be_a_minute_or_three_years(header, half_life):
    (item,) = header.radiopharmaceuticals
    assert suv_checks.half_life(replace(item, half_life=half_life), "ibsi") == (half_life, ())


def test_no_slice_is_told_in_a_sentence():
    assert assess([]).message == "There is no slice to read a header from."


@pytest.mark.parametrize(
    ("item", "flagged"),
    [
        # suv.md 3.5: F-18 20 to 1000 MBq; Ga-68 20 to 400; nothing on others but 10 kBq to 100 GBq.
        ({"total_dose": 19.9e6}, True),
        ({"total_dose": 20e6}, False),
        ({"total_dose": 1000e6}, False),
        ({"total_dose": 1000.1e6}, True),
        ({"code_value": "35337001", "half_life": 4062.6, "total_dose": 401e6}, True),
        ({"code_value": "35337001", "half_life": 4062.6, "total_dose": 400e6}, False),
        ({"code_value": "40565003", "half_life": 1223.4, "total_dose": 2e9}, False),
    ],
)
def test_an_activity_is_unusual_by_its_nuclide(header, item, flagged):
    near = with_item(
        header, start_datetime=Instant(datetime(2026, 3, 1, 10, 50)), start_time=None, **item
    )
    scale = assess([replace(near, decay_factor=None)]).scale
    assert ("activity-implausible" in scale.flags) is flagged


@pytest.mark.parametrize(
    ("started", "clock", "elapsed", "notes"),
    [
        # An hour before the injection is believed; a second more is another day.
        ("2026-03-01T12:00:00", None, -3600.0, ()),
        ("2026-03-01T12:00:01", None, 82799.0, ("injection-date-replaced",)),
        # Two half-lives are 13172.4 s.
        ("2026-03-01T07:20:28", None, 13172.0, ()),
        ("2026-03-01T07:20:27", None, 13173.0, ("injection-date-replaced",)),
        ("2026-02-28T10:00:00", None, 3600.0, ("injection-date-replaced",)),
        (None, time(10), 3600.0, ("injection-date-from-reference",)),
        (None, time(12), -3600.0, ("injection-date-from-reference",)),
        (None, time(12, 0, 1), 82799.0, ("injection-date-from-reference",)),
        (None, time(23, 30), 41400.0, ("injection-date-from-reference",)),
        (None, time(22, 30), 45000.0, ("injection-date-from-reference",)),
    ],
)
def test_the_injection_is_put_on_the_nearest_day_it_can_be(header, started, clock, elapsed, notes):
    start = Instant(datetime.fromisoformat(started)) if started else None
    (item,) = header.radiopharmaceuticals
    found = administration.seconds_since_injection(
        header, replace(item, start_datetime=start, start_time=clock), INJECTED_AT_11, 6586.2
    )
    assert found == (elapsed, notes)


INJECTED_AT_11 = datetime(2026, 3, 1, 11)


def test_two_half_lives_before_the_scan_a_date_is_no_longer_believed(header):
    # IBSI-SUV: -3600 s <= reference - administration < 2 T; here 2 T is 3 h 40 min.
    (item,) = header.radiopharmaceuticals
    start = replace(item, start_datetime=Instant(datetime(2026, 3, 1, 7, 20)))
    found = administration.seconds_since_injection(header, start, INJECTED_AT_11, 6600.0)
    assert found == (13200.0, ("injection-date-replaced",))


@pytest.mark.parametrize(("half_life", "refused"), [(41399.9, False), (41400.0, True)])
def test_from_eleven_and_a_half_hours_on_a_date_is_needed(header, half_life, refused):
    item = replace(header.radiopharmaceuticals[0], start_datetime=None)
    if refused:
        with pytest.raises(SuvRefused, match="got only a time of day") as caught:
            administration.seconds_since_injection(header, item, INJECTED_AT_11, half_life)
        assert caught.value.code == "injection-date-missing"
    else:
        found = administration.seconds_since_injection(header, item, INJECTED_AT_11, half_life)
        assert found == (3600.0, ("injection-date-from-reference",))


@pytest.mark.parametrize(
    ("clock", "flags"),
    [
        (time(10, 0, 1), ()),
        (time(10, 0, 1, 1), ("injection-times-differ",)),
        (time(9, 59, 59), ()),
        (time(9, 59, 58), ("injection-times-differ",)),
        (None, ()),
    ],
)
def test_two_clocks_of_the_injection_may_differ_by_a_second(header, clock, flags):
    item = replace(header.radiopharmaceuticals[0], start_time=clock)
    assert administration.clock_flags(item) == flags
    assert administration.clock_flags(replace(item, start_datetime=None)) == ()


@pytest.mark.parametrize(
    ("elapsed", "kind", "said"),
    [
        (13172.4, "WHOLE BODY", None),
        (0.0, "WHOLE BODY", None),
        (-1.0, "DYNAMIC", None),
        (-1.0, "WHOLE BODY", "negative-uptake"),
    ],
)
def test_an_uptake_is_doubted_where_it_can_be_no_uptake(header, elapsed, kind, said):
    told = replace(header, series_type=(kind, "IMAGE"))
    doubt = administration.doubt_about_uptake(told, elapsed, 6586.2)
    assert (doubt and doubt[0]) == said
    began = ("injection-during-acquisition",) if (elapsed, kind) == (-1.0, "DYNAMIC") else ()
    assert administration.began_before(told, elapsed) == began
    assert administration.began_before(told, 0.0) == ()


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(1.0, "COMPUTED-FLAGGED"), (1.001, "REVIEW"), (-1.0, "COMPUTED-FLAGGED")],
)
def test_series_time_may_be_a_second_later_than_the_acquisition(header, seconds, status):
    late = (datetime(2026, 3, 1, 11, 6) + timedelta(seconds=seconds)).time()
    assert assess([lasting(header, series_time=late)]).status == status


@pytest.mark.parametrize(("apart", "says"), [(1.999, "agrees"), (2.001, "void")])
def test_slices_have_a_common_zero_within_two_seconds(header, apart, says):
    beds = series(header, beds=2)
    beds[1] = replace(beds[1], frame_reference_time=180000 + 89857.923 + 1000 * apart)
    table = {one.key: one.says for one in reference_time.testimony(beds, 6586.2)}
    assert table["F"] == says


def test_the_zero_of_slices_is_their_median(header):
    beds = series(header, beds=3)
    late = [
        replace(b, frame_reference_time=b.frame_reference_time - ms)
        for b, ms in zip(beds, (0, 500, 1800), strict=True)
    ]
    table = {one.key: one for one in reference_time.testimony(late, 6586.2)}
    assert table["F"].offset == pytest.approx(0.5, abs=1e-3)
    assert table["F"].note == "spread 1.80 s"


@pytest.mark.parametrize(("factor", "known"), [(1.00001, False), (1.00002, True)])
def test_a_decay_factor_of_one_says_nothing(header, factor, known):
    table = reference_time.testimony([replace(header, decay_factor=factor)], 6586.2)
    assert ({one.key: one for one in table}["D"].offset is not None) is known


@pytest.mark.parametrize(
    ("half_life", "seconds"),
    # bc: log2(1.005) = 0.007195501; below 278 s of half-life two seconds are more.
    [(6586.2, 47.3910), (4062.6, 29.2324), (122.24, 2.0), (278.0, 2.00035)],
)
def test_a_witness_may_be_off_by_half_a_percent_or_two_seconds(half_life, seconds):
    assert reference_time.tolerance_of(half_life) == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(("late", "says"), [(1.999, "agrees"), (2.01, "contradicts")])
def test_still_frames_agree_within_two_seconds(header, late, says):
    ge = replace(
        header,
        manufacturer="GE MEDICAL SYSTEMS",
        acquisition_time=time(11),
        frame_reference_time=360000.0 + 1000 * late,
        decay_factor=2 ** ((360 + 89.857923) / 6586.2),
    )
    table = {one.key: one.says for one in assess([ge]).witnesses}
    assert table["D'"] == says


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("GE", "GE"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("ge healthcare", "GE"),
        ("GENERAL ATOMICS", "other"),
        ("Siemens Healthineers", "Siemens"),
        ("CPS", "Siemens"),
        ("Philips Medical Systems", "Philips"),
        ("iMAGEing", "other"),
        ("", "other"),
    ],
)
def test_a_vendor_is_known_by_the_start_of_its_name(name, vendor):
    assert reference_time.vendor_of(name) == vendor


@pytest.mark.parametrize(
    ("later", "earlier", "seconds"),
    [
        (time(12), time(0), -43200.0),
        (time(11, 59, 59), time(0), 43199.0),
        (time(0, 10), time(23, 50), 1200.0),
        (time(23, 50), time(0, 10), -1200.0),
        (time(1, 2, 3, 500000), time(0), 3723.5),
    ],
)
def test_two_clocks_are_the_nearest_way_apart(later, earlier, seconds):
    assert reference_time.seconds_between(later, earlier) == seconds


def test_a_philips_frame_is_counted_from_its_middle(header):
    # 30 minutes: the middle is 900 s in, the average time 13.8 s earlier (suv.md 3.4).
    long = replace(
        header,
        manufacturer="Philips Medical Systems",
        actual_frame_duration=1800000.0,
        frame_reference_time=1260000.0,
    )
    table = {one.key: one for one in reference_time.testimony([long], 6586.2)}
    assert table["F"].offset == pytest.approx(0.0, abs=1e-6)
    siemens = replace(long, manufacturer="SIEMENS")
    table = {one.key: one for one in reference_time.testimony([siemens], 6586.2)}
    # T_ave - T/2 = -lambda T^2 / 24 to first order: -14.2 s.
    assert table["F"].offset == pytest.approx(-math.log(2) / 6586.2 * 1800**2 / 24, rel=0.01)


# Philips factors


@pytest.mark.parametrize(
    ("off", "status"),
    [(1.0199, "COMPUTED"), (1.0201, "REVIEW"), (0.9801, "COMPUTED"), (0.9799, "REVIEW")],
)
def test_the_scanner_s_factor_may_be_two_percent_off(header, off, status):
    counts = replace(
        header, units="CNTS", philips_activity_factor=2.0, philips_suv_factor=2 * FACTOR * off
    )
    assert assess([counts]).status == status


@pytest.mark.parametrize("bad", [0.0, -1.0, None])
def test_a_scanner_s_factor_that_is_none_is_not_there(header, bad):
    counts = replace(header, units="CNTS", philips_activity_factor=bad, philips_suv_factor=bad)
    assert assess([counts]).code == "scale-factor-missing"
    only = replace(counts, philips_activity_factor=2.0)
    assert suvbw_scale([only]).factor == pytest.approx(2 * FACTOR, rel=1e-9)
    other = replace(counts, philips_suv_factor=0.5)
    assert suvbw_scale([other]).factor == 0.5


# Normalisers


@pytest.mark.parametrize(
    ("measures", "message"),
    [
        (
            {"suv_type": "LBMX", "weight": 70.0},
            "SUV Type must be one of BW, LBM, LBMJAMES128, LBMJANMA, IBW, BSA, got 'LBMX'.",
        ),
        (
            {"suv_type": "BSA", "weight": 70.0},
            "SUV Type BSA needs Patient's Size (0010,1020).",
        ),
        (
            {"suv_type": "IBW", "weight": 70.0, "size": 1.7},
            "SUV Type IBW needs Patient's Sex (0010,0040) M or F, got nothing.",
        ),
        (
            {"suv_type": "LBM", "weight": 70.0, "size": 1.7, "sex": "O"},
            "SUV Type LBM needs Patient's Sex (0010,0040) M or F, got O.",
        ),
        (
            {"suv_type": "LBM", "weight": 300.0, "size": 1.0, "sex": "M"},
            "300 kg and 1 m give no positive mass for SUV Type LBM.",
        ),
    ],
)
def test_a_measure_that_is_missing_is_named(measures, message):
    with pytest.raises(NormalisationError) as caught:
        normaliser(**measures)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("suv_type", "sex", "bmi"),
    # suv.md 4: 43.0 (M, 128), 45.8 (M, 120), 36.1 (F).
    [("LBMJAMES128", "M", 42.96875), ("LBM", "M", 45.83333), ("LBM", "F", 36.14865)],
)
def test_james_turns_over_at_a_body_mass_index(suv_type, sex, bmi):
    assert not is_past_turning(suv_type, weight=(bmi - 0.001) * 4, size=2.0, sex=sex)
    assert is_past_turning(suv_type, weight=(bmi + 0.001) * 4, size=2.0, sex=sex)
    assert not is_past_turning("LBMJANMA", weight=400.0, size=2.0, sex=sex)


def test_at_the_turning_point_the_mass_is_largest_and_not_past_it():
    for (suv_type, sex), bmi in TURNING_BMI.items():
        assert not is_past_turning(suv_type, weight=bmi, size=1.0, sex=sex)


def test_a_mass_of_nothing_is_none_and_one_of_milligrams_is_one():
    # A man of 1.20 m: 1.10 W = 120 (W / 120)^2 at W = 132 kg, where a gram less is 1.1 g more.
    with pytest.raises(NormalisationError, match="no positive mass"):
        normaliser("LBM", weight=132.0, size=1.2, sex="M")
    light = normaliser("LBM", weight=132.0 - 1e-6, size=1.2, sex="M")
    assert light == pytest.approx(1.1e-3, rel=1e-3)


# Every field of a header, from the attribute that holds it


def test_every_attribute_becomes_its_field(dataset):
    dataset.DecayCorrectionDateTime = "20260301110000"
    dataset.TimezoneOffsetFromUTC = "+0100"
    dataset.SUVType, dataset.ReconstructionMethod = "BW", "OSEM"
    dataset.StudyDate, dataset.StudyTime, dataset.SeriesNumber = "20260228", "235000", "4"
    dataset.SeriesDescription, dataset.StudyDescription = "WB AC FDG", "PET WB FDG"
    dataset.AcquisitionNumber, dataset.TriggerTime = "2001", "3768"
    dataset.ConvolutionKernel, dataset.TemporalPositionIdentifier = "XYZ Gauss5.00", "2"
    dataset.AttenuationCorrectionMethod = "measured,AC_CT"
    dataset.add_new((0x0009, 0x0010), "LO", "GEMS_PETD_01")
    dataset.add_new((0x0009, 0x100D), "DT", "20260301105959")
    dataset.add_new((0x7053, 0x0010), "LO", "Philips PET Private Group")
    dataset.add_new((0x7053, 0x1000), "DS", "0.5")
    dataset.add_new((0x7053, 0x1009), "DS", "2.5")
    assert pet_header(dataset).to_json() == {
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.128",
        "sop_instance_uid": "1.2.3.4",
        "series_instance_uid": "1.2.3",
        "study_instance_uid": "1.2",
        "frame_of_reference_uid": "1.2.9",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "modality": "PT",
        "manufacturer": "SIEMENS",
        "model": "Biograph",
        "image_type": ["ORIGINAL", "PRIMARY"],
        "instance_number": 1,
        "number_of_frames": 1,
        "position": [0.0, 0.0, 0.0],
        "orientation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "pixel_spacing": [4.0, 4.0],
        "slice_thickness": 3.0,
        "rows": 4,
        "columns": 5,
        "samples_per_pixel": 1,
        "bits_allocated": 16,
        "bits_stored": 16,
        "high_bit": 15,
        "pixel_representation": 1,
        "photometric_interpretation": "MONOCHROME2",
        "rescale_slope": 2.5,
        "rescale_intercept": 0.0,
        "study_date": "2026-02-28",
        "study_time": "23:50:00",
        "series_number": 4,
        "series_description": "WB AC FDG",
        "study_description": "PET WB FDG",
        "acquisition_number": 2001,
        "convolution_kernel": ["XYZ Gauss5.00"],
        "trigger_time": 3768.0,
        "temporal_position": 2,
        # Of a CT alone.
        "ctdi_vol": None,
        "ctdi_phantom": "",
        "irradiation_event": "",
        "series_date": "2026-03-01",
        "series_time": "11:00:00",
        "acquisition_date": "2026-03-01",
        "acquisition_time": "11:06:00",
        "utc_offset": 3600,
        "unreadable": [],
        "units": "BQML",
        "suv_type": "BW",
        "corrected_image": ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"],
        "decay_correction": "START",
        "series_type": ["WHOLE BODY", "IMAGE"],
        "number_of_slices": 1,
        "frame_reference_time": 449857.923,
        "actual_frame_duration": 180000.0,
        "decay_factor": 1.048483,
        "decay_correction_datetime": {"local": "2026-03-01T11:00:00", "utc_offset": None},
        "vendor_scan_time": {"local": "2026-03-01T10:59:59", "utc_offset": None},
        "philips_suv_factor": 0.5,
        "philips_activity_factor": 2.5,
        "patient_weight": 70.0,
        "patient_size": 1.75,
        "patient_sex": "F",
        "radiopharmaceuticals": [
            {
                "name": "FDG",
                "code_value": "77004003",
                "code_scheme": "SCT",
                "code_meaning": "18F",
                "total_dose": 370e6,
                "half_life": 6586.2,
                "start_time": "10:00:00",
                "start_datetime": {"local": "2026-03-01T10:00:00", "utc_offset": None},
            }
        ],
        "reconstruction_method": "OSEM",
        "attenuation_correction_method": "measured,AC_CT",
    }


@pytest.mark.parametrize(
    ("keyword", "value", "message"),
    [
        ("SOPClassUID", None, "SOPClassUID is missing or empty"),
        ("SOPInstanceUID", None, "SOPInstanceUID is missing or empty"),
        ("SeriesInstanceUID", None, "SeriesInstanceUID is missing or empty"),
        ("StudyInstanceUID", None, "StudyInstanceUID is missing or empty"),
        ("Rows", None, "Rows must be a whole number, got ''"),
        ("Modality", "CT", "Modality (0008,0060) must be PT, got 'CT'"),
    ],
)
def test_what_every_image_has_is_asked_for_by_name(dataset, keyword, value, message):
    setattr(dataset, keyword, value)
    with pytest.raises(HeaderError) as caught:
        pet_header(dataset)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("keyword", "field", "written", "read"),
    [
        ("SeriesDate", "series_date", "2026.03.01", date(2026, 3, 1)),
        ("SeriesDate", "series_date", "18500101", date(1850, 1, 1)),
        ("SeriesDate", "series_date", "18491231", None),
        ("SeriesDate", "series_date", "22001231", date(2200, 12, 31)),
        ("SeriesDate", "series_date", "22010101", None),
        ("SeriesDate", "series_date", "202603", None),
        ("SeriesDate", "series_date", "20261301", None),
        ("SeriesTime", "series_time", "235959.999999", time(23, 59, 59, 999999)),
        ("SeriesTime", "series_time", "1100000", None),
        ("SeriesTime", "series_time", "24", None),
        ("TimezoneOffsetFromUTC", "utc_offset", "-0330", -12600),
        ("TimezoneOffsetFromUTC", "utc_offset", "+1400", 50400),
        ("TimezoneOffsetFromUTC", "utc_offset", "+1500", None),
        ("TimezoneOffsetFromUTC", "utc_offset", "+0059", 3540),
        ("TimezoneOffsetFromUTC", "utc_offset", "+0060", None),
        ("DecayCorrectionDateTime", "decay_correction_datetime", "20260301", None),
        (
            "DecayCorrectionDateTime",
            "decay_correction_datetime",
            "2026030111-0330",
            Instant(datetime(2026, 3, 1, 11), -12600),
        ),
        ("ImagePositionPatient", "position", [1, 2], None),
        ("PixelSpacing", "pixel_spacing", [4, 3], (4.0, 3.0)),
    ],
)
def test_a_value_is_read_or_named_unreadable(dataset, keyword, field, written, read):
    setattr(dataset, keyword, written)
    header = pet_header(dataset)
    assert getattr(header, field) == read
    assert header.unreadable == (() if read is not None else (keyword,))


def test_numbers_that_are_none_are_missing_and_named(dataset):
    item = dataset.RadiopharmaceuticalInformationSequence[0]
    item.add_new(0x00181074, "LO", "nan")
    dataset.add_new(0x00101030, "LO", "inf")
    header = pet_header(dataset)
    assert (header.patient_weight, header.radiopharmaceuticals[0].total_dose) == (None, None)
    assert set(header.unreadable) == {"PatientWeight", "RadionuclideTotalDose"}


def test_two_radionuclide_codes_are_none(dataset):
    item = dataset.RadiopharmaceuticalInformationSequence[0]
    item.RadionuclideCodeSequence = [*item.RadionuclideCodeSequence] * 2
    (found,) = pet_header(dataset).radiopharmaceuticals
    assert (found.code_value, found.code_scheme, found.code_meaning) == ("", "", "")
    assert found.nuclide is None


def test_an_orphan_is_named_and_an_owned_element_is_none(dataset):
    dataset.add_new((0x7053, 0x1000), "DS", "0.5")
    dataset.add_new((0x7053, 0x1009), "DS", "0.5")
    dataset.add_new((0x7053, 0x1001), "DS", "0.5")
    assert pet_header(dataset).unreadable == ("(7053,1000)", "(7053,1009)")
    dataset.add_new((0x7053, 0x0010), "LO", "Philips PET Private Group")
    assert pet_header(dataset).unreadable == ()


# What a scale says beside its factor


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("F-18", 6586.2, INJECTED_AT_11, INJECTED, 3600.0, 370e6, 70.0)),
        (
            {"decay_correction": "ADMIN"},
            ("F-18", 6586.2, INJECTED, INJECTED, 0.0, 370e6, 70.0),
        ),
        (
            {"decay_correction": "NONE", "corrected_image": ("ATTN",)},
            ("F-18", 6586.2, None, INJECTED, None, 370e6, 70.0),
        ),
        ({"units": "GML"}, ("F-18", None, None, None, None, None, None)),
        ({"units": "GML", "suv_type": "LBM"}, ("F-18", None, None, None, None, None, 70.0)),
    ],
)
@pytest.mark.parametrize("policy", ["witnesses", "ibsi"])
def test_a_scale_holds_what_it_was_computed_from(header, change, expected, policy):
    told = replace(header, **change)
    scale = suvbw_scale([told], policy=policy)
    found = (
        scale.nuclide,
        scale.half_life,
        scale.reference and scale.reference.replace(microsecond=0),
        scale.injection and scale.injection.replace(microsecond=0),
        scale.decay_seconds and round(scale.decay_seconds, 1),
        scale.injected_activity,
        scale.weight,
    )
    assert found == expected
    assert (scale.policy, scale.units) == (policy, told.units)
    assert scale.decay_correction == told.decay_correction


def test_a_derivation_has_every_part_in_its_place(header):
    scale = suvbw_scale([replace(header, patient_weight=70000.0)])
    told = scale.derivation()
    assert told["reference"] == "2026-03-01T11:00:00"
    assert told["injection"] == "2026-03-01T10:00:00"
    assert told["factors"] == []
    assert told["flags"][0]["code"] == "weight-in-grams"
    assert told["flags"][0]["meaning"].startswith("Patient's Weight was 1000 or more")
    assert told["adaptations"] == [
        {"code": "weight-in-grams", "meaning": "Patient's Weight was divided by a thousand."}
    ]
    assert told["witnesses"][0] == {
        "key": "S",
        "name": "Series Time",
        "offset": 0.0,
        "says": "reference",
        "note": "",
    }
    assert told["inputs"][0] == {
        "name": "Units",
        "tag": "(0054,1001)",
        "value": "BQML",
        "unit": "",
    }
    assert (told["factor"], told["status"]) == (scale.factor, "COMPUTED-FLAGGED")
