"""Sides by PET beside those by adrenal vein sampling, from rows of this trial."""

from __future__ import annotations

import pytest

from reporting.reports import aldosteronism, lateralisation_outcome
from reporting.reports.rows import Rows

AT_10, AT_40 = "Adrenals at 10 min", "Adrenals at 40 min"
# Side by PET, by sampling, and the truth, of a patient each.
SIDES = [
    ("left", "LEFT", "LEFT"),
    ("left", "LEFT", "LEFT"),
    ("right", "RIGHT", "RIGHT"),
    ("left", "RIGHT", "RIGHT"),
    ("bilateral", "BILATERAL", "BILATERAL"),
    ("right", "BILATERAL", "BILATERAL"),
    ("not_evaluable", "LEFT", "LEFT"),
]


def rows_of_trial(sides=SIDES):
    return {
        "scans": [{"scan": at, "label": AT_10} for at in range(len(sides))],
        "findings": [read(at, str(at), pet) for at, (pet, _, _) in enumerate(sides)],
        "form_adrenal_vein_sampling": [
            sampling(str(at), avs) for at, (_, avs, _) in enumerate(sides)
        ],
        "form_truth_of_patient": [
            {"patient": str(at), "truth": "PRESENT", "side": truth}
            for at, (_, _, truth) in enumerate(sides)
        ],
    }


def read(scan, patient, side, **more):
    return {"scan": scan, "patient": patient, "test": "ADRSIDE", "value_text": side,
            "value_number": None, "is_accepted": True} | more  # fmt: skip


def sampling(patient, side, day="2026-01-01", selective="BOTH"):
    return {"patient": patient, "is_selective": selective, "lateralisation": side,
            "sampled_on": day}  # fmt: skip


def table(content, *words):
    (found,) = (one for one in content.tables if all(word in one.title for word in words))
    return found


def told(found):
    names = [one.name for one in found.columns]
    return {row[0]: dict(zip(names, row, strict=True)) for row in found.rows}


def test_left_against_right_is_no_agreement():
    found = table(aldosteronism.lateralisation(Rows(rows_of_trial())), "concordance")
    assert told(found)["Concordance"]["count"].count == 4
    assert told(found)["Concordance"]["count"].of == found.n == 6
    # Cohen 1960: 4 of 6 agree, (3 * 2 + 2 * 2 + 1 * 2) of 36 would by chance.
    assert told(found)["Kappa"]["estimate"].value == pytest.approx(0.5)
    assert "In 1 of them the two differ: left and right." in found.notes
    assert dict(found.missing) == {aldosteronism.NO_SIDE: 1}


def test_the_wrong_side_has_not_found_the_disease():
    content = aldosteronism.lateralisation(Rows(rows_of_trial()))
    found = table(content, "against the truth")
    pet = {row[1]: row[2] for row in found.rows if row[0] == "PET"}
    assert (pet["sensitivity"].count, pet["sensitivity"].of) == (3, 4)
    assert (pet["specificity"].count, pet["specificity"].of) == (1, 2)
    assert "In 1 of them PET and truth differ: left and right." in found.notes
    paired = told(table(content, "paired differences"))
    assert paired["sensitivity"]["avs_only"] == 1
    assert paired["specificity"]["avs_only"] == 1


def test_scans_at_different_times_stand_apart():
    rows = rows_of_trial()
    rows["scans"].append({"scan": 90, "label": AT_40})
    rows["findings"].append(read(90, "0", "right"))
    content = aldosteronism.lateralisation(Rows(rows))
    early, late = (table(content, "concordance", label) for label in (AT_10, AT_40))
    assert (early.n, late.n) == (6, 1)
    assert told(late)["Concordance"]["count"].count == 0
    assert dict(late.missing) == {aldosteronism.NO_SIDE: 6}


def test_several_reads_of_one_planned_scan_are_missing_by_name():
    rows = rows_of_trial()
    rows["scans"].append({"scan": 90, "label": AT_10})
    rows["findings"] += [read(90, "0", "right"), read(91, "1", "right", is_accepted=False)]
    found = table(aldosteronism.lateralisation(Rows(rows)), "concordance")
    assert found.n == 5
    assert dict(found.missing) == {
        aldosteronism.NO_SIDE: 1, lateralisation_outcome.SEVERAL: 1,
    }  # fmt: skip


def test_the_last_selective_sampling_counts_whatever_the_order_of_rows():
    rows = rows_of_trial(SIDES[:1])
    rows["form_adrenal_vein_sampling"] = [
        sampling("0", "RIGHT", day="2026-03-01"),
        sampling("0", "LEFT", day="2026-02-01"),
        sampling("0", "LEFT", day="2026-04-01", selective="LEFT"),
    ]
    found = table(aldosteronism.lateralisation(Rows(rows)), "concordance")
    assert told(found)["Concordance"]["count"].count == 0


def test_of_a_concealed_allocation_the_scan_is_not_told():
    concealed = Rows(rows_of_trial(), {"scans": {"label"}})
    assert table(aldosteronism.lateralisation(concealed), "concordance").title.endswith(
        "this trial: concordance"
    )


def test_samplings_without_a_read_are_counted_as_missing():
    rows = rows_of_trial() | {"findings": []}
    found = table(aldosteronism.lateralisation(Rows(rows)), "concordance")
    assert (found.n, dict(found.missing)) == (0, {aldosteronism.NO_SIDE: 7})
