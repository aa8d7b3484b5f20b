"""Dose-length product of a CT: the scanner's total, else an estimate, and never one twice."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from imaging import ct_dose
from imaging.ct_dose import DoseError, Report, Slice, Told
from tests.imaging import dose_reports

AXIAL, CORONAL = (1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1)


def images(count=100, *, every_mm=3.0, ctdi=1.25, orientation=AXIAL):
    return [Slice(ctdi, (-250.0, -250.0, -every_mm * n), orientation) for n in range(count)]


def code_of(act) -> str:
    with pytest.raises(DoseError) as refused:
        act()
    assert refused.value.message.endswith(".")
    return refused.value.code


def test_an_estimate_is_the_dose_index_times_the_length():
    # HL7 Radiation Dose Summary, event 839: 157.07 mGy.cm at 1.25 mGy, which is 125.656 cm.
    found = ct_dose.estimated(images(400, every_mm=3.1414), phantom="113691")
    assert found.dlp_mgy_cm == pytest.approx(157.07, abs=0.001)
    assert (found.basis, found.region) == ("estimate", "")
    for words in ("1.25 mGy", "body phantom of 32 cm", "125.7 cm", "without overviews"):
        assert words in found.explanation


def test_a_modulated_tube_is_averaged_and_an_unnamed_phantom_said():
    slices = [replace(one, ctdi_vol_mgy=2.0 + n % 2) for n, one in enumerate(images(10))]
    found = ct_dose.estimated(slices)
    assert found.dlp_mgy_cm == pytest.approx(2.5 * 3.0)
    assert "a phantom that the images do not name" in found.explanation


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda of: [replace(of[0], ctdi_vol_mgy=None), *of[1:]], "ctdi-missing"),
        (lambda of: [], "ctdi-missing"),
        (lambda of: [replace(of[0], ctdi_vol_mgy=0.0), *of[1:]], "ctdi-implausible"),
        (lambda of: [replace(of[0], ctdi_vol_mgy=math.nan), *of[1:]], "ctdi-implausible"),
        (lambda of: of[:1], "extent-unknown"),
        (lambda of: [replace(of[0], position_mm=None), *of[1:]], "extent-unknown"),
        (lambda of: of[:4] + of[5:], "extent-unknown"),
        (lambda of: [of[0]] * 5, "extent-unknown"),
        (lambda of: images(orientation=CORONAL), "not-across-the-table"),
        (lambda of: images(orientation=None), "not-across-the-table"),
        (lambda of: images(ctdi=1e4), "dose-implausible"),
    ],
)
def test_what_gives_no_length_or_no_dose_is_refused_by_name(change, code):
    assert code_of(lambda: ct_dose.estimated(change(images()))) == code


def test_a_report_says_total_and_region_and_its_overview_counts_for_nothing(dataset):
    found = ct_dose.dose_report(dose_reports.dose_report(dataset))
    assert found == Report(203.12, "trunk")


def test_a_report_of_two_regions_names_none(dataset):
    ds = dose_reports.dose_report(dataset)
    ds.ContentSequence.append(dose_reports.acquisition(dose_reports.HEAD, dose_reports.SPIRAL))
    assert ct_dose.dose_report(ds).region == ""


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            lambda ds: setattr(ds.ConceptNameCodeSequence[0], "CodeValue", "126000"),
            "no-dose-report",
        ),
        (lambda ds: delattr(ds, "ConceptNameCodeSequence"), "no-dose-report"),
        (lambda ds: delattr(ds, "ContentSequence"), "dose-report-without-ct"),
        (lambda ds: ds.ContentSequence[1].ContentSequence.pop(), "dose-report-without-ct"),
        (
            lambda ds: ds.ContentSequence[1].ContentSequence.append(
                dose_reports.number(("113813", "CT Dose Length Product Total"), "9")
            ),
            "several-totals",
        ),
    ],
)
def test_a_report_that_does_not_say_it_is_refused_by_name(dataset, change, code):
    ds = dose_reports.dose_report(dataset)
    change(ds)
    assert code_of(lambda: ct_dose.dose_report(ds)) == code


@pytest.mark.parametrize(
    ("total", "unit", "code"),
    [
        ("2.0312", "Gy.cm", "dose-unit"),
        ("-1", "mGy.cm", "dose-implausible"),
        ("10001", "mGy.cm", "dose-implausible"),
        ("", "mGy.cm", "dose-implausible"),
    ],
)
def test_a_total_in_another_unit_or_out_of_range_is_refused(dataset, total, unit, code):
    ds = dose_reports.dose_report(dataset, total, unit=unit)
    assert code_of(lambda: ct_dose.dose_report(ds)) == code


ONE, OTHER = Told(100.0, "estimate", "one"), Told(90.0, "estimate", "other")


def test_a_report_counts_before_estimates_and_the_same_one_counts_once():
    reports = {"1.2.1": Report(203.12, "trunk"), "1.2.2": Report(203.12, "")}
    found = ct_dose.told(reports, {"7": [("1.2.9", ONE)]})
    assert (found.dlp_mgy_cm, found.basis, found.region) == (203.12, "report", "")
    assert code_of(lambda: ct_dose.told({"a": Report(1.0), "b": Report(2.0)}, {})) == (
        "several-dose-reports"
    )


def test_two_reconstructions_of_one_irradiation_count_once_and_two_irradiations_twice():
    both = ct_dose.told({}, {"7": [("1.2.9", ONE)], "8": [("1.2.9", OTHER)]})
    assert both.dlp_mgy_cm == 100.0
    summed = ct_dose.told({}, {"7": [("1.2.9", ONE)], "8": [("1.2.10", OTHER)]})
    assert (summed.dlp_mgy_cm, summed.basis) == (190.0, "estimate")


def test_series_that_cannot_be_told_apart_are_not_guessed_at():
    assert ct_dose.told({}, {"7": [("", ONE)]}) == ONE
    assert code_of(lambda: ct_dose.told({}, {"7": [("", ONE)], "8": [("", OTHER)]})) == (
        "several-ct-series"
    )
    assert code_of(lambda: ct_dose.told({}, {})) == "nothing-tells"


def test_codes_of_regions_and_phantoms_are_those_of_the_standard():
    # pydicom 3 holds PS3.16's context groups; 4031 common anatomic regions, 4052 phantoms.
    from pydicom.sr.codedict import codes

    assert {codes.DCM.IECHeadDosimetryPhantom.value, codes.DCM.IECBodyDosimetryPhantom.value} == (
        ct_dose.PHANTOMS.keys()
    )
    named = {
        "Head": "head",
        "HeadAndNeck": "head_neck",
        "Neck": "neck",
        "ThoracicStructure": "chest",
        "Abdomen": "abdomen_pelvis",
        "Pelvis": "abdomen_pelvis",
        "AbdomenAndPelvis": "abdomen_pelvis",
        "ChestAndAbdomen": "trunk",
        "ChestAbdomenAndPelvis": "trunk",
        "NeckChestAbdomenAndPelvis": "trunk",
    }
    found = {name: ct_dose.REGIONS.get(getattr(codes.SCT, name).value) for name in named}
    assert found == named
    titles = (codes.DCM.XRayRadiationDoseReport, codes.DCM.CTDoseLengthProductTotal)
    assert tuple(one.value for one in titles) == (ct_dose.REPORT, ct_dose.TOTAL)
