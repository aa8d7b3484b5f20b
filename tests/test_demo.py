"""The demo: what it sends, what it prints, and a real series from folder to number."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from config.demo import client, cohort, comparison, narration
from imaging.phantom import PET_GRID

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


def test_table_aligns_numbers_to_the_right():
    text = narration.table(["step", "s"], [["upload", "3.5"], ["together", "13.5"]])
    assert text.splitlines() == [
        "step          s",
        "───────────────",
        "upload      3.5",
        "together   13.5",
    ]


def test_tree_shows_each_value_above_its_inputs():
    leaf = {"label": "Weight", "value": 68.0, "unit": "kg", "source": "header", "inputs": []}
    inner = {"label": "Factor", "value": None, "unit": "", "source": "", "inputs": [leaf]}
    root = {"label": "SUV", "value": 8, "unit": "g/mL", "source": "", "inputs": [inner, leaf]}
    assert narration.tree(root).splitlines() == [
        "SUV: 8 g/mL",
        "├─ Factor",
        "│  └─ Weight: 68 kg  (header)",
        "└─ Weight: 68 kg  (header)",
    ]


@pytest.mark.live
@pytest.mark.reference
def test_folder_of_a_real_series_gives_its_factor_and_maximum(live_stack, reference_data):
    # By hand from its headers: 71 kg, 388777472 Bq at 10:35:00, reference 11:20:11, 6588 s; the
    # hottest stored value is 32767 with slope 8.35781 Bq/mL.
    folder = reference_data / "pet_series" / "ge_sts_001_raw"
    first = demo(live_stack, "--series", str(folder))
    assert re.search(r"SUVbw factor\s+0\.000242902977 g/Bq", first)
    assert re.search(r"SUVmax\s+66\.52 g/mL", first)
    assert "ct-missing" in first
    again = demo(live_stack, "--series", str(folder))
    assert "sent before" in again
    assert re.search(r"SUVmax\s+66\.52 g/mL", again)


def demo(address, *words):
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", *words],
        env=os.environ | {"TRIALTRACE_URL": address},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
