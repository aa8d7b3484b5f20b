"""Where lesions begin, as a trial file states it and a page says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.urls import reverse

from tests import factories
from trials.models import PlannedScan
from trials.roles import Role
from trials.segmentation_methods import click, words
from trials.services import jobs, protocols
from trials.services.errors import Invalid

pytestmark = pytest.mark.django_db

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
STATED = next(line for line in DEMO.splitlines() if line.strip().startswith("segmentation:"))


def loaded(segmentation: str):
    text = DEMO.replace(STATED, f"    segmentation: {segmentation}")
    return protocols.load_trial(text, by=jobs.system_user())


def test_a_threshold_from_a_reference_region_is_loaded_and_said(client):
    made = loaded(
        "{method: reference_threshold, region: liver, times_mean: 1.5, times_sd: 2, "
        "minimum_volume_ml: 0.5, peak: weighted}"
    )
    plan = PlannedScan.objects.filter(version=made.version).first()
    assert plan.segmentation_words == "SUV ≥ 1.5 × mean + 2 × SD of the liver"
    client.force_login(factories.make_user(Role.MONITOR, trial=made.trial))
    page = client.get(reverse("trial", args=[made.trial.identifier])).content.decode()
    assert "SUV ≥ 1.5 × mean + 2 × SD of the liver, from 0.5 mL" in page


def test_regions_drawn_elsewhere_are_loaded_and_said(client):
    made = loaded("{method: imported, peak: ibsi_local}")
    client.force_login(factories.make_user(Role.MONITOR, trial=made.trial))
    page = client.get(reverse("trial", args=[made.trial.identifier])).content.decode()
    assert "<td>regions drawn in another program<div" in page


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("{method: part_of_maximum, part: 0.5}", "SUV ≥ 50 % of the highest near the click"),
        (
            "{method: gradient, box_mm: 25}",
            "up to where the SUV falls off most steeply, within 25 mm",
        ),
        ("{method: threshold, suv: 3, largest_ml: 500}", "SUV ≥ 3 g/mL"),
        (
            "{method: background_adapted, signal: suvmean70, times_signal: 0.15, "
            "times_background: 1}",
            "SUV ≥ 0.15 × mean above 70 % of SUVmax + 1 × the background around it",
        ),
    ],
)
def test_what_a_click_takes_in_is_loaded_and_said(client, stated, said):
    made = loaded(f"{{method: fixed_threshold, suv: 4, minimum_volume_ml: 1, click: {stated}}}")
    client.force_login(factories.make_user(Role.MONITOR, trial=made.trial))
    page = client.get(reverse("trial", args=[made.trial.identifier])).content.decode()
    assert f"From a click: {said}</div>" in page


def test_lesions_that_a_reader_outlines_are_loaded_and_said(client):
    made = loaded("{method: manual, placed: {method: threshold, suv: 2.5}}")
    client.force_login(factories.make_user(Role.MONITOR, trial=made.trial))
    page = client.get(reverse("trial", args=[made.trial.identifier])).content.decode()
    assert "<td>regions that a reader outlines<div" in page
    assert "Of a placed shape: SUV ≥ 2.5 g/mL</div>" in page


def test_a_click_takes_in_41_percent_of_the_maximum_where_nothing_is_stated():
    plan = PlannedScan.objects.filter(
        version=loaded("{method: fixed_threshold, suv: 4, minimum_volume_ml: 1}").version
    ).first()
    assert click(plan.segmentation) == {"method": "part_of_maximum", "part": 0.41}


@pytest.mark.parametrize(
    "segmentation",
    [
        "{method: fixed_threshold, minimum_volume_ml: 1}",
        "{method: fixed_threshold, suv: 4, region: liver, minimum_volume_ml: 1}",
        "{method: reference_threshold, region: liver, times_mean: 1.5, minimum_volume_ml: 1}",
        "{method: reference_threshold, region: liver, times_mean: 0, times_sd: 0, "
        "minimum_volume_ml: 1}",
        "{method: reference_threshold, region: brain, times_mean: 1, times_sd: 0, "
        "minimum_volume_ml: 1}",
        "{method: fixed_threshold, suv: 4, minimum_volume_ml: 1, peak: hottest}",
        "{method: fixed_threshold, suv: 4, minimum_volume_ml: 1, click: {method: part_of_maximum}}",
        "{method: fixed_threshold, suv: 4, minimum_volume_ml: 1, click: "
        "{method: part_of_maximum, part: 41}}",
        "{method: fixed_threshold, suv: 4, minimum_volume_ml: 1, click: "
        "{method: gradient, box_mm: 30, part: 0.5}}",
        "{method: fixed_threshold, suv: 4, minimum_volume_ml: 1, click: {method: threshold}}",
        "{method: fixed_threshold, suv: 4}",
        "{method: imported, minimum_volume_ml: 1}",
        "{method: imported, suv: 4}",
        "{method: manual, suv: 4}",
        "{method: manual, minimum_volume_ml: 1}",
        "{method: manual, placed: {method: part_of_maximum}}",
        "{method: manual, placed: {method: everything, suv: 3}}",
        "{method: manual, click: {method: background_adapted, signal: suvmax, times_signal: 0.5}}",
        "{method: manual, click: {method: gradient, box_mm: 30, largest_ml: 50}}",
    ],
)
def test_a_method_that_says_half_is_refused(segmentation):
    with pytest.raises(Invalid, match="segmentation"):
        loaded(segmentation)


@pytest.mark.parametrize(
    ("times_mean", "times_sd", "said"),
    [(1.0, 0, "1 × mean"), (0, 3.0, "3 × SD"), (2.0, 2.5, "2 × mean + 2.5 × SD")],
)
def test_words_leave_out_what_counts_nothing(times_mean, times_sd, said):
    method = {"method": "reference_threshold", "region": "blood_pool"}
    method |= {"times_mean": times_mean, "times_sd": times_sd}
    assert words(method) == f"SUV ≥ {said} of the blood pool"
