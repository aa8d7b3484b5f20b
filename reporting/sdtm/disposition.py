"""DS, IE and TI: consent, criteria, enrolment, allocation, and how a patient's part ended."""

from __future__ import annotations

from collections.abc import Mapping

from reporting.formats.names import shortened
from reporting.sdtm.draft import Draft, Record
from reporting.sdtm.finishing import pieces
from reporting.sdtm.model import MappingError, Source, Value
from reporting.sdtm.subjects import Subject
from reporting.sdtm.visits import visit_of_scan

_LONGEST_CODE = 8
MILESTONE, DISPOSITION = "PROTOCOL MILESTONE", "DISPOSITION EVENT"
_SCREEN_FAILURES = {
    "criteria": "Eligibility criteria not satisfied",
    "declined": "Patient declined",
    "clinician": "Decision of the physician",
    "lost": "Lost to contact",
    "time": "Screening period over",
    "closed": "Cohort or site closed",
    "other": "Other",
}


def criterion_codes(source: Source) -> Mapping[str, str]:
    """IETESTCD of each criterion of any version, at most 8 characters."""
    known = (
        [one["identifier"] for version in source.versions for one in version.definition["criteria"]]
        if all("criteria" in one.definition for one in source.versions)
        else []
    )
    known += [row["criterion"] for row in source.rows("eligibility")]
    names = shortened(dict.fromkeys(known), _LONGEST_CODE)
    return {one: code.upper() for one, code in names.items()}


def add(draft: Draft) -> None:
    """Milestones and ends of each patient, criteria not met, and the criteria of each version."""
    codes = criterion_codes(draft.source)
    _criteria(draft, codes)
    _consents(draft)
    _eligibility(draft, codes)
    for row in draft.source.rows("allocations"):
        subject = draft.subject(row)
        at = subject.local(row["allocated_at"])
        record = _event(draft, subject, MILESTONE, "RANDOMIZED", "Randomised", at)
        record.values["DSSPID"] = f"ALLOCATION-{row['allocation']}"
        record.supplement("STRATUM", "Stratum at the Allocation", row["stratum"])
        record.supplement("STRATEV", "Values That Decided the Stratum", row["stratum_evidence"])
        record.supplement("MISSTRAT", "Corrected After the Allocation", row["misstratified"])
        if row["is_unblinded"]:
            record.supplement("UNBLIND", "Unblinded in an Emergency", row["is_unblinded"])
    for subject in draft.subjects.values():
        _course(draft, subject)


def _criteria(draft: Draft, codes: Mapping[str, str]) -> None:
    for version in draft.source.versions:
        for one in version.definition.get("criteria", ()):
            text, *others = pieces(one["text"])
            if len(others) > 1:
                raise MappingError(
                    f"TI.IETEST: criterion {one['identifier']} of version {version.label} is "
                    "longer than 400 characters. Shorten its text in the trial file"
                )
            draft.add(
                "TI",
                None,
                IETESTCD=codes[one["identifier"]],
                IETEST=text,
                IECAT=one["category"].upper(),
                TIRL=others[0] if others else "",
                TIVERS=version.label,
            )


def _consents(draft: Draft) -> None:
    for row in draft.source.rows("consents"):
        subject = draft.subject(row)
        record = _event(
            draft,
            subject,
            MILESTONE,
            "INFORMED CONSENT OBTAINED",
            "Informed consent obtained",
            subject.local(row["signed_at"]),
        )
        record.values["DSSPID"] = f"CONSENT-{row['consent']}"
        record.supplement("ICFVER", "Version of the Consent Form", row["version"])
        record.supplement("ICFLANG", "Language of the Consent Form", row["language"])
        record.supplement("ICFSIGN", "Who Signed", row["signatory"])
        record.supplement("ICFCOPY", "Patient Was Given a Copy", row["copy_given"])
        record.supplement("ICFWDDTC", "Consent Withdrawn", subject.local(row["withdrawn_at"]))


def _eligibility(draft: Draft, codes: Mapping[str, str]) -> None:
    scans = {row["scan"]: row for row in draft.source.rows("scans")}
    judged: set[int] = set()
    for row in draft.source.rows("eligibility"):
        subject = draft.subject(row)
        at = subject.local(row["assessed_at"])
        word = {"eligible": "MET", "ineligible": "NOT MET"}.get(row["verdict"])
        if row["gate"] == "enrolment" and word and row["assessment"] not in judged:
            judged.add(row["assessment"])
            term = f"ELIGIBILITY CRITERIA {word}"
            record = _event(draft, subject, MILESTONE, term, term.capitalize(), at)
            record.values["DSSPID"] = f"ASSESSMENT-{row['assessment']}"
            record.supplement("TIVERS", "Protocol Version", row["protocol_version"])
        if row["word"] != "excludes":
            continue
        _, number, visit = visit_of_scan(draft, scans.get(row["scan"]))
        record = draft.add(
            "IE",
            subject,
            IESPID=f"ASSESSMENT-{row['assessment']}",
            IETESTCD=codes[row["criterion"]],
            IETEST=row["text"],
            IECAT=row["category"].upper(),
            IEORRES=row["answer"],
            IESTRESC=row["answer"],
            VISITNUM=number,
            VISIT=visit,
            IEDTC=at,
        )
        record.supplement("GATE", "When It Is Judged", row["gate"])
        record.supplement("TIVERS", "Protocol Version", row["protocol_version"])


def _course(draft: Draft, subject: Subject) -> None:
    row = subject.row
    if row["enrolled_at"] is not None:
        at = subject.local(row["enrolled_at"])
        _event(draft, subject, MILESTONE, "ENTERED INTO TRIAL", "Enrolled", at)
    if row["state"] == "screen_failed":
        term = _SCREEN_FAILURES.get(row["screen_failure"] or "", "Screen failure")
        _event(draft, subject, DISPOSITION, "SCREEN FAILURE", term, _last_judged(draft, subject))
    if row["state"] == "withdrawn":
        withdrawn = [
            one["withdrawn_at"]
            for one in draft.source.rows("consents")
            if one["usubjid"] == subject.usubjid and one["withdrawn_at"] is not None
        ]
        at = subject.local(max(withdrawn)) if withdrawn else ""
        record = _event(
            draft, subject, DISPOSITION, "WITHDRAWAL BY SUBJECT", "Withdrawal by the patient", at
        )
        record.supplement("WDEXTENT", "How Far the Withdrawal Reaches", row["withdrawal_extent"])


def _last_judged(draft: Draft, subject: Subject) -> str:
    """When the criteria were last judged: the screening ended then or later."""
    return max(
        (
            subject.local(row["assessed_at"])
            for row in draft.source.rows("eligibility")
            if row["usubjid"] == subject.usubjid
        ),
        default="",
    )


def _event(
    draft: Draft, subject: Subject, category: str, decoded: str, term: str, at: str
) -> Record:
    values: dict[str, Value] = {"DSTERM": term, "DSDECOD": decoded, "DSCAT": category}
    if category == DISPOSITION:
        values["DSSCAT"] = "STUDY PARTICIPATION"
    return draft.add("DS", subject, DSSTDTC=at, **values)
