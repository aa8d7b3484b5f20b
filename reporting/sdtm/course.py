"""SE and SV: which elements and visits a patient went through, from the dates of what was done."""

from __future__ import annotations

from datetime import date, timedelta

from reporting.sdtm import arms
from reporting.sdtm.arms import FOLLOW_UP, SCREENING
from reporting.sdtm.demographics import last_date
from reporting.sdtm.draft import Draft, Record
from reporting.sdtm.subjects import Subject
from reporting.sdtm.visits import day_of, planned, visit

_DATED = ("STDTC", "DTC", "ENDTC")


def add(draft: Draft) -> None:
    """Elements and visits of each patient who consented."""
    for subject in draft.subjects.values():
        _visits(draft, subject)
    for subject in draft.subjects.values():
        if subject.consented:
            _elements(draft, subject)


def _visits(draft: Draft, subject: Subject) -> None:
    """A record for each visit of which anything that was done is dated, or a form says it.

    The consent is at the first one.
    """
    definition = draft.source.definition
    found: dict[int, list[str]] = {}
    if subject.consented and planned(definition)[0].get("anchor") == "consent":
        found[1] = [subject.consented]
    for record in draft.all_of(subject):
        number, name = record.values.get("VISITNUM"), record.domain
        dated = _dates_of(record)
        if isinstance(number, int) and name != "SV" and dated:
            found.setdefault(number, []).extend(dated)
    given = {record.values["VISITNUM"]: record for record in draft.of("SV", subject)}
    for number in sorted({*found, *(int(str(one)) for one in given)}):
        stated = planned(definition)[number - 1]
        record = given.get(number) or draft.add("SV", subject, VISITNUM=number)
        dates_ = sorted(found.get(number, ()))
        begun = record.values.get("SVSTDTC")
        dates_ = sorted([*dates_, str(begun)] if begun else dates_)
        record.values |= {
            "VISIT": visit(draft, stated["identifier"])[2],
            "SVPRESP": "Y",
            "SVOCCUR": "Y",
        }
        if (day := day_of(definition, stated)) is not None:
            record.values["VISITDY"] = day
        if dates_:
            record.values |= {"SVSTDTC": dates_[0], "SVENDTC": dates_[-1]}


def _dates_of(record: Record) -> list[str]:
    """When a record tells that the patient was there.

    What did not occur began at no visit; that it was asked about, or the injection that a scan was
    to follow, tells of one all the same.
    """
    name, values = record.domain, record.values
    parts = ("DTC",) if values.get(f"{name}OCCUR") == "N" else _DATED
    told = [str(one) for part in parts if (one := values.get(f"{name}{part}"))]
    reference = values.get(f"{name}RFTDTC")
    return told or ([str(reference)] if reference else [])


def _elements(draft: Draft, subject: Subject) -> None:
    codes = arms.element_codes(draft.source.definition)
    scans = arms.scans_of(draft.source.definition)
    begun: list[tuple[str, str, str, str]] = [
        (SCREENING, "Screening", "SCREENING", subject.consented)
    ]
    for scan in subject.injected:
        name = scan["planned_scan"]
        if name in codes:
            at = subject.local(scan["injected_at"])
            begun.append((codes[name], scans[name]["label"][:40], "TREATMENT", at))
    last = last_date(draft, subject)
    if subject.injected:
        after = date.fromisoformat(subject.local(subject.injected[-1]["injected_at"])[:10])
        follow_up = (after + timedelta(days=1)).isoformat()
        if last >= follow_up:
            begun.append((FOLLOW_UP, "Follow-up", "FOLLOW-UP", follow_up))
    order = {code: number for number, code in enumerate(_planned(draft, subject), 1)}
    for place, (code, element, epoch, at) in enumerate(begun):
        is_last = place + 1 == len(begun)
        record = draft.add(
            "SE",
            subject,
            ETCD=code,
            ELEMENT=element,
            EPOCH=epoch,
            SESTDTC=at,
            SEENDTC=last if is_last else begun[place + 1][3],
        )
        if code in order:
            record.values["TAETORD"] = order[code]


def _planned(draft: Draft, subject: Subject) -> list[str]:
    """The elements of the patient's arm in their order; of one without an arm, the screening."""
    codes = arms.element_codes(draft.source.definition)
    middle = [codes[name] for name in subject.arm.scans] if subject.arm else []
    return [SCREENING, *middle, FOLLOW_UP]
