"""What is under one Series Instance UID is one static image, or is named for what it is."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from datetime import date, time

import pydicom
import pytest

from imaging import geometry
from imaging.geometry import GeometryError
from imaging.headers import pet_header
from imaging.mixtures import ADVICE, stack_of

OBJECTS = [f"DRO_{n}" for n in ("0_0", "2_0", "2_1", "2_4", "3_0", "3_2", "3_4", "4_0")]
CORRECTIONS = ("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN")


def slices(header, heights, **changes):
    return [replace(header, position=(0.0, 0.0, float(z)), **changes) for z in heights]


def refusal(headers):
    with pytest.raises(GeometryError) as caught:
        stack_of(headers)
    return caught.value


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"frame_of_reference_uid": "1.2.10"}, "mixed-frame-of-reference", "(0020,0052)"),
        ({"frame_of_reference_uid": ""}, "mixed-frame-of-reference", "(0020,0052)"),
        (
            {"corrected_image": ("NORM", "DTIM", "SCAT", "DECY", "RAN")},
            "mixed-attenuation-correction",
            "(0028,0051)",
        ),
        (
            {"attenuation_correction_method": "NONE"},
            "mixed-attenuation-correction",
            "(0028,0051)",
        ),
        ({"reconstruction_method": "TOF"}, "mixed-reconstructions", "(0054,1103)"),
        ({"convolution_kernel": ("XYZ Gauss2.00",)}, "mixed-reconstructions", "(0018,1210)"),
        ({"corrected_image": (*CORRECTIONS, "MOTN")}, "mixed-reconstructions", "(0028,0051)"),
        ({"units": "GML"}, "mixed-reconstructions", "(0054,1001)"),
        ({"series_time": time(12, 30)}, "mixed-acquisitions", "(0008,0031)"),
        ({"series_date": date(2026, 3, 2)}, "mixed-acquisitions", "(0008,0021)"),
        ({"model": "mCT"}, "mixed-acquisitions", "(0008,1090)"),
        ({"rows": 5}, "mixed-matrix", "5 x 5"),
        ({"pixel_spacing": (4.0, 5.0)}, "mixed-spacing", "Pixel Spacing"),
        (
            {"orientation": (0.0, 1.0, 0.0, 1.0, 0.0, 0.0)},
            "mixed-orientation",
            "Image Orientation",
        ),
        (
            {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")},
            "localizer-among-slices",
            "1 of 4 images",
        ),
    ],
)
def test_a_mixture_is_named_by_what_differs_and_says_what_to_do(header, change, code, named):
    *others, last = slices(header, (0, 3, 6, 9))
    found = refusal([*others, replace(last, **change)])
    assert found.code == code
    assert named in found.message
    assert "Send " in found.message


def test_slices_read_by_an_earlier_release_are_no_mixture_with_later_ones(header):
    """Their records do not know the kernel, which others say or have none."""
    for kernel in ((), ("XYZ Gauss2.00",)):
        known = replace(header, convolution_kernel=kernel)
        record = known.to_json()
        del record["convolution_kernel"]
        earlier = slices(type(header).from_json(record), (0, 3, 6))
        assert stack_of(earlier + slices(known, (9, 12))).grid.shape[0] == 5


def test_an_overview_alone_is_kept_and_asks_for_nothing(header):
    scout = ("ORIGINAL", "PRIMARY", "LOCALIZER")
    front, side = slices(header, (0, 3), image_type=scout)
    found = refusal([front, replace(side, orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0))])
    assert (found.code, "nothing to do" in found.message) == ("localizer", True)


@pytest.mark.parametrize(
    ("kind", "code"), [("DYNAMIC", "dynamic-series"), ("GATED", "gated-series")]
)
def test_a_single_frame_or_bin_is_no_static_series(header, kind, code):
    found = refusal(slices(header, (0, 3, 6), series_type=(kind, "IMAGE")))
    assert (found.code, "no static SUV" in found.message) == (code, True)


def test_every_refusal_of_the_geometry_says_what_to_do():
    said = set(re.findall(r'GeometryError\(\s*"([a-z-]+)"', inspect.getsource(geometry)))
    assert said == set(ADVICE)


# Several slices in one place


def test_frames_that_call_themselves_static_are_known_by_their_times(header):
    frames = [
        one
        for at in (0.0, 60e3, 120e3)
        for one in slices(header, (0, 3, 6), frame_reference_time=at)
    ]
    found = refusal(frames)
    assert (found.code, "has 3 slices" in found.message) == ("dynamic-series", True)


def test_bins_are_known_by_their_trigger(header):
    bins = [one for at in (0.0, 500.0) for one in slices(header, (0, 3), trigger_time=at)]
    assert refusal(bins).code == "gated-series"


def test_beds_that_were_not_joined_are_told_from_frames(header):
    first = slices(header, (0, 3, 6), acquisition_time=time(11, 6))
    second = slices(header, (6, 9, 12), acquisition_time=time(11, 9))
    found = refusal([*first, *second])
    assert (found.code, "1 of 5 places" in found.message) == ("overlapping-beds", True)


def test_two_acquisitions_in_one_place_are_known_by_their_number(header):
    twice = [one for n in (1, 2) for one in slices(header, (0, 3), acquisition_number=n)]
    assert refusal(twice).code == "mixed-acquisitions"


def test_a_slice_that_came_twice_under_two_uids_is_that(header):
    found = refusal(slices(header, (0, 3, 3, 6)))
    assert found.code == "duplicate-positions"
    assert found.message.endswith(ADVICE["duplicate-positions"])


# Gaps


def beds(header, size, clocks):
    """Beds that follow each other without a gap, in planes of 3 mm."""
    return [
        one
        for bed, clock in enumerate(clocks)
        for one in slices(
            header, [3 * (bed * size + plane) for plane in range(size)], acquisition_time=clock
        )
    ]


def test_a_missing_bed_is_named_by_its_slices(header):
    whole = beds(header, 10, [time(11, 0), time(11, 3), time(11, 6)])
    assert stack_of(whole).grid.shape[0] == 30
    found = refusal(whole[:10] + whole[20:])
    assert found.code == "missing-slices"
    assert "About 10 slice(s) are missing, and a bed has 10." in found.message


def test_two_missing_slices_are_no_bed(header):
    whole = beds(header, 10, [time(11, 0), time(11, 3)])
    found = refusal(whole[:4] + whole[6:])
    assert "About 2 slice(s) are missing." in found.message


@pytest.mark.parametrize(("step", "is_even"), [(3.14, True), (3.17, False)])
def test_spacing_is_uneven_beyond_five_percent(header, step, is_even):
    # Of the usual 3 mm: 4.7 % and 5.7 %.
    stack = slices(header, (0, 3, 6, 6 + step, 9 + step))
    if is_even:
        assert stack_of(stack).grid.flags == ("slice-spacing-varies",)
    else:
        assert refusal(stack).code == "uneven-spacing"


# Honest series


def test_counters_of_beds_are_no_frames_and_no_acquisitions(header):
    """GE and Siemens count the beds in attributes that are for something else."""
    siemens = [
        replace(one, acquisition_number=2001 + place // 3, frame_reference_time=place // 3 * 1e5)
        for place, one in enumerate(slices(header, range(0, 27, 3)))
    ]
    assert stack_of(siemens).grid.shape[0] == 9


@pytest.mark.reference
def test_real_series_of_the_scanners_are_one_image_each(reference_data):
    folders = [
        *(reference_data / "pet_series").glob("*/image"),
        *(reference_data / "ibsi_suv_dro").glob("*/PT"),
    ]
    counts = {}
    for folder in folders:
        files = [pydicom.dcmread(file, stop_before_pixels=True) for file in folder.iterdir()]
        counts[folder.parent.name] = stack_of([pet_header(ds) for ds in files]).grid.shape[0]
    assert counts == {
        "ge_sts_001_raw": 267,
        "ge_sts_001_suv": 59,
        **dict.fromkeys(OBJECTS, 20),
    }


@pytest.mark.reference
def test_of_the_real_headers_those_that_are_static_pass(reference_data):
    """A series of three planes from each: what a vendor writes into one slice refuses none."""
    found = {}
    for file in sorted((reference_data / "pet_headers").glob("*.dcm")):
        header = pet_header(pydicom.dcmread(file, stop_before_pixels=True))
        if header.orientation is None or header.position is None:
            continue
        try:
            stack_of(slices(replace(header, orientation=(1, 0, 0, 0, 1, 0)), (0, 3, 6)))
        except GeometryError as error:
            found[file.name.split("_")[0]] = error.code
    assert found == {"acrin": "dynamic-series", "rider": "gated-series"}
