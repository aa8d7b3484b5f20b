"""Voxels of a segmentation: frames placed by their position, as other programs write them."""

from __future__ import annotations

import copy

import highdicom
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import RLELossless

from imaging.contours import RegionError
from imaging.geometry import Grid
from imaging.segments import segmentation
from tests.imaging import drawings
from tests.imaging.conftest import pet_dataset

GRID = Grid(shape=(3, 4, 5), spacing=(3.0, 4.0, 4.0), origin=(0.0, 0.0, 0.0))
PLANES = {"1.2.3.0": 0, "1.2.3.1": 1, "1.2.3.2": 2}


def slices() -> list[Dataset]:
    found = []
    for number in range(3):
        ds = pet_dataset()
        ds.SOPInstanceUID, ds.ImagePositionPatient = f"1.2.3.{number}", [0, 0, 3 * number]
        found.append(ds)
    return found


def shaped(*pixels: tuple[int, int]) -> np.ndarray:
    frame = np.zeros((4, 5), np.uint8)
    for row, column in pixels:
        frame[row, column] = 1
    return frame


FRAMES = [shaped((0, 0), (3, 4)), shaped((1, 2)), shaped((2, 0), (2, 1), (0, 4))]


def test_frames_are_placed_by_their_position_in_whatever_order_they_come():
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        images = slices()
        ds = drawings.segmentation([images[n] for n in order], [FRAMES[n] for n in order])
        (segment,) = segmentation(ds).regions
        assert np.array_equal(segment.mask(GRID, PLANES), np.stack(FRAMES).astype(bool))


def test_planes_that_were_left_out_are_empty():
    ds = drawings.segmentation(slices()[1:2], FRAMES[2:])
    (segment,) = segmentation(ds).regions
    found = segment.mask(GRID, PLANES)
    assert np.array_equal(found[1], FRAMES[2].astype(bool))
    assert found.sum() == 3


def test_a_part_of_the_matrix_lies_where_its_first_pixel_does():
    ds = drawings.segmentation(slices()[:1], [np.ones((2, 3), np.uint8)])
    position = ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    position.ImagePositionPatient = [8, 4, 0]
    (segment,) = segmentation(ds).regions
    expected = np.zeros(GRID.shape, bool)
    expected[0, 1:3, 2:5] = True
    assert np.array_equal(segment.mask(GRID, {}), expected)


def test_a_segmentation_says_what_was_drawn_on_which_images():
    found = segmentation(drawings.segmentation(slices()))
    (segment,) = found.regions
    assert (found.series, segment.images) == (("1.2.3",), PLANES.keys())
    assert (segment.number, segment.frame_of_reference_uid) == (3, "1.2.9")


def refusal(change) -> str:
    ds = drawings.segmentation(slices())
    change(ds)
    with pytest.raises(RegionError) as refused:
        [segment.mask(GRID, PLANES) for segment in segmentation(ds).regions]
    assert refused.value.message.endswith(".")
    return refused.value.code


def moved(x: float, y: float, z: float):
    def change(ds) -> None:
        for group in ds.PerFrameFunctionalGroupsSequence:
            (placed,) = group.PlanePositionSequence
            before = np.array(placed.ImagePositionPatient, float)
            placed.ImagePositionPatient = list(before + np.array((x, y, z)))

    return change


def shared(**changes):
    def change(ds) -> None:
        (group,) = ds.SharedFunctionalGroupsSequence
        for keyword, value in changes.items():
            holder = group.PixelMeasuresSequence[0]
            if keyword not in holder:
                holder = group.PlaneOrientationSequence[0]
            setattr(holder, keyword, value)

    return change


def of_its_own(**changes):
    return lambda ds: [setattr(ds, keyword, value) for keyword, value in changes.items()]


def compressed(ds) -> None:
    ds.file_meta.TransferSyntaxUID = RLELossless


def unlisted(ds) -> None:
    ds.SegmentSequence[0].SegmentNumber = 4


def twice(ds) -> None:
    ds.SegmentSequence.append(copy.deepcopy(ds.SegmentSequence[0]))


def on_the_next_image(ds) -> None:
    for group in ds.PerFrameFunctionalGroupsSequence:
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        source.ReferencedSOPInstanceUID = "1.2.3.2"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("segments-not-binary", of_its_own(SegmentationType="FRACTIONAL")),
        ("segments-not-binary", of_its_own(SegmentationType="LABELMAP")),
        ("segments-encoding", compressed),
        ("segments-invalid", of_its_own(BitsAllocated=8)),
        ("segments-invalid", of_its_own(Rows=0)),
        ("segments-invalid", of_its_own(Rows=5000)),
        ("segments-invalid", of_its_own(NumberOfFrames=2)),
        ("segments-invalid", of_its_own(PixelData=bytes(6))),
        ("segments-invalid", of_its_own(SharedFunctionalGroupsSequence=[])),
        ("segments-invalid", unlisted),
        ("segments-invalid", twice),
        ("segments-other-grid", shared(PixelSpacing=[2, 2])),
        ("segments-other-grid", shared(ImageOrientationPatient=[-1, 0, 0, 0, 1, 0])),
        ("segments-other-grid", moved(2, 0, 0)),
        ("segments-off-plane", moved(0, 0, 1.5)),
        ("segments-off-plane", on_the_next_image),
        ("segments-outside", moved(8, 0, 0)),
        ("segments-off-plane", moved(0, 0, 30)),
        ("region-without-voxel", of_its_own(PixelData=bytes(8))),
    ],
)
def test_segmentations_that_do_not_fit_the_images_are_refused_by_name(code, change):
    assert refusal(change) == code


def described(number: int) -> highdicom.seg.SegmentDescription:
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=f"Lesion {number}",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def test_what_highdicom_wrote_is_read_voxel_by_voxel():
    """Three overlapping segments on slices that it was given in no order."""
    images, rng = slices(), np.random.default_rng(5)
    for number, image in enumerate(images):
        image.PixelData, image.PatientBirthDate, image.StudyTime = bytes(40), "", "120000"
        image.PatientName, image.PatientID, image.StudyID = "A^B", "1", ""
        image.AccessionNumber, image.ReferringPhysicianName = "", ""
        image.StudyDate, image.InstanceNumber = "20260301", number + 1
    drawn = rng.random((3, 4, 5, 3)) < 0.2
    order = [2, 0, 1]
    written = highdicom.seg.Segmentation(
        source_images=[images[n] for n in order],
        pixel_array=drawn[order].astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[described(n) for n in (1, 2, 3)],
        series_instance_uid=highdicom.UID(),
        series_number=9,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="M",
        manufacturer_model_name="M",
        software_versions="1",
        device_serial_number="1",
    )
    found = segmentation(written)
    assert found.series == ("1.2.3",)
    for segment in found.regions:
        expected = drawn[..., segment.number - 1]
        assert np.array_equal(segment.mask(GRID, PLANES), expected)
    assert [one.number for one in found.regions] == [1, 2, 3]
