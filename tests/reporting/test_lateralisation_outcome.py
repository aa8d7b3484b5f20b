"""The lateralisation index against the outcome of adrenalectomy: who counts, and the statistics."""

from __future__ import annotations

import pytest

from reporting.reports import aldosteronism, lateralisation_outcome
from reporting.reports.drawing import svg
from reporting.reports.rows import Rows

COMPLETE, OTHERS = (2.0, 3.5, 1.8, 4.1, 2.9), (1.2, 1.9, 1.1)


def outcome(patient, clinical, biochemical="COMPLETE", day="2026-06-01"):
    return {"patient": patient, "clinical": clinical, "biochemical": biochemical,
            "assessed_on": day}  # fmt: skip


def ratio(number, patient, value, **more):
    return {"scan": number, "patient": patient, "test": "ADRRATIO", "value_number": value,
            "value_text": None, "lesion_number": None, "is_accepted": True} | more  # fmt: skip


def sampling(patient, index, selective="BOTH", day="2026-01-01"):
    return {"patient": patient, "is_selective": selective, "lateralisation_index": index,
            "lateralisation": "LEFT", "sampled_on": day}  # fmt: skip


def operated():
    said = [("COMPLETE", one) for one in COMPLETE]
    said += [("PARTIAL", OTHERS[0]), ("ABSENT", OTHERS[1]), ("ABSENT", OTHERS[2])]
    return {
        "form_paso_outcome": [outcome(str(at), word) for at, (word, _) in enumerate(said)],
        "findings": [ratio(at, str(at), value) for at, (_, value) in enumerate(said)],
        "scans": [{"scan": at, "label": "Adrenals at 10 min"} for at in range(len(said))],
    }


def table(content, title):
    (found,) = (one for one in content.tables if title in one.title)
    return found


def rows_of(content, title):
    found = table(content, title)
    names = [one.name for one in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def test_the_index_is_told_by_outcome_and_compared_by_rank():
    content = aldosteronism.lateralisation(Rows(operated()))
    clinical, biochemical = rows_of(content, "complete against")
    # scipy 1.17.1, mannwhitneyu(COMPLETE, OTHERS, method="exact"): U 14, P 0.0714285...; 14 of the
    # 15 pairs have the higher index on the complete side.
    assert (clinical["complete"], clinical["others"]) == (5, 3)
    assert clinical["p"].value == pytest.approx(1 / 14)
    assert clinical["area"].value == pytest.approx(14 / 15)
    # The median of the 15 differences.
    apart = sorted(one - other for one in COMPLETE for other in OTHERS)
    assert clinical["shift"].value == pytest.approx(apart[7])
    assert (biochemical["others"], biochemical["p"].value) == (0, None)
    assert "a group is empty" in biochemical["shift"].reason
    spread = rows_of(content, "by outcome")
    assert [(one["class"], one["n"], one["median"]) for one in spread[:3]] == [
        ("Complete", 5, 2.9), ("Partial", 1, 1.2), ("Absent", 2, pytest.approx(1.5)),
    ]  # fmt: skip
    assert {one["index"] for one in spread} == {"PET, Adrenals at 10 min"}
    assert not any("disease" in note for note in table(content, "complete against").notes)
    figure = content.figures[0]
    assert "Complete: 5 patients, 1.80 to 4.10" in figure.alternative
    assert svg(figure.drawing) == svg(figure.drawing)


def test_pet_and_sampling_stand_apart_and_so_do_times_after_the_injection():
    rows = operated()
    rows["form_adrenal_vein_sampling"] = [
        sampling("0", "8.5"),
        sampling("0", "9.5", day="2026-02-01"),
        sampling("1", "3.0", selective="LEFT"),
        sampling("5", "2.5"),
    ]
    rows["scans"] += [{"scan": 90, "label": "Adrenals at 60 min"}]
    rows["findings"] += [ratio(90, "0", 7.0), ratio(91, "1", 9.0, is_accepted=False)]
    content = aldosteronism.lateralisation(Rows(rows))
    spread = [one for one in rows_of(content, "by outcome") if one["outcome"] == "Clinical outcome"]
    told = {(one["index"], one["class"]): (one["n"], one["median"]) for one in spread}
    # The last sampling that was selective; the numbers of a form in an export are text.
    assert told["Adrenal vein sampling", "Complete"] == (1, 9.5)
    assert told["Adrenal vein sampling", "Partial"] == (1, 2.5)
    assert told["PET, Adrenals at 60 min", "Complete"] == (1, 7.0)
    assert told["PET, Adrenals at 10 min", "Complete"] == (5, 2.9)


def test_who_is_missing_is_missing_by_name_and_the_latest_assessment_counts():
    rows = operated()
    rows["form_paso_outcome"] += [
        outcome("0", "ABSENT", day="2025-12-01"),
        outcome("77", "COMPLETE"),
        outcome("78", None),
    ]
    rows["findings"] += [ratio(7, "7", 1.3), ratio(80, "79", 2.2)]
    rows["scans"] += [{"scan": 80, "label": "Adrenals at 10 min"}]
    content = aldosteronism.lateralisation(Rows(rows))
    clinical, _ = rows_of(content, "complete against")
    assert (clinical["complete"], clinical["others"]) == (5, 2)
    assert dict(table(content, "by outcome").missing) == {
        lateralisation_outcome.NO_OUTCOME: 2,
        lateralisation_outcome.NO_INDEX: 1,
        lateralisation_outcome.SEVERAL: 1,
    }


def test_of_a_concealed_allocation_the_scan_is_not_told():
    concealed = Rows(operated(), {"scans": {"label"}})
    spread = rows_of(aldosteronism.lateralisation(concealed), "by outcome")
    assert {one["index"] for one in spread} == {"PET"}


def test_without_an_outcome_there_is_no_such_table():
    rows = operated() | {"form_paso_outcome": []}
    assert aldosteronism.lateralisation(Rows(rows)).why_empty == aldosteronism.EMPTY
