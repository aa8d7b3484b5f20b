"""The variables of each domain, read from variables.txt, and how our own are derived.

Source: SDTMIG 3.4. Names, labels, types and roles are those that a conforming dataset has to carry;
of permissible variables those alone stand here that the record can fill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from reporting.sdtm.model import Variable

ROLES = MappingProxyType(
    {
        "I": "Identifier",
        "T": "Topic",
        "G": "Grouping Qualifier",
        "K": "Record Qualifier",
        "V": "Variable Qualifier",
        "Q": "Result Qualifier",
        "S": "Synonym Qualifier",
        "U": "Rule",
        "M": "Timing",
    }
)
CORES = MappingProxyType({"R": "Req", "E": "Exp", "P": "Perm"})
TYPES = MappingProxyType({"C": "Char", "N": "Num"})


@dataclass(frozen=True, slots=True)
class Specification:
    """A domain before it has rows."""

    name: str
    label: str
    structure: str
    klass: str
    variables: tuple[Variable, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.variables)


_DAY = (
    "Local date less the local date of RFSTDTC, plus 1 from that date on: there is no day 0. "
    "Empty without both dates to the day."
)
_SEQ = "Number of the record within the patient, in the order of the domain's keys."
_EPOCH = (
    "SCREENING before the first injection of a tracer of the trial, FOLLOW-UP from the day after "
    "the last scan, TREATMENT between."
)
_VISIT = (
    "The visit of the protocol that the scan or the form belongs to; empty where there is none."
)
_NET = (
    "Net injected activity: A * 2**(-(t_inj - t_assay)/T) - R * 2**((t_res - t_inj)/T), A and R "
    "the activities before and after the injection, T the half-life of ICRP Publication 107. A "
    "residual that was not measured is left out and flagged in the supplemental qualifier RESIDFL."
)
_LOBX = "Last value before the first injection of a tracer of the trial, per test."

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "--SEQ": _SEQ,
        "--DY": _DAY,
        "--STDY": _DAY,
        "--ENDY": _DAY,
        "EPOCH": _EPOCH,
        "VISITNUM": _VISIT,
        "--LOBXFL": _LOBX,
        "EX.EXDOSE": _NET,
        "AG.AGDOSE": _NET,
        "DM.AGE": "Completed years from the date of birth to the first consent.",
        "DM.RFSTDTC": "First injection of a tracer under study; empty without one.",
        "DM.RFENDTC": "Last scan or injection of the patient; empty without an injection.",
        "DM.RFXSTDTC": "First injection of a tracer under study, EX.EXSTDTC.",
        "DM.RFXENDTC": "Last injection of a tracer under study, EX.EXENDTC.",
        "DM.RFICDTC": "First consent that was signed.",
        "DM.RFPENDTC": "Last date on which anything was recorded of the patient.",
        "DM.COUNTRY": "Country of the site's time zone, ISO 3166-1 alpha-3.",
        "DM.ACTARMCD": "The planned arm once a tracer of it was injected.",
        "SE.SESTDTC": "Consent, first injection, or the end of the element before.",
        "SE.SEENDTC": "Start of the element after; of the last one the end of participation.",
        "SV.SVSTDTC": "Earliest date of what was done at the visit.",
        "SV.SVENDTC": "Latest date of what was done at the visit.",
    }
)
COMMENTS: Mapping[str, str] = MappingProxyType(
    {
        "TR.TRORRESU": "SUV is in g/mL; the submission value of that unit in UNIT (C71620) is "
        "kg/L, of the same size. Total uptake in g; volumes in mL.",
        "TR.TRSTRESU": "SUV is in g/mL; the submission value of that unit in UNIT (C71620) is "
        "kg/L, of the same size.",
        "TR.TRTESTCD": "The terminology of 2025-03-28 has no terms for MTV, TLG and TBR. The "
        "volume of a lesion above a threshold is VOLUME, its method in SUPPTR.SEGMTHD. Sponsor "
        "terms extend the list: TLG (SUVmean times volume), TBRMAX, TBRPEAK, TBRMEAN (over the "
        "SUVmean of the region in SUPPTR.REFREG), and those of whole scans and of the adrenals.",
        "MI.MISPEC": "Of bone marrow and cerebrospinal fluid as taken; else tissue.",
        "TU.TULOC": "Mediastinal blood pool is no term of LOC: AORTA, and the kind of region in "
        "TUSPID.",
        "DM.BRTHDTC": "The year alone leaves the record.",
        "AE.AEDECOD": "Events are not coded: MedDRA is licensed and no part of the record.",
        "EX.EXDOSU": "Activity in MBq, C70512.",
    }
)
_DERIVED = frozenset(("--SEQ", "--DY", "--STDY", "--ENDY", "EPOCH", "--LOBXFL"))
_ASSIGNED_NAMES = (
    "STUDYID DOMAIN RDOMAIN USUBJID IDVAR IDVARVAL QNAM QLABEL RELID RELTYPE ETCD ELEMENT "
    "VISIT VISITNUM --TESTCD --TEST --CAT --SPID --GRPID --REFID --LNKID --LNKGRP --DECOD --EVAL "
    "--EVALID --STRESC --STRESN --STRESU --DOSFRM --DOSFRQ --TPTREF"
)
_ASSIGNED = frozenset(_ASSIGNED_NAMES.split())
_PROTOCOL = frozenset({"TA", "TE", "TI", "TS", "TV"})


def origin(domain: str, name: str) -> str:
    """Where the values of a variable come from, in the words of Define-XML 2.1."""
    keys = {name, generic(domain, name), f"{domain}.{name}"}
    if domain in _PROTOCOL:
        return "Protocol" if name not in ("STUDYID", "DOMAIN") else "Assigned"
    if f"{domain}.{name}" in METHODS or keys & _DERIVED:
        return "Derived"
    return "Assigned" if keys & _ASSIGNED else "Collected"


def generic(domain: str, name: str) -> str:
    """A variable's name with the prefix of its domain as two hyphens.

    >>> generic("LB", "LBSEQ"), generic("DM", "SEX")
    ('--SEQ', 'SEX')
    """
    prefix = "" if domain in ("DM", "SUPPQUAL", "RELREC") else domain[:2]
    return f"--{name[2:]}" if prefix and name.startswith(prefix) else name


def _read() -> dict[str, Specification]:
    found: dict[str, Specification] = {}
    head: list[str] = []
    variables: list[Variable] = []
    for line in (Path(__file__).parent / "variables.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        if line.startswith(" "):
            variables.append(_variable(head[0], line))
            continue
        _keep(found, head, variables)
        head, variables = [part.strip() for part in line.split("|")], []
    _keep(found, head, variables)
    return found


def _keep(found: dict[str, Specification], head: list[str], variables: list[Variable]) -> None:
    if head:
        name, label, klass, structure = head
        found[name] = Specification(name, label, structure, klass, tuple(variables))


def _variable(domain: str, line: str) -> Variable:
    name, type_, core, role, codelist, label = line.split(maxsplit=5)
    keys = (f"{domain}.{name}", generic(domain, name))
    return Variable(
        name=name,
        label=label,
        type=TYPES[type_],
        length=8 if type_ == "N" else 1,
        core=CORES[core],
        role=ROLES[role],
        origin=origin(domain, name),
        codelist=None if codelist == "-" else codelist,
        method=next((METHODS[key] for key in keys if key in METHODS), None),
        comment=COMMENTS.get(keys[0]),
    )


DOMAINS: Mapping[str, Specification] = MappingProxyType(_read())
