"""The variables of each analysis dataset, read from variables.txt, and how they are derived.

Source: ADaMIG 1.3. Names, labels and types of its variables are the guide's; those of ours follow
its rules for names. A variable that is copied is called as in SDTM and says from where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from reporting.adam.populations import Flag, Populations
from reporting.adam.reading import Tables
from reporting.sdtm import specification
from reporting.sdtm.model import Variable

_TYPES = {"C": "Char", "N": "Num"}
_CORES = {"R": "Req", "C": "Cond", "P": "Perm"}
_ORIGINS = {"*": "Derived", "+": "Assigned"}
COPIED = "Predecessor"
NUMBER_BYTES = 8

_WHOLE_DATE = "As a SAS number; empty where the date is not known to the day, none is imputed. "
METHODS: Mapping[str, str] = MappingProxyType(
    {
        "TRTSDT": f"{_WHOLE_DATE}DM.RFXSTDTC, the first injection of a tracer under study.",
        "TRTSDTM": "DM.RFXSTDTC, the first injection of a tracer under study.",
        "TRTEDT": f"{_WHOLE_DATE}DM.RFXENDTC, the last injection of a tracer under study.",
        "TRTEDTM": "DM.RFXENDTC, the last injection of a tracer under study.",
        "TRTSEQP": "TA.ELEMENT of the treatments of the planned arm, in the order of TA.TAETORD.",
        "TRTSEQA": "SE.ELEMENT of the treatments given, in the order of SE.SESTDTC; empty while "
        "DM.ACTARM is.",
        "POPBASIS": "DECIDED where a signed data review that stands decided every flag of the "
        "patient, PROPOSED where the rules of the protocol propose them, DECIDED IN PART between; "
        "REVIEW OVERTAKEN or REVIEW BROKEN where the record, or what was signed, changed since.",
        "SCRFFL": "Y where DS has SCREEN FAILURE, else N.",
        "RFICDT": f"{_WHOLE_DATE}DM.RFICDTC.",
        "ENRLDT": f"{_WHOLE_DATE}DS.DSSTDTC of ENTERED INTO TRIAL.",
        "RANDDT": f"{_WHOLE_DATE}DS.DSSTDTC of RANDOMIZED.",
        "STRATAR": "SUPPDS.STRATUM of RANDOMIZED.",
        "EOSSTT": "Of who entered the trial: COMPLETED or DISCONTINUED by the first disposition "
        "event of study participation in DS, ONGOING without one.",
        "EOSDT": f"{_WHOLE_DATE}DS.DSSTDTC of that event.",
        "DCSREAS": "DS.DSDECOD of that event where EOSSTT is DISCONTINUED.",
        "DTHDT": f"{_WHOLE_DATE}DM.DTHDTC.",
        "ASEQ": "Number of the record within the patient, in the order of the dataset's keys.",
        "TRTP": "ADSL.TRT01P; of a cross-over that of the period of the scan.",
        "TRTA": "ADSL.TRT01A; of a cross-over that of the period of the scan.",
        "APERIOD": "Place of the scan's injection among those of the patient (SE.SESTDTC).",
        "APERIODC": "SE.ELEMENT of that period.",
        "ADT": f"{_WHOLE_DATE}Date of the source record.",
        "ADTM": "Date and time of the source record; empty without a time.",
        "ADY": "ADT - ADSL.TRTSDT, plus 1 from TRTSDT on: there is no day 0.",
        "AVISIT": "VISIT of the source record, else PR.VISIT of the scan.",
        "AVISITN": "VISITNUM of the source record, else PR.VISITNUM of the scan.",
        "TRACER": "EX.EXTRT or AG.AGTRT of the injection of the scan (--LNKID = TR.TRLNKGRP).",
        "PARCAT1": "TRACER, as the parameter is of one tracer; CT of what is measured on CT.",
        "AVAL": "The variable SRCVAR of the record SRCSEQ of SRCDOM, unchanged; of SUPP-- the QVAL "
        "of the QNAM that SRCVAR names.",
        "AVALC": "TR.TRSTRESC of a result that is a word.",
        "AVALU": "The unit of the source record.",
        "BASE": "AVAL of the record with ABLFL of the same patient, parameter, lesion and "
        "assessor; empty where there is none, or more than one.",
        "CHG": "AVAL - BASE, of scans after the baseline.",
        "PCHG": "100 * CHG / BASE; empty where BASE is 0.",
        "ABLFL": "Y in the baseline scan: the one that the response of the patient is judged "
        "against (SUPPRS.BASESCAN), else the patient's first scan of the tracer that was done, of "
        "what is measured on CT the first one with such a measurement.",
        "ADTR.ANL01FL": "Y of the read that counts for the scan (TR.TRACPTFL), for analyses of "
        "lesions as read. CT measurements carry no such flag in SDTM.",
        "ADTR.ANL02FL": "Y of the regions that software found in the series that counts for the "
        "scan (SUPPTR.COUNTS), for analyses apart from any reader; never with ANL01FL.",
        "ADPET.ANL01FL": "Y of the scan that was done; of a result of a series if the series "
        "counts for the scan (SUPPTR.COUNTS) and, of a region of reference, a reader stands for it "
        "(SUPPTU.REGSTAT) and it is the only one of its kind; of a read if it counts (TRACPTFL).",
        "LESID": "TULNKID of the first of the records of TU that pairs of lesions (RELREC) join, "
        "across tracers and times; of a lesion that is in no pair its own.",
        "MEASMTHD": "SUPPTR.MEASMTHD, else PEAKDEF, else SEGMTHD: how the value was measured where "
        "there are several ways.",
        "SCANID": "PR.PRLNKID, which EX, AG and TR share.",
        "SCANDONE": "PR.PROCCUR.",
    }
)
COMMENTS: Mapping[str, str] = MappingProxyType(
    {
        "AVALU": "SUV is in g/mL; the submission value of that unit in UNIT (C71620) is kg/L, of "
        "the same size.",
        "SRCVAR": "Of SRCDOM SUPP-- the QNAM, and SRCSEQ the --SEQ in IDVARVAL.",
        "TRT01P": "Of a trial that is no cross-over the planned arm.",
    }
)


@dataclass(frozen=True, slots=True)
class Specification(specification.Specification):
    """A dataset before it has rows; `copies` are its variables by where they are copied from."""

    def copies(self, dataset: str) -> tuple[str, ...]:
        """The variables that are copied from a dataset, under their own name."""
        return tuple(
            one.name
            for one in self.variables
            if one.origin == COPIED and one.method == f"{dataset}.{one.name}"
        )


def specified(tables: Tables, populations: Populations) -> Mapping[str, Specification]:
    """The datasets of a trial, with the variables of its periods and populations."""
    return {name: _whole(name, lines, tables, populations) for name, lines in DATASETS.items()}


def treatments(periods: int, *, is_crossover: bool) -> Iterator[Variable]:
    """The variables of ADSL that tell the treatments."""
    for kind, word, source in (("P", "Planned", "TA.ELEMENT"), ("A", "Actual", "SE.ELEMENT")):
        for number in range(1, periods + 1):
            arm = "DM.ARM" if kind == "P" else "DM.ACTARM"
            told = f"{source} of the period; empty while {arm} is." if is_crossover else f"{arm}."
            label = f"{word} Treatment for Period {number:02}"
            core = "R" if kind == "P" else "C"
            yield _derived(f"TRT{number:02}{kind}", label, "C", core, told)
    if not is_crossover:
        return
    for kind, word in (("P", "Planned"), ("A", "Actual")):
        name = f"TRTSEQ{kind}"
        yield _derived(name, f"{word} Sequence of Treatments", "C", "C", METHODS[name])
    for number in range(1, periods + 1):
        of = f"Period {number:02}"
        told = f"{_WHOLE_DATE}SE.SESTDTC of the period."
        yield _derived(f"TR{number:02}SDT", f"Date of First Exposure in {of}", "N", "C", told)
        told = "SE.SESTDTC of the period."
        yield _derived(f"TR{number:02}SDTM", f"Datetime of First Exposure in {of}", "N", "C", told)


def _periods(is_crossover: bool) -> Iterator[Variable]:
    if is_crossover:
        yield _derived("APERIOD", "Period", "N", "C", METHODS["APERIOD"])
        yield _derived("APERIODC", "Period (C)", "C", "P", METHODS["APERIODC"])


def _derived(name: str, label: str, type_: str, core: str, method: str) -> Variable:
    return Variable(
        name=name,
        label=label,
        type=_TYPES[type_],
        length=NUMBER_BYTES if type_ == "N" else 1,
        core=_CORES[core],
        role="",
        origin="Derived",
        method=method,
        comment=COMMENTS.get(name),
    )


def _flag(flag: Flag, dataset: str) -> Variable:
    """The variable of a population, in ADSL or beside the records."""
    is_copy = dataset != "ADSL" and not flag.name.endswith("RFL")
    told = (
        f"Y where the patient is in {flag.population.identifier}, as decided in the signed data "
        "review, else as the rule of the protocol proposes; N of who is not, and of who withdrew "
        "the use of the data."
    )
    if flag.name.endswith("RFL"):
        told = told.replace("the patient is", "the scan is")
    return Variable(
        name=flag.name,
        label=flag.label,
        type="Char",
        length=1,
        core="Cond",
        role="",
        origin=COPIED if is_copy else "Derived",
        codelist="NY",
        method=f"ADSL.{flag.name}" if is_copy else told,
    )


def _whole(
    name: str, lines: tuple[str, ...], tables: Tables, populations: Populations
) -> Specification:
    head, *others = lines
    _, label, klass, structure = (part.strip() for part in head.split("|"))
    variables: list[Variable] = []
    for line in others:
        match line.strip():
            case "@treatments":
                crossover = tables.is_crossover
                variables += treatments(tables.periods, is_crossover=crossover)
            case "@periods":
                variables += _periods(tables.is_crossover)
            case "@populations":
                variables += [_flag(one, name) for one in populations.flags]
            case "@records":
                kept = populations.of_scan("", "", of_lesion=name == "ADTR")
                flags = [one for one in populations.record_flags if one.name in kept]
                variables += [_flag(one, name) for one in flags]
            case written:
                variables.append(_variable(name, written))
    return Specification(name, label, structure, klass, tuple(variables))


def _variable(dataset: str, line: str) -> Variable:
    name, type_, core, codelist, source, label = line.split(maxsplit=5)
    method = METHODS.get(f"{dataset}.{name}", METHODS.get(name))
    if source.startswith("="):
        method = source[1:]
    return Variable(
        name=name,
        label=label,
        type=_TYPES[type_],
        length=NUMBER_BYTES if type_ == "N" else 1,
        core=_CORES[core],
        role="",
        origin=_ORIGINS.get(source, COPIED),
        codelist=None if codelist == "-" else codelist,
        method=method,
        comment=COMMENTS.get(name),
    )


def _read() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in (Path(__file__).parent / "variables.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            name = line.split("|")[0].strip()
        found.setdefault(name, []).append(line)
    return {key: tuple(lines) for key, lines in found.items()}


DATASETS: Mapping[str, tuple[str, ...]] = MappingProxyType(_read())
