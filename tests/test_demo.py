"""The demo: what it sends, what it prints, and a real series from folder to number."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.demo import (
    accounts,
    client,
    cohort,
    comparison,
    crossover_run,
    journey,
    narration,
    response_run,
)
from imaging.phantom import FDG, PET_GRID, pet_volume
from imaging.response import judging, recist_lesions
from tests.commands import said
from trials.models import Allocation, Deviation, Injection, Site
from trials.roles import Role
from trials.services import allocations, scan_day

LESION = {"suvmax": 12.0, "suvmean": 9.3, "suvpeak": 12.0, "volume_ml": 31.5, "ratios": []}


def measurement(*lesions):
    return {"parameters": {"suv": 4.0}, "lesions": list(lesions), "reference_regions": []}


def compared(*lesions):
    spheres = cohort.CASES[0].lesions["ptf"][:1]
    return comparison.compared(spheres, cohort.PLANS[0].tracer, measurement(*lesions))


def test_batches_hold_as_many_files_as_the_server_takes():
    files = [(str(number), b"x") for number in range(2 * client.BATCH_FILES + 1)]
    batches = list(client.batches(files))
    assert [len(batch) for batch in batches] == [client.BATCH_FILES, client.BATCH_FILES, 1]
    assert [file for batch in batches for file in batch] == files


def test_batches_hold_as_many_bytes_as_the_server_takes(tmp_path):
    half = client.BATCH_BYTES // 2
    on_disk = tmp_path / "c"
    on_disk.write_bytes(bytes(client.BATCH_BYTES + 1))
    files = [("a", bytes(half)), ("b", bytes(half)), ("c", on_disk), ("d", b"")]
    names = [[name for name, _ in batch] for batch in client.batches(files)]
    assert names == [["a", "b"], ["c"], ["d"]]


def test_right_values_of_a_sphere_agree_and_missing_ratios_do_not():
    centre = cohort.CASES[0].lesions["ptf"][0].centre
    table = compared({**LESION, "centroid_mm": centre})
    assert [name for name, (cell,) in table.items() if not cell.agrees] == ["liver", "blood_pool"]


def test_one_wrong_value_disagrees():
    centre = cohort.CASES[0].lesions["ptf"][0].centre
    # A tenth more, as from a weight that is wrong by as much.
    table = compared({**LESION, "centroid_mm": centre, "suvmax": 13.2})
    assert not table["suvmax"][0].agrees
    assert table["suvpeak"][0].agrees


def test_sphere_that_was_not_found_agrees_with_nothing():
    x, y, z = cohort.CASES[0].lesions["ptf"][0].centre
    table = compared({**LESION, "centroid_mm": (x, y, z + 20)})
    assert comparison.disagreements(table) == len(table)


def test_every_sphere_lies_so_far_inside_that_its_peak_does_too():
    for case in cohort.CASES:
        for sphere in (one for spheres in case.lesions.values() for one in spheres):
            place = PET_GRID.patient_to_voxel(sphere.centre)
            assert all(5 < i < size - 5 for i, size in zip(place, PET_GRID.shape, strict=True))


@pytest.mark.parametrize(
    "now",
    [
        "2026-11-28T22:55:00",
        "2026-11-28T23:10:00",
        "2026-11-28T23:52:00",
        "2026-11-28T23:59:59",
        "2026-11-29T00:01:00",
        "2026-11-29T00:30:00",
        "2026-03-01T00:10:00",
        "2026-03-29T01:30:00",
        "2026-10-25T01:10:00",
    ],
)
def test_evidence_is_of_a_day_before_any_scan_whatever_the_time(now):
    # Midnight in UTC and at the site, the first of a month, and the nights in which clocks change.
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    consent = moment - timedelta(hours=3)
    (day,) = {row["observed_at"] for row in journey._evidence(cohort.CASES[0].person, moment)}
    for plan in cohort.PLANS:
        syringe, started = cohort.given(plan, now=moment)
        assert consent < syringe.assayed_at < syringe.injected_at < started < moment
        for zone in (UTC, berlin):
            assert day < syringe.assayed_at.astimezone(zone).date().isoformat()


def test_crossover_gives_each_patient_a_place_and_keeps_the_gap_between_tracers(db):
    accounts.prepare(Path(crossover_run.__file__).parents[2] / "trials" / "definitions")
    crossover_run.build(narration.Narration())
    ours = Allocation.objects.filter(trial__identifier="DEMO-CROSSOVER")
    rows = ours.order_by("position")
    assert [str(row.patient) for row in rows] == ["201-001", "201-002", "201-003", "201-004"]
    assert {row.stratum for row in rows} == {"site=201"}
    coordinator = accounts.user_of(Role.COORDINATOR, accounts.CROSSOVER_SITE)
    for row, given in zip(rows, (1, 1, 0, 2), strict=True):
        first, second = row.patient.scheduled_scans.order_by("planned_at")
        periods = [first.planned_scan.identifier, second.planned_scan.identifier]
        assert periods == allocations.sequence_of(row)["periods"]
        assert [hasattr(one, "injection") for one in (first, second)] == [given > 0, given > 1]
        if given == 2:
            continue
        reds = {one.code for one in scan_day.reds(second, scan_day.now(coordinator))}
        # Of the first tracer's day: too early, and what was taken in between is asked again.
        asked_again = {"between-therapy.anticancer", "between-therapy.steroids"}
        expected = {"gap", *asked_again} if given else {"sequence"}
        assert reds == expected
    assert not Deviation.objects.filter(patient__trial__identifier="DEMO-CROSSOVER")


def test_the_patients_under_treatment_are_enrolled_and_injected_without_a_deviation(db):
    accounts.prepare(Path(response_run.__file__).parents[2] / "trials" / "definitions")
    site = Site.objects.get(code=accounts.RESPONSE_SITE)
    by = accounts.user_of(Role.COORDINATOR, site.code)
    scanner = response_run.qualified(site, by)
    for person in response_run.PEOPLE:
        made = list(response_run.scanned(site, person, scanner, by))
        assert [(one.started - made[0].started).days for one in made] == [
            one.day for one in person.occasions
        ]
    assert Injection.objects.filter(scheduled_scan__patient__site=site).count() == 7
    assert not Deviation.objects.filter(patient__site=site)


def test_every_scan_under_treatment_shows_its_spheres_to_the_threshold_and_no_more():
    for occasion in (one for person in response_run.PEOPLE for one in person.occasions):
        suv = pet_volume(FDG, occasion.spheres, seed=1, grid=response_run.GRID)
        # All of the rest is below 4: what is outlined are the lesions.
        assert len(occasion.spheres) == len(occasion.suv)
        assert (suv.max() >= 4) == bool(occasion.suv)


def test_eortc_and_lugano_of_the_first_is_a_response_and_of_the_second_none_or_progression():
    def judged(first, one, answers):
        later = {"number": 1, "suvmax": one.suv[0]} if one.suv else None
        sides = {
            "baseline": {"weight_kg": 70.0, "height_cm": None, "sex": "F",
                         "lesions": [{"number": 1, "suvmax": first.suv[0]}]},
            "later": {"weight_kg": 70.0, "height_cm": None, "sex": "F", "answers": answers,
                      "lesions": [later] if later else []},
            "pair": {"baseline": 1, "later": later and 1},
        }  # fmt: skip
        rules = ({"criterion": "eortc", "suv_type": "BW", "cycles": 2}, {"criterion": "lugano"})
        return [judging.judged({"rule": rule, "tracer": "FDG", **sides}).category for rule in rules]

    found, by_second = [], []
    for person in response_run.PEOPLE:
        # A retest is of no response.
        first, *later = [one for one in person.occasions if one.mm]
        for one in later:
            said = response_run.CALM | dict(one.said)
            found.append(judged(first, one, said))
            by_second.append(judged(first, one, said | dict(one.second)))
    # By hand: 12 to 6.5 is -46 %, then nothing is left; 9 to 10.5 is +17 %, unless it is new.
    assert found == [["PMR", "PMR"], ["CMR", "CMR"], ["SMD", "SMD"]]
    assert by_second == [["PMR", "PMR"], ["CMR", "CMR"], ["PMD", "PMD"]]


def test_recist_of_the_first_is_a_response_and_of_the_second_none():
    rule = {"criterion": "recist", "confirmation_days": 28, "stable_days": 42}
    answers = {"new_lesion_ct": "no"}
    found = []
    for person in response_run.PEOPLE:
        sides, baseline = [], None
        for one in filter(lambda one: one.mm, person.occasions):
            lesions = list(response_run.on_ct(one, is_second=False))
            assert list(recist_lesions.problems(lesions, baseline)) == []
            baseline = baseline or lesions
            frozen = [asdict(lesion) for lesion in lesions]
            sides.append({"day": one.day, "recist": frozen, "answers": answers})
        first, *earlier, last = sides
        course = {"baseline": first, "earlier": earlier, "later": last}
        judged = judging.judged({"rule": rule, "tracer": "FDG", **course})
        found.append((judged.category, judged.best))
    # By hand: 55, 34, 15 mm with both nodes below 10 mm at last; 49, 52 mm.
    assert found == [("CR", "PR"), ("SD", "SD")]


def test_table_aligns_numbers_to_the_right():
    text = narration.table(["step", "s"], [["upload", "3.5"], ["together", "13.5"]])
    assert text.splitlines() == [
        "step          s",
        "───────────────",
        "upload      3.5",
        "together   13.5",
    ]


def test_tree_shows_each_value_above_its_inputs():
    leaf = node("Weight", 68.0, "kg", source="header")
    times = node("Times", ["01:57", {"local": "02:11", "utc_offset": None}])
    root = node("SUV", 8, "g/mL", inputs=[node("Factor", inputs=[leaf, times]), node("Size")])
    assert narration.tree(root).splitlines() == [
        "SUV: 8 g/mL",
        "├─ Factor",
        "│  ├─ Weight: 68 kg  (header)",
        "│  └─ Times: 01:57, 02:11",
        "└─ Size: –",
    ]


def node(label, value=None, unit="", *, source="", inputs=()):
    return {"label": label, "value": value, "unit": unit, "source": source, "inputs": list(inputs)}


@pytest.mark.live
@pytest.mark.reference
@pytest.mark.slow
def test_folder_of_a_real_series_gives_its_factor_and_maximum(tmp_path, reference_data):
    # By hand from its headers: 71 kg, 388777472 Bq at 10:35:00, reference 11:20:11, 6588 s; the
    # hottest stored value is 32767 with slope 8.35781 Bq/mL.
    folder = reference_data / "pet_series" / "ge_sts_001_raw"
    demo = f"{sys.executable} manage.py demo --series {folder}"
    printed = on_a_site_of_its_own(tmp_path, f"{demo} && echo AGAIN && {demo}")
    first, again = printed.split("AGAIN")
    for output in (first, again):
        assert re.search(r"SUVbw factor\s+0\.000242902977 g/Bq", output)
        assert re.search(r"SUVmax\s+66\.52 g/mL", output)
        assert "ct-missing" in output
    assert "files: 268 released" in first
    assert "sent before" in again


def on_a_site_of_its_own(folder, command):
    """What a command prints, with a fresh site beside it: the demo's trials stay there."""
    ours = ("DATABASE_URL", "OWNER_DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    words = [sys.executable, "-m", "config.stack", "run", "--", "sh", "-c", command]
    return said(words, env=environment | {"TRIALTRACE_VAR": str(folder)}, timeout=300)
