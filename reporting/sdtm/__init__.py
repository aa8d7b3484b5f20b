"""SDTM of a trial: the domains of SDTMIG 3.4 from one reading of the operational datasets.

Pure: who reads the record gives a `Source`, and has the domains back in a fixed order. A domain
without rows is named and left out of the submission. A value that no domain takes is a supplemental
qualifier or a comment; what is neither is refused by name (`MappingError`).
"""

from __future__ import annotations

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
from reporting.sdtm.finishing import finished
from reporting.sdtm.model import Domain, FormRows, MappingError, Source, Variable, Version

__all__ = ["Domain", "FormRows", "MappingError", "Source", "Variable", "Version", "domains"]

# Each adds the records of its domains. Those that look at the records of others come last.
_STEPS = (
    design.add,
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


def domains(source: Source) -> tuple[Domain, ...]:
    """The domains of a trial, each with its rows; the same source gives the same bytes."""
    draft = Draft(source)
    for step in _STEPS:
        step(draft)
    made = finished(draft)
    if found := checks.problems(made):
        raise MappingError("; ".join(found[:5]))
    return made
