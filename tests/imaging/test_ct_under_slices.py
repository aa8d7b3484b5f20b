"""The CT under the slices of a reading: laid under where it fits, and why not where it doesn't.

The PET of `records`: 12 planes of 3 mm from z = 0, 24 x 24 voxels of 4 mm. The CT is even, of 0 HU:
in the soft-tissue window (-160 to 240 HU) its grey is 0.4 * 255 = 102.
"""

from __future__ import annotations

import html
import io

import numpy as np
import pytest
from PIL import Image

from imaging import storage
from imaging.headers import slice_header
from imaging.models import Instance, ReceivedFile, Series
from imaging.services import open_ct
from tests import factories, records
from tests.imaging.conftest import pet_dataset
from trials.roles import Role

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]

FRAME = "1.2.9"
# Beside the hot block, below the letters of the sides.
BACKGROUND = (slice(400, 500), slice(400, 500))


@pytest.fixture
def run(scan, everyone):
    return records.make_measured(scan, by=everyone, frame=FRAME)


@pytest.fixture
def desk(client, run, pet_site):
    client.force_login(factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site))
    return f"/reading/{run.series.reading_identifier}/"


def add_ct(run, *, planes: int = 20, frame: str = FRAME, z: float = -5.0, spacing=(2, 2)) -> Series:
    study = run.series.imaging_study
    with factories.framed():
        series = Series.objects.create(
            imaging_study=study,
            transmittal=run.series.transmittal,
            series_instance_uid=f"{study.study_instance_uid}.{study.series.count() + 1}",
            modality="CT",
        )
        for plane in range(planes):
            ds = pet_dataset()
            ds.Modality, ds.SOPClassUID = "CT", "1.2.840.10008.5.1.4.1.1.2"
            ds.SeriesInstanceUID, ds.FrameOfReferenceUID = series.series_instance_uid, frame
            ds.SOPInstanceUID = f"{series.series_instance_uid}.{plane + 1}"
            ds.ImagePositionPatient = [-10, -10, z + 2.5 * plane]
            ds.Rows = ds.Columns = 64
            ds.PixelSpacing, ds.SliceThickness = list(spacing), "2.5"
            ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
            ds.PixelData = np.full((64, 64), 1024, np.int16).tobytes()
            _keep(series, ds, plane)
    return series


def _keep(series: Series, ds, plane: int) -> None:
    data = io.BytesIO()
    ds.save_as(data, enforce_file_format=True)
    sha256, size = storage.archive.write([data.getvalue()])
    file = ReceivedFile.objects.create(
        transmittal=series.transmittal,
        position=1000 + plane,
        sha256=sha256,
        size=size,
        state=ReceivedFile.State.RELEASED,
    )
    Instance.objects.create(
        series=series,
        received_file=file,
        sop_instance_uid=ds.SOPInstanceUID,
        sha256=sha256,
        size=size,
        header=slice_header(ds).to_json(),
        deidentification={},
    )


def why_not(client, desk: str) -> str:
    answer = client.get(f"{desk}slice/axial/5.png?ct=soft")
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/json")
    page = client.get(f"{desk}?ct=soft").content.decode()
    assert html.escape(answer.json()["message"]) in page
    return answer.json()["code"]


def test_the_ct_shows_through_where_little_is_taken_up(client, desk, run):
    add_ct(run)
    answer = client.get(f"{desk}slice/axial/5.png?high=20&ct=soft&opacity=0")
    image = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert np.unique(image[BACKGROUND]).tolist() == [102]
    lung = client.get(f"{desk}slice/axial/5.png?high=20&ct=lung&opacity=0")
    # 0 HU of -1350 to 150.
    image = np.asarray(Image.open(io.BytesIO(lung.content)))
    assert np.unique(image[BACKGROUND]).tolist() == [230]
    of_api = f"/api/v1/readings/{run.series.reading_identifier}/slices/axial/5/"
    same = client.get(f"{of_api}?high=20&ct=lung&opacity=0")
    assert (same.status_code, same.content) == (200, lung.content)
    assert client.get(f"{of_api}?ct=heart").status_code == 422


def test_the_page_keeps_window_and_opacity_from_step_to_step(client, desk, run):
    add_ct(run)
    page = client.get(f"{desk}?ct=bone&opacity=35").content.decode()
    assert ".png?low=0&amp;high=10&amp;ct=bone&amp;opacity=35" in page
    assert 'data-ct="bone" title="−500 to 1300 HU" aria-current="true"' in page
    assert '<input type="hidden" name="opacity" value="35">' in page
    # What is no window is none, and no opacity is above all of it.
    assert (
        "&amp;ct=" not in client.get(f"{desk}?ct=liver").content.decode().split("<img", 1)[1][:400]
    )
    assert 'data-opacity="100"' in client.get(f"{desk}?ct=bone&opacity=999").content.decode()


def test_why_there_is_no_ct_is_said(client, desk, run):
    assert why_not(client, desk) == "no-ct"
    add_ct(run, frame="1.2.10")
    assert why_not(client, desk) == "ct-in-another-frame"
    add_ct(run, z=500.0)
    assert why_not(client, desk) == "ct-elsewhere"
    with factories.framed():
        Series.objects.exclude(pk=run.series_id).update(code=Series.DESTROYED)
    assert why_not(client, desk) == "no-ct"


def test_of_several_the_one_with_most_planes_is_taken_and_kept_in_two_bytes(run):
    add_ct(run, planes=3)
    most = add_ct(run, planes=20)
    add_ct(run, planes=30, frame="1.2.10")
    opened = open_ct.of_run(run)
    assert opened.hounsfield.dtype == np.int16
    assert opened.grid.shape == (most.instances.count(), 64, 64)
    assert np.unique(opened.hounsfield).tolist() == [0]
    assert open_ct.of_run(run) is opened


def test_a_ct_that_is_no_stack_is_refused_in_words(client, desk, run):
    series = add_ct(run, planes=3)
    with factories.framed():
        for number, one in enumerate(series.instances.all()):
            one.header |= {"orientation": [1, 0, 0, 0, 1, 0] if number else [0, 1, 0, 0, 0, -1]}
            one.save(update_fields=["header"])
    assert why_not(client, desk) == "ct-unfit"
