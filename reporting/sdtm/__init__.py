"""SDTM of a trial: the domains of SDTMIG 3.4 from one reading of the operational datasets.

Pure: who reads the record gives a `Source`, and has the domains back in a fixed order. A domain
without rows is named and left out of the submission. A value that no domain takes is a supplemental
qualifier or a comment; what is neither is refused by name (`MappingError`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from reporting.sdtm import (
    checks,
    conduct,
    course,
    demographics,
    design,
    disposition,
    evidence,
    exposure,
    forms,
    lesions,
    responses,
)
from reporting.sdtm.draft import Draft
from reporting.sdtm.finishing import Growings
from reporting.sdtm.model import Domain, FormRows, Keep, MappingError, Source, Variable, Version
from reporting.sdtm.subjects import Tally

__all__ = [
    "Domain",
    "FormRows",
    "MappingError",
    "Source",
    "Submission",
    "Variable",
    "Version",
    "domains",
]

# Each adds records of its domains: first those of the trial, then those of its patients. Those that
# look at the records of others come last.
_OF_TRIAL = (design.add, disposition.add_criteria)
_OF_PATIENTS = (
    disposition.add,
    exposure.add,
    evidence.add,
    forms.add,
    lesions.add,
    responses.add,
    conduct.add,
    course.add,
    demographics.add,
)
_RELATIONS = (*exposure.RELATIONS, *lesions.RELATIONS)


class Submission:
    """A submission that patients are added to, some at a time, in the order of USUBJID.

    `keep` makes what the rows of a domain are kept in. However the patients are parted, the domains
    are the same.
    """

    def __init__(self, trial: Source, keep: Keep = list) -> None:
        self._grown, self._tally = Growings(trial.study, keep), Tally()
        self._trial = replace(trial, tables={}, forms={})

    def add(self, source: Source) -> None:
        """Add all records of some patients.

        Raises
        ------
        MappingError
            When a value has no place, or the records break a rule of ours.
        """
        draft = Draft(source)
        self._tally.count(draft.subjects.values())
        self._add(draft, _OF_PATIENTS)

    def _add(self, draft: Draft, steps: Iterable[Callable[[Draft], None]]) -> None:
        for step in steps:
            step(draft)
        found = [
            problem
            for of, rows in self._grown.add(draft)
            for problem in checks.of_rows(of.name, of.names, rows)
        ]
        if found:
            raise MappingError("; ".join(found[:5]))

    def domains(self) -> tuple[Domain, ...]:
        """The domains with the rows of all patients that were added; asked for once, at the end."""
        self._add(Draft(self._trial, self._tally), _OF_TRIAL)
        return self._grown.finished(_RELATIONS)


def domains(source: Source) -> tuple[Domain, ...]:
    """The domains of a trial, each with its rows; the same source gives the same bytes."""
    made = Submission(source)
    made.add(source)
    return made.domains()
