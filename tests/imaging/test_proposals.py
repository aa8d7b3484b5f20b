"""The blood pool proposed on the CT that lies in the record, and why not where it doesn't."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.models import Series
from imaging.peaks import PeakDefinition
from imaging.selectors import volumes
from imaging.services import proposals
from tests import records
from tests.factories import framed
from tests.imaging import thorax
from tests.imaging.conftest import pet_dataset
from tests.imaging.test_ct_under_slices import FRAME, _keep

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]

EVEN = PeakDefinition.IBSI_GLOBAL


@pytest.fixture
def pet(scan, everyone) -> Series:
    return records.make_measured(scan, by=everyone, frame=FRAME).series


def add_chest(pet: Series, *, frame: str = FRAME, pixel_mm: float = 1.4) -> Series:
    """The CT of the chest, pixels of 1.4 mm."""
    study, hounsfield = pet.imaging_study, thorax.ct_of()
    with framed():
        series = Series.objects.create(
            imaging_study=study,
            transmittal=pet.transmittal,
            series_instance_uid=f"{study.study_instance_uid}.{study.series.count() + 1}",
            modality="CT",
        )
        for k, plane in enumerate(hounsfield):
            ds = pet_dataset()
            ds.Modality, ds.SOPClassUID = "CT", "1.2.840.10008.5.1.4.1.1.2"
            ds.SeriesInstanceUID, ds.FrameOfReferenceUID = series.series_instance_uid, frame
            ds.SOPInstanceUID = f"{series.series_instance_uid}.{k + 1}"
            # Each pixel as four: the corner is half of one of them aside.
            fine = plane.repeat(2, axis=0).repeat(2, axis=1)
            ds.ImagePositionPatient = [-184.1, -184.1, thorax.CT.origin[2] + 4.0 * k]
            ds.Rows, ds.Columns = fine.shape
            ds.PixelSpacing, ds.SliceThickness = [pixel_mm, pixel_mm], "4"
            ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
            ds.PixelData = (fine + 1024).clip(0).astype(np.int16).tobytes()
            _keep(series, ds, k)
    return series


def made(pet: Series, kinds=("blood_pool",)) -> proposals.Proposals:
    found = thorax.pet_of()
    return proposals.proposals(found, thorax.PET, EVEN, kinds=kinds, without=(), pet=pet)


def test_the_blood_pool_is_proposed_on_the_ct_of_the_study(pet):
    ct = add_chest(pet)
    found = made(pet)
    assert found.outcomes == {"blood_pool": "proposed"}
    x, y, _ = found.found["blood_pool"].centre_mm
    assert np.hypot(x - thorax.AORTA[0], y - thorax.AORTA[1]) < 3.0
    assert found.as_recorded() == {
        "proposals": {"blood_pool": "proposed"},
        "proposed_on_ct": volumes.input_digest(ct),
    }


def test_muscle_is_looked_for_on_the_ct_where_the_protocol_names_it(pet):
    assert made(pet, ("muscle",)).outcomes == {"muscle": "no-ct"}
    add_chest(pet)
    found = made(pet, ("muscle",))
    # The chest has no hips.
    assert found.outcomes == {"muscle": "no-pelvis"}
    assert "No hip bones are found" in found.reasons["muscle"]


def test_without_a_ct_in_the_frame_of_the_pet_the_reader_is_told(pet):
    assert made(pet).outcomes == {"blood_pool": "no-ct"}
    add_chest(pet, frame="1.2.8")
    recorded = made(pet).as_recorded()
    assert recorded["proposals"] == {"blood_pool": "ct-in-another-frame"}
    ((name, why),) = proposals.told(recorded, there=())
    assert name == "Mediastinal blood pool"
    assert why.startswith("not proposed, the reader places it. The CT of this study has another")
    assert proposals.told(recorded, there={"blood_pool"}) == []


@pytest.mark.parametrize("kind", ["blood_pool", "muscle"])
def test_a_ct_of_no_patient_s_size_is_not_laid_out_in_memory(pet, kind):
    add_chest(pet, pixel_mm=14.0)
    found = made(pet, kinds=(kind,))
    assert found.outcomes == {kind: "ct-too-large"}
    assert "mm wide" in found.reasons[kind]
