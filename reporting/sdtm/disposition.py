"""DS, IE and TI: consent, criteria, enrolment, allocation, and how a patient's part ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from string import ascii_uppercase
from typing import Any

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


def criterion_codes(source: Source) -> Mapping[tuple[str, str], str]:
    """IETESTCD by criterion and wording, at most 8 characters.

    A code stands for one text, so a criterion that an amendment words anew takes a letter, as in
    the guide's example of TI.
    """
    names: dict[tuple[str, str], str] = {}
    worded = dict.fromkeys(_worded(source))
    taken = {criterion for criterion, _ in worded}
    for criterion, text in worded:
        free = criterion not in names.values()
        names[criterion, text] = criterion if free else _lettered(criterion, taken)
        taken.add(names[criterion, text])
    codes = shortened(names.values(), _LONGEST_CODE)
    return {one: codes[name].upper() for one, name in names.items()}


def _worded(source: Source) -> Iterator[tuple[str, str]]:
    for version in source.versions:
        for one in version.definition.get("criteria", ()):
            yield one["identifier"], one["text"]
    for row in source.rows("eligibility"):
        yield row["criterion"], row["text"]


def _lettered(criterion: str, taken: Collection[str]) -> str:
    for letter in ascii_uppercase:
        if criterion + letter not in taken:
            return criterion + letter
    raise MappingError(
        f"TI.IETESTCD: there are no letters left for the wordings of criterion {criterion}. Give "
        "it a new identifier in the trial file"
    )


def add(draft: Draft) -> None:
    """Milestones and ends of each patient, and criteria not met."""
    codes = criterion_codes(draft.source)
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
    judged, withdrawn = _last_judged(draft), _last_withdrawn(draft)
    for subject in draft.subjects.values():
        _course(draft, subject, judged.get(subject, ""), withdrawn.get(subject, ""))


def add_criteria(draft: Draft) -> None:
    """The criteria of each version."""
    codes = criterion_codes(draft.source)
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
                IETESTCD=codes[one["identifier"], one["text"]],
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


def _eligibility(draft: Draft, codes: Mapping[tuple[str, str], str]) -> None:
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
            IETESTCD=codes[row["criterion"], row["text"]],
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


def _course(draft: Draft, subject: Subject, judged: str, withdrawn: str) -> None:
    row = subject.row
    if row["enrolled_at"] is not None:
        at = subject.local(row["enrolled_at"])
        _event(draft, subject, MILESTONE, "ENTERED INTO TRIAL", "Enrolled", at)
    if row["state"] == "screen_failed":
        term = _SCREEN_FAILURES.get(row["screen_failure"] or "", "Screen failure")
        _event(draft, subject, DISPOSITION, "SCREEN FAILURE", term, judged)
    if row["state"] == "withdrawn":
        term = "Withdrawal by the patient"
        record = _event(draft, subject, DISPOSITION, "WITHDRAWAL BY SUBJECT", term, withdrawn)
        record.supplement("WDEXTENT", "How Far the Withdrawal Reaches", row["withdrawal_extent"])


def _last_judged(draft: Draft) -> dict[Subject, str]:
    """When the criteria of each were last judged: the screening ended then or later."""
    found: dict[Subject, str] = {}
    for row in draft.source.rows("eligibility"):
        subject = draft.subject(row)
        found[subject] = max(found.get(subject, ""), subject.local(row["assessed_at"]))
    return found


def _last_withdrawn(draft: Draft) -> dict[Subject, str]:
    """When each last withdrew a consent."""
    last: dict[Subject, Any] = {}
    for row in draft.source.rows("consents"):
        if (at := row["withdrawn_at"]) is not None:
            subject = draft.subject(row)
            last[subject] = max(last.get(subject, at), at)
    return {subject: subject.local(at) for subject, at in last.items()}


def _event(
    draft: Draft, subject: Subject, category: str, decoded: str, term: str, at: str
) -> Record:
    values: dict[str, Value] = {"DSTERM": term, "DSDECOD": decoded, "DSCAT": category}
    if category == DISPOSITION:
        values["DSSCAT"] = "STUDY PARTICIPATION"
    return draft.add("DS", subject, DSSTDTC=at, **values)
