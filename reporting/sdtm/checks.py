"""What neither CDISC CORE nor a look at its terminology would find: rules of our own.

They hold of every submission that is made; one that breaks them is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reporting.sdtm import terms
from reporting.sdtm.model import Domain, Value

ISO_8601 = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2})?)?)?)?")
# Without which the summary of a trial says too little; a value or why there is none.
SUMMARY = ("TITLE", "SPONSOR", "INDIC", "TRT", "SEXPOP", "AGEMIN", "AGEMAX", "PLANSUB", "SSTDTC")
SUBMITTED_UNITS = frozenset({"", *terms.UNITS.values(), *terms.VITAL_UNITS.values()})


def problems(domains: Sequence[Domain]) -> list[str]:
    """What is wrong with a submission, each in a sentence."""
    return [problem for one in domains for problem in _problems(one)]


def _problems(domain: Domain) -> Iterator[str]:
    records = domain.records()
    name = domain.name
    for record in records:
        yield from _of_record(name, record)
    if name == "TS" and records:
        stated = {one["TSPARMCD"] for one in records if one["TSVAL"] or one["TSVALNF"]}
        for parameter in SUMMARY:
            if parameter not in stated:
                yield f"TS has no {parameter}"
    if name == "DM":
        known = [one["USUBJID"] for one in records]
        for who in sorted({str(one) for one in known if known.count(one) > 1}):
            yield f"DM has {who} twice"


def _of_record(name: str, record: dict[str, Value]) -> Iterator[str]:
    who = f"{name} {record.get('USUBJID', '')} {record.get(f'{name}SEQ', '')}".strip()
    if record.get(f"{name}EVALID") and not record.get(f"{name}EVAL"):
        yield f"{who}: {name}EVALID without {name}EVAL"
    for variable, value in record.items():
        if variable.endswith(("ORRESU", "STRESU", "DOSU")) and value not in SUBMITTED_UNITS:
            yield f"{who}: {variable} {value!r} is no unit of ours"
        if variable.endswith("DTC") and value and not ISO_8601.fullmatch(str(value)):
            yield f"{who}: {variable} {value!r} is no date of ISO 8601"
