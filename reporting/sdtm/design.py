"""TS, TA, TE and TV: the trial as it is planned, and what is known of it as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reporting.sdtm import arms
from reporting.sdtm.arms import FOLLOW_UP, SCREENING, Definition
from reporting.sdtm.draft import Draft
from reporting.sdtm.finishing import pieces
from reporting.sdtm.model import MappingError
from reporting.sdtm.terms import GUIDE, TERMINOLOGY
from reporting.sdtm.visits import day_of, planned
from trials.readings import SEX
from trials.terms import AGE

# Of values that have a term: the code of the term in the NCI Thesaurus, which TSVALCD carries.
_CODES: Mapping[str, str] = {
    "Y": "C49488",
    "N": "C49487",
    "DIAGNOSIS": "C49653",
    "DRUG": "C1909",
    "SINGLE GROUP": "C82640",
    "CROSS-OVER": "C82637",
    "PARALLEL": "C82639",
    "INTERVENTIONAL": "C98388",
    "BOTH": "C49636",
    "F": "C16576",
    "M": "C20197",
    "OPEN LABEL": "C49659",
    "ACTIVE": "C49649",
    "NONE": "C41132",
    "EARLY PHASE I": "C54721",
    "PHASE I TRIAL": "C15600",
    "PHASE I/II TRIAL": "C15693",
    "PHASE II TRIAL": "C15601",
    "PHASE II/III TRIAL": "C15694",
    "PHASE III TRIAL": "C15602",
    "PHASE IV TRIAL": "C15603",
    "MBq": "C70512",
    "INTRAVENOUS": "C38276",
    "ONCE": "C64576",
    "INJECTION, SOLUTION": "C42945",
}
_PHASES: Mapping[str, str] = {
    "EARLY PHASE 1": "EARLY PHASE I",
    "PHASE 1": "PHASE I TRIAL",
    "PHASE 1/PHASE 2": "PHASE I/II TRIAL",
    "PHASE 1/2": "PHASE I/II TRIAL",
    "PHASE 2": "PHASE II TRIAL",
    "PHASE 2/PHASE 3": "PHASE II/III TRIAL",
    "PHASE 2/3": "PHASE II/III TRIAL",
    "PHASE 3": "PHASE III TRIAL",
    "PHASE 4": "PHASE IV TRIAL",
}
# A value, or why there is none in the null flavours of ISO 21090.
Parameter = tuple[str, str, Any, str]
# Ages are whole years: what is above 17 is 18 or more, what is below 80 is at most 79.
_LEAST: Mapping[str, Callable[[float], int]] = {
    "ge": math.ceil,
    "gt": lambda value: math.floor(value) + 1,
    "eq": math.ceil,
}
_MOST: Mapping[str, Callable[[float], int]] = {
    "le": math.floor,
    "lt": lambda value: math.ceil(value) - 1,
    "eq": math.floor,
}
UNKNOWN, NOT_APPLICABLE, NO_UPPER_LIMIT = "UNK", "NA", "PINF"


def add(draft: Draft) -> None:
    """The tables of the plan, from the newest version of the protocol."""
    definition = draft.source.definition
    _summary(draft, definition)
    _elements(draft, definition)
    for one in arms.arms(definition) if definition else []:
        _arm(draft, definition, one)
    for number, visit in enumerate(planned(definition), 1):
        draft.add(
            "TV",
            None,
            VISITNUM=number,
            VISIT=visit["label"].upper()[:40],
            VISITDY=day_of(definition, visit),
            TVSTRL=_start_rule(visit),
        )


def _start_rule(visit: Mapping[str, Any]) -> str:
    anchor = visit.get("anchor")
    if not anchor:
        return "As the protocol states"
    low, high = visit.get("earliest"), visit.get("latest")
    window = f", from {low} to {high}" if low is not None and high is not None else ""
    return f"{visit.get('target') or 'Any time'} after {anchor}{window}"


def _elements(draft: Draft, definition: Definition) -> None:
    codes = arms.element_codes(definition)
    draft.add(
        "TE",
        None,
        ETCD=SCREENING,
        ELEMENT="Screening",
        TESTRL="Informed consent",
        TEENRL="First injection of a tracer, or end of participation",
    )
    for name, scan in arms.scans_of(definition).items():
        draft.add(
            "TE",
            None,
            ETCD=codes[name],
            ELEMENT=scan["label"][:40],
            TESTRL=f"Injection of the tracer for {scan['label']}",
            TEENRL="Next injection, or the end of the day of the last one",
        )
    draft.add(
        "TE",
        None,
        ETCD=FOLLOW_UP,
        ELEMENT="Follow-up",
        TESTRL="The day after the last injection",
        TEENRL="End of participation",
    )


def _arm(draft: Draft, definition: Definition, arm: arms.Arm) -> None:
    codes, scans = arms.element_codes(definition), arms.scans_of(definition)
    if unknown := [name for name in arm.scans if name not in codes]:
        raise MappingError(f"arm {arm.code} names {', '.join(unknown)}, which is no planned scan")
    elements = [(SCREENING, "Screening", "SCREENING")]
    elements += [(codes[name], scans[name]["label"][:40], "TREATMENT") for name in arm.scans]
    elements.append((FOLLOW_UP, "Follow-up", "FOLLOW-UP"))
    for number, (code, label, epoch) in enumerate(elements, 1):
        draft.add(
            "TA",
            None,
            ARMCD=arm.code,
            ARM=arm.label,
            TAETORD=number,
            ETCD=code,
            ELEMENT=label,
            EPOCH=epoch,
            TABRANCH=f"Assigned to {arm.label}"[:200] if number == 1 else "",
        )


def _summary(draft: Draft, definition: Definition) -> None:
    numbers: dict[str, int] = {}
    for code, name, value, why_none in _parameters(draft, definition):
        numbers[code] = numbers.get(code, 0) + 1
        text = "" if value is None else str(value)
        values = pieces(text)
        term = _CODES.get(text, "") if code not in ("RANDQT",) else ""
        for part in values:
            draft.add(
                "TS",
                None,
                TSSEQ=numbers[code],
                TSPARMCD=code,
                TSPARM=name,
                TSVAL=part,
                TSVALNF="" if text else why_none,
                TSVALCD=term,
                TSVCDREF="CDISC CT" if term else "",
                TSVCDVER=TERMINOLOGY if term else "",
            )
            numbers[code] += part is not values[-1]


def _parameters(draft: Draft, definition: Definition) -> Iterator[Parameter]:
    yield from _identity(draft, definition)
    yield from _population(draft, definition)
    yield from _treatment(definition)
    yield "DCUTDTC", "Data Cutoff Date", f"{draft.source.as_of:%Y-%m-%dT%H:%M:%S}", ""
    yield "DCUTDESC", "Data Cutoff Description", "State of the record at the export, UTC", ""
    yield "SDTMVER", "SDTM Version", "2.0", ""
    yield "SDTIGVER", "SDTM IG Version", GUIDE, ""


def _identity(draft: Draft, definition: Definition) -> Iterator[Parameter]:
    yield "TITLE", "Trial Title", _text(definition, "title") or draft.source.study, ""
    yield "SPONSOR", "Clinical Study Sponsor", _text(definition, "sponsor"), UNKNOWN
    registries = [
        one["value"]
        for one in definition.get("identifiers", ())
        if one["scheme"] in ("ClinicalTrials.gov", "CTIS", "EudraCT", "DRKS", "ISRCTN")
    ]
    for value in registries or [None]:
        yield "REGID", "Registry Identifier", value, UNKNOWN
    phase = (_text(definition, "phase") or "").upper()
    yield "TPHASE", "Trial Phase Classification", _PHASES.get(phase), UNKNOWN
    yield "SSTDTC", "Study Start Date", _start(draft, definition), UNKNOWN
    yield "SENDTC", "Study End Date", _date(definition, "completion"), UNKNOWN
    yield "LENGTH", "Trial Length", None, UNKNOWN
    yield "STYPE", "Study Type", "INTERVENTIONAL", ""
    yield "TTYPE", "Trial Type", "DIAGNOSIS", ""
    yield "TINDTP", "Trial Intent Type", "DIAGNOSIS", ""
    for level, code, name in (
        ("primary", "OBJPRIM", "Trial Primary Objective"),
        ("secondary", "OBJSEC", "Trial Secondary Objective"),
        ("exploratory", "OBJEXP", "Trial Exploratory Objective"),
    ):
        stated = [one["text"] for one in definition.get("objectives", ()) if one["level"] == level]
        for text in stated or ([None] if level == "primary" else []):
            yield code, name, text, UNKNOWN


def _population(draft: Draft, definition: Definition) -> Iterator[Parameter]:
    conditions = (definition.get("conditions") or {}).get("items", ())
    for one in conditions or [None]:
        yield "INDIC", "Trial Disease/Condition Indication", one, UNKNOWN
    for one in conditions or [None]:
        yield "TDIGRP", "Diagnosis Group", one, UNKNOWN
    yield "THERAREA", "Therapeutic Area", None, UNKNOWN
    low, high = _ages(definition)
    yield "AGEMIN", "Planned Minimum Age of Subjects", low, UNKNOWN
    yield "AGEMAX", "Planned Maximum Age of Subjects", high, NO_UPPER_LIMIT
    yield "SEXPOP", "Sex of Participants", _sexes(definition), ""
    yield "HLTSUBJI", "Healthy Subject Indicator", "N", ""
    count = (definition.get("enrolment") or {}).get("planned") or {}
    yield "PLANSUB", "Planned Number of Subjects", count.get("value"), UNKNOWN
    yield "ACTSUB", "Actual Number of Subjects", draft.tally.enrolled, ""
    yield "NARMS", "Planned Number of Arms", len(arms.arms(definition)), ""
    cohorts = len(definition.get("cohorts", ()))
    yield "NCOHORT", "Number of Groups/Cohorts", cohorts or None, NOT_APPLICABLE


def _treatment(definition: Definition) -> Iterator[Parameter]:
    randomised = bool(definition.get("randomisation"))
    model = "CROSS-OVER" if randomised else "SINGLE GROUP"
    if not randomised and len(arms.arms(definition)) > 1:
        model = "PARALLEL"
    yield "INTMODEL", "Intervention Model", model, ""
    yield "INTTYPE", "Intervention Type", "DRUG", ""
    yield "PCLAS", "Pharmacologic Class", None, UNKNOWN
    yield "RANDOM", "Trial is Randomized", "Y" if randomised else "N", ""
    yield "RANDQT", "Randomization Quotient", None, UNKNOWN if randomised else NOT_APPLICABLE
    concealed = randomised and definition["randomisation"].get("masking") == "concealed"
    yield "TBLIND", "Trial Blinding Schema", None if concealed else "OPEN LABEL", UNKNOWN
    tracers = definition.get("tracers", ())
    tested = [one for one in tracers if arms.is_under_study(definition, one["name"])]
    comparators = [one for one in tracers if "FDG" in one["name"].upper() and len(tracers) > 1]
    yield "TCNTRL", "Control Type", "ACTIVE" if comparators else "NONE", ""
    for one in comparators:
        yield "COMPTRT", "Comparative Treatment Name", one["name"].upper(), ""
    under_test = [one for one in tested if one not in comparators] or list(tested)
    for one in under_test or [None]:
        name = one["name"].upper() if one else None
        yield "TRT", "Investigational Therapy or Treatment", name, UNKNOWN
    for one in under_test:
        limits = one.get("activity_mbq") or {}
        target = limits.get("target")
        yield "DOSE", "Dose per Administration", f"{target:g}" if target else None, UNKNOWN
    yield "DOSU", "Dose Units", "MBq", ""
    yield "DOSFRM", "Dose Form", "INJECTION, SOLUTION", ""
    yield "DOSFRQ", "Dosing Frequency", "ONCE", ""
    yield "ROUTE", "Route of Administration", "INTRAVENOUS", ""
    yield "ADDON", "Added on to Existing Treatments", "N", ""
    yield "ADAPT", "Adaptive Design", "N", ""
    yield "STOPRULE", "Study Stop Rules", None, UNKNOWN


def _text(definition: Definition, name: str) -> str | None:
    return (definition.get(name) or {}).get("text")


def _date(definition: Definition, event: str) -> str | None:
    return next((one["date"] for one in definition.get("dates", ()) if one["event"] == event), None)


def _start(draft: Draft, definition: Definition) -> str | None:
    """The date of start that the trial file states, else the first consent."""
    return _date(definition, "start") or draft.tally.first_consent


def _ages(definition: Definition) -> tuple[str | None, str | None]:
    """The least and the most completed years that the inclusions let in."""
    lows: list[int] = []
    highs: list[int] = []
    for one in _required(definition, AGE):
        op, value = one["op"], one.get("value", 0)
        if op in _LEAST:
            lows.append(_LEAST[op](value))
        if op in _MOST:
            highs.append(_MOST[op](value))
        if op == "between":
            low, high = one.get("low"), one.get("high")
            lows += [] if low is None else [math.ceil(low)]
            highs += [] if high is None else [math.floor(high)]
    return _years(max(lows, default=None)), _years(min(highs, default=None))


def _years(count: int | None) -> str | None:
    return None if count is None else f"P{count}Y"


def _sexes(definition: Definition) -> str:
    """The sex that an inclusion asks for, else both."""
    asked = {
        one.get("value")
        for one in _required(definition, SEX)
        if one.get("op") == "eq" and one.get("value") in ("F", "M")
    }
    return str(asked.pop()) if len(asked) == 1 else "BOTH"


def _required(definition: Definition, variable: str) -> Iterator[Mapping[str, Any]]:
    """What each patient's value of a variable is held against: every part has to hold.

    An inclusion for some patients alone, or one of several that are enough, asks it of nobody.
    """
    for one in definition.get("criteria", ()):
        if one["category"] == "inclusion" and not one.get("applies_to"):
            yield from (
                part for part in _parts(one.get("expression")) if part.get("var") == variable
            )


def _parts(expression: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    if expression is None:
        return
    if expression.get("op") != "all":
        yield expression
        return
    for one in expression["of"]:
        yield from _parts(one)
