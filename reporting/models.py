"""What leaves: exports with their manifest, and who took them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from reporting.profiles import LABELS, Profile
from trials.models import EVERY_SITE, Patient, ScopedModel, Site, Trial, WholeTrialQuerySet


class Export(ScopedModel):
    """A set of datasets frozen at one moment, with codebook and manifest."""

    class State(models.TextChoices):
        REQUESTED = "requested"
        FROZEN = "frozen"
        FAILED = "failed"

    trial_path = "trial_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="exports")
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    reason = models.CharField(max_length=200)
    # Names of reporting.formats, besides CSV.
    formats = models.JSONField(default=list)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    requested_at = models.DateTimeField(default=timezone.now)
    # The moment the data are of: the database's clock inside the one transaction read.
    as_of = models.DateTimeField(null=True)
    # Last audit event included, so that the record as it stood can be found again.
    audit_event = models.BigIntegerField(null=True)
    # Of reporting.profiles: what of a person leaves.
    privacy = models.CharField(
        max_length=20,
        choices=[(one.value, label) for one, label in LABELS.items()],
        default=Profile.FULL.value,
    )
    manifest = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(null=True)
    job = models.BigIntegerField(null=True)
    message = models.TextField(blank=True)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]

    def __str__(self) -> str:
        return f"export {self.pk} of {self.trial}"

    def scope(self) -> tuple[int, int | None]:
        return self.trial_id, EVERY_SITE


class ExportDownload(models.Model):
    """An export's file handed to a user: who held the data of which patients, and since when."""

    export = models.ForeignKey(Export, on_delete=models.PROTECT, related_name="downloads")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["export", "-pk"]

    def __str__(self) -> str:
        return f"download of {self.export} by {self.by}"


class PrintedSheet(ScopedModel):
    """A sheet that somebody printed: of what, when, and the digests that tell its paper."""

    class Kind(models.TextChoices):
        SCAN_WORKSHEET = "scan_worksheet", "Scan-day worksheet"
        BOOKING_SHEET = "booking_sheet", "Booking sheet"
        SCREENING_LOG = "screening_log", "Screening log"
        PRE_VISIT_LIST = "pre_visit_list", "Pre-visit list"
        VISIT_REPORT = "visit_report", "Monitoring visit report"
        FOLLOW_UP_LETTER = "follow_up_letter", "Follow-up letter"

    trial_path = "trial_id"
    site_path = "site_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="printed_sheets")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="printed_sheets")
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, null=True, blank=True, related_name="printed_sheets"
    )
    kind = models.CharField(max_length=20, choices=Kind)
    # What it is about, as table and primary key.
    subject_table = models.CharField(max_length=63)
    subject_pk = models.BigIntegerField()
    # Counts the prints of one sheet, from 1; it stands on the paper.
    number = models.PositiveIntegerField()
    protocol_version = models.CharField(max_length=80)
    # Of what stands on the paper, whose first sixteen digits are on each page; and of the file.
    content_sha256 = models.CharField(max_length=64)
    pdf_sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    printed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    # The moment the data are of.
    printed_at = models.DateTimeField()

    class Meta:
        ordering = ["-printed_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="sheet_print_once", fields=["kind", "subject_table", "subject_pk", "number"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, print {self.number}"


class PopulationReview(ScopedModel):
    """A data review of one analysis population: a draft, then signed for good.

    Signed, it holds the rule and the facts it was decided on; what changes afterwards makes it
    overtaken, which is computed and never written here. A later review of the population
    supersedes it by being later.
    """

    class State(models.TextChoices):
        DRAFT = "draft"
        SIGNED = "signed"

    trial_path = "trial_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="population_reviews")
    # The population by its identifier in the trial file.
    population = models.CharField(max_length=8)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    # Counts up with each decision: who looked at an earlier one is told.
    version = models.PositiveIntegerField(default=1)
    # What it was signed on; empty in a draft. The facts are one of each patient, as JSON.
    definition = models.JSONField(default=dict)
    protocol_version = models.CharField(max_length=80, blank=True)
    inputs = models.JSONField(default=list)
    inputs_sha256 = models.CharField(max_length=64, blank=True)
    engine = models.CharField(max_length=40, blank=True)
    # Files of exports, which hold results, that the signer had taken before.
    exports_taken = models.PositiveIntegerField(default=0)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    opened_at = models.DateTimeField(default=timezone.now)
    signed_at = models.DateTimeField(null=True, blank=True)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["trial", "population", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="one_population_review_open",
                fields=["trial", "population"],
                condition=Q(state="draft"),
            ),
            models.CheckConstraint(
                name="signed_population_review_has_inputs",
                condition=Q(state="draft", signed_at=None, inputs_sha256="")
                | (Q(state="signed", signed_at__isnull=False) & ~Q(inputs_sha256="")),
            ),
        ]

    def __str__(self) -> str:
        return f"data review {self.pk} of {self.population} in {self.trial}"

    def scope(self) -> tuple[int, int | None]:
        return self.trial_id, EVERY_SITE


class PopulationDecision(ScopedModel):
    """What a person decided of one unit while a review was open, and why."""

    trial_path = "review__trial_id"
    patient_path = "patient"

    review = models.ForeignKey(PopulationReview, on_delete=models.PROTECT, related_name="decisions")
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, related_name="population_decisions"
    )
    # The planned scan by its identifier; empty where the unit is the patient.
    scan = models.CharField(max_length=40, blank=True)
    is_in = models.BooleanField()
    reason = models.CharField(max_length=400)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(default=timezone.now)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["review", "patient", "scan"]
        constraints = [
            models.UniqueConstraint(
                name="population_decided_once", fields=["review", "patient", "scan"]
            )
        ]

    def __str__(self) -> str:
        return f"decision about {self.patient} in {self.review}"

    def scope(self) -> tuple[int, int | None]:
        return self.review.trial_id, EVERY_SITE


class PopulationMember(ScopedModel):
    """One unit as a signed review left it: what the rule proposed and why, and what holds."""

    trial_path = "review__trial_id"
    patient_path = "patient"

    review = models.ForeignKey(PopulationReview, on_delete=models.PROTECT, related_name="members")
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, related_name="population_members"
    )
    scan = models.CharField(max_length=40, blank=True)
    proposed = models.BooleanField()
    # The reasons of the rule, as sentences.
    reasons = models.JSONField(default=list)
    is_in = models.BooleanField()
    # Why it was decided so; empty where the rule's proposal was taken as it was.
    reason = models.CharField(max_length=400, blank=True)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["review", "patient", "scan"]
        constraints = [
            models.UniqueConstraint(
                name="population_member_once", fields=["review", "patient", "scan"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.patient} in {self.review}"

    def scope(self) -> tuple[int, int | None]:
        return self.review.trial_id, EVERY_SITE
