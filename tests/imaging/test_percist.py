"""PERCIST 1.0: its gate, its boundaries, its table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.response.glucose import Glucose
from imaging.response.percist import (
    PercistLesion,
    PercistReading,
    PercistScan,
    hottest,
    lowest_measurable_sul,
    percist,
)

NOTHING_ELSE = PercistReading(
    has_new_lesion=False,
    has_grown_visibly=False,
    has_risen_elsewhere=False,
    is_indistinguishable=False,
)


def lesion(peak, glycolysis=100.0, name="1", organ="lung"):
    return PercistLesion(name=name, organ=organ, sul_peak=peak, glycolysis=glycolysis)


def scan(*lesions, **other):
    values = {
        "lesions": lesions,
        "liver_mean": 2.0,
        "liver_sd": 0.25,
        "is_liver_diseased": False,
        "uptake_minutes": 60.0,
        "activity_mbq": 300.0,
        "glucose": Glucose(100.0),
        "scanner_class": "A, EARL 2",
        "suv_type": "LBMJAMES128",
        "peak_definition": "ibsi_global",
    }
    return PercistScan(**(values | other))


def judged(before, after, tracer="18F-FDG", glycolysis=(100.0, 100.0), **said):
    return percist(
        scan(lesion(before, glycolysis[0])),
        scan(lesion(after, glycolysis[1])),
        replace(NOTHING_ELSE, **said),
        tracer=tracer,
    )


# The published table at, under and over its cuts


@pytest.mark.parametrize(
    ("before", "after", "category"),
    [
        # At least 30 % and at least 0.8 less.
        (10.0, 7.0, "PMR"),
        (10.0, 7.000001, "SMD"),
        (10.0, 6.999999, "PMR"),
        (6.1, 4.27, "PMR"),
        # More than 30 % and at least 0.8 more.
        (10.0, 13.0, "SMD"),
        (10.0, 13.000001, "PMD"),
        (10.0, 12.999999, "SMD"),
        (10.0, 10.0, "SMD"),
    ],
)
def test_change_of_thirty_percent(before, after, category):
    assert judged(before, after).category == category


@pytest.mark.parametrize(
    ("before", "after", "category"),
    [
        # A third of small uptake, under a liver of 0.5 with SD 0: the table also asks for 0.8.
        (2.4, 1.6, "PMR"),
        (2.4, 1.600001, "SMD"),
        (2.4, 1.599999, "PMR"),
        (2.4, 3.2, "PMD"),
        (2.4, 3.199999, "SMD"),
        (2.4, 3.200001, "PMD"),
    ],
)
def test_change_of_eight_tenths(before, after, category):
    liver = {"liver_mean": 0.5, "liver_sd": 0.0}
    found = percist(
        scan(lesion(before), **liver), scan(lesion(after), **liver), NOTHING_ELSE, tracer="FDG"
    )
    assert found.category == category


@pytest.mark.parametrize(
    ("after", "category"), [(175.0, "SMD"), (174.999999, "SMD"), (175.000001, "PMD")]
)
def test_total_lesion_glycolysis_may_rise_by_three_quarters(after, category):
    assert judged(8.0, 8.0, glycolysis=(100.0, after)).category == category


def test_glycolysis_that_rises_while_the_peak_falls_is_no_progression():
    """Wahl et al., the table of PERCIST 1.0: "75 % in TLG volume with no decline in SUL"."""
    assert judged(10.0, 10.0, glycolysis=(100.0, 180.0)).category == "PMD"
    assert judged(10.0, 9.9, glycolysis=(100.0, 180.0)).category == "SMD"
    assert judged(10.0, 6.0, glycolysis=(100.0, 180.0)).category == "PMR"


@pytest.mark.parametrize("said", ["has_new_lesion", "has_grown_visibly"])
def test_what_a_reader_saw_is_progression_however_much_the_hottest_fell(said):
    assert judged(10.0, 3.0, **{said: True}).category == "PMD"


def test_another_lesion_that_rose_leaves_no_response():
    assert judged(10.0, 5.0, has_risen_elsewhere=True).category == "SMD"


@pytest.mark.parametrize(("after", "category"), [(1.999999, "CMR"), (2.0, "PMR"), (2.1, "PMR")])
def test_complete_response_is_below_the_liver_and_like_the_surroundings(after, category):
    assert judged(10.0, after, is_indistinguishable=True).category == category
    assert judged(10.0, after).category == "PMR"


def test_no_lesion_left_is_complete_response_only_if_the_reader_says_so():
    gone = replace(NOTHING_ELSE, is_indistinguishable=True)
    assert percist(scan(lesion(8.0)), scan(), gone, tracer="FDG").category == "CMR"
    assert percist(scan(lesion(8.0)), scan(), NOTHING_ELSE, tracer="FDG").category == "NE"


def test_the_hottest_need_not_be_the_same_lesion():
    found = percist(
        scan(lesion(10.0), lesion(4.0, name="2")),
        scan(lesion(2.5, 50.0), lesion(5.0, 0.0, name="2")),
        NOTHING_ELSE,
        tracer="FDG",
    )
    assert found.category == "PMR"
    assert [(one.name, one.value, one.unit) for one in found.numbers] == [
        ("SULpeak at baseline", 10.0, "g/mL"),
        ("SULpeak later", 5.0, "g/mL"),
        ("Change of SULpeak", -50.0, "%"),
        ("Total lesion glycolysis at baseline", 200.0, "g"),
        ("Total lesion glycolysis later", 50.0, "g"),
        ("Change of total lesion glycolysis", -75.0, "%"),
        ("Mean SUL of the liver later", 2.0, "g/mL"),
    ]
    assert found.why == (
        "PERCIST 1.0 PMR: SULpeak went from 10.0 to 5.0 g/mL (-50.0 %); at least 30 % and "
        "0.8 g/mL less; no new lesion."
    )


def test_a_change_just_short_of_the_cut_is_not_printed_as_the_cut():
    assert "(-29.999 %)" in judged(10.0, 7.0001).why


def test_five_hottest_and_two_of_an_organ():
    lesions = [lesion(9.0 - i, name=str(i), organ=organ) for i, organ in enumerate("aaabbbcc")]
    assert [one.name for one in hottest(lesions)] == ["0", "1", "3", "4", "6"]


# Comparability is a gate


@pytest.mark.parametrize(
    ("before", "after", "is_evaluable"),
    [
        (50.0, 50.0, True),
        (49.999, 50.0, False),
        (50.001, 50.0, True),
        (60.0, 75.0, True),
        (60.0, 75.001, False),
        (60.0, 74.999, True),
        (75.0, 60.0, True),
        (75.001, 60.0, False),
        (60.0, 35.0, False),
        (60.0, None, False),
    ],
)
def test_uptake_of_fifty_minutes_and_within_fifteen(before, after, is_evaluable):
    found = percist(
        scan(lesion(10.0), uptake_minutes=before),
        scan(lesion(5.0), uptake_minutes=after),
        NOTHING_ELSE,
        tracer="FDG",
    )
    assert found.category == ("PMR" if is_evaluable else "NE")


@pytest.mark.parametrize(
    ("before", "after", "is_evaluable"),
    [
        # 0.3 of 2.0 is 15 %.
        (2.0, 2.3, True),
        (2.0, 2.300001, False),
        (2.0, 1.7, True),
        (2.0, 1.699999, False),
        # 20 % of 1.0 is 0.2.
        (1.0, 1.2, True),
        (1.0, 1.200001, False),
        (1.0, 0.8, True),
        (1.0, 0.799999, False),
        (1.0, 0.0, False),
        (0.0, 0.0, False),
    ],
)
def test_livers_within_twenty_percent_and_three_tenths(before, after, is_evaluable):
    found = percist(
        scan(lesion(10.0), liver_mean=before),
        scan(lesion(5.0), liver_mean=after),
        NOTHING_ELSE,
        tracer="FDG",
    )
    assert found.is_evaluable == is_evaluable


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"uptake_minutes": 35.0}, "the later scan began 35.0 min after injection, before 50 min"),
        ({"activity_mbq": 375.0}, "differ by 25.0 % (300.0 and 375.0 MBq), more than 20 %"),
        ({"activity_mbq": None}, "the injected activity of a scan is not known"),
        ({"glucose": Glucose(200.0)}, "before the later scan was 200.0 mg/dL, not under 200 mg/dL"),
        (
            {"glucose": Glucose(400.0, ">", ">400 mg/dL")},
            "plasma glucose before the later scan was >400 mg/dL, not under 200 mg/dL",
        ),
        (
            {"glucose": Glucose(200.0, ">", ">200 mg/dL")},
            "plasma glucose before the later scan was >200 mg/dL, not under 200 mg/dL",
        ),
        (
            {"glucose": Glucose(250.0, "<", "<250 mg/dL")},
            "before the later scan is not known: <250 mg/dL does not tell whether it was under 200",
        ),
        (
            {"glucose": Glucose(162.14, ">", ">9 mmol/L")},
            "is not known: >9 mmol/L (>162.1 mg/dL) does not tell whether it was under 200 mg/dL",
        ),
        ({"glucose": None}, "plasma glucose before the later scan is not recorded"),
        ({"scanner_class": "B"}, "the scanner classes differ (A, EARL 2 at baseline, B later)"),
        ({"scanner_class": ""}, "the scanner class of a scan is not known"),
        ({"suv_type": "BW"}, "same lean body mass, got SUV Types LBMJAMES128 and BW"),
        ({"suv_type": "LBM"}, "same lean body mass, got SUV Types LBMJAMES128 and LBM"),
        ({"peak_definition": "weighted"}, "same definition, got ibsi_global and weighted"),
        ({"peak_definition": ""}, "same definition, got ibsi_global and none"),
        ({"liver_mean": 2.5}, "the liver differs by 25.0 %, more than 20 %; the liver differs by"),
        (
            {"is_liver_diseased": True},
            "the mean SUL of the blood pool, by which scans are compared where the liver is "
            "diseased, is missing or not positive on a scan; the standard deviation of the blood "
            "pool at baseline is missing",
        ),
        ({"is_liver_diseased": None}, "nobody says whether the liver is healthy"),
    ],
)
def test_a_scan_that_is_not_comparable_says_why(change, sentence):
    found = percist(scan(lesion(10.0)), scan(lesion(5.0), **change), NOTHING_ELSE, tracer="FDG")
    assert (found.category, found.numbers) == ("NE", ())
    assert sentence in found.why


@pytest.mark.parametrize(
    ("change", "is_evaluable"),
    [
        # O et al., Radiology 2016;280:576: activities within 20 %, glucose under 200 mg/dL.
        ({"activity_mbq": 360.0}, True),
        ({"activity_mbq": 360.001}, False),
        ({"activity_mbq": 240.0}, True),
        ({"activity_mbq": 239.999}, False),
        ({"glucose": Glucose(199.999)}, True),
        ({"glucose": Glucose(200.0)}, False),
        # A bound decides where all that it stands for lies on one side.
        ({"glucose": Glucose(200.0, "<")}, True),
        ({"glucose": Glucose(400.0, ">")}, False),
    ],
)
def test_activities_within_twenty_percent_and_glucose_under_200(change, is_evaluable):
    found = percist(scan(lesion(10.0)), scan(lesion(5.0), **change), NOTHING_ELSE, tracer="FDG")
    assert found.is_evaluable == is_evaluable


def test_glucose_is_asked_where_the_tracer_is_a_glucose():
    unasked = scan(lesion(10.0), glucose=None)
    found = percist(unasked, scan(lesion(5.0)), NOTHING_ELSE, tracer="68Ga-Pentixafor")
    assert found.category == "PMR"


def test_a_new_lesion_does_not_open_the_gate():
    found = percist(
        scan(lesion(10.0)),
        scan(lesion(20.0), uptake_minutes=35.0),
        replace(NOTHING_ELSE, has_new_lesion=True),
        tracer="FDG",
    )
    assert found.category == "NE"


@pytest.mark.parametrize(("peak", "category"), [(3.5, "PMR"), (3.500001, "PMR"), (3.499999, "NE")])
def test_the_baseline_needs_a_measurable_target(peak, category):
    # 1.5 times 2.0 and twice 0.25.
    assert lowest_measurable_sul("liver", mean=2.0, sd=0.25) == 3.5
    assert judged(peak, 2.2).category == category


def test_a_measurable_target_by_the_blood_pool():
    # 2.0 times 1.5 and twice 0.2.
    assert lowest_measurable_sul("blood_pool", mean=1.5, sd=0.2) == pytest.approx(3.4)


BLOOD = {"blood_mean": 1.5, "blood_sd": 0.2}


@pytest.mark.parametrize("coarse", [(True, False), (False, True), (True, True)])
def test_a_peak_of_coarse_voxels_on_either_scan_is_flagged(coarse):
    before, after = (
        scan(lesion(peak), has_coarse_peak=is_coarse)
        for peak, is_coarse in zip((10.0, 5.0), coarse, strict=True)
    )
    found = percist(before, after, NOTHING_ELSE, tracer="FDG")
    assert (found.category, found.flags) == ("PMR", ("peak-of-coarse-voxels",))


def by_blood(before, after, diseased=(True, True), earlier=BLOOD, later=BLOOD, **said):
    return percist(
        scan(lesion(before), is_liver_diseased=diseased[0], **earlier),
        scan(lesion(after), is_liver_diseased=diseased[1], **later),
        replace(NOTHING_ELSE, **said),
        tracer="FDG",
    )


@pytest.mark.parametrize("diseased", [(True, True), (False, True), (True, False)])
def test_where_a_liver_is_diseased_the_blood_pool_of_both_scans_stands_for_it(diseased):
    found = by_blood(10.0, 5.0, diseased)
    assert (found.category, found.flags) == ("PMR", ("compared-by-blood-pool",))
    assert ("Mean SUL of the blood pool later", 1.5, "g/mL") in [
        (one.name, one.value, one.unit) for one in found.numbers
    ]
    healthy = by_blood(10.0, 5.0, (False, False))
    assert (healthy.category, healthy.flags) == ("PMR", ())


def test_a_diseased_liver_itself_then_stands_in_the_way_of_nothing():
    earlier, later = BLOOD | {"liver_mean": 2.0}, BLOOD | {"liver_mean": 6.0}
    assert by_blood(10.0, 5.0, earlier=earlier, later=later).category == "PMR"


# 2.0 times 1.5 and twice 0.2 are 3.4; by a liver of 2.0 with SD 0.25 it would be 3.5.
@pytest.mark.parametrize(("peak", "category"), [(3.41, "PMR"), (3.39, "NE")])
def test_a_target_is_then_measurable_by_the_blood_pool(peak, category):
    found = by_blood(peak, 2.0)
    assert found.category == category
    assert ("(2 × blood pool + 2 SD)" in found.why) == (category == "NE")


@pytest.mark.parametrize(("after", "is_evaluable"), [(1.8, True), (1.81, False), (1.19, False)])
def test_blood_pools_are_then_within_twenty_percent_and_three_tenths(after, is_evaluable):
    found = by_blood(10.0, 5.0, later=BLOOD | {"blood_mean": after})
    assert (found.is_evaluable, "the blood pool differs by" in found.why) == (
        is_evaluable,
        not is_evaluable,
    )


# Under a liver of 2.0 either would be complete.
@pytest.mark.parametrize(("after", "category"), [(1.49, "CMR"), (1.51, "PMR")])
def test_a_complete_response_is_then_below_the_blood_pool(after, category):
    found = by_blood(10.0, after, is_indistinguishable=True)
    assert found.category == category
    assert ("below blood pool" in found.why) == (category == "CMR")


def test_a_scale_made_for_fdg_is_flagged_on_another_tracer():
    assert judged(10.0, 5.0).flags == ()
    assert judged(10.0, 5.0, tracer="68Ga-Pentixafor").flags == ("scale-made-for-fdg",)
    assert judged(10.0, 5.0, tracer="").flags == ("scale-made-for-fdg",)


UNMEASURED = st.sampled_from([None, float("nan"), float("inf"), -float("inf"), -1.0])
PLACES = [
    "sul_peak",
    "glycolysis",
    "liver_mean",
    "liver_sd",
    "uptake_minutes",
    "activity_mbq",
    "glucose",
    "lesions",
]


@given(
    place=st.sampled_from(PLACES),
    value=UNMEASURED,
    peaks=st.tuples(st.floats(0, 50), st.floats(0, 50)),
    said=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_what_is_not_measured_gives_no_category(place, value, peaks, said):
    reading = PercistReading(**dict(zip(PercistReading.__slots__, said, strict=True)))
    whole = scan(lesion(peaks[0]))
    if place == "lesions":
        broken = replace(whole, lesions=None)
    elif place in {"sul_peak", "glycolysis"}:
        broken = replace(whole, lesions=(replace(whole.lesions[0], **{place: value}),))
    elif place == "glucose":
        broken = replace(whole, glucose=None if value is None else Glucose(value))
    else:
        broken = replace(whole, **{place: value})
    found = percist(broken, scan(lesion(peaks[1])), reading, tracer="FDG")
    assert (found.category, found.numbers) == ("NE", ())


@given(missing=st.sampled_from(PercistReading.__slots__))
def test_what_nobody_said_gives_no_category(missing):
    assert judged(10.0, 5.0, **{missing: None}).category == "NE"


def test_a_change_from_nothing_is_no_number():
    assert judged(0.0, 0.0).category == "NE"
    assert judged(10.0, 5.0, glycolysis=(0.0, 0.0)).category == "NE"


@given(st.floats(3.5, 100), st.floats(0, 100))
def test_a_measured_pair_has_one_category_and_its_numbers(before, after):
    found = judged(before, after)
    assert found.category in {"PMR", "SMD", "PMD"}
    assert [one.value for one in found.numbers[:2]] == [before, after]
