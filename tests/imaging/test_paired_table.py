"""The paired table, against the published counts of two studies and cases counted by hand."""

from __future__ import annotations

import csv
import json
from collections import defaultdict

import pytest

from imaging.paired_table import PairedSite, paired_table


def rows(reference_data, name: str) -> list[dict[str, str]]:
    with (reference_data / f"published/{name}.csv").open() as file:
        return list(csv.DictReader(file))


def published(reference_data, name: str) -> dict:
    return json.loads((reference_data / f"published/{name}.json").read_text())["published"]


def site(patient="1", region="", first=True, second=True, **more) -> PairedSite:
    return PairedSite(patient=patient, region=region, is_first=first, is_second=second, **more)


def test_lesions_of_the_esophageal_study_come_out_as_published(reference_data):
    # Linde et al., Cancer Imaging 2021;21:22: 26 lesions, of which 14 in both.
    sites = [
        site(first=one["pentixafor_pos"] == "1", second=one["fdg_pos"] == "1")
        for one in rows(reference_data, "T01_esophagus_lesions")
    ]
    told = published(reference_data, "T01_esophagus_lesions")
    counts = paired_table(sites, patients=["1"]).lesions
    assert sum(counts.values()) == told["n_lesions"] == 26
    assert (counts["both"], counts["first-only"], counts["second-only"]) == (
        told["both"],
        told["pentixafor_only"],
        told["fdg_only"],
    )


def test_patients_of_the_waldenstrom_study_come_out_as_published_in_each_region(reference_data):
    # Luo et al., J Nucl Med 2019, n = 17: part of the patients positive on each tracer.
    sites, told = [], published(reference_data, "T02_waldenstrom_paired")
    for one in rows(reference_data, "T02_waldenstrom_paired"):
        # The study looked at each region in every patient: what neither shows is a place too.
        first, second = one["pentixafor_pos"] == "1", one["fdg_pos"] == "1"
        sites.append(site(one["row"], one["region"], first, second))
    table = paired_table(sites, patients=[str(n + 1) for n in range(17)])
    for region in ("bone_marrow", "lymph_node", "overall"):
        _, patients = table.regions[region]
        parts = {
            "pentixafor": (patients["both"] + patients["first-only"]) / 17,
            "fdg": (patients["both"] + patients["second-only"]) / 17,
        }
        expected = {name: told[region][name] for name in parts}
        assert parts == pytest.approx(expected, abs=5e-4)
        assert sum(patients.values()) == 17


def test_a_patient_is_positive_on_a_tracer_by_one_lesion_and_counted_once():
    sites = [site("a", "liver", second=False), site("a", "lung_left", first=False), site("b")]
    table = paired_table(sites, patients=["a", "b", "c"])
    assert dict(table.patients) == {
        "both": 2,
        "first-only": 0,
        "second-only": 0,
        "neither": 1,
        "not-covered": 0,
    }
    lesions, patients = table.regions["liver"]
    assert (lesions["first-only"], patients["first-only"], patients["neither"]) == (1, 1, 0)
    # The other two have nothing there, and nobody says that their scans reach it.
    assert table.elsewhere == {"liver": 2, "lung_left": 2}
    assert list(table.regions) == ["liver", "lung_left"]


def test_what_one_scan_does_not_reach_is_counted_apart_and_is_no_negative():
    table = paired_table([site("a", second=False, is_covered=False)], patients=["a"])
    assert table.lesions["not-covered"] == table.patients["not-covered"] == 1
    assert table.lesions["first-only"] == table.patients["first-only"] == 0


@pytest.mark.parametrize(
    ("covered", "beyond", "outcome"),
    [
        # Each tracer shows one, wherever the other scan ends.
        ((True, False), (False, True), "both"),
        # By what both scans reach.
        ((True, False), (True, False), "first-only"),
        # The second tracer shows nothing, but was not looked at where the first does.
        ((False, False), (True, False), "not-covered"),
    ],
)
def test_a_patient_with_a_place_beyond_one_scan_is_judged_by_what_is_known(
    covered, beyond, outcome
):
    sites = [site("a", "", *covered), site("a", "", *beyond, is_covered=False)]
    assert paired_table(sites, patients=["a"]).patients[outcome] == 1


def test_a_lesion_that_the_reader_called_negative_on_both_is_none_of_either():
    counts = defaultdict(int, paired_table([site(first=False, second=False)], patients="1").lesions)
    assert counts["neither"] == 1


def test_lesions_of_a_patient_who_was_not_compared_are_no_table():
    with pytest.raises(ValueError, match="1 patients have lesions"):
        paired_table([site("a")], patients=["b"])
