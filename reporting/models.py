"""What leaves: exports with their manifest, and who took them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

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
