"""What leaves: exports with their manifest, and who took them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from trials.models import ScopedModel, ScopedQuerySet, Trial, User

# No site has this key: a row that lies there is reached by roles at all sites alone.
EVERY_SITE = 0


class ExportQuerySet(ScopedQuerySet):
    """Exports hold the patients of every site, so a role at one site does not see them."""

    def visible_to(self, user: User, permission: str | None = None) -> ExportQuerySet:
        return self.filter(trial__in=[t for t, site in user.scopes(permission) if site is None])


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

    objects = ExportQuerySet.as_manager()

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
