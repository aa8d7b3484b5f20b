"""The simulated screening: every course of the cohort, act by act, through the services."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from django.utils import timezone

from config.demo import screening
from config.demo.accounts import DEMO_TRIAL, PASSWORD, user_of
from config.demo.narration import Narration, heading, table
from config.demo.screening import Person
from trials.models import EligibilityAssessment, Patient, Site, Trial, User
from trials.roles import Role
from trials.selectors import board as selectors
from trials.services import (
    amendments,
    assessments,
    consents,
    enrolment,
    evidence,
    patients,
    protocols,
    replays,
    sites,
    verdicts,
    verification,
    visits,
    withdrawals,
)
from trials.services.errors import Refused

ENROLLED = {"enrolled", "withdrawn"}
SIGNED = ENROLLED | {"signed", "changed since"}
EXTENTS = ("scans", "use", "destroy")


def build(narration: Narration) -> None:
    """Screen everybody; then a monitor verifies, and one site gets a newer consent form."""
    trial = Trial.objects.get(identifier=DEMO_TRIAL)
    by_code = {site.code: site for site in trial.sites.select_related("trial")}
    extents = iter(EXTENTS)
    with narration.step("Screening: an invented cohort at three sites"):
        if by_code["103"].patients.exists():
            narration.say("was screened before")
            return
        for person in screening.people(timezone.localdate()):
            _Course(person, by_code[person.site]).go(lambda: next(extents))
        _verify(trial)
        _renew_consent(by_code["103"])
        counts = Counter(Patient.objects.filter(trial=trial).values_list("state", flat=True))
        narration.say(", ".join(f"{number} {state}" for state, number in sorted(counts.items())))


class _Course:
    """One person's way, as the people of the site go it with them."""

    def __init__(self, person: Person, site: Site) -> None:
        self.person, self.site = person, site
        self.coordinator = user_of(Role.COORDINATOR, site.code)
        self.leader = user_of(Role.INVESTIGATOR, site.code)

    def go(self, extent: Callable[[], str]) -> None:
        course = self.person.course
        patient = self._registered()
        if course == "consent only":
            return
        self._collect(patient, self.person.facts)
        self._came(patient)
        made = self._assessed(patient)
        if course in SIGNED:
            self._sign(made)
        if course in ENROLLED and not self._enrolled(patient):
            return
        if course == "withdrawn":
            self._withdraw(patient, extent())
        elif course == "changed since":
            self._correct(patient)
        elif course == "despite":
            self._despite(patient)
        elif course in {"screen failed", "screened again"}:
            self._fail(patient)

    def _registered(self) -> Patient:
        patient = patients.register(
            self.site,
            sex_at_birth=self.person.sex_at_birth,
            birth=self.person.birth,
            by=self.coordinator,
        )
        self._consent(patient)
        return patient

    def _consent(self, patient: Patient) -> None:
        consents.record(
            patient,
            version="1.0",
            language="en",
            signed_at=(timezone.localdate() - timedelta(days=2)).isoformat(),
            signatory="patient",
            obtained_by="",
            obtained_by_user=self.leader,
            copy_given=True,
            by=self.coordinator,
        )

    def _collect(self, patient: Patient, facts: dict) -> None:
        observed = (timezone.localdate() - timedelta(days=1)).isoformat()
        for variable, (value, unit) in facts.items():
            evidence.record(
                patient,
                variable=variable,
                value=value,
                unit=unit,
                observed_at=observed,
                is_study_specific=False,
                source=SOURCES.get(variable, "investigator's note"),
                by=self.coordinator,
            )

    def _came(self, patient: Patient) -> None:
        """The screening visit took place when consent was given; at one site it is still to do."""
        if self.site.code == "102":
            return
        visits.record(
            patient,
            visit=self.site.version_in_force.planned_visits.get(identifier="SCREEN"),
            took_place_at=patient.consents.get().signed_at,
            performed_by=str(self.leader),
            by=self.coordinator,
        )

    def _assessed(self, patient: Patient) -> EligibilityAssessment:
        return assessments.assess(patient, gate="enrolment", by=self.coordinator)

    def _sign(self, made: EligibilityAssessment) -> None:
        verdicts.sign(made, by=self.leader, password=PASSWORD)

    def _enrolled(self, patient: Patient) -> bool:
        """Whether there was room: the smaller cohort fills up, and says so."""
        try:
            enrolment.enrol(patient, cohort=self.person.cohort, by=self.coordinator)
        except Refused as refusal:
            if refusal.code != "cohort-full":
                raise
            return False
        patient.refresh_from_db()
        return True

    def _withdraw(self, patient: Patient, extent: str) -> None:
        withdrawals.record(
            patient,
            extent=extent,
            initiative="patient",
            # Over the ocean it may still be yesterday.
            withdrawn_at=timezone.localdate(timezone=ZoneInfo(self.site.time_zone)).isoformat(),
            text="Moves abroad.",
            by=self.coordinator,
        )

    def _correct(self, patient: Patient) -> None:
        row = patient.evidence.get(variable="creatinine", superseded_by=None)
        evidence.correct(
            row,
            value=round(row.value + 0.1, 2),
            unit="mg/dL",
            observed_at=row.observed_at,
            source=row.source,
            reason="digit misread",
            by=self.coordinator,
        )

    def _despite(self, patient: Patient) -> None:
        enrolment.record_despite(
            patient,
            text="Enrolled on paper before the laboratory report arrived.",
            cohort=self.person.cohort,
            password=PASSWORD,
            by=self.leader,
        )

    def _fail(self, patient: Patient) -> None:
        criteria = ", ".join(enrolment.failing_criteria(patient))
        failed = enrolment.end_screening(
            patient, category="criteria", reason=f"not eligible: {criteria}", by=self.coordinator
        )
        if self.person.course != "screened again":
            return
        again = patients.rescreen(failed, reason="recovered", by=self.coordinator)
        self._consent(again)
        self._collect(again, self.person.facts | {"ecog": (1, "")})
        self._assessed(again)


SOURCES = {
    "creatinine": "laboratory report",
    "pregnancy_test": "laboratory report",
    "histology.confirmed": "pathology report",
    "diagnosis.group": "pathology report",
    "lesions.measurable_count": "CT report",
    "therapy.anticancer": "medication history",
}


def _verify(trial: Trial) -> None:
    """The monitor compares a third of the evidence with its source; one value changes after."""
    monitor = user_of(Role.MONITOR)
    seen = Patient.objects.visible_to(monitor, "eligibility.verify").filter(
        trial=trial, state=Patient.State.ENROLLED
    )
    verified = list(seen.select_related("trial", "site").order_by("pk")[:10])
    for patient in verified:
        cells = {cell.criterion: cell.digest for cell in selectors.judged(patient)}
        if cells:
            verification.verify(patient, seen=cells, note="source data", by=monitor)
    _change_after(verified[0], user_of(Role.COORDINATOR, verified[0].site.code))


def _change_after(patient: Patient, by: User) -> None:
    row = patient.evidence.filter(variable="creatinine", superseded_by=None).first()
    if row:
        evidence.correct(
            row,
            value=round(row.value + 0.05, 2),
            unit="mg/dL",
            observed_at=row.observed_at,
            source="laboratory report, corrected",
            reason="the laboratory corrected its report",
            by=by,
        )


def _renew_consent(site: Site) -> None:
    sites.record_consent_version(
        site,
        version="1.1",
        language="en",
        valid_from=timezone.localdate(),
        valid_until=None,
        requires_reconsent=True,
        by=user_of(Role.DATA_MANAGER),
    )


def report(amendment: Path, narration: Narration) -> int:
    """What the cohort came to, what the amendment would change, and the replay of it all.

    Gives how many assessments did not come to the same.
    """
    trial = Trial.objects.get(identifier=DEMO_TRIAL)
    _print_counts(trial)
    with narration.step("Amendment: tried on every patient"):
        _print_amendment(trial, amendment)
    with narration.step("Replay: every assessment judged again from its frozen inputs"):
        found = list(replays.of_trial(trial, by=user_of(Role.DATA_MANAGER)))
        different = [one for one in found if not one.is_same]
        narration.say(f"{len(found) - len(different)} the same, {len(different)} different")
    return len(different)


def _print_counts(trial: Trial) -> None:
    rows = Patient.objects.filter(trial=trial)
    print(heading(f"Screened: {rows.count()} at {trial.sites.count()} sites"))
    columns = [site.code for site in trial.sites.order_by("code")]
    states = [
        [label, *(rows.filter(site__code=code, state=value).count() for code in columns)]
        for value, label in Patient.State.choices
    ]
    verdicts_ = [
        [
            label,
            *(
                sum(
                    patient.verdict == value
                    for patient in _with_verdict(trial).filter(site__code=code)
                )
                for code in columns
            ),
        ]
        for value, label in EligibilityAssessment.Verdict.choices
    ]
    body = [[str(cell) for cell in row] for row in [*states, *verdicts_]]
    print(table(["", *columns], body))


def _with_verdict(trial: Trial):
    from trials.selectors.patients import with_standing

    return with_standing(Patient.objects.filter(trial=trial))


def _print_amendment(trial: Trial, file: Path) -> None:
    manager = user_of(Role.DATA_MANAGER)
    text = file.read_text(encoding="utf-8")
    if protocols.known(text) is None:
        protocols.load_trial(text, by=manager)
    version = trial.newest_version
    print(heading(f"If version {version.label} held today"))
    for site in trial.sites.order_by("code"):
        run = amendments.dry_run(version, site=site, by=manager)
        turned = [flip for flip in run.flips if flip.is_verdict_changed]
        print(
            f"site {site.code}: {len(turned)} verdicts change, {len(run.flips)} patients judged "
            f"otherwise, {run.unchanged} unchanged, {len(run.reconsent)} sign the new form"
        )
        for flip in turned:
            changes = "; ".join(
                f"{one.criterion} {one.before} → {one.after}" for one in flip.changes
            )
            print(f"  {flip.patient}: {flip.before} → {flip.after} ({changes})")
