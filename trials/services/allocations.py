"""Allocating a patient to a sequence: once, in order, and only who is enrolled and eligible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.db.models import Max

from trials import permissions, randomisation, randomisation_list, stratification
from trials.models import (
    Allocation,
    Delegation,
    Enrolment,
    Patient,
    ProtocolVersion,
    Trial,
    Unblinding,
    User,
)
from trials.protocol import in_force
from trials.services import audit, delegations, deviations, evidence, patients
from trials.services.errors import Refused

Stated = Mapping[str, Any]


def stated(version: ProtocolVersion | None) -> Stated:
    """What a version says of its randomisation; empty where it states none, or only proposes it."""
    return in_force(version.definition.get("randomisation")) if version else {}


def allocate(patient: Patient, *, by: User) -> Allocation:
    """Give a patient the next place of the stratum, or refuse by name."""
    permissions.require(by, "patient.randomise", patient)
    delegations.require(by, Delegation.Duty.ENROL, patient.site)
    with audit.action(
        "patient.randomised",
        actor=by,
        reason="next place of the stratum",
        trial=patient.trial_id,
        patient=patient.pk,
    ):
        # Two people may allocate at once: the second one waits, and takes the place after.
        trial = Trial.objects.select_for_update(no_key=True).get(pk=patient.trial_id)
        patient = patients.hold_still(patient)
        version = patient.site.version_in_force
        scheme = stated(version)
        _require(patient, scheme, trial)
        strata = strata_of(patient, scheme)
        stratum = stratification.stratum(strata)
        digest = randomisation.scheme_digest(scheme)
        position = _next(trial, scheme, digest, stratum)
        row = Allocation(
            patient=patient,
            trial=trial,
            version=version,
            scheme_sha256=digest,
            stratum=stratum,
            strata=strata,
            position=position,
            allocated_by=by,
        )
        row.seal = _seal(row)
        row.save()
        return row


def of(patient: Patient) -> Allocation:
    """The allocation of a patient; refused where there is none."""
    found = Allocation.objects.filter(patient=patient).select_related("trial", "version").first()
    if found is None:
        raise Refused("not-allocated", f"{patient} is not randomised yet.")
    return found


def strata_of(patient: Patient, scheme: Stated) -> list[dict[str, Any]]:
    """The parts of a patient's stratum, each with its source; refused where one is not known."""
    return [_level(patient, one) for one in scheme.get("strata", ())]


def sequence_of(allocation: Allocation) -> dict[str, Any]:
    """The sequence a patient was allocated to, as the trial file states it.

    Nothing is checked here: who may see it is `may_see`.
    """
    return randomisation.sequence_of(
        allocation.version.definition["randomisation"],
        key=bytes(allocation.trial.uid_key),
        trial=allocation.trial.identifier,
        scheme=allocation.scheme_sha256,
        stratum=allocation.stratum,
        position=allocation.position,
    )


def is_concealed(allocation: Allocation) -> bool:
    return allocation.version.definition["randomisation"]["masking"] == "concealed"


def may_see(allocation: Allocation, user: User) -> bool:
    """An open allocation by right; a concealed one only who unblinded it."""
    if not is_concealed(allocation):
        return user.may_for("allocation.view", allocation.scope())
    return user.may_for("allocation.unblind", allocation.scope()) and (
        allocation.unblindings.filter(unblinded_by=user).exists()
    )


def unblind(allocation: Allocation, *, reason: str, by: User) -> dict[str, Any]:
    """Show a concealed allocation in an emergency; everybody concerned learns that it was done."""
    permissions.require(by, "allocation.unblind", allocation)
    audit.require_reason(reason)
    if not is_concealed(allocation):
        raise Refused("not-concealed", "This allocation is open: there is nothing to unblind.")
    with audit.action(
        "allocation.unblinded",
        actor=by,
        reason=reason,
        trial=allocation.trial_id,
        patient=allocation.patient_id,
    ):
        row = Unblinding.objects.create(
            allocation=allocation, reason=reason.strip(), unblinded_by=by
        )
        # A rule drafts once about a row: each unblinding is one of its own.
        deviations.draft_by_rule(
            row,
            rule="allocation-unblinded",
            text=f"The allocation was unblinded in an emergency: {reason.strip()}",
            values={"found": "unblinded", "expected": "concealed"},
            is_important=True,
        )
    return sequence_of(allocation)


def _require(patient: Patient, scheme: Stated, trial: Trial) -> None:
    if not scheme:
        raise Refused("not-randomised", "The protocol in force states no randomisation.")
    if Allocation.objects.filter(patient=patient).exists():
        raise Refused("allocated-already", f"{patient} is allocated already.")
    patients.require_participation(patient)
    patients.require_consent_stands(patient)
    enrolment = Enrolment.objects.filter(patient=patient).first()
    if enrolment is None or patient.state != Patient.State.ENROLLED:
        raise Refused("not-enrolled", f"{patient} is not enrolled: enrol before randomising.")
    if enrolment.is_despite_criteria:
        raise Refused(
            "not-eligible", f"{patient} was enrolled though not eligible and is not randomised."
        )
    cap = scheme.get("cap")
    if cap is not None and trial.allocations.count() >= cap:
        raise Refused("randomisation-full", f"All {cap} places of the randomisation are taken.")


def _next(trial: Trial, scheme: Stated, digest: str, stratum: str) -> int:
    """The next place of the stratum whose sequence has room; those passed over stay empty."""
    last = trial.allocations.filter(scheme_sha256=digest, stratum=stratum).aggregate(
        last=Max("position")
    )["last"]
    start = 0 if last is None else last + 1
    caps = randomisation.caps_of(scheme)
    if not caps:
        return start
    made = trial.allocations.select_related("trial", "version")
    position = randomisation.next_position(
        randomisation.seed(bytes(trial.uid_key), trial=trial.identifier, scheme=digest),
        stratum=stratum,
        start=start,
        ratios=[(one["identifier"], one.get("ratio", 1)) for one in scheme["sequences"]],
        full=randomisation.full(caps, Counter(sequence_of(one)["identifier"] for one in made)),
    )
    if position is None:
        raise Refused("sequences-full", "Every sequence has as many patients as its cap.")
    return position


def _seal(allocation: Allocation) -> str:
    return randomisation_list.seal(
        randomisation.seed(
            bytes(allocation.trial.uid_key),
            trial=allocation.trial.identifier,
            scheme=allocation.scheme_sha256,
        ),
        patient=allocation.patient.identifier,
        stratum=allocation.stratum,
        position=allocation.position,
        sequence=sequence_of(allocation)["identifier"],
    )


def _level(patient: Patient, stratum: Mapping[str, Any]) -> dict[str, Any]:
    if stratum["by"] == "site":
        return {"by": "site", "value": patient.site.code}
    name = stratum["variable"]
    newest = evidence.newest(patient, name)
    if newest is None or newest.value not in stratum["levels"]:
        raise Refused(
            "stratum-not-known",
            f"The stratum is by {name}, which is {newest.value if newest else 'not recorded'}: "
            f"expected is one of {', '.join(stratum['levels'])}.",
        )
    return {
        "by": "evidence",
        "variable": name,
        "value": newest.value,
        "evidence": newest.pk,
        "observed_at": newest.observed_at,
        "recorded_at": newest.recorded_at.isoformat(),
        "source": newest.source,
    }
