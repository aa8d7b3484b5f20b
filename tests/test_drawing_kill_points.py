"""`kill -9` while a reader's drawing is kept: the region is there whole and once, or not at all.

A site of its own is started by its command. Each drawing lies in a slice of its own of the hot
block; the program that sends it goes on until it has an answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.imaging.test_drawing import square
from tests.serving import Serving, served

SECONDS = 100
# What is kept when the process has died there.
DRAWING = {"region.measured": 0, "region.before-commit": 0, "region.committed": 1}

SCENE = """
import json
from itertools import count

from django.db import transaction

from imaging.services import reads
from tests import factories, records
from tests.imaging.test_placing import MANUAL
from trials.models import Site
from trials.roles import Role
from trials.services import accounts

# Another process made what the site began with, by the same numbers.
factories._numbers = count(1000)
site = Site.objects.get(trial__identifier="FAULTS")
by = records.everyone(site.trial)
reader = factories.make_user(Role.READER, trial=site.trial, site=site)
# No worker of the site takes the jobs before they are done here.
with transaction.atomic():
    scan = factories.make_scan(factories.make_enrolled(site, by=by), by=by)
    with factories.framed():
        scan.planned_scan.segmentation = MANUAL
        scan.planned_scan.save(update_fields=["segmentation"])
    series = records.make_measured(scan, by=by).series
    reads.open_read(series, by=reader)
    token, _ = accounts.issue_token(reader, label="desk")
print(json.dumps({"reading": series.reading_identifier, "token": token}))
"""
KEPT = """
select row.number, region.voxel_count
from imaging_grownlesion region left join imaging_lesionread row on row.grown_id = region.id
order by region.id
"""


@dataclass
class Desk:
    """A running site, the points armed in it, and a draft to draw in."""

    site: Serving
    points: Path
    reading: str
    token: str

    def send(self, path: str, **body) -> requests.Response | None:
        """None where whoever was to answer has died, or has not come back yet."""
        address = f"{self.site.state['address']}/api/v1/readings/{self.reading}/read/{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            return requests.post(address, json=body, headers=headers, timeout=SECONDS)
        except requests.ConnectionError:
            return None

    def answered(self, path: str, **body) -> requests.Response:
        end = time.monotonic() + SECONDS
        while (answer := self.send(path, **body)) is None:
            assert time.monotonic() < end, f"no answer from {path}"
            time.sleep(0.5)
        return answer

    def kept(self) -> list[tuple]:
        return self.site.sql(KEPT)


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    points = tmp_path / "points"
    points.mkdir()
    with served(
        DJANGO_SETTINGS_MODULE="config.settings.test", TRIALTRACE_FAULT_POINTS=str(points)
    ) as site:
        yield Desk(site, points, **json.loads(site.python(SCENE)))


@pytest.mark.faults
def test_a_drawing_is_kept_whole_and_once_wherever_its_keeping_is_killed(desk):
    for number, (point, kept) in enumerate(DRAWING.items(), start=1):
        contours = [square(3 + number)]
        told = desk.answered("drawn/preview/", contours=contours).json()["told"]
        (desk.points / point).write_text("1")
        assert desk.send("drawn/", contours=contours, seen=told) is None
        assert not (desk.points / point).exists()
        assert len(desk.kept()) == number - 1 + kept

        again = desk.answered("drawn/", contours=contours, seen=told)
        # What was kept without an answer is not kept twice: no voxel counts twice.
        assert again.status_code == 201, again.text
        assert desk.kept() == [(n, 9) for n in range(1, number + 1)]
