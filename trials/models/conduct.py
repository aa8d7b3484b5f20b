"""The conduct of a trial at its sites: what was approved, who may what, which version holds."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from trials.models.patient import Patient
from trials.models.scope import ScopedModel
from trials.models.trial import ProtocolVersion, Site, Trial


class ProtocolActivation(ScopedModel):
    """From which day a protocol version holds at a site, and on whose approval."""

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="activations")
    version = models.ForeignKey(
        ProtocolVersion, on_delete=models.PROTECT, related_name="activations"
    )
    effective_on = models.DateField()
    # The approval it rests on, as the site files it.
    reference = models.CharField(max_length=200, blank=True)
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    activated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["site", "-effective_on", "-pk"]

    def __str__(self) -> str:
        return f"{self.version} at {self.site} from {self.effective_on}"


class SiteApproval(ScopedModel):
    """One of the things a site needs before it may enrol, with its document and dates."""

    class Kind(models.TextChoices):
        ETHICS = "ethics", "Approval of the ethics committee"
        AUTHORITY = "authority", "Approval of the authority"
        RADIATION_PROTECTION = "radiation_protection", "Radiation protection"
        CONTRACT = "contract", "Contract"
        INITIATION_VISIT = "initiation_visit", "Initiation visit"
        SCANNER = "scanner", "Scanner qualified for a tracer"

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="approvals")
    kind = models.CharField(max_length=30, choices=Kind)
    # The tracer a scanner is qualified for, by its identifier; empty for the other kinds.
    tracer = models.CharField(max_length=40, blank=True)
    reference = models.CharField(max_length=200)
    granted_on = models.DateField()
    expires_on = models.DateField(null=True, blank=True)
    # An entry made in error, or an approval taken back, ends; it is never edited.
    ended_on = models.DateField(null=True, blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["site", "kind", "tracer", "-granted_on", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="approval_scanner_names_tracer",
                condition=Q(kind="scanner") & ~Q(tracer="") | ~Q(kind="scanner") & Q(tracer=""),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.site}"


class ConsentVersion(ScopedModel):
    """A version of the consent form approved for use at a site, in one language."""

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="consent_versions")
    version = models.CharField(max_length=40)
    language = models.CharField(max_length=10)
    valid_from = models.DateField()
    valid_until = models.DateField(null=True, blank=True)
    # Whether patients who signed an earlier version have to sign this one.
    requires_reconsent = models.BooleanField(default=False)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["site", "-valid_from", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="consent_version_once", fields=["site", "version", "language"]
            )
        ]

    def __str__(self) -> str:
        return f"consent form {self.version} ({self.language}) at {self.site}"


class Signature(ScopedModel):
    """An electronic signature: who, when, what it means, and the digest of what was signed."""

    class Meaning(models.TextChoices):
        ELIGIBILITY = "eligibility", "I have reviewed the evidence and confirm this verdict"
        DELEGATION = "delegation", "I delegate this duty and answer for it"
        DEVIATION = "deviation", "I know of this deviation and answer for it"
        READ = "read", "I have read these images and confirm these findings"
        ADJUDICATION = "adjudication", "I have compared these reads and settle what they differ in"
        FORM = "form", "I have reviewed this form and answer for what it says"
        MONITORING = "monitoring", "I held this monitoring visit and answer for this report"
        POPULATION = "population", "I reviewed these data blind and decide who is analysed"
        ACCOUNTABILITY = (
            "accountability",
            "I compared this tracer accountability with its sources and answer for the review",
        )

    trial_path = "trial_id"
    site_path = "site_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="signatures")
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, related_name="signatures"
    )
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, null=True, blank=True, related_name="signatures"
    )
    subject_table = models.CharField(max_length=63)
    subject_pk = models.BigIntegerField()
    meaning = models.CharField(max_length=20, choices=Meaning)
    # The name as printed at the time, so that a signature reads alone.
    signer_name = models.CharField(max_length=200)
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="signatures"
    )
    signed_at = models.DateTimeField(default=timezone.now)
    content = models.JSONField()
    content_sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["-signed_at", "-pk"]
        indexes = [models.Index(fields=["subject_table", "subject_pk"], name="signature_of")]

    def __str__(self) -> str:
        return f"signature of {self.signer_name}, {self.signed_at:%Y-%m-%d}"


class Delegation(ScopedModel):
    """A duty that the principal investigator gave to a person at a site, from a day until a day."""

    class Duty(models.TextChoices):
        CONSENT = "consent", "Obtain consent"
        ASSESS = "assess", "Assess eligibility"
        SIGN = "sign", "Sign eligibility"
        ENROL = "enrol", "Enrol patients"
        INJECT = "inject", "Inject tracers"
        RECORD = "record", "Fill in case report forms"

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="delegations")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations"
    )
    duty = models.CharField(max_length=10, choices=Duty)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    signature = models.OneToOneField(
        Signature, on_delete=models.PROTECT, null=True, blank=True, related_name="delegation"
    )

    class Meta:
        ordering = ["site", "user", "duty", "-starts_on", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="delegation_ends_after_start",
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_duty_display()}: {self.user} at {self.site}"


class ConflictSettlement(ScopedModel):
    """Which of several contradicting readings of the sources a data manager decided for."""

    trial_path = "trial_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="settlements")
    # "phase" for a statement, "E2+I4" for criteria: their identifiers in order.
    conflict = models.CharField(max_length=120)
    # The text, or the identifier of the criterion, that holds.
    choice = models.TextField()
    basis = models.TextField()
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    settled_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["trial", "conflict", "-settled_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.conflict} of {self.trial}: {self.choice[:40]}"


class CohortClosure(ScopedModel):
    """A cohort that takes no more patients, from when and why; reopened, it takes them again."""

    trial_path = "trial_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="cohort_closures")
    cohort = models.CharField(max_length=40)
    closed_at = models.DateTimeField(default=timezone.now)
    reopened_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["trial", "cohort", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="cohort_closed_once",
                fields=["trial", "cohort"],
                condition=Q(reopened_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.cohort} of {self.trial} closed"
