"""What arrives: transmittals and their files, from receipt to a verdict."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from trials.models import ScheduledScan, ScopedModel, Site


class Transmittal(ScopedModel):
    """The image files a site sent at one time, and how far they have come.

    They are of one scheduled scan. Who sends from a scanner or archive names the site alone:
    then a person says which scan it is, and until then nothing goes on.
    """

    class Source(models.TextChoices):
        BROWSER = "browser"
        STOW = "stow", "DICOMweb STOW-RS"
        STORE = "store", "DICOM C-STORE"
        FOLDER = "folder", "folder on the server"

    class State(models.TextChoices):
        RECEIVING = "receiving"
        RECEIVED = "received"
        INSPECTED = "inspected"
        QUARANTINED = "quarantined", "Quarantined, a person decides"
        REJECTED = "rejected"
        RELEASED = "released"
        ASSEMBLED = "assembled"
        QUANTIFIED = "quantified"

    trial_path = "site__trial_id"
    site_path = "site_id"
    patient_path = "scheduled_scan__patient"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="transmittals")
    scheduled_scan = models.ForeignKey(
        ScheduledScan, on_delete=models.PROTECT, related_name="transmittals", null=True, blank=True
    )
    source = models.CharField(max_length=10, choices=Source, default=Source.BROWSER)
    # Who sent it, in the words of the way it came: the calling AE title of a scanner.
    sender = models.CharField(max_length=64, blank=True)
    # Whoever sent it says that its identities and dates were taken out before.
    is_deidentified_at_source = models.BooleanField(default=False)
    # What the headers say against the record, fact by fact: agrees, differs, not checkable.
    identity = models.JSONField(default=list)
    state = models.CharField(max_length=15, choices=State, default=State.RECEIVING)
    # Why it stands where it stands, for a person to act on: a code and a sentence.
    code = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    opened_at = models.DateTimeField(default=timezone.now)
    completed_at = models.DateTimeField(null=True, blank=True)
    # Since when it is in its state: what stays too long in one is told of.
    moved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-opened_at", "-pk"]

    def __str__(self) -> str:
        return f"transmittal {self.pk} for {self.scheduled_scan or self.site}"


class ReceivedFile(ScopedModel):
    """One file of a transmittal, known by its digest; its name is never kept.

    File names carry patient names. The sender still has them, and finds a file by digest.
    """

    class State(models.TextChoices):
        RECEIVED = "received"
        ACCEPTED = "accepted"
        QUARANTINED = "quarantined"
        REJECTED = "rejected"
        RELEASED = "released"
        UNPACKED = "unpacked"

    trial_path = "transmittal__site__trial_id"
    site_path = "transmittal__site_id"
    patient_path = "transmittal__scheduled_scan__patient"

    transmittal = models.ForeignKey(Transmittal, on_delete=models.PROTECT, related_name="files")
    position = models.PositiveIntegerField()
    # The archive that it was taken out of, if it was not sent by itself.
    archive = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="entries", null=True, blank=True
    )
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    state = models.CharField(max_length=15, choices=State, default=State.RECEIVED)
    code = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    # Keyed digests of the identified UIDs: enough to notice the same image twice, no more.
    source_instance = models.CharField(max_length=64, blank=True, db_index=True)
    source_series = models.CharField(max_length=64, blank=True)
    source_study = models.CharField(max_length=64, blank=True)
    source_patient = models.CharField(max_length=64, blank=True)
    # What its header says that names nobody, for the rules of identity; empty until inspected.
    facts = models.JSONField(default=dict)

    class Meta:
        ordering = ["transmittal", "position"]
        constraints = [
            models.UniqueConstraint(
                name="file_once_a_transmittal", fields=["transmittal", "sha256"]
            )
        ]

    def __str__(self) -> str:
        return f"file {self.position} of transmittal {self.transmittal_id}"
