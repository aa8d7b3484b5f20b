"""What became of the tracer at a site: ordered, received, dispensed, returned, destroyed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from trials import accountability
from trials.models.scan_day import Batch
from trials.models.scope import ScopedModel
from trials.models.trial import Site


class TracerMovement(ScopedModel):
    """One act of accountability: so many doses of a tracer, of a batch once it is there."""

    class Kind(models.TextChoices):
        ORDERED = "ordered", "Ordered"
        RECEIVED = "received", "Received"
        DISPENSED = "dispensed", "Dispensed for a patient"
        RETURNED = "returned", "Returned to the supplier"
        DESTROYED = "destroyed", "Destroyed or decayed"

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="tracer_movements")
    # The tracer by its identifier in the protocol, whatever the version.
    tracer = models.CharField(max_length=40)
    # None for an order: the batch is not made yet.
    batch = models.ForeignKey(
        Batch, on_delete=models.PROTECT, null=True, blank=True, related_name="movements"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    # A syringe is one, a vial as many as are drawn from it.
    doses = models.PositiveIntegerField()
    # As assayed at that time; None where nobody assayed it, which is not zero.
    activity_mbq = models.FloatField(null=True, blank=True)
    happened_at = models.DateTimeField()
    # Delivery note, order number, record of destruction.
    reference = models.CharField(max_length=200, blank=True)
    # Why it is taken back; empty while it stands.
    undone_because = models.CharField(max_length=400, blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["site", "happened_at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="movement_of_doses",
                condition=Q(doses__range=(1, accountability.MOST_DOSES)),
            ),
            # To PostgreSQL NaN is more than any number, infinity included.
            models.CheckConstraint(
                name="movement_activity_in_range",
                condition=Q(activity_mbq__isnull=True)
                | Q(activity_mbq__range=(0, accountability.MOST_MBQ)),
            ),
            models.CheckConstraint(
                name="movement_of_a_batch",
                condition=Q(kind="ordered", batch__isnull=True)
                | ~Q(kind="ordered") & Q(batch__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display().lower()}: {self.doses} of {self.batch or self.tracer}"


class AccountabilityReview(ScopedModel):
    """A review of what became of a tracer at a site: the balance as it was signed.

    What is recorded afterwards is not in it; whether it is overtaken is computed.
    """

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="accountability_reviews")
    tracer = models.CharField(max_length=40)
    # What the reviewer found; empty if nothing was.
    remark = models.TextField(blank=True)
    # Doses by act, on hand and injected, over all and by batch.
    balance = models.JSONField()
    # The movements that it rests on, each with all that it says, those taken back included.
    movements = models.JSONField()
    # SHA-256 of both.
    sha256 = models.CharField(max_length=64)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    reviewed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["site", "tracer", "-reviewed_at", "-pk"]

    def __str__(self) -> str:
        return f"accountability of {self.tracer} at {self.site}"
