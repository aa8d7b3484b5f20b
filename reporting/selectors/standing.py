"""What was still open of a trial's record at an instant: for the manifest of an export."""

from __future__ import annotations

from itertools import islice

from reporting.manifest import FormVersion
from reporting.selectors.rows import CHUNK, NO_MORE_USE
from trials.models import FormEntry, Query, Signature, Trial
from trials.services import form_reviews


def form_versions(trial: Trial) -> tuple[FormVersion, ...]:
    """The versions of the protocol, in their order."""
    rows = trial.versions.order_by("number").values_list("number", "label", "definition_sha256")
    return tuple(FormVersion(*one) for one in rows)


def open_queries(trial: Trial) -> int:
    """Queries that nobody closed, the answered ones among them."""
    return Query.objects.filter(trial=trial).exclude(state=Query.State.CLOSED).count()


def unsigned_forms(trial: Trial) -> int:
    """Complete forms whose last signature is not on what they say, or that have none."""
    entries = (
        FormEntry.objects.filter(patient__trial=trial, state=FormEntry.State.COMPLETE)
        .exclude(patient__withdrawals__extent__in=NO_MORE_USE)
        .order_by("pk")
    )
    signed = Signature.objects.filter(subject_table=FormEntry._meta.db_table)
    never = entries.exclude(pk__in=signed.values("subject_pk"))
    others = entries.filter(pk__in=signed.values("subject_pk"))
    keys = others.values_list("pk", flat=True).iterator(chunk_size=CHUNK)
    found = never.count()
    while batch := list(islice(keys, CHUNK)):
        found += _changed(batch)
    return found


def _changed(keys: list[int]) -> int:
    """How many of signed entries say something else than was signed last."""
    rows = Signature.objects.filter(subject_table=FormEntry._meta.db_table, subject_pk__in=keys)
    last = dict(rows.order_by("signed_at", "pk").values_list("subject_pk", "content_sha256"))
    entries = (
        FormEntry.objects.filter(pk__in=keys)
        .select_related("patient", "version")
        .defer("version__definition", "version__text")
        .prefetch_related("values", "moves__from_version")
    )
    return sum(not form_reviews.is_what_was_signed(one, last[one.pk]) for one in entries)
