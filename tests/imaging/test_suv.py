"""SUV factors against hand calculation, and the refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.header_values import Instant
from imaging.suv import SuvRefused, assess, suvbw_scale
from imaging.suv_terms import ADAPTATIONS, FLAGS

# bc -l: 70000 / (370000000 * e(-l(2) * 3600 / 6586.2))
FACTOR = 0.000276336681717643


def at(*parts: int) -> datetime:
    """A clock reading; DICOM times have no zone unless they say so."""
    return datetime(*parts)


def with_item(header, **changes):
    item = replace(header.radiopharmaceuticals[0], **changes)
    return replace(header, radiopharmaceuticals=(item,))


def series(header, beds=4):
    """Slices of beds at 0, 180, 360 … s with the decay factors of their starts."""
    return [
        replace(
            header,
            sop_instance_uid=f"1.2.3.{bed}",
            position=(0.0, 0.0, 3.0 * bed),
            acquisition_time=(at(2026, 3, 1, 11) + timedelta(seconds=180 * bed)).time(),
            frame_reference_time=180000.0 * bed + 89857.923,
            decay_factor=2 ** ((180 * bed + 89.857923) / 6586.2),
            rescale_slope=1.0 + bed,
        )
        for bed in range(beds)
    ]


def refusal(*headers):
    with pytest.raises(SuvRefused) as caught:
        suvbw_scale(headers)
    return caught.value.code


def says(scale):
    return {witness.key: witness.says for witness in scale.witnesses}


def test_factor_is_weight_over_activity_decayed_to_the_series_time(header):
    scale = suvbw_scale([header])
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)
    assert (scale.factor_unit, scale.status, scale.decay_seconds) == ("g/Bq", "COMPUTED", 3600.0)
    assert scale.reference == at(2026, 3, 1, 11)
    assert scale.decayed_activity == pytest.approx(370e6 * 0.684632919573, rel=1e-9)
    # It is that of every slice.
    assert [scale.of_slice(place) for place in (0, 1)] == [scale.factor] * 2


def test_every_witness_is_published(header):
    scale = suvbw_scale(series(header))
    assert says(scale) == {
        "S": "reference",
        "A": "agrees",
        "P": "absent",
        "F": "agrees",
        "D": "agrees",
        "Z": "absent",
    }


def test_derivation_is_json_and_names_every_input(header):
    derivation = json.loads(json.dumps(suvbw_scale([header]).derivation()))
    inputs = {i["name"]: (i["tag"], i["value"], i["unit"]) for i in derivation["inputs"]}
    assert inputs["Patient's Weight"] == ("(0010,1030)", 70.0, "kg")
    assert inputs["Radionuclide Total Dose"] == ("(0018,1074)", 370e6, "Bq")
    assert inputs["Decay Factor"] == ("(0054,1321)", [1.048483, 1.048483], "")
    assert (derivation["policy"], derivation["policy_version"]) == (
        "TrialTrace five witnesses",
        "3",
    )


def test_admin_takes_the_activity_as_injected(header):
    scale = suvbw_scale([replace(header, decay_correction="ADMIN")])
    assert scale.factor == pytest.approx(70000 / 370e6)
    assert scale.decay_seconds == 0.0


def test_admin_needs_no_time_of_the_injection(header):
    # suv.md 3.5: "no decay; time of administration not needed but recorded".
    admin = replace(header, decay_correction="ADMIN")
    scale = suvbw_scale([with_item(admin, start_datetime=None, start_time=None)])
    assert scale.factor == pytest.approx(70000 / 370e6)
    assert (scale.reference, scale.injection) == (None, None)


def test_grams_per_millilitre_are_taken_as_they_are(header):
    scale = suvbw_scale([replace(header, units="GML", suv_type="BW", patient_weight=None)])
    assert (scale.factor, scale.factor_unit, scale.status) == (1.0, "1", "COMPUTED")
    derived = suvbw_scale([replace(header, units="GML", image_type=("DERIVED", "PRIMARY"))])
    assert (derived.flags, derived.status) == (("derived-image",), "COMPUTED-FLAGGED")


def test_philips_counts_become_activity_first(header):
    philips = replace(
        header,
        manufacturer="Philips Medical Systems",
        units="CNTS",
        # The middle of the frame, not its average time: 360 s + 90 s.
        frame_reference_time=450000.0,
        decay_factor=1.0,
        philips_activity_factor=2.0,
        philips_suv_factor=0.00055,
    )
    scale = suvbw_scale([philips])
    assert scale.factor == pytest.approx(2 * FACTOR, rel=1e-8)
    assert scale.factor_unit == "g/mL"
    off = replace(philips, philips_suv_factor=0.00057)
    assert refusal(off) == "scale-factors-disputed"
    # DICOM's BW says what no SUV Type says; and a factor may well be below 1.
    small = replace(
        philips, suv_type="BW", philips_activity_factor=0.5, philips_suv_factor=0.000138
    )
    assert suvbw_scale([small]).factor == pytest.approx(FACTOR / 2, rel=1e-8)
    assert suvbw_scale([small]).adaptations == ()
    only = suvbw_scale([replace(philips, philips_activity_factor=0.0)])
    assert (only.factor, "scanner-suv-factor" in only.adaptations) == (0.00055, True)


def test_philips_factors_are_not_applied_to_becquerel(header):
    scale = suvbw_scale([replace(header, philips_suv_factor=0.5, philips_activity_factor=2.0)])
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"units": "PROPCPS"}, "units-unsupported"),
        ({"units": ""}, "units-unsupported"),
        ({"units": "GML", "suv_type": "BSA"}, "suv-type-contradictory"),
        ({"units": "CM2ML", "suv_type": "BW"}, "suv-type-contradictory"),
        ({"units": "GML", "suv_type": "LBM", "patient_sex": "O"}, "suv-type-not-undone"),
        ({"units": "GML", "suv_type": "LBM", "patient_size": None}, "size-missing"),
        ({"units": "CM2ML", "patient_size": 700.0}, "size-implausible"),
        ({"units": "CNTS"}, "scale-factor-missing"),
        (
            {"units": "CNTS", "suv_type": "LBM", "philips_suv_factor": 0.1},
            "suv-type-unsupported",
        ),
        (
            {"units": "CNTS", "philips_suv_factor": 0.0, "philips_activity_factor": 0.0},
            "scale-factor-missing",
        ),
        ({"corrected_image": ("DECY", "NORM")}, "not-attenuation-corrected"),
        ({"corrected_image": ("ATTN", "NORM")}, "not-decay-corrected"),
        ({"decay_correction": "NONE"}, "decay-correction-contradictory"),
        (
            {
                "decay_correction": "NONE",
                "corrected_image": ("ATTN",),
                "actual_frame_duration": None,
            },
            "frame-duration-missing",
        ),
        ({"decay_correction": ""}, "decay-correction-missing"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "CSA MPR")}, "projection-or-reformat"),
        ({"units": "GML", "decay_correction": "NONE"}, "decay-correction-contradictory"),
        ({"series_type": ("WHOLE BODY", "REPROJECTION")}, "projection-or-reformat"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.130"}, "enhanced-pet-unsupported"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}, "sop-class-unsupported"),
        ({"patient_weight": None}, "weight-missing"),
        ({"patient_weight": 0.0}, "weight-missing"),
        ({"patient_weight": 700.0}, "weight-implausible"),
        ({"patient_weight": 700000.0}, "weight-implausible"),
        ({"patient_weight": -70.0}, "weight-missing"),
        ({"radiopharmaceuticals": ()}, "radiopharmaceutical-missing"),
        ({"rescale_slope": None}, "rescale-slope-missing"),
        ({"rescale_intercept": None}, "rescale-intercept-missing"),
        ({"series_time": None}, "series-time-missing"),
        ({"acquisition_time": None}, "acquisition-time-missing"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(header, change, code):
    assert refusal(replace(header, **change)) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"total_dose": None}, "dose-missing"),
        ({"total_dose": 0.0}, "dose-missing"),
        ({"total_dose": -1.0}, "dose-missing"),
        ({"half_life": None}, "half-life-missing"),
        ({"half_life": 109.8}, "half-life-disputed"),
        ({"half_life": 1e-9}, "half-life-implausible"),
        ({"total_dose": 1e-9}, "dose-implausible"),
        ({"total_dose": 1e12}, "dose-implausible"),
        ({"half_life": 4062.6}, "half-life-disputed"),
        ({"start_time": None, "start_datetime": None}, "injection-time-missing"),
        ({"start_time": time(7), "start_datetime": None}, "uptake-implausible"),
        ({"start_time": time(11, 10), "start_datetime": None}, "negative-uptake"),
    ],
)
def test_activity_that_cannot_be_known_is_refused_by_name(header, change, code):
    assert refusal(with_item(header, **change)) == code


def test_two_radiopharmaceuticals_are_refused_and_not_the_first_taken(header):
    both = header.radiopharmaceuticals * 2
    assert refusal(replace(header, radiopharmaceuticals=both)) == "several-radiopharmaceuticals"


@pytest.mark.parametrize("policy", ["witnesses", "ibsi", "qiba"])
@pytest.mark.parametrize("units", ["GML", "CM2ML"])
def test_suv_of_two_radiopharmaceuticals_is_refused(header, units, policy):
    both = replace(header, units=units, radiopharmaceuticals=header.radiopharmaceuticals * 2)
    if (policy, units) == ("qiba", "CM2ML"):
        assert assess([both], policy=policy).code == "not-in-policy"
    else:
        assert assess([both], policy=policy).code == "several-radiopharmaceuticals"
    assert suvbw_scale([replace(header, units=units, radiopharmaceuticals=())]).factor_unit


# Values 3 and on of Image Type (0008,0008): Siemens' CSA names, the terms of Volume Based
# Calculation Technique (0008,9207), and names that workstations write.
@pytest.mark.parametrize(
    "kind",
    [
        "CSA MPR",
        "CSA MPR THICK",
        "CSA MIP",
        "CSA 3D EDITOR",
        "MPR",
        "CURVED_MPR",
        "MIP",
        "MAX_IP",
        "MIN_IP",
        "MinIP",
        "MINIMUM INTENSITY PROJECTION",
        "PROJECTION IMAGE",
        "VOLUME_RENDER",
        "VOLUME RENDERED",
        "SURFACE_RENDER",
        "VRT",
        "SSD",
        "FUSED",
        "FUSION",
        "PET CT FUSION",
        "REFORMATTED",
        "SCREEN SAVE",
        "SCREENSAVE",
    ],
)
def test_a_picture_made_from_slices_is_refused(header, kind):
    picture = replace(header, image_type=("DERIVED", "SECONDARY", kind))
    assert refusal(picture) == "projection-or-reformat"


@pytest.mark.parametrize(
    "kind", ["AXIAL", "OTHER", "CSAMANIPULATED", "STATIC", "EMISSION", "TRIMMED", "DIFFUSION"]
)
def test_a_slice_is_no_picture_for_a_name_alike(header, kind):
    scale = suvbw_scale([replace(header, image_type=("DERIVED", "SECONDARY", kind))])
    assert scale.flags == ("derived-image",)


def test_no_slices_are_refused():
    assert refusal() == "no-slices"


def test_slices_of_two_patients_are_refused(header):
    assert refusal(header, replace(header, patient_weight=71.0)) == "series-not-homogeneous"


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"image_type": ("DERIVED", "PRIMARY")}, "derived-image"),
        ({"rescale_intercept": -1.0}, "rescale-intercept"),
        ({"frame_reference_time": None, "decay_factor": None}, "reference-time-uncorroborated"),
        ({"image_type": ("DERIVED", "SECONDARY")}, "derived-image"),
        ({"patient_weight": 70000.0}, "weight-in-grams"),
        ({"number_of_slices": 74}, "incomplete"),
    ],
)
def test_what_is_unusual_is_computed_and_flagged(header, change, flag):
    scale = suvbw_scale([replace(header, **change)])
    assert (scale.status, scale.flags) == ("COMPUTED-FLAGGED", (flag,))
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)


@pytest.mark.parametrize(
    ("change", "flag", "ratio"),
    [
        ({"total_dose": 370.0}, "dose-in-megabecquerel", 1.0),
        ({"total_dose": 3.7e9}, "activity-implausible", 0.1),
        ({"code_value": "", "code_meaning": ""}, "nuclide-unverified", 1.0),
        ({"start_time": time(10, 5)}, "injection-times-differ", 1.0),
    ],
)
def test_unusual_activity_is_computed_and_flagged(header, change, flag, ratio):
    scale = suvbw_scale([with_item(header, **change)])
    assert (scale.status, scale.flags) == ("COMPUTED-FLAGGED", (flag,))
    assert scale.factor == pytest.approx(FACTOR * ratio, rel=1e-8)


def test_every_flag_and_adaptation_has_a_sentence():
    assert all(text.endswith(".") for text in (*FLAGS.values(), *ADAPTATIONS.values()))


# Witnesses


def test_decay_factor_against_series_time_is_refused_with_the_table(header):
    with pytest.raises(SuvRefused, match="Decay Factor") as caught:
        suvbw_scale([replace(header, decay_factor=1.20)])
    table = {w.key: w.says for w in caught.value.witnesses}
    assert (caught.value.code, table["F"], table["D"]) == (
        "reference-time-disputed",
        "agrees",
        "contradicts",
    )


def test_private_start_of_scan_against_series_time_is_refused(header):
    late = replace(header, vendor_scan_time=Instant(at(2026, 3, 1, 10, 58)))
    assert refusal(late) == "reference-time-disputed"


def test_private_start_of_scan_may_be_half_a_percent_of_suv_off(header):
    # suv.md 3.5: the larger of 2 s and 0.5 %; for F-18 6586.2 * log2(1.005) = 47.39 s.
    near = replace(header, vendor_scan_time=Instant(at(2026, 3, 1, 10, 59, 13)))
    off = replace(header, vendor_scan_time=Instant(at(2026, 3, 1, 10, 59, 12)))
    assert suvbw_scale([near]).status == "COMPUTED"
    assert refusal(off) == "reference-time-disputed"


def test_decay_correction_datetime_against_series_time_is_refused(header):
    other = replace(header, decay_correction_datetime=Instant(at(2026, 3, 1, 10)))
    assert refusal(other) == "reference-time-disputed"


def test_rewritten_series_time_yields_to_two_witnesses_other_than_the_private_one(header):
    scale = suvbw_scale([replace(header, series_time=time(11, 40))])
    assert scale.factor == pytest.approx(FACTOR, rel=1e-6)
    assert (scale.flags, says(scale)["F"], says(scale)["D"]) == (
        ("series-time-rewritten",),
        "reference",
        "agrees",
    )


@pytest.mark.parametrize(
    ("change", "chosen"),
    [
        ({"decay_factor": None}, "F"),
        ({"frame_reference_time": None}, "D"),
        ({"decay_factor": None, "frame_reference_time": None}, "A"),
        # Two that contradict each other are no better than one.
        ({"decay_factor": 1.2}, "F"),
    ],
)
def test_one_witness_alone_gives_a_candidate_and_no_number(header, change, chosen):
    verdict = assess([replace(header, series_time=time(11, 40), **change)])
    assert (verdict.status, verdict.code, verdict.scale) == (
        "REVIEW",
        "series-time-rewritten",
        None,
    )
    assert says(verdict.candidate)[chosen] == "reference"


def test_the_earliest_bed_of_a_whole_series_is_a_second_witness(header):
    rewritten = [replace(h, series_time=time(11, 40), decay_factor=None) for h in series(header)]
    assert suvbw_scale(rewritten).factor == pytest.approx(FACTOR, rel=1e-6)
    cut = [replace(one, number_of_slices=5) for one in rewritten]
    assert assess(cut).status == "REVIEW"


def test_series_time_alone_is_not_enough_for_an_incomplete_series(header):
    alone = replace(header, frame_reference_time=None, decay_factor=None, number_of_slices=74)
    verdict = assess([alone])
    assert (verdict.status, verdict.code) == ("REVIEW", "reference-time-uncorroborated")
    assert verdict.candidate.factor == pytest.approx(FACTOR, rel=1e-8)


def test_rewritten_series_time_yields_to_two_witnesses_and_is_flagged(header):
    rewritten = replace(
        header,
        series_time=time(11, 40),
        vendor_scan_time=Instant(at(2026, 3, 1, 11)),
    )
    scale = suvbw_scale([rewritten])
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)
    assert scale.flags == ("series-time-rewritten",)
    assert scale.reference == at(2026, 3, 1, 11)


def test_series_time_ten_microseconds_after_acquisition_is_rounding(header):
    # Seen: Series Time 123034.000000, Acquisition Time 123033.999990.
    first = series(header, beds=1)[0]
    rounded = replace(first, acquisition_time=time(10, 59, 59, 999990))
    assert suvbw_scale([rounded]).status == "COMPUTED"


def test_frozen_acquisition_times_of_ge_are_confirmed_by_the_decay_factor(header):
    frozen = [
        replace(
            h,
            manufacturer="GE MEDICAL SYSTEMS",
            acquisition_time=time(11),
            frame_reference_time=180000.0 * bed,
        )
        for bed, h in enumerate(series(header))
    ]
    scale = suvbw_scale(frozen)
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)
    assert (says(scale)["F"], says(scale)["D'"], scale.status) == ("void", "agrees", "COMPUTED")
    shifted = [replace(h, decay_factor=h.decay_factor * 1.1) for h in frozen]
    assert refusal(*shifted) == "reference-time-disputed"


# Times of injection


def test_time_of_day_alone_takes_the_date_of_the_scan(header):
    scale = suvbw_scale([with_item(header, start_datetime=None)])
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)
    assert scale.adaptations == ("injection-date-from-reference",)
    assert scale.injection == at(2026, 3, 1, 10)


def test_impossible_date_of_injection_is_replaced_and_said(header):
    item = with_item(header, start_datetime=Instant(at(2024, 1, 1, 10)))
    scale = suvbw_scale([item])
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)
    assert scale.adaptations == ("injection-date-replaced",)


def test_long_lived_nuclide_needs_the_date_of_injection(header):
    zirconium = with_item(
        header,
        code_value="63360001",
        half_life=282276.0,
        total_dose=70e6,
        start_datetime=None,
    )
    assert refusal(replace(zirconium, decay_factor=None)) == "injection-date-missing"
    dated = with_item(zirconium, start_datetime=Instant(at(2026, 2, 26, 11)))
    # Three days: bc 70000 / (70000000 * e(-l(2) * 259200 / 282276)) = 0.001889821827
    scale = suvbw_scale([replace(dated, decay_factor=None, frame_reference_time=449999.0)])
    assert scale.factor == pytest.approx(0.001889821827, rel=1e-9)


def test_injection_just_before_midnight_and_scan_after(header):
    night = replace(
        with_item(header, start_datetime=None, start_time=time(23, 50)),
        series_date=date(2026, 3, 2),
        series_time=time(0, 50),
        acquisition_time=time(0, 56),
    )
    evening = replace(
        with_item(header, start_datetime=None, start_time=time(22, 50)),
        series_time=time(23, 50),
        acquisition_time=time(23, 56),
    )
    assert suvbw_scale([night]).factor == suvbw_scale([evening]).factor
    assert suvbw_scale([night]).injection == at(2026, 3, 1, 23, 50)


def test_zones_on_both_sides_of_a_clock_change_are_honoured(header):
    # 29 March 2026, Berlin: 01:30+0100 to 03:30+0200 is one hour.
    spring = replace(
        with_item(header, start_datetime=Instant(at(2026, 3, 29, 1, 30), 3600), start_time=None),
        series_date=date(2026, 3, 29),
        acquisition_date=date(2026, 3, 29),
        series_time=time(3, 30),
        acquisition_time=time(3, 36),
        utc_offset=7200,
    )
    scale = suvbw_scale([spring])
    assert (scale.decay_seconds, scale.adaptations) == (3600.0, ("injection-in-zone-of-series",))
    assert suvbw_scale([replace(spring, utc_offset=None)]).decay_seconds == 7200.0


def test_dynamic_series_may_begin_before_the_injection(header):
    dynamic = replace(
        with_item(header, start_datetime=Instant(at(2026, 3, 1, 11, 0, 41)), start_time=None),
        series_type=("DYNAMIC", "IMAGE"),
    )
    scale = suvbw_scale([dynamic])
    assert (scale.decay_seconds, scale.adaptations) == (-41.0, ("injection-during-acquisition",))


# Properties


@given(st.integers(-3000, 3000))
def test_shifting_all_dates_changes_nothing(header, days):
    shift = timedelta(days=days)
    start = header.radiopharmaceuticals[0].start_datetime
    moved = replace(
        with_item(header, start_datetime=Instant(start.local + shift)),
        series_date=header.series_date + shift,
        acquisition_date=header.acquisition_date + shift,
    )
    assert suvbw_scale([moved]).factor == suvbw_scale([header]).factor


@given(st.integers(-3000, 3000))
def test_shifting_the_private_date_alone_changes_nothing(header, days):
    scan = Instant(at(2026, 3, 1, 11) + timedelta(days=days))
    scale = suvbw_scale([replace(header, vendor_scan_time=scan)])
    assert (scale.factor, says(scale)["P"]) == (suvbw_scale([header]).factor, "agrees")


@given(st.floats(1e-6, 1e6))
def test_slope_is_no_part_of_the_factor(header, slope):
    assert suvbw_scale([replace(header, rescale_slope=slope)]) == replace(
        suvbw_scale([header]),
        inputs=suvbw_scale([replace(header, rescale_slope=slope)]).inputs,
    )


@given(st.permutations(range(6)))
def test_order_of_slices_changes_nothing(header, order):
    slices = series(header, beds=6)
    assert suvbw_scale([slices[i] for i in order]) == suvbw_scale(slices)


@given(st.sets(st.integers(0, 5), min_size=1))
def test_dropping_slices_never_changes_the_factor(header, kept):
    slices = series(header, beds=6)
    assert suvbw_scale([slices[i] for i in kept]).factor == suvbw_scale(slices).factor


@given(st.floats(-3500, 13000))
def test_activity_moved_to_the_reference_makes_start_and_admin_equal(header, elapsed):
    dynamic = replace(header, series_type=("DYNAMIC", "IMAGE"))
    start = at(2026, 3, 1, 11) - timedelta(seconds=elapsed)
    started = suvbw_scale([with_item(dynamic, start_datetime=Instant(start))])
    admin = replace(dynamic, decay_correction="ADMIN")
    moved = suvbw_scale([with_item(admin, total_dose=started.decayed_activity)])
    assert moved.factor == pytest.approx(started.factor, rel=1e-12)


@given(st.floats(1, 200))
def test_doubling_the_weight_doubles_the_factor_but_not_that_of_grams(header, weight):
    once, twice = (
        suvbw_scale([replace(header, patient_weight=w)]).factor for w in (weight, 2 * weight)
    )
    assert twice == pytest.approx(2 * once)
    assert suvbw_scale([replace(header, patient_weight=weight, units="GML")]).factor == 1.0
