"""LB, VS, RP, RS, CM, PR and MH from dated facts; what has no test there is a comment in words."""

from __future__ import annotations

import json
from typing import Any

from reporting.sdtm import terms
from reporting.sdtm.draft import Draft, Record, as_text
from reporting.sdtm.model import Row, Value
from reporting.sdtm.subjects import Subject
from reporting.sdtm.visits import visit_of_scan
from trials import variables

# In DM and SC already.
_OF_PATIENT = frozenset({"birth_date", "sex_at_birth"})


def add(draft: Draft) -> None:
    """The facts of each patient, and weight and height of the day of each scan."""
    scans = {row["scan"]: row for row in draft.source.rows("scans")}
    for row in draft.source.rows("evidence"):
        if row["variable"] in _OF_PATIENT:
            continue
        subject, scan = draft.subject(row), scans.get(row["scan"])
        if row["variable"] in terms.EVIDENCE:
            record: Record | None = _finding(draft, subject, row, scan)
        elif row["variable"] in terms.EVENTS:
            record = _events(draft, subject, row)
        else:
            record = None
            _comment(draft, subject, row)
        if record is not None and row["is_study_specific"]:
            record.supplement("STUDYSP", "Done for the Trial", row["is_study_specific"])
    for scan in scans.values():
        _body(draft, draft.subject(scan), scan)


def _finding(draft: Draft, subject: Subject, row: Row, scan: Row | None) -> Record:
    domain, test, name, category = terms.EVIDENCE[row["variable"]]
    _, number, visit = visit_of_scan(draft, scan)
    values: dict[str, Value] = {
        "SPID": f"EVIDENCE-{row['evidence']}",
        "TESTCD": test,
        "TEST": name,
        "DTC": subject.local(row["observed_at"]),
        **({"CAT": category} if category else {}),
        **_result(domain, test, row),
    }
    if domain == "LB":
        values |= _of_laboratory(row)
    named = {f"{domain}{key}": value for key, value in values.items()}
    record = draft.add(domain, subject, VISITNUM=number, VISIT=visit, **named)
    for name, (qualifier, label) in _BESIDE.items():
        record.supplement(qualifier, label, row[name])
    if domain != "LB":
        for name in _LABORATORY:
            record.supplement(name[:8].upper(), variables.DETAILS[name].label, row[name])
    return record


# Details of a value that LB has variables for, and those that stand beside a record.
_LABORATORY = ("specimen", "method", "fasting", "reference_low", "reference_high")
_BESIDE = {
    "formula": ("FORMULA", "Formula of the Laboratory"),
    "device": ("DEVICE", "Device"),
    "sensitivity_iu_l": ("SENSITIV", "Sensitivity (IU/L)"),
    "criteria_set": ("CRITSET", "Measurable by"),
    "region": ("REGION", "Region of the CT"),
}


def _of_laboratory(row: Row) -> dict[str, Value]:
    """Specimen, method and limits of normal, as they were reported and in the standard unit."""
    known = variables.VARIABLES[row["variable"]]
    found: dict[str, Value] = {
        "SPEC": terms.SPECIMENS.get(row["specimen"] or "", ""),
        "METHOD": (row["method"] or "").upper(),
        "FAST": {"yes": "Y", "no": "N"}.get(row["fasting"] or "", ""),
    }
    for end, name in (("LO", "reference_low"), ("HI", "reference_high")):
        if row[name] is not None:
            standard = variables.converted(
                row["variable"], row[name], frm=row["unit"] or "", to=known.units[0]
            )
            found |= {f"ORNR{end}": as_text(row[name]), f"STNR{end}": float(f"{standard:.6g}")}
    return found


def _result(domain: str, test: str, row: Row) -> dict[str, Value]:
    """Result in the unit as it was reported, and in the first of the variable's units."""
    if row["value"] is None:
        return {"STAT": "NOT DONE", "REASND": "NOT KNOWN"}
    known = variables.VARIABLES[row["variable"]]
    if known.kind != "number":
        text = str(row["value"])
        text = text if domain == "RP" else text.upper()
        return {"ORRES": text, "STRESC": text}
    first = known.units[0] if known.units else ""
    sign, number = "", row["value_number"]
    if number is None:
        sign, number = variables.signed(row["value"])
    standard = variables.converted(row["variable"], number, frm=row["unit"] or "", to=first)
    text = f"{sign}{as_text(float(f'{standard:.6g}'))}"
    return {
        "ORRES": str(row["value"]).removesuffix(".0"),
        "ORRESU": terms.unit(row["unit"], where=domain, test=test),
        "STRESC": text,
        "STRESN": None if sign else float(f"{standard:.6g}"),
        "STRESU": terms.unit(first, where=domain, test=test),
    }


def _events(draft: Draft, subject: Subject, row: Row) -> Record | None:
    """A record for each event of a list; of an empty one, that there was none."""
    domain, category = terms.EVENTS[row["variable"]]
    if row["value"] is None:
        _comment(draft, subject, row)
        return None
    topic = "TERM" if domain == "MH" else "TRT"
    events = json.loads(row["value"])
    seen = subject.local(row["observed_at"])
    record = None
    for place, event in enumerate(events, 1):
        spid = f"EVIDENCE-{row['evidence']}-{place}"
        values: dict[str, Value] = {
            f"{domain}SPID": spid,
            f"{domain}{topic}": event["name"],
            f"{domain}CAT": category,
            f"{domain}STDTC": event.get("started_on", ""),
            f"{domain}ENDTC": event.get("stopped_on", ""),
        }
        if not event.get("stopped_on"):
            values |= {f"{domain}ENRTPT": "ONGOING", f"{domain}ENTPT": seen}
        record = draft.add(domain, subject, **values)
        record.supplement("NUCLIDE", "Radionuclide", event.get("radionuclide"))
    if not events:
        record = draft.add(
            domain,
            subject,
            **{
                f"{domain}SPID": f"EVIDENCE-{row['evidence']}",
                f"{domain}{topic}": variables.VARIABLES[row["variable"]].label.upper(),
                f"{domain}CAT": category,
                f"{domain}PRESP": "Y",
                ("PROCCUR" if domain == "PR" else f"{domain}OCCUR"): "N",
            },
        )
        record.supplement("ASKEDDTC", "Asked", seen)
    return record


def _comment(draft: Draft, subject: Subject, row: Row) -> None:
    known = variables.VARIABLES.get(row["variable"])
    label = known.label if known else row["variable"]
    value = "not known" if row["value"] is None else _words(known, row["value"])
    unit = f" {row['unit']}" if row["unit"] and row["value"] is not None else ""
    details = [
        f"{one.label}: {as_text(row[one.name])}"
        for one in variables.DETAILS.values()
        if row[one.name] is not None
    ]
    text = "; ".join([f"{label} [{row['variable']}]: {value}{unit}", *details])
    draft.comment(subject, text, subject.local(row["observed_at"]))


def _words(known: Any, value: str) -> str:
    choices = dict(known.choices) if known else {}
    return choices.get(value, value)


def _body(draft: Draft, subject: Subject, scan: Row) -> None:
    _, number, visit = visit_of_scan(draft, scan)
    day = subject.local(scan["injected_at"])[:10]
    for test, unit, column in (("WEIGHT", "kg", "weight_kg"), ("HEIGHT", "cm", "height_cm")):
        if scan[column] is None:
            continue
        draft.add(
            "VS",
            subject,
            VSSPID=f"SCAN-{scan['scan']}",
            VSTESTCD=test,
            VSTEST=terms.TESTS["VS", test],
            VSORRES=as_text(scan[column]),
            VSORRESU=unit,
            VSSTRESC=as_text(scan[column]),
            VSSTRESN=scan[column],
            VSSTRESU=unit,
            VISITNUM=number,
            VISIT=visit,
            VSDTC=day,
        )
