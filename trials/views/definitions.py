"""The trial file: uploaded with a look at what it changes, given back, settled, handed on."""

from __future__ import annotations

import hashlib
import json

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from trials import permissions, protocol, usdm
from trials.forms import CohortForm, SettlementForm, TrialFileForm
from trials.models import ProtocolVersion, Trial
from trials.services import cohorts, protocols, settlements
from trials.version import VERSION
from trials.views.acts import ActPage, act_page, form_methods, form_page, perform, sent


@form_methods
def trial_upload(request: HttpRequest) -> HttpResponse:
    """A trial file is first tried, then loaded as it was shown."""
    permissions.require_somewhere(request.user, "trial.load")
    form = TrialFileForm(sent(request), request.FILES or None)
    if request.method != "POST" or not form.is_valid():
        return form_page(request, "trials/trial_upload.html", {"form": form})
    text = form.cleaned_data["text"]
    try:
        tried = protocols.load_trial(text, by=request.user, dry_run=True)
    except protocols.NotATrialFile as refusal:
        lines = text.splitlines()
        problems = [(one, _line(lines, one.line)) for one in refusal.problems]
        context = {"form": TrialFileForm(initial={"text": text}), "problems": problems}
        return render(request, "trials/trial_upload.html", context, status=422)
    context = {
        "text": text,
        "shown": _shown(text, tried),
        "changes": tried.changes,
        "trial": tried.trial,
        "form": TrialFileForm(initial={"text": text}),
    }
    if request.POST.get("shown") == context["shown"]:
        return _load(request, text)
    if request.POST.get("shown"):
        context["moved_on"] = True
    return render(request, "trials/trial_upload_confirm.html", context)


def _load(request: HttpRequest, text: str) -> HttpResponse:
    form = TrialFileForm(sent(request))

    def act(_found: dict) -> str:
        loaded = protocols.load_trial(text, by=request.user)
        return reverse("trial", args=[loaded.trial.identifier])

    done = perform(request, form, act)
    return done or form_page(request, "trials/trial_upload.html", {"form": form})


def _shown(text: str, tried: protocols.Loaded) -> str:
    """What was looked at: the file, and what it changes; neither may differ when it is loaded."""
    seen = json.dumps([text, tried.changes, tried.version.pk if tried.version else None])
    return hashlib.sha256(seen.encode()).hexdigest()


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1].strip()[:200] if number <= len(lines) else ""


@require_safe
def trial_file(request: HttpRequest, identifier: str, number: int) -> HttpResponse:
    """The trial file of a version, as it was loaded."""
    version = _version(request, identifier, number)
    return _download(protocols.export(version), "application/yaml", f"{_name(version)}.yaml")


@require_safe
def trial_usdm(request: HttpRequest, identifier: str, number: int) -> HttpResponse:
    """The definition of a version as CDISC USDM."""
    version = _version(request, identifier, number)
    definition = protocol.completed(version.definition, identifier)
    study = usdm.usdm(definition, version=version.label, system_version=VERSION)
    text = json.dumps(study, indent=2, ensure_ascii=False)
    return _download(text, "application/json", f"{_name(version)}-usdm.json")


@require_safe
def trial_schema(request: HttpRequest) -> HttpResponse:
    """The published schema of trial files."""
    permissions.require_somewhere(request.user, "trial.view")
    return _download(protocols.schema_text(), "application/schema+json", "trial.schema.json")


@form_methods
def conflict_settle(request: HttpRequest, identifier: str, conflict: str) -> HttpResponse:
    """Decide which of several readings of the sources holds."""
    trial = permissions.fetched(Trial.objects, request.user, "trial.settle", identifier=identifier)
    version = trial.newest_version
    found = settlements.conflicts(version) if version else []
    row = next((one for one in found if one.key == conflict), None)
    if row is None:
        raise Http404
    form = SettlementForm(sent(request), conflict=row)
    address = reverse("trial", args=[trial.identifier])

    def act(given: dict) -> str:
        settlements.settle(trial, conflict=conflict, by=request.user, **given)
        return address

    done = perform(request, form, act)
    page = ActPage(
        f"Settle: {conflict.replace('+', ' and ')}",
        "Decide",
        address,
        f"Trial {trial}",
        address,
        intro="The sources disagree. The reading that is not chosen stays on record and is "
        "judged no longer; verdicts made before fall and are assessed again.",
    )
    return done or act_page(request, form, page)


@form_methods
def cohort_switch(request: HttpRequest, identifier: str, cohort: str, switch: str) -> HttpResponse:
    """Close a cohort, or let it take patients again."""
    trial = permissions.fetched(Trial.objects, request.user, "cohort.close", identifier=identifier)
    if switch not in {"close", "reopen"}:
        raise Http404
    form = CohortForm(sent(request))
    change = cohorts.close if switch == "close" else cohorts.reopen
    address = reverse("trial", args=[trial.identifier])

    def act(given: dict) -> str:
        change(trial, cohort=cohort, by=request.user, **given)
        return address

    done = perform(request, form, act)
    word = "Close" if switch == "close" else "Reopen"
    page = ActPage(f"{word} cohort {cohort}", word, address, f"Trial {trial}", address)
    return done or act_page(request, form, page)


def _version(request: HttpRequest, identifier: str, number: int) -> ProtocolVersion:
    trial = permissions.fetched(Trial.objects, request.user, "trial.view", identifier=identifier)
    return get_object_or_404(trial.versions.select_related("trial"), number=number)


def _name(version: ProtocolVersion) -> str:
    return f"{version.trial.identifier}-{version.number}"


def _download(text: str, kind: str, name: str) -> HttpResponse:
    answer = HttpResponse(text, content_type=f"{kind}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
