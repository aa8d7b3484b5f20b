"""How a patient's screening ended, and what a monitor verified of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from trials.models.conduct import Signature
from trials.models.form import ItemValue
from trials.models.patient import Consent, EligibilityAssessment, Patient
from trials.models.scan import ScheduledScan
from trials.models.scope import ScopedModel
from trials.models.trial import Cohort, EligibilityCriterion


class Enrolment(ScopedModel):
    """The enrolment of a patient, with everything it rests on."""

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="enrolment")
    assessment = models.ForeignKey(
        EligibilityAssessment, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    signature = models.ForeignKey(
        Signature, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    consent = models.ForeignKey(
        Consent, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    cohort = models.ForeignKey(
        Cohort, on_delete=models.PROTECT, null=True, blank=True, related_name="enrolments"
    )
    # Enrolled on paper though not eligible: an important deviation, never a waiver.
    is_despite_criteria = models.BooleanField(default=False)
    enrolled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    enrolled_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-enrolled_at", "-pk"]

    def __str__(self) -> str:
        return f"enrolment of {self.patient}"


class ScreenFailure(ScopedModel):
    """Why a screening ended without enrolment."""

    class Category(models.TextChoices):
        CRITERIA = "criteria", "Eligibility criteria not satisfied"
        DECLINED = "declined", "Patient declined"
        CLINICIAN = "clinician", "Decision of the physician"
        LOST = "lost", "Lost to contact"
        TIME = "time", "Screening period over"
        CLOSED = "closed", "Cohort or site closed"
        OTHER = "other"

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="screen_failure")
    category = models.CharField(max_length=10, choices=Category)
    # Identifiers of the criteria that exclude, or that could not be told, as last assessed.
    criteria = models.JSONField(default=list)
    text = models.TextField(blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    ended_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-ended_at", "-pk"]

    def __str__(self) -> str:
        return f"screen failure of {self.patient}"


class Withdrawal(ScopedModel):
    """A patient's leaving, and how far it reaches; a later one may only reach further."""

    class Extent(models.TextChoices):
        SCANS = "scans", "No more scans; what was collected is used"
        USE = "use", "No more use of what was collected"
        DESTROY = "destroy", "No more use, and the images are destroyed"

    class Initiative(models.TextChoices):
        PATIENT = "patient"
        INVESTIGATOR = "investigator"
        SPONSOR = "sponsor"

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="withdrawals")
    extent = models.CharField(max_length=10, choices=Extent)
    initiative = models.CharField(max_length=15, choices=Initiative)
    # A date, or a date and time with zone, as far as the source tells.
    withdrawn_at = models.CharField(max_length=32)
    text = models.TextField()
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["patient", "-pk"]

    def __str__(self) -> str:
        return f"withdrawal of {self.patient}"


class SourceVerification(ScopedModel):
    """A monitor compared the evidence of one criterion, or one value of a form, with its source.

    The mark stands as long as the evidence, or the value, has the digest it had then.
    """

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="verifications")
    criterion = models.ForeignKey(
        EligibilityCriterion, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    item_value = models.ForeignKey(
        ItemValue, on_delete=models.PROTECT, null=True, blank=True, related_name="verifications"
    )
    scheduled_scan = models.ForeignKey(
        ScheduledScan, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    evidence_sha256 = models.CharField(max_length=64)
    note = models.TextField(blank=True)
    verified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    verified_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["patient", "-verified_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="verified_criterion_or_value",
                condition=Q(criterion__isnull=False, item_value__isnull=True)
                | Q(criterion__isnull=True, item_value__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.criterion or self.item_value} of {self.patient} verified"
