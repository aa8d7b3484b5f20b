"""What neither CDISC CORE nor a look at its terminology would find: rules of our own.

They hold of every submission that is made; one that breaks them is refused by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from reporting.sdtm import terms
from reporting.sdtm.model import Domain, Value, Values

ISO_8601 = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2})?)?)?)?")
# Without which the summary of a trial says too little; a value or why there is none.
SUMMARY = ("TITLE", "SPONSOR", "INDIC", "TRT", "SEXPOP", "AGEMIN", "AGEMAX", "PLANSUB", "SSTDTC")
_UNITS = ("ORRESU", "STRESU", "DOSU")
SUBMITTED_UNITS = frozenset({"", *terms.UNITS.values(), *terms.VITAL_UNITS.values()})


def problems(domains: Iterable[Domain]) -> list[str]:
    """What is wrong with a submission, each in a sentence."""
    return [
        problem
        for one in domains
        for problem in of_rows(one.name, [each.name for each in one.variables], one.rows)
    ]


def of_rows(name: str, variables: Sequence[str], rows: Iterable[Values]) -> Iterator[str]:
    """What is wrong with rows of a domain, those of a patient or of the trial all among them."""
    looked_at = [
        place
        for place, one in enumerate(variables)
        if one.endswith((*_UNITS, "DTC")) or one == f"{name}EVALID"
    ]
    known: Counter[Value] = Counter()
    stated: set[Value] = set()
    is_empty = True
    for row in rows:
        is_empty = False
        if any(row[place] for place in looked_at):
            yield from _of_record(name, dict(zip(variables, row, strict=True)))
        if name == "TS":
            stated |= _stated(dict(zip(variables, row, strict=True)))
        if name == "DM":
            known[row[variables.index("USUBJID")]] += 1
    if name == "TS" and not is_empty:
        for parameter in SUMMARY:
            if parameter not in stated:
                yield f"TS has no {parameter}"
    for who in sorted(str(one) for one, times in known.items() if times > 1):
        yield f"DM has {who} twice"


def _stated(record: dict[str, Value]) -> set[Value]:
    return {record["TSPARMCD"]} if record["TSVAL"] or record["TSVALNF"] else set()


def _of_record(name: str, record: dict[str, Value]) -> Iterator[str]:
    who = f"{name} {record.get('USUBJID', '')} {record.get(f'{name}SEQ', '')}".strip()
    if record.get(f"{name}EVALID") and not record.get(f"{name}EVAL"):
        yield f"{who}: {name}EVALID without {name}EVAL"
    for variable, value in record.items():
        if variable.endswith(_UNITS) and value not in SUBMITTED_UNITS:
            yield f"{who}: {variable} {value!r} is no unit of ours"
        if variable.endswith("DTC") and value and not ISO_8601.fullmatch(str(value)):
            yield f"{who}: {variable} {value!r} is no date of ISO 8601"
