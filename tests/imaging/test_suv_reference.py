"""SUV factors of real scanners and of the IBSI reference objects.

Expected factors of the real headers: consensus of up to four independent programs, in
expected.json. The three lists below are the whole difference between it and us.
"""

from __future__ import annotations

import json

import pydicom
import pytest

from imaging.geometry import stack_from_headers
from imaging.headers import pet_header
from imaging.suv import SuvRefused, suvbw_scale

pytestmark = pytest.mark.reference

# Its Image Type is DERIVED\\SECONDARY, where a number would need a person to vouch for it.
REFUSED_ALTHOUGH_CONSENSUS = {"anti_pd_1_lung_PD-1-Lung-00033_022.dcm": "derived-image"}
# Rescaled by MIMvista and labelled DERIVED\\PRIMARY: a number, with a flag.
FLAGGED_ALTHOUGH_CONSENSUS = {"tcga_lusc_TCGA-60-2726_027.dcm": ("derived-image",)}

REFUSALS = {
    "acrin_flt_breast_ACRIN-FLT-Breast_007_016.dcm": "not-attenuation-corrected",
    "acrin_flt_breast_ACRIN-FLT-Breast_039_017.dcm": "not-attenuation-corrected",
    "acrin_flt_breast_ACRIN-FLT-Breast_062_028.dcm": "units-unsupported",
    "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-020_002.dcm": "not-attenuation-corrected",
    "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-034_001.dcm": "decay-correction-contradictory",
    "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-065_009.dcm": "decay-correction-contradictory",
    "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-068_007.dcm": "decay-correction-contradictory",
    "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-196_023.dcm": "weight-missing",
    "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-229_004.dcm": "decay-correction-contradictory",
    "anti_pd_1_lung_PD-1-Lung-00033_023.dcm": "derived-image",
    "naf_prostate_NaF-PROSTATE-01-0009_012.dcm": "not-attenuation-corrected",
    "nsclc_radiogenomics_AMC-012_029.dcm": "not-attenuation-corrected",
    "tcga_prad_TCGA-VP-A879_006.dcm": "derived-image",
}


@pytest.fixture(scope="module")
def cases(reference_data):
    return json.loads((reference_data / "pet_headers" / "expected.json").read_text())["cases"]


def scale_of(*files):
    return suvbw_scale([pet_header(pydicom.dcmread(f, stop_before_pixels=True)) for f in files])


def outcome(file):
    try:
        return scale_of(file)
    except SuvRefused as refused:
        return refused.code


def accepted(cases):
    agreed = [c for c in cases if c["status"] in {"CONSENSUS", "TWO_AGREE", "PRESCALED_GML"}]
    return [c for c in agreed if c["file"] not in REFUSED_ALTHOUGH_CONSENSUS]


def test_factors_of_real_headers_are_those_of_the_consensus(reference_data, cases):
    computed = accepted(cases)
    assert len(computed) == 26
    scales = {c["file"]: scale_of(reference_data / "pet_headers" / c["file"]) for c in computed}
    for case in computed:
        expected = case["expected_suvbw_factor"] or 1.0
        # What the consensus programs agree within; vendors' count factors have fewer digits.
        tolerance = 1e-3 if scales[case["file"]].units == "CNTS" else 2e-4
        assert scales[case["file"]].factor == pytest.approx(expected, rel=tolerance)
    flagged = {file: scale.flags for file, scale in scales.items() if scale.flags}
    assert flagged == FLAGGED_ALTHOUGH_CONSENSUS


def test_headers_that_must_give_no_number_are_refused_by_name(reference_data, cases):
    undecided = [c for c in cases if c["status"] in {"REFUSE", "CONTRADICTORY", "AMBIGUOUS"}]
    found = {c["file"]: outcome(reference_data / "pet_headers" / c["file"]) for c in undecided}
    assert found == REFUSALS


def test_consensus_headers_refused_by_the_strict_rule(reference_data):
    found = {f: outcome(reference_data / "pet_headers" / f) for f in REFUSED_ALTHOUGH_CONSENSUS}
    assert found == REFUSED_ALTHOUGH_CONSENSUS


# IBSI SUV reference objects 3: background, and two regions, of SUV 0.20, 1.00 and 4.00.


def dro(reference_data, name):
    return sorted((reference_data / "ibsi_suv_dro" / f"DRO_{name}" / "PT").glob("*.dcm"))


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("0_0", ("reference-time-uncorroborated",)),
        ("2_0", ()),
        ("3_0", ("dose-in-megabecquerel", "reference-time-uncorroborated")),
        ("4_0", ("reference-time-uncorroborated",)),
    ],
)
def test_ibsi_objects_have_their_three_values(reference_data, name, flags):
    files = dro(reference_data, name)
    scale = scale_of(*files)
    middle = pydicom.dcmread(files[len(files) // 2])
    suv = middle.pixel_array * float(middle.RescaleSlope) * scale.factor
    # IBSI prescribes two decimals.
    assert {0.2, 1.0, 4.0} <= set(suv.round(2).ravel().tolist())
    assert scale.flags == flags


@pytest.mark.parametrize(
    ("name", "code"),
    [
        # Grams per millilitre normalised by lean body mass.
        ("2_1", "suv-type-unsupported"),
        # Its private element has no private creator, so it is nobody's.
        ("2_4", "scale-factor-missing"),
        ("3_2", "series-time-rewritten"),
        ("3_4", "decay-correction-none"),
    ],
)
def test_ibsi_objects_beyond_the_strict_rule_are_refused(reference_data, name, code):
    with pytest.raises(SuvRefused) as caught:
        scale_of(*dro(reference_data, name))
    assert caught.value.code == code


# Soft tissue sarcoma 001, a raw whole-body series of a GE Discovery ST.


@pytest.fixture(scope="module")
def sts(reference_data):
    files = (reference_data / "pet_series" / "ge_sts_001_raw" / "image").glob("*.dcm")
    return [pydicom.dcmread(f) for f in files]


def test_whole_body_series_is_computed_with_acquisition_times_frozen(sts):
    scale = suvbw_scale([pet_header(ds) for ds in sts])
    assert scale.factor == pytest.approx(0.000242902977, abs=5e-13)
    assert (scale.status, scale.decay_seconds) == ("COMPUTED", 2711.0)
    says = {w.key: w.says for w in scale.witnesses}
    assert (says["S"], says["F"], says["D'"]) == ("reference", "void", "agrees")


def test_every_single_slice_gives_the_factor_of_the_series(sts):
    factors = {suvbw_scale([pet_header(ds)]).factor for ds in sts}
    assert len(factors) == 1


def test_voxels_equal_the_series_that_others_converted_to_suv(sts, reference_data):
    # IBSI chapter validation data set: the same patient in SUV, cropped, made with other code.
    factor = suvbw_scale([pet_header(ds) for ds in sts]).factor
    by_height = {round(float(ds.ImagePositionPatient[2]), 2): ds for ds in sts}
    converted = (reference_data / "pet_series" / "ge_sts_001_suv" / "image").glob("*.dcm")
    compared = 0
    for theirs in map(pydicom.dcmread, converted):
        ours = by_height.get(round(float(theirs.ImagePositionPatient[2]), 2))
        if ours is None:
            continue
        grid = stack_from_headers([pet_header(ours)]).grid
        _, m, n = grid.patient_to_voxel(
            [*map(float, theirs.ImagePositionPatient[:2]), grid.origin[2]]
        ).round()
        rows = slice(int(m), int(m) + theirs.Rows)
        columns = slice(int(n), int(n) + theirs.Columns)
        mine = ours.pixel_array[rows, columns] * float(ours.RescaleSlope) * factor
        other = theirs.pixel_array * float(theirs.RescaleSlope)
        # Both were rounded to 16 bits, theirs in steps of up to 0.0008 g/mL.
        assert mine == pytest.approx(other, rel=1e-3, abs=5e-4)
        compared += mine.size
    assert compared > 50000
