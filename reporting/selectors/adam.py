"""What ADaM takes besides SDTM: the analysis populations, by the scans that SDTM links."""

from __future__ import annotations

from collections import defaultdict

from reporting.adam import Membership, Populations
from reporting.blinding import Blinding
from reporting.datasets import DATASETS
from reporting.flow import Row
from reporting.sdtm.exposure import scan_link
from reporting.selectors import sdtm
from reporting.selectors.population_rows import in_use
from reporting.selectors.populations import lean_record
from trials.models import Trial


def populations(trial: Trial, blinding: Blinding) -> Populations:
    """The populations of a trial and who is in them, without who withdrew the use of the data."""
    found = lean_record(trial)
    links: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in sdtm.of_dataset(DATASETS["scans"], trial, blinding):
        links[one["usubjid"], one["planned_scan"]].append(scan_link(one["scan"]))
    members = (
        _member(row, who, link)
        for row in in_use(found)
        for who in [f"{row.trial}-{row.identifier}"]
        for link in (links.get((who, row.scan), ()) if row.scan else [""])
    )
    return Populations(found.rules.populations, members)


def _member(row: Row, usubjid: str, link: str) -> Membership:
    return Membership(
        usubjid=usubjid,
        population=row.population,
        scan=link,
        is_in=row.is_in,
        is_decided=row.decided is not None,
        standing=row.standing,
    )
