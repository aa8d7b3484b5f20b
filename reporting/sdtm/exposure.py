"""EX, EC, AG and PR: what was injected, as it is known and as it was measured, and the scans."""

from __future__ import annotations

from datetime import timedelta

from reporting.sdtm import arms
from reporting.sdtm.draft import Draft, Record, Relation
from reporting.sdtm.model import Row, Value
from reporting.sdtm.subjects import Subject
from reporting.sdtm.visits import visit_of_scan

_ROUTES = {"intravenous": "INTRAVENOUS"}
# Not stated is nothing said.
_EXTRAVASATION = {"none": "NONE SEEN", "suspected": "SUSPECTED", "seen": "SEEN"}
RELATIONS: tuple[Relation, ...] = (
    (("PR", "PRLNKID", "ONE"), ("AG", "AGLNKID", "ONE")),
    (("PR", "PRLNKID", "ONE"), ("EX", "EXLNKID", "ONE")),
    (("EX", "EXLNKID", "ONE"), ("EC", "ECLNKID", "ONE")),
    (("PR", "PRLNKID", "ONE"), ("TR", "TRLNKGRP", "MANY")),
    (("PR", "PRLNKID", "ONE"), ("RS", "RSLNKGRP", "MANY")),
)


def scan_link(scan: int | None) -> str:
    """What records of one scan have in common, PR.PRLNKID."""
    return f"SCAN-{scan}" if scan else ""


def add(draft: Draft) -> None:
    """Injections and scans."""
    doses = {row["scan"]: row for row in draft.source.rows("effective_dose")}
    for scan in draft.source.rows("scans"):
        subject = draft.subject(scan)
        if scan["injected_at"] is not None:
            _injection(draft, subject, scan)
        _procedure(draft, subject, scan, doses.get(scan["scan"]))


def _injection(draft: Draft, subject: Subject, scan: Row) -> None:
    at = subject.local(scan["injected_at"])
    common = {
        "SPID": str(scan["scan"]),
        "LNKID": scan_link(scan["scan"]),
        "TRT": scan["tracer"].upper(),
        "CAT": "PET TRACER",
        "DOSU": "MBq",
        "DOSFRM": "INJECTION, SOLUTION",
        "DOSFRQ": "ONCE",
        "ROUTE": _ROUTES.get(scan["route"] or "", (scan["route"] or "").upper()),
        "STDTC": at,
        "ENDTC": at,
    }
    if arms.is_under_study(draft.source.definition, scan["tracer"]):
        net = draft.add(
            "EX",
            subject,
            EXDOSE=scan["net_activity_mbq"],
            EXLOT=scan["batch_number"],
            **_named("EX", common),
        )
        drawn = draft.add(
            "EC",
            subject,
            ECMOOD="PERFORMED",
            ECPRESP="Y",
            ECOCCUR="Y",
            ECDOSE=scan["assayed_activity_mbq"],
            **_named("EC", common),
        )
        _assays(drawn, subject, scan)
    else:
        _, number, visit = visit_of_scan(draft, scan)
        net = draft.add(
            "AG",
            subject,
            AGPRESP="Y",
            AGOCCUR="Y",
            AGDOSE=scan["net_activity_mbq"],
            VISITNUM=number,
            VISIT=visit,
            **_named("AG", common),
        )
        net.supplement(
            "ACTPRE", "Activity Before the Injection (MBq)", scan["assayed_activity_mbq"]
        )
        _assays(net, subject, scan)
        net.supplement("LOT", "Lot Number", scan["batch_number"])
    _how_it_went(net, scan)


def _how_it_went(net: Record, scan: Row) -> None:
    net.supplement("INJSITE", "Site of the Injection", scan["body_site"])
    net.supplement("EXTRAVAS", "Extravasation", _EXTRAVASATION.get(scan["extravasation"]))
    net.supplement("DESPITE", "Why Given Against the Gate", scan["given_despite"])
    if scan["comment"]:
        net.comments.append(scan["comment"])
    net.supplement("NUCLIDE", "Radionuclide", scan["radionuclide"])
    net.supplement("HALFLIFE", "Half-life Used (s)", scan["half_life_s"], "Assigned")
    if scan["residual_activity_mbq"] is None:
        net.supplement("RESIDFL", "Residual Activity Not Measured", "Y", "Derived")


def _named(domain: str, common: dict[str, Value]) -> dict[str, Value]:
    return {f"{domain}{name}": value for name, value in common.items()}


def _assays(record: Record, subject: Subject, scan: Row) -> None:
    record.supplement("ACTPREDT", "Time of the Assay Before", subject.local(scan["assayed_at"]))
    record.supplement("ACTRES", "Residual Activity (MBq)", scan["residual_activity_mbq"])
    record.supplement("ACTRESDT", "Time of the Residual Assay", subject.local(scan["residual_at"]))


def _procedure(draft: Draft, subject: Subject, scan: Row, dose: Row | None) -> None:
    is_given = scan["injected_at"] is not None
    if not is_given and scan["state"] != "cancelled":
        # Planned, and neither done nor not done: nothing to report yet.
        return
    begun = None
    if is_given and scan["uptake_minutes"] is not None:
        begun = scan["injected_at"] + timedelta(minutes=scan["uptake_minutes"])
    _, number, visit = visit_of_scan(draft, scan)
    record = draft.add(
        "PR",
        subject,
        PRSPID=str(scan["scan"]),
        PRLNKID=scan_link(scan["scan"]),
        PRTRT=scan["label"].upper(),
        PRDECOD="PET/CT SCAN",
        PRCAT="IMAGING",
        PRPRESP="Y",
        PROCCUR="N" if scan["state"] == "cancelled" else "Y",
        VISITNUM=number,
        VISIT=visit,
        PRSTDTC=subject.local(begun),
        PRTPTREF="TRACER INJECTION" if is_given else "",
        PRRFTDTC=subject.local(scan["injected_at"]),
        **_planned_time(draft, scan),
    )
    record.supplement("UPTKTM", "Uptake Time (min)", scan["uptake_minutes"], "Derived")
    record.supplement("PLANDTC", "Planned Time of the Scan", subject.local(scan["planned_at"]))
    if dose is not None:
        for name, label, column in (
            ("EDTRACER", "Effective Dose of the Tracer (mSv)", "tracer_msv"),
            ("EDCT", "Effective Dose of CT (mSv)", "ct_msv"),
            ("EDTOTAL", "Effective Dose, Total (mSv)", "total_msv"),
            ("EDGAPS", "What the Effective Dose Lacks", "gaps"),
        ):
            record.supplement(name, label, dose[column], "Derived")


def _planned_time(draft: Draft, scan: Row) -> dict[str, Value]:
    planned = arms.scans_of(draft.source.definition).get(scan["planned_scan"], {})
    limits = planned.get("uptake_minutes") or {}
    target = limits.get("target")
    if target is None:
        low, high = limits.get("low"), limits.get("high")
        if low is None and high is None:
            return {}
        words = "-".join(f"{one:g}" for one in (low, high) if one is not None)
        return {
            "PRTPT": f"{words} MIN POST-INJECTION",
            "PRTPTNUM": low if low is not None else high,
        }
    return {
        "PRTPT": f"{target:g} MIN POST-INJECTION",
        "PRTPTNUM": target,
        "PRELTM": f"PT{target:g}M",
    }
