"""A reader signs the own read; those who see findings see it signed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from imaging.models import (
    Read,
)
from imaging.selectors import adjudications, adrenals, positivity, recist
from imaging.selectors import reads as selecting
from imaging.selectors import regions as region_selectors
from imaging.services import reads, response_answers
from imaging.views.asked import (
    derivations_of,
    series_of,
)
from trials import permissions
from trials.forms import SignForm
from trials.models import Signature
from trials.selectors import counted_reads, findings
from trials.services import signatures
from trials.views.acts import (
    form_methods,
    form_page,
    perform,
    sent,
)


@form_methods
def sign(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """Sign the own read: what it says, what the signature means, the password."""
    row = series_of(request, reading_identifier, "read.sign")
    read = selecting.own_of(row, request.user)
    form = SignForm(sent(request))
    address = reverse("reading", args=[reading_identifier])

    def act(found: dict) -> str:
        reads.sign(read, by=request.user, password=found["password"])
        return address

    done = perform(request, form, act)
    judging = positivity.judging(read.quantification)
    context = {
        "form": form,
        "series": row,
        "read": read,
        "rows": [
            (row, judging.word(row.measured) if judging else "") for row in selecting.rows_of(read)
        ],
        "references": region_selectors.stood_for(read.quantification),
        "adrenals": adrenals.of_read(read),
        "obstacles": reads.obstacles(read),
        "answered": response_answers.answered(read),
        "recist": recist.of_read(read),
        "meaning": Signature.Meaning.READ.label,
    }
    return done or form_page(request, "imaging/reading_sign.html", context)


@require_safe
def signed(request: HttpRequest, pk: int) -> HttpResponse:
    """A signed read, to those who see findings: what was said, found and signed."""
    rows = Read.objects.select_related(
        "quantification__series__imaging_study__scheduled_scan__planned_scan",
        "quantification__series__imaging_study__scheduled_scan__patient__site",
    )
    read = permissions.fetched(
        rows.filter(state=Read.State.SIGNED), request.user, "finding.view", pk=pk
    )
    series = read.quantification.series
    scan = series.imaging_study.scheduled_scan
    found = scan.findings.filter(source_table=Read._meta.db_table, source_pk=read.pk)
    computed = {one.lesion_number: one.result for one in found if one.test == "CMPPOS"}
    context = {
        "read": read,
        "series": series,
        "scan": scan,
        "patient": scan.patient,
        "is_blinded": not findings.may_see(request.user, read),
        "is_as_signed": reads.is_as_signed(read),
        "counted": counted_reads.of_scan(scan),
        "adjudications": adjudications.of_read(read),
        "ended": selecting.ended(read),
        "signature": signatures.of(read),
        "findings": [one for one in found if one.lesion_number is None],
        "rows": [
            (row, derivations_of(row.measured), computed.get(row.number, ""))
            for row in selecting.rows_of(read)
        ],
        "adrenals": adrenals.of_read(read),
        "recist": recist.of_read(read),
        "adrenals_at": f"?read={read.pk}",
    }
    return render(request, "imaging/read.html", context)
