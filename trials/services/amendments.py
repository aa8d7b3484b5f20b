"""Amendments: what a new protocol version would change at a site, and letting it hold there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

from django.utils import timezone

from trials import eligibility, permissions
from trials.eligibility import Judgement
from trials.models import (
    EligibilityCriterion,
    Patient,
    ProtocolActivation,
    ProtocolVersion,
    Site,
    Trial,
    User,
)
from trials.services import assessments, audit, consents, own_dates, read_evidence
from trials.services.errors import Invalid, Refused

CONCERNED = (Patient.State.SCREENING, Patient.State.ENROLLED)


@dataclass(frozen=True)
class Change:
    """What one criterion comes to under the one version and under the other."""

    criterion: str
    text: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True)
class Flip:
    """A patient judged otherwise by the new version, and by which criteria."""

    patient: Patient
    before: str
    after: str
    changes: tuple[Change, ...]

    @property
    def is_verdict_changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class DryRun:
    """What would change if a version held at a site today. Nothing is kept of it."""

    version: ProtocolVersion
    site: Site
    flips: tuple[Flip, ...]
    unchanged: int
    # Who signed none of the consent forms that the version asks everybody to sign.
    reconsent: tuple[Patient, ...]
    # Criteria of the scan day that differ: nobody can be judged by them before that day.
    scan_day: tuple[tuple[EligibilityCriterion, str], ...]


def dry_run(version: ProtocolVersion, *, site: Site, by: User) -> DryRun:
    """Judge every patient in the trial at a site by both versions, on the evidence of today."""
    permissions.require(by, "version.activate", site)
    _require_same_trial(version, site)
    current = site.version_in_force
    if current is None:
        raise Refused("no-version-in-force", f"No version is in force at {site} to compare with.")
    patients = list(
        Patient.objects.filter(site=site, state__in=CONCERNED)
        .select_related("trial", "site")
        .prefetch_related("evidence", "consents")
        .order_by("identifier")
    )
    sides = [_side(current), _side(version)]
    now = timezone.now()
    doubted = assessments.doubted_at(site)
    dates = own_dates.taken(patients, chain(*sides), now=now)
    flips, unchanged = [], 0
    for patient in patients:
        record = assessments.record_of(
            patient, None, now=now, doubted=doubted, dates=dates.get(patient.pk, {})
        )
        before, after = (eligibility.judge_all(criteria, record) for criteria in sides)
        flip = _flip(patient, before, after, sides)
        if flip:
            flips.append(flip)
        else:
            unchanged += 1
    return DryRun(
        version=version,
        site=site,
        flips=tuple(flips),
        unchanged=unchanged,
        reconsent=tuple(_to_reconsent(version, site, patients)),
        scan_day=tuple(_scan_day_changes(current, version)),
    )


def activate(
    version: ProtocolVersion,
    *,
    site: Site,
    effective_on: date,
    reference: str,
    by: User,
) -> ProtocolActivation:
    """Let a version hold at a site from a day, on an approval.

    Said again of a version whose day has not come, it gives another day.
    """
    permissions.require(by, "version.activate", site)
    _require_same_trial(version, site)
    if not reference.strip():
        raise Invalid("reference", "Name the approval it rests on, as the site files it.")
    with audit.action("version.activated", actor=by, reason=reference, trial=site.trial_id):
        Site.objects.select_for_update().get(pk=site.pk)
        row = to_begin(site, version) or ProtocolActivation(site=site, version=version)
        _require_between(row, effective_on)
        row.effective_on, row.reference = effective_on, reference.strip()
        row.activated_by = by
        row.save()
        # Its criteria may ask for what readers found before.
        read_evidence.tell_all(site)
        return row


def to_begin(site: Site, version: ProtocolVersion) -> ProtocolActivation | None:
    """The activation of a version whose day has not come: nothing was judged by it yet."""
    later = site.activations.filter(version=version, effective_on__gt=site.today())
    return later.order_by("-effective_on", "-pk").first()


def _require_between(row: ProtocolActivation, effective_on: date) -> None:
    """Raise where what the site follows or will follow leaves the version no such day."""
    site, version = row.site, row.version
    others = site.activations.exclude(pk=row.pk).select_related("version")
    newer = others.filter(version__number__gt=version.number).order_by("effective_on", "pk").first()
    if newer and row.pk is None:
        raise Refused(
            "older-version",
            f"{site} went on to {newer.version}: an earlier version never holds again. "
            "What it said comes back as a version of its own.",
        )
    if others.filter(version=version).exists():
        raise Refused("in-force-already", f"{version} is the last one activated at {site}.")
    if newer and effective_on > newer.effective_on:
        text = f"{newer.version} holds from {newer.effective_on}: give an earlier day."
        raise Invalid("effective_on", text)
    older = others.filter(version__number__lt=version.number).order_by("-effective_on").first()
    if older and effective_on < older.effective_on:
        raise Invalid(
            "effective_on",
            f"{older.version} holds from {older.effective_on}: give a later day, or give that one "
            "another day first if it has not come.",
        )


def pending(trial: Trial) -> list[tuple[ProtocolVersion, list[Site]]]:
    """Versions newer than what a site was told to follow, with the sites that were not told."""
    sites = list(trial.sites.prefetch_related("activations__version"))
    numbers = {site.pk: _newest_activated(site) for site in sites}
    found = [
        (version, [site for site in sites if numbers[site.pk] < version.number])
        for version in trial.versions.order_by("number")
    ]
    return [(version, behind) for version, behind in found if behind]


def _newest_activated(site: Site) -> int:
    """The number of the newest version activated at a site, if only for a day to come."""
    return max((one.version.number for one in site.activations.all()), default=0)


def _require_same_trial(version: ProtocolVersion, site: Site) -> None:
    if version.trial_id != site.trial_id:
        raise Invalid("version", f"{version} is no version of {site.trial}.")


def _scan_day_changes(
    current: ProtocolVersion, version: ProtocolVersion
) -> Iterator[tuple[EligibilityCriterion, str]]:
    """Criteria of the scan day that are new, gone or worded otherwise, with which it is."""
    before, after = (
        {one.identifier: one for one in side.criteria.filter(gate__in=assessments.SCAN_GATES)}
        for side in (current, version)
    )
    for name, one in after.items():
        if name not in before:
            yield one, "new"
        elif _asks(one) != _asks(before[name]):
            yield one, "changed"
    yield from ((one, "dropped") for name, one in before.items() if name not in after)


def _asks(row: EligibilityCriterion) -> tuple:
    return row.gate, row.category, row.text, row.expression, row.applies_to


def _side(version: ProtocolVersion) -> list[eligibility.Criterion]:
    return assessments.criteria_of(version, EligibilityCriterion.Gate.ENROLMENT)


def _flip(
    patient: Patient,
    before: dict[str, Judgement],
    after: dict[str, Judgement],
    sides: Sequence[Sequence[eligibility.Criterion]],
) -> Flip | None:
    texts = {one.identifier: one.text for side in sides for one in side}
    changes = tuple(
        Change(
            criterion=name,
            text=texts[name],
            before=before[name].word if name in before else "not in this version",
            after=after[name].word if name in after else "not in this version",
            reason=after[name].reason if name in after else "",
        )
        for name in texts
        if _word(before, name) != _word(after, name)
    )
    verdicts = eligibility.verdict(before.values()), eligibility.verdict(after.values())
    if not changes and verdicts[0] == verdicts[1]:
        return None
    return Flip(patient, *verdicts, changes)


def _word(judged: dict[str, Judgement], name: str) -> str:
    return judged[name].word if name in judged else ""


def _to_reconsent(
    version: ProtocolVersion, site: Site, patients: Iterable[Patient]
) -> Iterator[Patient]:
    """Who signed no form that the version asks all to sign, or else the site, from any day on."""
    asked = {
        one["version"]
        for one in version.definition.get("consent_versions", ())
        if one.get("requires_reconsent")
    }
    asked = asked or {one.version for one in consents.asked_again(site, on=date.max)}
    if not asked:
        return
    for patient in patients:
        signed = {one.version for one in patient.consents.all() if one.withdrawn_at is None}
        if signed and not signed & asked:
            yield patient
