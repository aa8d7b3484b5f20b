"""Who may do what: the one table.

A role is held by a user in a trial, at one site or at all of them, from a day until a
day. Everything that is not granted here is denied; code can't grant what this table does
not say. The matrix test reads the same table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A role a user holds in a trial, in the words of ICH E6."""

    COORDINATOR = "coordinator"
    INVESTIGATOR = "investigator"
    TECHNOLOGIST = "technologist"
    MONITOR = "monitor"
    READER = "reader"
    DATA_MANAGER = "data_manager"
    STATISTICIAN = "statistician"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    # Holds the sealed list of a randomisation, and no other role in the trial.
    UNBLINDED_STATISTICIAN = "unblinded_statistician"
    # Says what was true of a patient, from the reference standard alone.
    PANEL = "panel"

    @property
    def label(self) -> str:
        if self is Role.PANEL:
            return "Truth panel"
        return self.value.replace("_", " ").capitalize()


_C, _I, _T, _M = Role.COORDINATOR, Role.INVESTIGATOR, Role.TECHNOLOGIST, Role.MONITOR
_R, _D, _S, _A = Role.READER, Role.DATA_MANAGER, Role.STATISTICIAN, Role.AUDITOR
_O, _P, _U = Role.ADMINISTRATOR, Role.PANEL, Role.UNBLINDED_STATISTICIAN

# The blinded reader holds no permission that names a patient; the administrator none that
# shows clinical data; the truth panel none that shows anything of a scan.
PERMISSIONS: dict[str, frozenset[Role]] = {
    "trial.view": frozenset({_C, _I, _T, _M, _D, _S, _A, _U}),
    "trial.load": frozenset({_D}),
    "trial.settle": frozenset({_D}),
    "version.activate": frozenset({_D}),
    "site.view": frozenset({_C, _I, _T, _M, _D, _A}),
    "site.manage": frozenset({_D}),
    "cohort.close": frozenset({_D}),
    "delegation.sign": frozenset({_I}),
    "patient.view": frozenset({_C, _I, _T, _M, _D, _A}),
    "patient.screen": frozenset({_C, _I}),
    "consent.record": frozenset({_C, _I}),
    "evidence.record": frozenset({_C, _I}),
    "eligibility.view": frozenset({_C, _I, _M, _D, _A}),
    "eligibility.assess": frozenset({_C, _I}),
    "eligibility.sign": frozenset({_I}),
    "eligibility.verify": frozenset({_M}),
    "eligibility.replay": frozenset({_I, _M, _D, _A}),
    "screening_log.view": frozenset({_C, _I, _M, _D, _A}),
    "patient.enrol": frozenset({_C, _I}),
    "patient.enrol_despite": frozenset({_I}),
    "patient.randomise": frozenset({_C, _I}),
    # Of an open trial; a concealed allocation is seen by unblinding alone.
    "allocation.view": frozenset({_C, _I, _T, _M, _D, _A}),
    "allocation.unblind": frozenset({_I}),
    "randomisation.list": frozenset({_U}),
    "patient.withdraw": frozenset({_C, _I}),
    "scan.schedule": frozenset({_C, _I}),
    "visit.record": frozenset({_C, _I}),
    "form.view": frozenset({_C, _I, _T, _M, _D, _A}),
    "form.record": frozenset({_C, _I, _T}),
    "form.sign": frozenset({_I}),
    "form.verify": frozenset({_M}),
    "form.import": frozenset({_D}),
    "panel.view": frozenset({_P, _M, _D, _A}),
    "panel.decide": frozenset({_P}),
    "panel.sign": frozenset({_P}),
    "panel.unblind": frozenset({_D}),
    "injection.record": frozenset({_C, _I, _T}),
    "batch.record": frozenset({_C, _I, _T, _D}),
    "accountability.sign": frozenset({_I, _M}),
    "scanner.manage": frozenset({_C, _I, _T, _D}),
    "sending_token.manage": frozenset({_D}),
    "images.upload": frozenset({_C, _I, _T}),
    "images.view": frozenset({_C, _I, _T, _M, _D, _A}),
    "images.retry": frozenset({_C, _I, _T, _D}),
    "images.decide": frozenset({_D}),
    "incident.view": frozenset({_C, _I, _M, _D, _A}),
    "incident.report": frozenset({_C, _I, _T, _M, _D}),
    "incident.handle": frozenset({_D}),
    # Segmentations and reports name the patient's identifier beside the numbers.
    "objects.view": frozenset({_C, _I, _M, _D, _A}),
    "quantification.view": frozenset({_C, _I, _M, _R, _D, _S, _A}),
    "reading.view": frozenset({_R}),
    "region.place": frozenset({_R}),
    "read.edit": frozenset({_R}),
    "read.sign": frozenset({_R}),
    # By a reader who did not read the scan, or by its readers together.
    "adjudication.sign": frozenset({_R}),
    "agreement.view": frozenset({_M, _D, _S, _A}),
    "comparison.edit": frozenset({_R}),
    "comparison.sign": frozenset({_R}),
    "comparison.view": frozenset({_M, _D, _S, _A}),
    # What the scales make of signed reads, which a site's own people are not shown either.
    "response.view": frozenset({_M, _D, _S, _A}),
    "organs.view": frozenset({_M, _D, _S, _A}),
    "finding.view": frozenset({_M, _D, _A}),
    "monitoring.view": frozenset({_C, _I, _M, _D, _A}),
    "monitoring.record": frozenset({_M}),
    "action_item.answer": frozenset({_C, _I}),
    "query.view": frozenset({_C, _I, _T, _M, _D, _A}),
    "query.open": frozenset({_M, _D}),
    "query.answer": frozenset({_C, _I, _T}),
    "query.close": frozenset({_M, _D}),
    "deviation.view": frozenset({_C, _I, _T, _M, _D, _A}),
    "deviation.record": frozenset({_C, _I, _T, _M, _D}),
    "deviation.acknowledge": frozenset({_I}),
    "deviation.close": frozenset({_M, _D}),
    # Who is in an analysis, and why; a review decides it blind, at all sites together.
    "population.view": frozenset({_I, _M, _D, _S, _A}),
    "population.review": frozenset({_I, _D, _S}),
    "audit.view": frozenset({_I, _M, _D, _A}),
    # Counts over a whole trial; those of the index test against another tracer or the truth apart.
    "report.view": frozenset({_M, _D, _S, _A}),
    "report.unblinded": frozenset({_D, _S, _A}),
    "export.view": frozenset({_D, _S, _A}),
    "export.create": frozenset({_D, _S}),
    # To order what the trial conceals, or to be the second person who agrees; and to open it.
    "export.unblind": frozenset({_D, _S}),
    "export.unblinded": frozenset({_D, _S, _A}),
    "account.view": frozenset({_D, _A, _O}),
    "account.end": frozenset({_D, _O}),
    "jobs.view": frozenset({_D, _O}),
    "jobs.order": frozenset({_D, _O}),
}


def granted(role: str, permission: str) -> bool:
    """Whether `role` holds `permission`; an unknown permission is an error, not a no."""
    return role in PERMISSIONS[permission]


def roles_with(permission: str) -> frozenset[Role]:
    return PERMISSIONS[permission]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token of a script is held to, besides the roles of its user."""

    permissions: frozenset[str]
    # Whether it opens exports that break a blinding too.
    is_unblinded: bool = False


SCOPES: dict[str, Scope] = {
    "export:blinded": Scope(frozenset({"export.view"})),
    "export:unblinded": Scope(frozenset({"export.view", "export.unblinded"}), is_unblinded=True),
}


def within(scope: str, permission: str) -> bool:
    """Whether a token of `scope` may use `permission`; one of none does what its user may.

    >>> within("export:blinded", "export.create"), within("", "export.create")
    (False, True)
    """
    return not scope or permission in SCOPES[scope].permissions
