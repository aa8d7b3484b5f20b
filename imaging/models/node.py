"""Where scanners and archives send over DICOM's network protocol, and who called there last."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from trials.models import ScopedModel, Site


class DicomNode(ScopedModel):
    """A name that a scanner or an archive calls: whoever calls it sends to this site.

    A name is given once, also after it was retired: a scanner that was never told would send
    to another site.
    """

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="dicom_nodes")
    called_ae_title = models.CharField("called AE title", max_length=16, unique=True)
    # Who may call, by name; any if there is none.
    calling_ae_titles = models.JSONField("calling AE titles", default=list, blank=True)
    # From where, as addresses and networks; from this machine alone if there is none.
    allowed_addresses = models.JSONField(default=list, blank=True)
    is_active = models.BooleanField(default=True)
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    registered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["site", "called_ae_title"]

    def __str__(self) -> str:
        return self.called_ae_title


class DicomContact(ScopedModel):
    """Who called a node last, and whether it was let in. Not audited: it is no trial data."""

    trial_path = "node__site__trial_id"
    site_path = "node__site_id"

    node = models.OneToOneField(DicomNode, on_delete=models.PROTECT, related_name="contact")
    at = models.DateTimeField(default=timezone.now)
    calling_ae_title = models.CharField("calling AE title", max_length=16)
    address = models.CharField(max_length=45)
    # Why it was not let in; empty if it was.
    refusal = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.calling_ae_title} at {self.node_id}"
