"""Which place of the randomisation a patient has; what stands there is derived, never stored."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from trials.models.patient import Patient
from trials.models.scope import EVERY_SITE, ScopedModel, WholeTrialQuerySet
from trials.models.trial import ProtocolVersion, Trial


class Allocation(ScopedModel):
    """A patient's place in the list of a stratum.

    The sequence at the place follows from the trial's secret and is not kept, so that neither
    the table nor its trail tells it to anyone.
    """

    trial_path = "trial_id"
    site_path = "patient__site_id"

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="allocation")
    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="allocations")
    # Whose sequences hold for the patient, whatever a later version says.
    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="+")
    scheme_sha256 = models.CharField(max_length=64)
    stratum = models.CharField(max_length=200, blank=True)
    # Where each part of the stratum came from, as it stood then: `trials.stratification`.
    strata = models.JSONField(default=list)
    position = models.PositiveIntegerField()
    # Which sequence stood there, told only to who holds the seed: `randomisation_list.seal`.
    seal = models.CharField(max_length=64, blank=True)
    allocated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    allocated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["trial", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="allocation_place_once",
                fields=["trial", "scheme_sha256", "stratum", "position"],
            )
        ]

    def __str__(self) -> str:
        return f"allocation of {self.patient}"


class RandomisationListing(ScopedModel):
    """That a person was given the sealed list of a trial, why, and the digest of what they got."""

    trial_path = "trial_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="listings")
    reason = models.CharField(max_length=400)
    places = models.PositiveIntegerField()
    list_sha256 = models.CharField(max_length=64)
    mismatches = models.PositiveIntegerField()
    listed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    listed_at = models.DateTimeField(default=timezone.now)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["trial", "pk"]

    def __str__(self) -> str:
        return f"sealed list of {self.trial}"

    def scope(self) -> tuple[int, int | None]:
        return self.trial_id, EVERY_SITE


class Unblinding(ScopedModel):
    """That a person looked at a concealed allocation in an emergency, and why."""

    trial_path = "allocation__trial_id"
    site_path = "allocation__patient__site_id"
    patient_path = "allocation__patient"

    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="unblindings")
    reason = models.CharField(max_length=400)
    unblinded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    unblinded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["allocation", "pk"]

    def __str__(self) -> str:
        return f"unblinding of {self.allocation.patient}"
