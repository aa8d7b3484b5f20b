"""The patient, the consent, the dated evidence, and what was concluded from it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTransform
from django.utils import timezone

from trials.models.scope import ScopedModel
from trials.models.trial import EligibilityCriterion, ProtocolVersion, Site, Trial
from trials.variables import FROM_READS


class Patient(ScopedModel):
    """A person screened for a trial, known here by a number alone."""

    class State(models.TextChoices):
        SCREENING = "screening"
        ENROLLED = "enrolled"
        SCREEN_FAILED = "screen_failed", "Screen failed"
        WITHDRAWN = "withdrawn"

    class Sex(models.TextChoices):
        FEMALE = "F", "Female"
        MALE = "M", "Male"
        UNKNOWN = "U", "Unknown"

    trial_path = "trial_id"
    site_path = "site_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="patients")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="patients")
    # What the patient is called: the screening number until enrolment, then the patient number.
    identifier = models.CharField(max_length=40)
    screening_number = models.CharField(max_length=40)
    # Counts the screenings of the site; patient numbers count enrolments.
    number = models.PositiveIntegerField()
    rescreening_of = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="rescreened_as"
    )
    sex_at_birth = models.CharField(max_length=1, choices=Sex)
    # As precise as the site may tell: 1961, 1961-04 or 1961-04-23.
    birth = models.CharField(max_length=10)
    # When sex or date of birth was corrected last: what was concluded before rests on others.
    described_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.SCREENING)
    # One offset for every date in this patient's images. Kept here, out of exports.
    date_shift_days = models.IntegerField()
    registered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["identifier"]
        constraints = [
            models.UniqueConstraint(name="patient_identifier_once", fields=["trial", "identifier"]),
            models.UniqueConstraint(
                name="patient_screening_number_once", fields=["trial", "screening_number"]
            ),
            models.UniqueConstraint(name="patient_number_once", fields=["site", "number"]),
            models.CheckConstraint(
                name="patient_birth_is_a_date",
                condition=Q(birth__regex=r"^\d{4}(-\d{2}(-\d{2})?)?$"),
            ),
        ]

    def __str__(self) -> str:
        return self.identifier


class Consent(ScopedModel):
    """A signed consent; withdrawal closes it and is never taken back by editing."""

    class Signatory(models.TextChoices):
        PATIENT = "patient"
        REPRESENTATIVE = "representative", "Legal representative"
        WITNESSED = "witnessed", "Patient, before an impartial witness"

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="consents")
    version = models.CharField(max_length=40)
    language = models.CharField(max_length=10)
    # A date, or a date and time with zone: ISO 8601 as far as the paper tells.
    signed_at = models.CharField(max_length=32)
    signatory = models.CharField(max_length=20, choices=Signatory, default=Signatory.PATIENT)
    # Who explained it, by name; the account if it is one of the delegated persons.
    obtained_by = models.CharField(max_length=120)
    obtained_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Optional consents by name (biobank, image sharing, second scan): given, refused.
    options = models.JSONField(default=dict)
    copy_given = models.BooleanField(null=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["patient", "pk"]

    def __str__(self) -> str:
        return f"consent {self.version} of {self.patient}"


class Evidence(ScopedModel):
    """One dated fact about a patient, from a named source, that criteria are judged on."""

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="evidence")
    scheduled_scan = models.ForeignKey(
        "trials.ScheduledScan",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="evidence",
    )
    variable = models.CharField(max_length=60)
    value = models.JSONField()
    unit = models.CharField(max_length=30, blank=True)
    # ISO 8601, as precise as the source: 2026, 2026-03, 2026-03-02, 2026-03-02T08:15+01:00.
    observed_at = models.CharField(max_length=32)
    # Study-specific procedures need consent first; standard of care does not.
    is_study_specific = models.BooleanField(default=False)
    source = models.CharField(max_length=200)
    # What else belongs to the value: specimen, method, reference range, criteria set.
    details = models.JSONField(default=dict)
    # The result of a signed read that it tells; what a person recorded has none.
    finding = models.ForeignKey(
        "trials.Finding", on_delete=models.PROTECT, null=True, blank=True, related_name="evidence"
    )
    # The answer of a form that it tells, corrected there and nowhere else.
    item_value = models.ForeignKey(
        "trials.ItemValue", on_delete=models.PROTECT, null=True, blank=True, related_name="evidence"
    )
    # That the form says nothing any more: it ends what stood before, and no criterion reads it.
    is_void = models.BooleanField(default=False)
    superseded_by = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="supersedes",
    )
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["patient", "variable", "pk"]
        verbose_name_plural = "evidence"
        indexes = [models.Index(fields=["patient", "variable"])]

    def __str__(self) -> str:
        return f"{self.variable} of {self.patient}"

    @property
    def is_told(self) -> bool:
        """Whether a signed read or a form tells it, so that nobody corrects it by hand."""
        return self.variable in FROM_READS or self.item_value_id is not None


class EligibilityAssessment(ScopedModel):
    """One judgement of a gate, with the evidence it was made on. Never edited."""

    class Verdict(models.TextChoices):
        ELIGIBLE = "eligible"
        INELIGIBLE = "ineligible", "Not eligible"
        NOT_EVALUABLE = "not_evaluable", "Cannot tell yet"

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="assessments")
    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT)
    scheduled_scan = models.ForeignKey(
        "trials.ScheduledScan",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="assessments",
    )
    gate = models.CharField(max_length=20, choices=EligibilityCriterion.Gate)
    verdict = models.CharField(max_length=20, choices=Verdict)
    assessed_at = models.DateTimeField()
    assessed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    software_version = models.CharField(max_length=40)
    # The engine's own name and version, and all it looked at, so that it can be replayed.
    engine = models.CharField(max_length=40, blank=True)
    inputs = models.JSONField(default=dict)
    inputs_sha256 = models.CharField(max_length=64, blank=True)
    # The times that windows were counted from, out of the inputs, for lists of many patients.
    anchors = models.GeneratedField(
        expression=KeyTransform("anchors", KeyTransform("record", "inputs")),
        output_field=models.JSONField(null=True),
        db_persist=True,
    )

    class Meta:
        ordering = ["patient", "-assessed_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_gate_display()} of {self.patient}: {self.verdict}"


class CriterionResult(ScopedModel):
    """What one criterion came to in one assessment, and why."""

    class Outcome(models.TextChoices):
        MET = "met"
        NOT_MET = "not_met", "Not met"
        NOT_EVALUABLE = "not_evaluable", "Not evaluable"
        NOT_APPLICABLE = "not_applicable", "Not applicable"

    trial_path = "assessment__patient__trial_id"
    site_path = "assessment__patient__site_id"

    assessment = models.ForeignKey(
        EligibilityAssessment, on_delete=models.PROTECT, related_name="results"
    )
    criterion = models.ForeignKey(EligibilityCriterion, on_delete=models.PROTECT)
    outcome = models.CharField(max_length=20, choices=Outcome)
    # The user's word: satisfied, excludes, cannot tell, not applicable.
    word = models.CharField(max_length=20)
    reason = models.TextField()
    is_provisional = models.BooleanField(default=False)
    evidence = models.ManyToManyField(Evidence, blank=True)
    # What the engine used, as it saw it: value, unit, anchor, window, formula.
    workings = models.JSONField(default=dict)

    class Meta:
        ordering = ["assessment", "criterion__position"]
        constraints = [
            models.UniqueConstraint(name="result_once", fields=["assessment", "criterion"])
        ]

    def __str__(self) -> str:
        return f"{self.criterion.identifier}: {self.word}"
