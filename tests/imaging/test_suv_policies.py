"""Verdicts, the two published policies beside ours, and values normalised otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging import normalisations, series_report
from imaging.header_values import Instant
from imaging.suv import SuvRefused, assess, suvbw_scale
from tests.imaging.test_suv import FACTOR, series, with_item

# 70 kg, 1.75 m, F, by bc: James (1.07*70 - 148*(70/175)^2)*1000 = 51220 g;
# Du Bois 0.007184*70^0.425*175^0.725*10000 = 18481.430 cm2; ideal 45.5 + 0.91*23 = 66.43 kg.
JAMES_F, JAMES_120_M, JAMES_128_M = 51220.0, 57800.0, 56520.0


@pytest.mark.parametrize(
    ("suv_type", "sex", "grams"),
    [
        ("LBM", "M", JAMES_120_M),
        ("LBM", "F", JAMES_F),
        ("LBMJAMES128", "M", JAMES_128_M),
        ("LBMJAMES128", "F", JAMES_F),
        ("IBW", "F", 66430.0),
        ("IBW", "M", 72380.0),
    ],
)
def test_another_mass_is_divided_out(header, suv_type, sex, grams):
    given_ = replace(header, units="GML", suv_type=suv_type, patient_sex=sex)
    scale = suvbw_scale([given_])
    assert scale.factor == pytest.approx(70000.0 / grams, rel=1e-9)
    assert (scale.factor_unit, scale.adaptations) == ("1", ("suv-type-undone",))
    # What it was undone with is among the inputs, beside what the image says of itself.
    told = {one.tag: one.value for one in scale.inputs}
    assert (told["(0054,1006)"], told["(0010,1030)"]) == (suv_type, 70.0)
    assert (told["(0010,1020)"], told["(0010,0040)"]) == (1.75, sex)


def test_surface_is_divided_out(header):
    scale = suvbw_scale([replace(header, units="CM2ML", suv_type="BSA")])
    assert scale.factor == pytest.approx(70000.0 / 18481.430, rel=1e-6)
    assert scale.factor_unit == "g/cm2"


# Golden rows of calculate-suv's tests: 75 kg, 1.85 m.
@pytest.mark.parametrize(
    ("suv_type", "sex", "expected"),
    [
        ("LBM", "M", 62777.57487216947),
        ("LBM", "F", 55925.67567567568),
        ("LBMJANMA", "M", 60915.335886519744),
        ("LBMJANMA", "F", 49214.37996837613),
        ("BSA", "M", 19813.758427117766),
        ("BSA", None, 19813.758427117766),
        ("BW", None, 75000.0),
    ],
)
def test_normalisers_are_those_of_another_program(suv_type, sex, expected):
    found = normalisations.normaliser(suv_type, weight=75.0, size=1.85, sex=sex)
    assert found == pytest.approx(expected, rel=1e-12)


# QIBA's user guide: 70 kg, 1.65 m, a man: LBMJAMES128 over BW is 0.7709.
def test_lean_mass_of_qiba_s_man():
    lean = normalisations.normaliser("LBMJAMES128", weight=70.0, size=1.65, sex="M")
    assert lean / 70000.0 == pytest.approx(0.7709, abs=1e-4)


@pytest.mark.parametrize(
    ("suv_type", "changes"),
    [
        ("LBMX", {}),
        ("LBM", {"size": None}),
        ("LBM", {"sex": "O"}),
        ("BSA", {"size": 0.0}),
        ("LBM", {"weight": 300.0, "size": 1.0, "sex": "M"}),
        ("IBW", {"size": 0.5, "sex": "F"}),
    ],
)
def test_a_normaliser_that_measures_do_not_give_is_an_error(suv_type, changes):
    measures = {"weight": 70.0, "size": 1.75, "sex": "F"} | changes
    with pytest.raises(normalisations.NormalisationError):
        normalisations.normaliser(suv_type, **measures)


def test_lean_mass_past_its_turning_point_is_flagged(header):
    heavy = replace(header, units="GML", suv_type="LBM", patient_weight=120.0, patient_size=1.6)
    assert suvbw_scale([heavy]).flags == ("lean-mass-past-turning",)
    janma = suvbw_scale([replace(heavy, suv_type="LBMJANMA")])
    assert janma.flags == ()


def test_size_in_centimetres_is_read_as_such_and_said(header):
    scale = suvbw_scale([replace(header, units="GML", suv_type="LBM", patient_size=175.0)])
    assert scale.factor == pytest.approx(70000.0 / JAMES_F, rel=1e-9)
    assert "size-in-centimetres" in scale.flags
    assert "size-in-centimetres" in scale.adaptations


# Decay Correction NONE: each slice has an instant of its own.


def uncorrected(header, **changes):
    corrected = tuple(one for one in header.corrected_image if one != "DECY")
    return [
        replace(one, decay_correction="NONE", corrected_image=corrected, **changes)
        for one in series(header)
    ]


def test_each_uncorrected_slice_is_decayed_to_its_own_average_time(header):
    scale = suvbw_scale(uncorrected(header))
    # bc: 70000 / (370e6 * e(-l(2) * (3600 + 180*bed + 89.857923) / 6586.2)), beds 0 and 3.
    assert scale.factor is None
    assert scale.of_slice(0) == pytest.approx(0.00027896235455, rel=1e-9)
    assert scale.of_slice(3) == pytest.approx(0.00029527517348, rel=1e-9)
    # No one instant has an activity.
    assert (scale.decayed_activity, scale.decay_seconds) == (None, None)
    assert {one.says for one in scale.witnesses} == {"void", "absent"}


def test_the_injection_of_uncorrected_slices_is_flagged_and_adapted_like_any(header):
    slices = uncorrected(header)
    differ = suvbw_scale([with_item(one, start_time=time(10, 5)) for one in slices])
    assert (differ.status, differ.flags) == ("COMPUTED-FLAGGED", ("injection-times-differ",))
    clock = suvbw_scale([with_item(one, start_datetime=None) for one in slices])
    assert (clock.flags, clock.adaptations) == ((), ("injection-date-from-reference",))
    assert clock.factors == differ.factors


@pytest.mark.parametrize(
    ("change", "item", "code"),
    [
        ({"acquisition_date": None}, {}, "acquisition-time-missing"),
        ({"actual_frame_duration": None}, {}, "frame-duration-missing"),
        ({}, {"start_time": None, "start_datetime": None}, "injection-time-missing"),
    ],
)
def test_uncorrected_slices_are_refused_with_the_table(header, change, item, code):
    slices = [with_item(one, **item) for one in uncorrected(header)]
    with pytest.raises(SuvRefused) as caught:
        suvbw_scale([*slices[:3], replace(slices[3], **change)])
    assert caught.value.code == code
    assert [one.key for one in caught.value.witnesses] == ["S", "A", "P", "F", "D", "Z"]


@given(st.permutations(range(4)))
def test_factors_of_slices_follow_the_slices(header, order):
    slices = uncorrected(header)
    straight = suvbw_scale(slices)
    mixed = suvbw_scale([slices[i] for i in order])
    assert list(mixed.factors) == pytest.approx([straight.factors[i] for i in order], rel=1e-12)


def test_decayed_by_hand_none_start_and_admin_agree(header):
    """START at the average time of the only slice, NONE, and ADMIN with less activity."""
    (slice_,) = uncorrected(header)[:1]
    none = suvbw_scale([slice_]).of_slice(0)
    left = 370e6 * 2 ** (-(3600 + 89.857923) / 6586.2)
    admin = suvbw_scale([with_item(replace(header, decay_correction="ADMIN"), total_dose=left)])
    assert none == pytest.approx(admin.factor, rel=1e-9)


def test_uncorrected_yet_corrected_is_for_a_person(header):
    verdict = assess([replace(header, decay_correction="NONE")])
    assert (verdict.status, verdict.code) == ("REVIEW", "decay-correction-contradictory")
    assert (verdict.scale, verdict.attribute) == (None, "(0054,1102)")
    candidate = verdict.candidate
    assert candidate.factor == pytest.approx(FACTOR, rel=1e-8)
    assert (candidate.status, candidate.decay_correction) == ("REVIEW", "NONE")
    told = {one.tag: one.value for one in candidate.inputs}
    assert (told["(0054,1102)"], told["(0054,1001)"], told["(0010,1030)"]) == ("NONE", "BQML", 70.0)


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({"units": "CNTS", "philips_suv_factor": 0.0005}, 0.0005),
        ({"units": "CNTS", "philips_activity_factor": 2.0}, 2 * FACTOR),
        ({"units": "GML"}, 1.0),
        ({"units": "GML", "patient_weight": None}, 1.0),
        ({"decay_factor": 1.2}, FACTOR),
    ],
)
def test_a_contradictory_decay_correction_always_has_a_candidate(header, change, factor):
    verdict = assess([replace(header, decay_correction="NONE", **change)])
    assert (verdict.status, verdict.code) == ("REVIEW", "decay-correction-contradictory")
    assert verdict.candidate.factor == pytest.approx(factor, rel=1e-8)


@pytest.mark.parametrize("units", ["BQML", "CNTS"])
@pytest.mark.parametrize(
    ("change", "item", "code"),
    [
        ({"patient_weight": None}, {}, "weight-missing"),
        ({"patient_weight": 0.0}, {}, "weight-missing"),
        ({}, {"total_dose": None}, "dose-missing"),
        ({}, {"half_life": None}, "half-life-missing"),
    ],
)
def test_a_contradictory_decay_correction_needs_what_every_number_needs(
    header, units, change, item, code
):
    both = replace(header, decay_correction="NONE", units=units, philips_suv_factor=0.0005)
    verdict = assess([with_item(replace(both, **change), **item)])
    assert (verdict.status, verdict.code, verdict.candidate) == ("REFUSED", code, None)


def test_a_contradictory_decay_correction_of_counts_needs_a_scale_factor(header):
    counts = replace(header, decay_correction="NONE", units="CNTS", philips_suv_factor=0.0)
    assert assess([counts]).code == "scale-factor-missing"


def test_uncorrected_slices_under_a_still_clock_are_for_a_person(header):
    # Four beds by Frame Reference Time, all "acquired" at 11:00.
    verdict = assess(uncorrected(header, acquisition_time=time(11)))
    assert (verdict.status, verdict.code) == ("REVIEW", "acquisition-time-still")
    assert (verdict.attribute, len(verdict.candidate.factors)) == ("(0008,0032)", 4)
    assert assess(uncorrected(header)).status == "COMPUTED"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        # 11:06 less 360 s is Series Time, or the private start: the clock goes with the bed.
        ({}, "COMPUTED"),
        ({"series_time": time(11, 2), "vendor_scan_time": "11:00"}, "COMPUTED"),
        ({"series_time": time(11, 2)}, "REVIEW"),
        ({"acquisition_time": time(11)}, "REVIEW"),
        ({"acquisition_time": time(11), "manufacturer": "SIEMENS"}, "COMPUTED"),
        ({"acquisition_time": time(11), "frame_reference_time": 0.0}, "COMPUTED"),
        ({"series_time": None}, "REVIEW"),
    ],
)
def test_a_single_uncorrected_bed_needs_its_clock_vouched_for(header, change, status):
    if "vendor_scan_time" in change:
        change = change | {"vendor_scan_time": Instant(datetime(2026, 3, 1, 11))}
    (bed, *_) = uncorrected(header)
    ge = {"manufacturer": "GE MEDICAL SYSTEMS", "acquisition_time": time(11, 6)}
    verdict = assess([replace(bed, **ge | {"frame_reference_time": 360000.0} | change)])
    assert (verdict.status, verdict.code) == (
        status,
        "acquisition-time-still" if status == "REVIEW" else "",
    )


def test_suv_that_is_not_decay_corrected_is_for_a_person(header):
    corrected = tuple(one for one in header.corrected_image if one != "DECY")
    raw = replace(header, units="GML", decay_correction="NONE", corrected_image=corrected)
    verdict = assess([raw])
    assert (verdict.status, verdict.code) == ("REVIEW", "suv-not-decay-corrected")
    assert (verdict.candidate.factor, verdict.attribute) == (1.0, "(0054,1102)")
    # IBSI-SUV takes GML as it is, whatever Decay Correction says.
    assert suvbw_scale([raw], policy="ibsi").factor == 1.0


# Verdicts


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({}, "COMPUTED", ""),
        ({"rescale_intercept": 1.0}, "COMPUTED-FLAGGED", ""),
        ({"decay_factor": 1.2}, "REVIEW", "reference-time-disputed"),
        ({"patient_weight": 0.0}, "REFUSED", "weight-missing"),
    ],
)
@pytest.mark.parametrize("policy", ["witnesses"])
def test_a_number_is_there_only_when_it_is_sure(header, change, status, code, policy):
    verdict = assess([replace(header, **change)], policy=policy)
    assert (verdict.status, verdict.code) == (status, code)
    assert (verdict.scale is not None) == status.startswith("COMPUTED")
    assert (verdict.candidate is not None) == (status == "REVIEW")
    assert {"S", "A", "P", "F", "D"} <= {one.key for one in verdict.witnesses}


@pytest.mark.parametrize("seconds", [1, 1800, 3600])
def test_injection_after_a_static_scan_is_for_a_person(header, seconds):
    late = datetime(2026, 3, 1, 11) + timedelta(seconds=seconds)
    verdict = assess([with_item(header, start_datetime=Instant(late), start_time=None)])
    assert (verdict.status, verdict.code) == ("REVIEW", "negative-uptake")
    assert verdict.candidate.decay_seconds == -seconds


def test_factors_of_the_scanner_that_disagree_are_for_a_person(header):
    philips = replace(
        header,
        manufacturer="Philips Medical Systems",
        units="CNTS",
        frame_reference_time=450000.0,
        decay_factor=1.0,
        philips_activity_factor=2.0,
        philips_suv_factor=0.00057,
    )
    verdict = assess([philips])
    assert (verdict.status, verdict.code) == ("REVIEW", "scale-factors-disputed")
    assert verdict.candidate.factor == pytest.approx(2 * FACTOR, rel=1e-8)


def test_nothing_at_all_is_refused_without_a_fault():
    verdict = assess([])
    assert (verdict.status, verdict.code, verdict.witnesses) == ("REFUSED", "no-slices", ())


# The two published policies, each by its own first rule.


def test_all_policies_agree_on_an_ordinary_series(header):
    found = [suvbw_scale([header], policy=policy) for policy in ("witnesses", "ibsi", "qiba")]
    # IBSI goes by Frame Reference Time, written to a millisecond, as this bed begins later.
    assert [one.factor for one in found] == pytest.approx([FACTOR] * 3, rel=1e-6)
    assert [one.derivation()["policy"].split()[0] for one in found] == [
        "TrialTrace",
        "IBSI-SUV",
        "QIBA",
    ]


def test_ibsi_believes_the_private_start_and_the_witnesses_ask(header):
    other = replace(header, vendor_scan_time=Instant(datetime(2026, 3, 1, 10, 58)))
    assert suvbw_scale([other], policy="ibsi").decay_seconds == 3480.0
    assert assess([other]).status == "REVIEW"
    assert {w.key: w.says for w in suvbw_scale([other], policy="ibsi").witnesses}["S"] == (
        "contradicts"
    )


def test_qiba_believes_series_time_unless_it_is_later(header):
    assert suvbw_scale([header], policy="qiba").decay_seconds == 3600.0
    later = replace(header, series_time=time(11, 40))
    scale = suvbw_scale([later], policy="qiba")
    assert scale.decay_seconds == pytest.approx(3600.0, abs=0.01)
    ge = replace(later, manufacturer="GE MEDICAL SYSTEMS")
    assert suvbw_scale([ge], policy="qiba").decay_seconds == 3960.0
    private = replace(ge, vendor_scan_time=Instant(datetime(2026, 3, 1, 11, 1)))
    assert suvbw_scale([private], policy="qiba").decay_seconds == 3660.0


@pytest.mark.parametrize("weight", [1e308, 1e-320])
def test_qiba_takes_any_weight_but_gives_no_number_that_is_none(header, weight):
    verdict = assess([replace(header, patient_weight=weight)], policy="qiba")
    assert (verdict.status, verdict.code) == ("REFUSED", "factor-impossible")


@pytest.mark.parametrize("policy", ["ibsi", "qiba"])
def test_a_contradicting_witness_flags_the_number_of_a_compared_policy(header, policy):
    # DF 1.2 puts the reference 1732.4 - 449.9 s earlier: 1.2 = 2^(1732.4/6586.2).
    verdict = assess([replace(header, decay_factor=1.2)], policy=policy)
    assert (verdict.status, verdict.scale.flags) == ("COMPUTED-FLAGGED", ("witness-contradicts",))
    assert verdict.scale.factor == pytest.approx(FACTOR, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "policy", "code", "message"),
    [
        ({"series_date": None}, "qiba", "series-date-missing", "Series Date (0008,0021)"),
        ({"series_time": None}, "qiba", "series-time-missing", "Series Time (0008,0031)"),
        (
            {"acquisition_date": None},
            "qiba",
            "acquisition-date-missing",
            "Acquisition Date (0008,0022)",
        ),
        (
            {"acquisition_time": None, "acquisition_date": None},
            "ibsi",
            "acquisition-time-missing",
            "Acquisition Time (0008,0032)",
        ),
    ],
)
def test_a_policy_names_the_date_or_the_time_that_it_lacks(header, change, policy, code, message):
    verdict = assess([replace(header, **change)], policy=policy)
    assert (verdict.code, verdict.message) == (code, f"{message} is missing.")


def test_ibsi_on_ge_takes_frame_reference_time_as_the_start(header):
    ge = replace(header, manufacturer="GE MEDICAL SYSTEMS", frame_reference_time=300000.0)
    assert suvbw_scale([ge], policy="ibsi").decay_seconds == 3660.0
    bare = replace(header, frame_reference_time=None)
    with pytest.raises(SuvRefused, match="Frame Reference Time"):
        suvbw_scale([bare], policy="ibsi")


# A frame that would be 1213 s after the start of the scan, on a clock that shows that start.
FROZEN = {"acquisition_time": time(11), "frame_reference_time": 1213000.0}


@pytest.mark.parametrize(
    ("clock", "elapsed"),
    [
        (time(11), 3600.0),
        # IBSI-SUV: |Acquisition - Series| <= 1 s is Series Time; then acquisition - 1213 s.
        (time(11, 0, 1), 3600.0),
        (time(10, 59, 59), 3600.0),
        (time(11, 0, 1, 1000), 2388.001),
    ],
)
def test_ibsi_takes_series_time_beside_the_acquisition_before_frame_reference_time(
    header, clock, elapsed
):
    ge = replace(header, manufacturer="GE MEDICAL SYSTEMS", **FROZEN | {"acquisition_time": clock})
    assert suvbw_scale([ge], policy="ibsi").decay_seconds == pytest.approx(elapsed, abs=1e-6)


def test_qiba_takes_series_time_that_is_not_after_the_acquisition(header):
    # At the same instant, before Frame Reference Time is asked; as with QIBA's own phantom.
    assert suvbw_scale([replace(header, **FROZEN)], policy="qiba").decay_seconds == 3600.0


def test_ibsi_counts_back_from_the_acquisition_and_asks_nothing_of_the_series(header):
    # 11:06 + 89.857923 s (T_ave) - 449.857923 s = 11:00, also by the calendar of the acquisition.
    for change in ({"series_date": None}, {"series_time": None}):
        scale = suvbw_scale([replace(header, **change)], policy="ibsi")
        assert scale.reference == datetime(2026, 3, 1, 11)
        assert scale.factor == pytest.approx(FACTOR, rel=1e-8)
    later = replace(header, series_date=date(2026, 3, 2))
    assert suvbw_scale([later], policy="ibsi").reference == datetime(2026, 3, 1, 11)


@pytest.mark.parametrize(
    ("vendor", "milliseconds", "code"),
    [
        ("GE MEDICAL SYSTEMS", 86400000.0, ""),
        ("GE MEDICAL SYSTEMS", 86400001.0, "frame-reference-missing"),
        ("SIEMENS", 86489857.0, ""),
        ("SIEMENS", 86489859.0, "frame-reference-missing"),
        ("SIEMENS", 0.0, "frame-reference-missing"),
    ],
)
def test_ibsi_counts_back_no_more_than_a_day(header, vendor, milliseconds, code):
    odd = replace(header, manufacturer=vendor, frame_reference_time=milliseconds)
    assert assess([odd], policy="ibsi").code == code


def test_the_zero_of_a_published_policy_is_the_median_of_the_slices(header):
    # Zeros at 11:00:00, 11:00:01 and 11:00:04.
    starts = ((time(11, 5), 300.0), (time(11, 8, 1), 480.0), (time(11, 11, 4), 660.0))
    slices = [
        replace(
            header,
            manufacturer="GE MEDICAL SYSTEMS",
            acquisition_time=clock,
            frame_reference_time=1000.0 * seconds,
        )
        for clock, seconds in starts
    ]
    assert suvbw_scale(slices, policy="ibsi").decay_seconds == 3601.0


@pytest.mark.parametrize("policy", ["ibsi", "qiba"])
def test_a_published_policy_needs_the_acquisition_of_every_slice(header, policy):
    whole = series(header, beds=3)
    cut = [*whole[:2], replace(whole[2], acquisition_date=None)]
    with pytest.raises(SuvRefused, match="Acquisition Date") as caught:
        suvbw_scale(cut, policy=policy)
    assert caught.value.code == "acquisition-date-missing"
    # The table goes by clocks alone, and is there.
    assert {one.key: one.says for one in caught.value.witnesses} == {
        "S": "agrees",
        "A": "agrees",
        "P": "absent",
        "F": "agrees",
        "D": "agrees",
        "Z": "absent",
    }


def test_the_private_start_of_scan_is_read_in_the_zone_of_the_series(header):
    # 10:00+0100 is 11:00+0200.
    ge = replace(
        header,
        manufacturer="GE MEDICAL SYSTEMS",
        series_time=time(11, 40),
        utc_offset=7200,
        vendor_scan_time=Instant(datetime(2026, 3, 1, 10), 3600),
    )
    for policy in ("ibsi", "qiba"):
        scale = suvbw_scale([ge], policy=policy)
        assert scale.reference == datetime(2026, 3, 1, 11)
        # The decay factor says so too, and Series Time does not.
        told = {one.key: one.says for one in scale.witnesses}
        assert (told["S"], told["D"], scale.flags) == (
            "contradicts",
            "agrees",
            ("witness-contradicts",),
        )


def test_ibsi_needs_no_series_time_beside_a_private_start(header):
    bare = replace(header, series_time=None, vendor_scan_time=Instant(datetime(2026, 3, 1, 11)))
    scale = suvbw_scale([bare], policy="ibsi")
    assert (scale.decay_seconds, scale.flags) == (3600.0, ())
    assert {one.key for one in scale.witnesses} == {"S", "A", "P", "F", "D", "Z"}


@pytest.mark.parametrize(
    "change", [{"decay_correction": "ADMIN"}, {"units": "CM2ML"}, {"decay_correction": "NONE"}]
)
def test_qiba_refuses_what_it_does_not_know(header, change):
    verdict = assess([replace(header, **change)], policy="qiba")
    assert (verdict.status, verdict.code) == ("REFUSED", "not-in-policy")


def test_qiba_prefers_the_scanner_s_factor_and_ignores_the_suv_type(header):
    counts = replace(header, units="CNTS", philips_suv_factor=0.5, philips_activity_factor=2.0)
    assert suvbw_scale([counts], policy="qiba").factor == 0.5
    lean = suvbw_scale([replace(header, units="GML", suv_type="LBM")], policy="qiba")
    assert (lean.factor, lean.flags) == (1.0, ("suv-type-ignored",))
    assert lean.status == "COMPUTED-FLAGGED"
    for suv_type in ("", "BW"):
        body = suvbw_scale([replace(header, units="GML", suv_type=suv_type)], policy="qiba")
        assert (body.factor, body.flags, body.status) == (1.0, (), "COMPUTED")


def test_ibsi_takes_the_mean_of_both_sexes_where_it_is_neither(header):
    other = replace(header, units="GML", suv_type="LBM", patient_sex="O")
    scale = suvbw_scale([other], policy="ibsi")
    assert scale.factor == pytest.approx(70000.0 / ((JAMES_120_M + JAMES_F) / 2), rel=1e-9)
    assert scale.flags == ("sex-averaged",)


# What is told of a series


def test_a_report_is_json_and_holds_what_a_script_needs(header):
    verdict = assess([header])
    told = series_report.as_json([header], verdict, series_report.Pixels(4.0, 0.5), [])
    told = json.loads(json.dumps(told))
    assert told["suvbw_factor"] == pytest.approx(FACTOR, rel=1e-8)
    assert (told["uptake_seconds"], told["decay_seconds"]) == (3960.0, 3600.0)
    by_key = {one["key"]: one for one in told["witnesses"]}
    assert by_key["A"]["value"] == "2026-03-01T11:06:00"
    assert (by_key["A"]["seconds"], by_key["S"]["seconds"]) == (360.0, 0.0)
    text = "\n".join(series_report.as_text(told))
    assert "COMPUTED" in text
    assert "factor 0.000276336682 g/Bq" in text


def test_a_candidate_is_called_one(header):
    late = replace(header, decay_factor=1.2)
    none = series_report.Pixels(None, None)
    told = series_report.as_json([late], assess([late]), none, [])
    assert told["suvbw_factor"] is None
    assert told["candidate_factor"] == pytest.approx(FACTOR, rel=1e-8)
    text = "\n".join(series_report.as_text(told))
    assert "candidate factor" in text
    assert "\n  factor" not in text
