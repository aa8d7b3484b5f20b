"""RS: response to treatment, by the scale that the protocol states."""

from __future__ import annotations

from reporting.sdtm import terms
from reporting.sdtm.assessments import assessors
from reporting.sdtm.draft import Draft
from reporting.sdtm.exposure import scan_link
from reporting.sdtm.model import Value
from reporting.sdtm.visits import visit_of_scan

# The scale in ONCRSCAT (C124298), and the test of ONCRTSCD (C96782) that it gives.
SCALES = {
    "percist": ("PERCIST", "METBRESP"),
    "eortc": ("EORTC 1999", "METBRESP"),
    "lugano": ("LUGANO CLASSIFICATION", "METBRESP"),
    "qpet": ("QPET", "METBRESP"),
    "recist": ("RECIST 1.1", "OVRLRESP"),
}


def add(draft: Draft) -> None:
    """The response at each later scan, and the best until then where the scale has one."""
    readers = assessors(draft.source)
    scans = {row["scan"]: row for row in draft.source.rows("scans")}
    for row in draft.source.rows("responses"):
        subject = draft.subject(row)
        scale, test = SCALES[row["criterion"]]
        scan = scans.get(row["scan"])
        _, number, visit = visit_of_scan(draft, scan)
        common: dict[str, Value] = {
            "RSSPID": f"{row['evaluation']}",
            "RSLNKGRP": scan_link(row["scan"]),
            "RSCAT": scale,
            "RSACPTFL": "Y" if row["is_accepted"] else "",
            "VISITNUM": number,
            "VISIT": visit,
            "RSDTC": subject.local(scan["injected_at"] if scan else row["evaluated_at"]),
            **readers.of("RS", row["reader"], row["read"]),
        }
        record = draft.add("RS", subject, **_result(test, row["category"]), **common)
        for name, label, value in (
            ("RULE", "Rule of the Protocol", row["rule"]),
            ("BASESCAN", "Scan It Is Compared With", scan_link(row["baseline_scan"])),
            ("WHY", "Why", row["why"]),
            ("CHGPCT", "Change of What Is Compared (%)", row["change_percent"]),
            ("NUMBERS", "Numbers It Rests On", row["numbers"]),
            ("FLAGS", "To Be Known Beside It", row["flags"]),
            ("NOTCOUNT", "Why It Is No Result", row["not_counting_because"]),
        ):
            record.supplement(name, label, value, "Derived")
        if row["best"]:
            draft.add("RS", subject, **_result("BESTRESP", row["best"]), **common)


def _result(test: str, category: str) -> dict[str, Value]:
    return {
        "RSTESTCD": test,
        "RSTEST": terms.TESTS["RS", test],
        "RSORRES": category,
        "RSSTRESC": category,
    }
