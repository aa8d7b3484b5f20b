"""The audit trail as far as a user may see it."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from trials import permissions
from trials.models import AuditEvent, Patient, User


def events_seen_by(user: User) -> QuerySet[AuditEvent]:
    """Events of the trials where `user` may view the trail; at one site, of its patients alone."""
    permissions.require_somewhere(user, "audit.view")
    reach = Q(pk__in=[])
    for trial, site in user.scopes("audit.view"):
        within = Q(trial=trial)
        if site is not None:
            within &= Q(patient__in=Patient.objects.filter(site=site).values("pk"))
        reach |= within
    return AuditEvent.objects.filter(reach)
