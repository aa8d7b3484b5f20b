"""Data reviews: who is analysed is proposed by rules and decided by a person, blind, and signed.

The mistake to fear is a population that was chosen knowing the results: so who holds, or held, the
key to the allocation decides nothing here, and the facts that are shown say nothing of a result.
What is signed is frozen with its inputs; what changes later is named beside it, never in it.
"""

from __future__ import annotations

from django.utils import timezone

from reporting.models import (
    ExportDownload,
    PopulationDecision,
    PopulationMember,
    PopulationReview,
    ReportDownload,
)
from reporting.selectors import populations as selectors
from trials import permissions, populations
from trials.models import Membership, RandomisationListing, Signature, Trial, Unblinding, User
from trials.populations import PatientFact, Proposal, Unit, sentences
from trials.roles import Role
from trials.services import audit, signatures
from trials.services.errors import Invalid, Refused

State = PopulationReview.State
LONGEST_REASON = PopulationDecision._meta.get_field("reason").max_length


def begin(trial: Trial, *, population: str, by: User) -> PopulationReview:
    """Open a review of a population; there is one at a time."""
    row = PopulationReview(trial=trial, population=population, opened_by=by)
    permissions.require(by, "population.review", row)
    require_blind(trial, by=by)
    if selectors.rules_of(trial).named(population) is None:
        raise Invalid("population", f"This trial has no population {population}.")
    with audit.action(
        "population_review.opened", actor=by, reason=f"data review of {population}", trial=trial.pk
    ):
        # Two who begin at once wait for each other.
        Trial.objects.select_for_update(no_key=True).get(pk=trial.pk)
        held = PopulationReview.objects.filter(trial=trial, population=population)
        if held.filter(state=State.DRAFT).exists():
            raise Refused(
                "review-open", f"A review of {population} is open already: go on with that one."
            )
        row.save()
    return row


def decide(
    review: PopulationReview, unit: Unit, *, is_in: bool, reason: str, version: int, by: User
) -> PopulationReview:
    """Decide of one unit, with a reason; `version` is the one that was looked at."""
    permissions.require(by, "population.review", review)
    require_blind(review.trial, by=by)
    reason = reason.strip()
    audit.require_reason(reason)
    if len(reason) > LONGEST_REASON:
        raise Invalid("reason", f"{LONGEST_REASON} characters at most.")
    with audit.action(
        "population_review.decided",
        actor=by,
        reason=reason,
        trial=review.trial_id,
        patient=unit.patient,
    ):
        locked = _locked(review, version)
        _require_unit(locked, unit)
        PopulationDecision.objects.update_or_create(
            review=locked,
            patient_id=unit.patient,
            scan=unit.scan,
            defaults={
                "is_in": is_in,
                "reason": reason,
                "decided_by": by,
                "decided_at": timezone.now(),
            },
        )
        locked.version += 1
        locked.save(update_fields=["version"])
    return locked


def abandon(review: PopulationReview, *, reason: str, by: User) -> PopulationReview:
    """Give up an open review, with a reason: it decides nothing, and another can be opened.

    Only who is blind may: to give up decisions knowing the results would be to choose by them.
    """
    permissions.require(by, "population.review", review)
    require_blind(review.trial, by=by)
    reason = reason.strip()
    audit.require_reason(reason)
    if len(reason) > LONGEST_REASON:
        raise Invalid("reason", f"{LONGEST_REASON} characters at most.")
    with audit.action(
        "population_review.abandoned", actor=by, reason=reason, trial=review.trial_id
    ):
        locked = _open(review)
        locked.state = State.ABANDONED
        locked.abandoned_by, locked.abandoned_at = by, timezone.now()
        locked.abandoned_because = reason
        locked.save(update_fields=["state", "abandoned_by", "abandoned_at", "abandoned_because"])
    return locked


def sign(
    review: PopulationReview, *, inputs_sha256: str, version: int, password: str, by: User
) -> Signature:
    """Sign a review as it was shown: its decisions by `version`, the facts by their digest."""
    permissions.require(by, "population.review", review)
    require_blind(review.trial, by=by)
    with audit.action(
        "population_review.signed",
        actor=by,
        reason=Signature.Meaning.POPULATION.label,
        trial=review.trial_id,
    ):
        locked = _locked(review, version)
        rules, facts = selectors.rules_of(locked.trial), selectors.facts(locked.trial)
        if digest_of(facts, rules) != inputs_sha256:
            raise Refused(
                "record-changed",
                "The record or the rules changed after this page was opened: look again, "
                "then sign.",
            )
        _freeze(locked, rules, facts, by=by)
        return signatures.sign(
            locked,
            by=by,
            password=password,
            meaning=Signature.Meaning.POPULATION,
            content=selectors.content_of(locked),
        )


def digest_of(facts: list[PatientFact], rules: selectors.Rules) -> str:
    """SHA-256 of everything that the rules judge on, and of the rules."""
    return signatures.digest({"facts": facts, "rules": selectors.rules_json(rules)})


def require_blind(trial: Trial, *, by: User) -> None:
    """Raise unless nobody handed `by` what a review has to be blind to."""
    if why := seen_unblinded(trial, by):
        raise Refused(
            "not-blind", f"A data review is blind: {why}. Somebody else has to decide and sign."
        )


def seen_unblinded(trial: Trial, user: User) -> str:
    """Why `user` is not blind in a trial; empty if nothing on record says so."""
    held = Membership.objects.filter(user=user, trial=trial, role=Role.UNBLINDED_STATISTICIAN)
    if held.exists():
        return "you hold, or held, the role of unblinded statistician in this trial"
    if RandomisationListing.objects.filter(trial=trial, listed_by=user).exists():
        return "you were given the sealed list of this trial's randomisation"
    if Unblinding.objects.filter(allocation__trial=trial, unblinded_by=user).exists():
        return "you unblinded an allocation of this trial"
    taken = ExportDownload.objects.filter(export__trial=trial, by=user)
    if taken.filter(export__is_unblinded=True).exists():
        return "you took an unblinded export of this trial"
    shown = ReportDownload.objects.filter(trial=trial, by=user, export__is_unblinded=True)
    if shown.exists():
        return "you saw a report made from an unblinded export of this trial"
    return ""


def exports_taken(trial: Trial, user: User) -> int:
    """Files of exports and reports, which hold results, that `user` has taken of a trial."""
    exports = ExportDownload.objects.filter(export__trial=trial, by=user).count()
    return exports + ReportDownload.objects.filter(trial=trial, by=user).count()


def proposals(population: str, rules: selectors.Rules, facts: list[PatientFact]) -> list[Proposal]:
    """What the rule of a population proposes of every unit; Refused if there is no such rule."""
    rule = rules.named(population)
    if rule is None:
        raise Refused(
            "no-such-population",
            f"The newest version of the trial file has no population {population} any more.",
        )
    return list(populations.proposals(rule, facts, among=rules.populations, scans=rules.scans))


def _freeze(
    review: PopulationReview, rules: selectors.Rules, facts: list[PatientFact], *, by: User
) -> None:
    decided = {Unit(one.patient_id, one.scan): one for one in review.decisions.all()}
    rule = rules.named(review.population)
    members = []
    for one in proposals(review.population, rules, facts):
        decision = decided.get(one.unit)
        members.append(
            PopulationMember(
                review=review,
                patient_id=one.unit.patient,
                scan=one.unit.scan,
                proposed=one.is_in,
                reasons=sentences(one.reasons),
                is_in=decision.is_in if decision else one.is_in,
                reason=decision.reason if decision else "",
            )
        )
    PopulationMember.objects.bulk_create(members, batch_size=1000)
    review.state, review.signed_at = State.SIGNED, timezone.now()
    review.definition = {"population": rule.to_json(), "rules": selectors.rules_json(rules)}
    review.protocol_version, review.engine = rules.version, populations.ENGINE
    review.inputs, review.inputs_sha256 = facts, digest_of(facts, rules)
    review.exports_taken = exports_taken(review.trial, by)
    review.save()
    review.refresh_from_db()


def _require_unit(review: PopulationReview, unit: Unit) -> None:
    rules = selectors.rules_of(review.trial)
    facts = selectors.facts(review.trial, of=unit.patient)
    if unit not in {one.unit for one in proposals(review.population, rules, facts)}:
        raise Invalid("patient", f"That is no unit of {review.population}.")


def _open(review: PopulationReview) -> PopulationReview:
    """A review, locked, that is still a draft."""
    rows = PopulationReview.objects.select_related("trial").select_for_update(of=("self",))
    locked = rows.get(pk=review.pk)
    if locked.state == State.SIGNED:
        raise Refused(
            "signed-already", "This review is signed: open a new one, which takes its place."
        )
    if locked.state == State.ABANDONED:
        raise Refused("abandoned", "This review was abandoned: open a new one.")
    return locked


def _locked(review: PopulationReview, version: int) -> PopulationReview:
    locked = _open(review)
    if locked.version != version:
        raise Refused(
            "changed-meanwhile", "Somebody decided of a unit of this review meanwhile: look again."
        )
    return locked
