"""The ODM files of an export, written into its bundle within its transaction."""

from __future__ import annotations

from collections.abc import Mapping

from reporting.blinding import Blinding
from reporting.datasets.case_report_forms import FormTable
from reporting.formats.about import About
from reporting.odm import document
from reporting.odm.xml import encoded
from reporting.selectors import odm_entries
from reporting.services.bundle import Bundle
from trials.models import Trial

SNAPSHOT, TRANSACTIONS = "odm/snapshot.xml", "odm/transactions.xml"


def add(
    bundle: Bundle,
    trial: Trial,
    forms: Mapping[str, FormTable],
    about: About,
    blinding: Blinding,
) -> None:
    """Write what stands in the forms of the export, and how it came about."""
    study = odm_entries.study(trial, forms)
    standing = odm_entries.entries(trial, with_undone=False, blinding=blinding)
    every = odm_entries.entries(trial, with_undone=True, blinding=blinding)
    bundle.add(SNAPSHOT, "Forms as they stand", encoded(document.snapshot(study, standing, about)))
    bundle.add(
        TRANSACTIONS,
        "Forms with every change of them",
        encoded(document.transactions(study, every, about)),
    )
