"""What was released: de-identified image series and their instances."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils import timezone

from imaging.models.intake import ReceivedFile, Transmittal
from trials.models import ScheduledScan, ScopedModel


def reading_identifier() -> str:
    """A number for blinded readers that says nothing about patient, site or order."""
    return f"R{secrets.randbelow(10**8):08d}"


class ImagingStudy(ScopedModel):
    """A DICOM study, de-identified, of one scheduled scan."""

    trial_path = "scheduled_scan__patient__trial_id"
    site_path = "scheduled_scan__patient__site_id"

    scheduled_scan = models.ForeignKey(
        ScheduledScan, on_delete=models.PROTECT, related_name="imaging_studies"
    )
    study_instance_uid = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "imaging studies"
        constraints = [
            models.UniqueConstraint(
                name="study_once", fields=["scheduled_scan", "study_instance_uid"]
            )
        ]

    def __str__(self) -> str:
        return f"imaging study of {self.scheduled_scan}"


class Series(ScopedModel):
    """An image series, de-identified: one modality, one acquisition, one geometry."""

    class State(models.TextChoices):
        RELEASED = "released"
        ASSEMBLED = "assembled"
        REFUSED = "refused"
        QUANTIFIED = "quantified"

    # The codes of a series whose images are gone: on a wish, or as those of another person.
    DESTROYED = "images-destroyed"
    OF_ANOTHER = "images-of-another-person"
    GONE = (DESTROYED, OF_ANOTHER)
    # Heads are not defaced, and these show the skin.
    RECOGNIZABLE = ("CT",)
    # Regions drawn on images: no images themselves.
    REGIONS = ("RTSTRUCT", "SEG")
    # Dose reports, which are read for their numbers.
    REPORTS = ("SR",)
    NO_IMAGES = (*REGIONS, *REPORTS)

    trial_path = "imaging_study__scheduled_scan__patient__trial_id"
    site_path = "imaging_study__scheduled_scan__patient__site_id"

    imaging_study = models.ForeignKey(ImagingStudy, on_delete=models.PROTECT, related_name="series")
    transmittal = models.ForeignKey(Transmittal, on_delete=models.PROTECT, related_name="series")
    series_instance_uid = models.CharField(max_length=64)
    modality = models.CharField(max_length=16)
    reading_identifier = models.CharField(max_length=12, unique=True, default=reading_identifier)
    state = models.CharField(max_length=15, choices=State, default=State.RELEASED)
    code = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    # Of regions, the image series that they were drawn on; none until they are placed on it.
    drawn_on = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="drawings"
    )
    # Geometry and flags as assembled, of regions which they are; empty until then.
    assembly = models.JSONField(default=dict)
    # Whether it is the PET series that stands for its scan, and why it is, or is not.
    counts = models.BooleanField(default=False)
    counting = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(
                name="series_once", fields=["imaging_study", "series_instance_uid"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.modality} series {self.reading_identifier}"

    @property
    def has_recognizable_features(self) -> bool:
        """Whether a face could be rendered from it as from a photograph."""
        return self.modality in self.RECOGNIZABLE


class Instance(ScopedModel):
    """One de-identified DICOM file in the archive, by the digest of its bytes."""

    trial_path = "series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "series__imaging_study__scheduled_scan__patient__site_id"

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="instances")
    received_file = models.OneToOneField(
        ReceivedFile, on_delete=models.PROTECT, related_name="instance"
    )
    sop_instance_uid = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    # Where its pixels lie in the archived file, and how they are written: nothing is parsed
    # again to read them. Empty in images of an earlier release.
    transfer_syntax = models.CharField(max_length=64, blank=True)
    pixel_offset = models.PositiveBigIntegerField(null=True, blank=True)
    pixel_length = models.PositiveBigIntegerField(null=True, blank=True)
    # What the header says, read once; see imaging.headers.
    header = models.JSONField()
    # Which tags were kept, removed and replaced, and by which table: no values.
    deidentification = models.JSONField()

    class Meta:
        ordering = ["series", "pk"]
        constraints = [
            models.UniqueConstraint(name="instance_once", fields=["series", "sop_instance_uid"])
        ]

    def __str__(self) -> str:
        return f"instance {self.sha256[:12]}"
