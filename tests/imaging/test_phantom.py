"""The phantom: what is drawn, what its files say, and what is measured on it."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pydicom
import pytest

from imaging import expectations, reference_regions
from imaging.geometry import stack_from_headers
from imaging.headers import pet_header, slice_header
from imaging.lesions import measure
from imaging.phantom import (
    BLOOD_POOL_CENTRE,
    CT_GRID,
    FDG,
    NOISE,
    PENTIXAFOR,
    PET_GRID,
    PhantomError,
    Sphere,
    ct_volume,
    pet_volume,
    spheres,
)
from imaging.phantom_dicom import Examination, Subject, ct_files, pet_files
from imaging.ratios import target_to_background
from imaging.segmentation import fixed_threshold
from imaging.suv import suvbw_scale
from imaging.volume import rescaled

LESIONS = spheres((12.0, 9.0, 8.0, 10.0), shift=(1.3, -0.7, 2.1))
THRESHOLD = 4.0
SUBJECT = Subject(
    name="Okonkwo^Adaeze",
    patient_id="4711",
    birth=date(1961, 4, 3),
    sex="F",
    weight_kg=68.0,
    height_m=1.66,
)
EXAMINATION = Examination(
    tracer=PENTIXAFOR,
    activity=151e6,
    injected_at=datetime(2026, 3, 2, 8, 5),
    started_at=datetime(2026, 3, 2, 9, 6),
    uid_source="test",
)
# bc: 68 * 1000 / (151e6 * e(-l(2) * 3660 / 4062.6))
FACTOR = 0.000840872519776


@pytest.fixture(scope="module", params=[PENTIXAFOR, FDG], ids=lambda tracer: tracer.radionuclide)
def tracer(request):
    return request.param


@pytest.fixture(scope="module")
def volume(tracer):
    return pet_volume(tracer, LESIONS, seed=1)


@pytest.fixture(scope="module")
def pet():
    suv = pet_volume(PENTIXAFOR, LESIONS, seed=1)
    files = list(pet_files(suv, grid=PET_GRID, subject=SUBJECT, examination=EXAMINATION))
    return suv, [pydicom.dcmread(io.BytesIO(content)) for _, content in files]


def nearest(found, sphere):
    return min(found, key=lambda one: np.linalg.norm(np.subtract(one.centroid_mm, sphere.centre)))


def measured(volume):
    components = fixed_threshold(
        volume,
        threshold=THRESHOLD,
        spacing=PET_GRID.spacing,
        minimum_volume_ml=1.0,
        max_components=50,
    )
    return measure(volume, components, grid=PET_GRID)


def expected(sphere, tracer):
    return expectations.of_sphere(
        sphere.blurred(tracer), threshold=THRESHOLD, spacing=PET_GRID.spacing, noise=NOISE
    )


def test_noiseless_sphere_is_the_closed_form_averaged_over_voxels():
    lesion = LESIONS[3]
    volume = pet_volume(PENTIXAFOR, [lesion], seed=0, noise=0.0)
    middle = np.rint(PET_GRID.patient_to_voxel(lesion.centre)).astype(int)
    around = middle + np.array(list(itertools.product((-2, -1, 0, 1, 2), repeat=3)))
    # Seven points an axis over each voxel, by the midpoint rule.
    within = np.array(list(itertools.product((np.arange(7) - 3) / 7, repeat=3)))
    points = PET_GRID.voxel_to_patient(around[:, None] + within)
    sphere = lesion.blurred(PENTIXAFOR)
    averages = sphere.at(np.linalg.norm(points - lesion.centre, axis=2)).mean(axis=1)
    # Sub-voxels of 0.5 and 0.6 mm draw this sphere to half a percent of its contrast of 9.2.
    assert np.abs(volume[tuple(around.T)] - averages).max() < 0.046


def test_every_sphere_measures_what_the_closed_form_says(volume, tracer):
    found = measured(volume)
    for sphere in LESIONS:
        lesion = nearest(found, sphere)
        for name, value in expected(sphere, tracer).items():
            assert value.admits(getattr(lesion, name)), (sphere.diameter, name, value)


def test_tolerance_would_show_a_wrong_weight_or_a_missed_decay():
    # Half a minute of gallium-68 is within, an hour or a tenth of the weight is not.
    value = expected(LESIONS[0], PENTIXAFOR)["suvmax"]
    assert value.admits(12.0)
    assert not value.admits(12.0 * 1.1)
    assert not value.admits(12.0 * 2 ** (-3660 / 4062.6))


def test_tolerance_of_a_small_sphere_is_wider_than_that_of_a_large_one():
    parts = [expected(sphere, PENTIXAFOR)["suvpeak"] for sphere in LESIONS]
    relative = [part.grid / part.value for part in parts]
    assert relative == sorted(relative)
    assert relative[0] < 1e-3


def test_noise_has_the_stated_size_in_uniform_tissue(volume, tracer):
    liver = reference_regions.sphere(
        volume, grid=PET_GRID, centre_mm=(-75.0, 0.0, -25.0), radius_mm=25.0
    )
    stated = NOISE * tracer.suv["liver"] ** 0.5
    # About 800 voxels know their standard deviation to 1/sqrt(2n) = 2.5 %: four of those.
    assert liver.sd == pytest.approx(stated, rel=0.1)
    assert liver.mean == pytest.approx(tracer.suv["liver"], abs=4 * stated / liver.n**0.5)


def test_liver_is_found_and_gives_its_true_uptake(volume, tracer):
    centre = reference_regions.propose_liver(volume, grid=PET_GRID)
    found = reference_regions.sphere(volume, grid=PET_GRID, centre_mm=centre, radius_mm=15.0)
    within = 5 * NOISE * (tracer.suv["liver"] / found.n) ** 0.5
    assert found.mean == pytest.approx(tracer.suv["liver"], abs=within)


def test_ratio_to_the_blood_pool_is_within_its_tolerance(volume, tracer):
    region = reference_regions.sphere(
        volume, grid=PET_GRID, centre_mm=BLOOD_POOL_CENTRE, radius_mm=15.0
    )
    lesion = nearest(measured(volume), LESIONS[1])
    value = expectations.ratio(
        expected(LESIONS[1], tracer)["suvmax"],
        reference=tracer.suv["blood pool"],
        voxels=region.n,
        noise=NOISE,
    )
    assert value.value == pytest.approx(9.0 / tracer.suv["blood pool"], rel=1e-4)
    of_max, _, _ = target_to_background(lesion, background_mean=region.mean)
    assert value.admits(of_max.value)


def test_same_seed_gives_the_same_patient_and_another_seed_other_noise():
    small = replace(PET_GRID, shape=(60, 128, 128), origin=(-254.0, -254.0, -340.0))
    lesions = LESIONS[:1]
    once = pet_volume(FDG, lesions, seed=5, grid=small)
    assert np.array_equal(once, pet_volume(FDG, lesions, seed=5, grid=small))
    assert not np.array_equal(once, pet_volume(FDG, lesions, seed=6, grid=small))


@pytest.mark.parametrize(
    ("centre", "sentence"),
    [
        ((-75.0, 0.0, -25.0), "soft tissue alone"),
        ((150.0, 0.0, -215.0), "soft tissue alone"),
        ((0.0, 0.0, 900.0), "leaves the image"),
        ((60.0, -18.0, -215.0), "blur together"),
    ],
)
def test_sphere_that_is_not_alone_in_soft_tissue_is_refused(centre, sentence):
    stray = Sphere(17.0, centre, 8.0)
    with pytest.raises(PhantomError, match=sentence):
        pet_volume(FDG, [LESIONS[0], stray], seed=0)


def test_headers_give_back_the_factor(pet):
    _, files = pet
    scale = suvbw_scale([pet_header(ds) for ds in files])
    assert scale.factor == pytest.approx(FACTOR, rel=1e-11)
    assert (scale.status, scale.flags, scale.adaptations) == ("COMPUTED", (), ())


def test_files_give_back_the_volume_whatever_their_order(pet):
    suv, files = pet
    headers = [pet_header(ds) for ds in reversed(files)]
    stack = stack_from_headers(headers)
    assert stack.grid == PET_GRID
    in_order = [files[len(files) - 1 - i] for i in stack.order]
    values = rescaled(
        [headers[i] for i in stack.order], [ds.pixel_array for ds in in_order], factor=FACTOR
    )
    # Half a step of a slice's slope; the bladder's slice has the largest.
    assert np.abs(values - suv).max() <= 0.51 * float(suv.max()) / 32767
    assert len({ds.RescaleSlope for ds in files}) == len(files)


def test_beds_are_acquired_one_after_another(pet):
    _, files = pet
    times = [ds.AcquisitionTime for ds in files]
    assert len(set(times)) == 8
    assert times == sorted(times)
    # Average over 120 s of gallium-68, bc: x = l(2) * 120 / 4062.6; l(x / (1 - e(-x))) / x * 120
    assert float(files[0].FrameReferenceTime) == pytest.approx(59897.6, abs=0.1)


def test_headers_carry_an_identity_that_must_not_stay(pet):
    _, files = pet
    places = [element.name for element in files[0] if "Okonkwo" in str(element.value)]
    assert places == [
        "Study Description",
        "Series Description",
        "Patient's Name",
        "Patient Comments",
        "Private tag data",
    ]
    assert files[0].PatientBirthDate == "19610403"


def test_computed_tomography_shares_the_frame_of_reference(pet):
    _, files = pet
    hounsfield = ct_volume(LESIONS, seed=3)
    slices = [
        pydicom.dcmread(io.BytesIO(content))
        for _, content in ct_files(
            hounsfield, grid=CT_GRID, subject=SUBJECT, examination=EXAMINATION
        )
    ]
    assert {ds.FrameOfReferenceUID for ds in slices} == {files[0].FrameOfReferenceUID}
    headers = [slice_header(ds) for ds in slices]
    assert stack_from_headers(headers).grid == CT_GRID
    read = rescaled(headers, [ds.pixel_array for ds in slices])
    k, m, n = np.rint(CT_GRID.patient_to_voxel((-75.0, 0.0, -25.0))).astype(int)
    # 125 voxels of liver, 58 HU; noise 14 HU.
    cube = read[k - 2 : k + 3, m - 2 : m + 3, n - 2 : n + 3]
    assert cube.mean() == pytest.approx(58, abs=4 * 14 / 125**0.5)
    # Below -1024 there is nothing to store.
    assert read.min() >= -1024
