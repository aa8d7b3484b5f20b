"""What was written of a measurement as DICOM, for others to open."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from imaging.models.quantification import Quantification
from imaging.models.read import Read
from trials.models import ScopedModel


class DicomObject(ScopedModel):
    """A DICOM object made of one run, or of one signed read of it, in the archive by its digest.

    It is never overwritten. A region that a reader places later makes another report of the same
    run, a new run and a new read have objects of their own; what refers to the earlier ones, which
    are superseded then, finds them.
    """

    class Kind(models.TextChoices):
        SEG = "SEG", "Segmentation of the lesions"
        SR = "SR", "Report of the measurements"
        RWV = "RWV", "Map from stored values to SUVbw"

    trial_path = "quantification__series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "quantification__series__imaging_study__scheduled_scan__patient__site_id"

    quantification = models.ForeignKey(
        Quantification, on_delete=models.PROTECT, related_name="dicom_objects"
    )
    # None: what the run found by itself.
    read = models.ForeignKey(
        Read, on_delete=models.PROTECT, null=True, related_name="dicom_objects"
    )
    # The modality of the object too.
    kind = models.CharField(max_length=10, choices=Kind)
    # Each object is a series of its own, in the study of the images.
    series_instance_uid = models.CharField(max_length=64)
    sop_instance_uid = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    # What the object says of itself; see imaging.headers.
    header = models.JSONField()
    software_version = models.CharField(max_length=40)
    made_at = models.DateTimeField(default=timezone.now)
    # Since when it is not what its run or read says; None as long as it is.
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["quantification", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="dicom_object_once", fields=["quantification", "sop_instance_uid"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.quantification}"

    @property
    def title(self) -> str:
        """What it is, and whose word: of a read by the number under which it is exported."""
        of = f" that read {self.read_id} accepted" if self.read_id and self.kind == "SEG" else ""
        of = f" of read {self.read_id}" if self.read_id and self.kind == "SR" else of
        return f"{self.get_kind_display()}{of}"
