"""Submissions: what standards make of the operational datasets, from the same instant."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from reporting import csvtext
from reporting.blinding import Blinding
from reporting.datasets import Column, Privacy, Type
from reporting.formats import About, Format
from reporting.sdtm.model import Domain
from reporting.services.bundle import Standard
from reporting.services.spilling import Spill
from trials.models import Trial

if TYPE_CHECKING:
    from reporting import define

DOMAIN_COLUMNS = tuple(
    Column(name, label, type_, Privacy.TECHNICAL)
    for name, label, type_ in (
        ("domain", "Domain", Type.TEXT),
        ("label", "Label", Type.TEXT),
        ("class", "Class", Type.TEXT),
        ("structure", "Structure", Type.TEXT),
        ("keys", "Variables that tell its records apart", Type.TEXT),
        ("records", "Records; a domain without any is left out of the submission", Type.INTEGER),
    )
)
VARIABLE_COLUMNS = tuple(
    Column(name, label, Type.TEXT, Privacy.TECHNICAL)
    for name, label in (
        ("dataset", "Dataset"),
        ("variable", "Variable"),
        ("label", "Label"),
        ("type", "Char or Num"),
        ("core", "Req, Cond or Perm in ADaMIG 1.3; Perm of ours"),
        ("origin", "Predecessor, Derived or Assigned"),
        ("codelist", "List of the terminology"),
        ("method", "Of a predecessor the variable it is copied from; else how it is derived"),
        ("comment", "To be known beside it"),
    )
)


# What is held of them at a time grows with it, and time does not shrink: 10,008 patients peak at
# 301 MB with 50 and at 264 MB with 20.
PATIENTS_AT_A_TIME = 20
DEFINED = "Define-XML 2.1: what each variable is, where it is from, how it was derived"
SHOWN = "define.xml as a page, for any browser"
STYLE = "What readers of define.xml show it by, when both lie in one folder"
_REGULATORS = ("xpt", "json")


class Standards:
    """The standards of one export, read within the transaction of whoever asks.

    What makes submissions takes time and memory to load: only for whom it makes one.
    """

    def __init__(self, trial: Trial, about: About, blinding: Blinding) -> None:
        self.trial, self.about, self.blinding = trial, about, blinding
        self.spill = Spill()

    def __enter__(self) -> Standards:
        return self

    def __exit__(self, *_: object) -> None:
        self.spill.close()

    def made(self, name: str, formats: Sequence[Format]) -> Standard:
        """The tables of a standard in these of its formats, by its name."""
        # define.xml names one file of a dataset: the one that regulators take, if there are both.
        return _MAKERS[name](self, min((one.suffix for one in formats), key=_REGULATORS.index))

    @cached_property
    def domains(self) -> tuple[Domain, ...]:
        """The domains of SDTM, which those of ADaM are made from: patients after patients."""
        from reporting.sdtm import Submission
        from reporting.selectors import sdtm

        source = sdtm.of_trial(self.trial, self.about.as_of, self.blinding)
        made = Submission(source, self.spill.rows)
        for some in sdtm.of_patients(self.trial, source, self.blinding):
            made.add(some)
        return made.domains()

    @cached_property
    def study(self) -> define.Study:
        """What define.xml says of the trial and the export."""
        from reporting import define

        return define.Study(
            name=self.about.study,
            description=self.trial.title or self.trial.identifier,
            protocol=self.trial.identifier,
            export=self.about.export,
            as_of=self.about.as_of,
            software=self.about.software,
        )


def _defined(folder: str, document: bytes) -> Iterator[tuple[str, str, list[bytes]]]:
    """define.xml with what it is read by."""
    from reporting import define

    yield f"{folder}/define.xml", DEFINED, [document]
    yield f"{folder}/{define.PAGE}", SHOWN, [_page(document)]
    yield f"{folder}/{define.STYLESHEET}", STYLE, [define.stylesheet()]


def _page(document: bytes) -> bytes:
    """By a process of its own, whose memory goes with it: an export of many has none to give."""
    from reporting.define import page

    made = subprocess.run(  # noqa: S603  a module of ours, with no words but its own
        [sys.executable, "-I", page.__file__], input=document, stdout=subprocess.PIPE, check=True
    )
    return made.stdout


def _sdtm(of: Standards, suffix: str) -> Standard:
    from reporting import define
    from reporting.sdtm import described
    from reporting.sdtm.tables import dataset

    tables = described.described(of.domains, suffix)
    return Standard(
        name="sdtm",
        tables=[(dataset(one), one.rows) for one in of.domains if len(one.rows)],
        texts=[
            *_defined("sdtm", define.written(of.study, described.STANDARDS, tables)),
            ("sdtm/domains.csv", "Domains, those without records too", _list(of.domains)),
        ],
    )


def _adam(of: Standards, suffix: str) -> Standard:
    from reporting import define
    from reporting.adam import datasets, described
    from reporting.adam.finishing import dataset
    from reporting.selectors import adam

    found = datasets(
        of.domains,
        adam.populations(of.trial, of.blinding),
        keep=of.spill.rows,
        patients=PATIENTS_AT_A_TIME,
    )
    tables = described.described(found, suffix)
    return Standard(
        name="adam",
        tables=[(dataset(one), one.rows) for one in found if len(one.rows)],
        texts=[
            *_defined("adam", define.written(of.study, described.STANDARDS, tables)),
            ("adam/datasets.csv", "Analysis datasets, those without records too", _list(found)),
            ("adam/variables.csv", "How each analysis variable is derived", _variables(found)),
        ],
    )


def _list(domains: tuple[Domain, ...]) -> Iterator[bytes]:
    rows = (
        (one.name, one.label, one.klass, one.structure, " ".join(one.keys), len(one.rows))
        for one in domains
    )
    return csvtext.lines(DOMAIN_COLUMNS, rows)


def _variables(datasets: tuple[Domain, ...]) -> Iterator[bytes]:
    rows = (
        (of.name, one.name, one.label, one.type, one.core, one.origin, one.codelist or "",
         one.method or "", one.comment or "")
        for of in datasets
        for one in of.variables
    )  # fmt: skip
    return csvtext.lines(VARIABLE_COLUMNS, rows)


_MAKERS: Mapping[str, Callable[[Standards, str], Standard]] = MappingProxyType(
    {"sdtm": _sdtm, "adam": _adam}
)
