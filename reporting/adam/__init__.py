"""ADaM of a trial: ADSL, ADTR and ADPET of ADaMIG 1.3, from its SDTM and its populations alone.

Pure, and thin: no value is measured, read or guessed here. A row of ADTR and ADPET names the record
of SDTM that it is made of (SRCDOM, SRCVAR, SRCSEQ); what follows from several, as a baseline does,
has a method in `specification.METHODS`. Dates that are known in part are left empty, not imputed.

The mistake to fear is one parameter for two things: SUVmax of two tracers are two parameters, and
so are the ratios to two regions of reference.
"""

from __future__ import annotations

from collections.abc import Sequence

from reporting.adam import lesions, scans, subjects
from reporting.adam.finishing import Finishing
from reporting.adam.parameters import Parameters
from reporting.adam.populations import Membership, Populations
from reporting.adam.reading import Tables, parts, whole
from reporting.adam.specification import DATASETS, specified
from reporting.sdtm.model import Domain, Keep

__all__ = ["DATASETS", "Membership", "Populations", "datasets"]


def datasets(
    domains: Sequence[Domain],
    populations: Populations,
    *,
    keep: Keep = list,
    patients: int | None = None,
) -> tuple[Domain, ...]:
    """The analysis datasets of a trial, each with its rows; the same SDTM gives the same bytes.

    Made of so many `patients` at a time, or of all at once, and the same either way; `keep` makes
    what rows are kept in.
    """
    of_trial = [one for one in domains if "USUBJID" not in one.names]
    told = whole(domains)
    plan = Tables(of_trial, told)
    known, specifications = Parameters(plan), specified(plan, populations)
    made = {name: Finishing(one, keep) for name, one in specifications.items()}
    for part in parts(domains, patients):
        tables = Tables(part, told)
        people, done = subjects.rows(tables, populations), scans.Scans(tables)
        made["ADSL"].add(people)
        made["ADTR"].add(lesions.rows(tables, done, known, populations, people))
        made["ADPET"].add(scans.rows(tables, done, known, populations, people))
    return tuple(made[name].finished() for name in ("ADSL", "ADTR", "ADPET"))
