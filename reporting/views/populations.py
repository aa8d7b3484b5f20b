"""Analysis populations of a trial: the flow, every unit with its reasons, and the data review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from reporting import flow_figure
from reporting.flow import Box, Row, flow
from reporting.forms import (
    PopulationAbandonForm,
    PopulationBeginForm,
    PopulationDecisionForm,
    PopulationSignForm,
)
from reporting.models import PopulationReview
from reporting.selectors import populations as selectors
from reporting.selectors.populations import Record
from reporting.services import populations as services
from trials import permissions
from trials import populations as rules_of_populations
from trials.models import EVERY_SITE, Patient, Signature, Trial, User
from trials.populations import Population, Unit, sentences
from trials.views.acts import ActPage, act_page, form_methods, form_page, perform, sent

PAGE = 50
VIEW, REVIEW = "population.view", "population.review"
SHOWN = {"in": "In", "out": "Out", "": "All"}


@dataclass(frozen=True)
class Count:
    """One population in the table of a trial."""

    population: Population
    conditions: list[str]
    units: int
    proposed: int
    counted: int
    overruled: int
    standing: str
    open_review: int | None


@require_safe
def populations(request: HttpRequest) -> HttpResponse:
    """The trials whose populations the user may see."""
    permissions.require_somewhere(request.user, VIEW)
    trials = Trial.objects.filter(pk__in=_whole(request.user, VIEW)).order_by("identifier")
    return render(request, "reporting/populations.html", {"trials": trials})


@require_safe
def patient_populations(request: HttpRequest, pk: int) -> HttpResponse:
    """In which populations a patient is counted, and why."""
    found = Patient.objects.select_related("trial", "site")
    patient = permissions.fetched(found, request.user, VIEW, pk=pk)
    context = {
        "patient": patient,
        "rows": selectors.of_patient(patient),
        # All patients of a population are seen by whoever may at all sites.
        "opens": patient.trial_id in _whole(request.user, VIEW),
    }
    return render(request, "reporting/patient_populations.html", context)


@require_safe
def populations_of_trial(request: HttpRequest, identifier: str) -> HttpResponse:
    """The flow of patients, and each population with its rule and its numbers."""
    trial = trial_for(request, identifier, VIEW)
    found = selectors.record(trial)
    drawn = flow(found.rows)
    context = {
        "trial": trial,
        "counts": counts(trial, found),
        "flow": drawn,
        "figure": flow_figure.figure(drawn),
        "version": found.rules.version,
        "is_proposed": any(one.is_proposed for one in found.rules.populations),
        "may": _rights(request.user, trial),
    }
    return render(request, "reporting/populations_of_trial.html", context)


@require_safe
def population(request: HttpRequest, identifier: str, population: str) -> HttpResponse:
    """The units of one population: what the rule proposes and why, and what was decided."""
    trial = trial_for(request, identifier, VIEW)
    found = selectors.record(trial)
    rule = rule_of(found.rules, population)
    shown = request.GET.get("show", "")
    of_it = [one for one in found.rows if one.population == population]
    left_of = request.GET.get("after", "")
    listed = [one for one in of_it if is_shown(one, shown)]
    if left_of:
        before = _before(flow(found.rows).boxes, population)
        listed = [one for one in listed if one.identifier in before]
    standing = found.standings.get(population)
    context = {
        "trial": trial,
        "rule": rule,
        "level": rules_of_populations.LEVELS[rule.level],
        "conditions": [rules_of_populations.words(one) for one in rule.conditions],
        "count": _count(rule, of_it, _open(trial)),
        "page": Paginator(listed, PAGE).get_page(request.GET.get("page")),
        "shown": shown,
        "choices": SHOWN,
        "left_of": left_of,
        "standing": standing,
        "reviews": PopulationReview.objects.filter(trial=trial, population=population)
        .defer("inputs", "definition")
        .select_related("opened_by", "abandoned_by"),
        "may": _rights(request.user, trial),
    }
    return render(request, "reporting/population.html", context)


@form_methods
def population_review_new(request: HttpRequest, identifier: str, population: str) -> HttpResponse:
    """Open a data review of a population."""
    trial = trial_for(request, identifier, REVIEW)
    rule_of(selectors.rules_of(trial), population)
    form = PopulationBeginForm(sent(request))
    address = reverse("population", args=[trial.identifier, population])

    def begin(_: dict) -> str:
        return _page_of(services.begin(trial, population=population, by=request.user))

    done = perform(request, form, begin)
    page = ActPage(
        f"Open a data review of {population}",
        "Open",
        address,
        f"{population} of {trial}",
        address,
        intro="The review is blind: it shows that reads, truth and allocation are there, and "
        "nothing of what they say. Decide where the rule is wrong, then sign the whole.",
    )
    return done or act_page(request, form, page)


@require_safe
def population_review(request: HttpRequest, pk: int) -> HttpResponse:
    """One review: open, each unit to decide; signed, as it was signed and what changed since."""
    row = review_for(request, pk, VIEW)
    if row.state == PopulationReview.State.SIGNED:
        return _signed(request, row)
    if row.state == PopulationReview.State.ABANDONED:
        return _abandoned(request, row)
    rules, facts = selectors.rules_of(row.trial), selectors.facts(row.trial)
    lines = _lines(row, rules, facts)
    shown = request.GET.get("show", "")
    listed = [one for one in lines if not shown or one["is_in"] == (shown == "in")]
    context = {
        "review": row,
        "rule": rules.named(row.population),
        "page": Paginator(listed, PAGE).get_page(request.GET.get("page")),
        "units": len(lines),
        "inside": sum(one["is_in"] for one in lines),
        "decided": sum(one["decision"] is not None for one in lines),
        "shown": shown,
        "choices": SHOWN,
        "may": _rights(request.user, row.trial),
        "not_blind": services.seen_unblinded(row.trial, request.user),
    }
    return render(request, "reporting/population_review.html", context)


@form_methods
def population_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Decide of one unit, which the address names."""
    row = review_for(request, pk, REVIEW)
    patient = _patient(row, request)
    unit = Unit(patient.pk, request.GET.get("scan", ""))
    rules = selectors.rules_of(row.trial)
    facts = selectors.facts(row.trial, of=patient.pk)
    line = next((one for one in _lines(row, rules, facts) if one["unit"] == unit), None)
    if line is None:
        raise Http404
    form = PopulationDecisionForm(
        sent(request),
        initial={
            "version": row.version,
            "is_in": "in" if line["is_in"] else "out",
            "reason": line["decision"].reason if line["decision"] else "",
        },
    )
    address = _page_of(row)

    def decide(found: dict) -> str:
        is_in = found.pop("is_in") == "in"
        services.decide(row, unit, is_in=is_in, by=request.user, **found)
        return f"{address}#unit-{unit.patient}-{unit.scan}"

    done = perform(request, form, decide)
    told = f"The rule proposes {'in' if line['proposed'] else 'out'}: {line['why']}"
    about = f"{patient}{', scan ' + unit.scan if unit.scan else ''} in {row.population}"
    page = ActPage(f"Decide of {about}", "Decide", address, about, address, intro=told)
    return done or act_page(request, form, page)


@form_methods
def population_review_sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign a review, shown with its numbers and each decision that overrules the rule."""
    row = review_for(request, pk, REVIEW)
    rules, facts = selectors.rules_of(row.trial), selectors.facts(row.trial)
    lines = _lines(row, rules, facts)
    form = PopulationSignForm(
        sent(request),
        initial={"version": row.version, "inputs_sha256": services.digest_of(facts, rules)},
    )
    address = _page_of(row)

    def sign(found: dict) -> str:
        services.sign(row, by=request.user, **found)
        return address

    done = perform(request, form, sign)
    page = ActPage(
        f"Sign the data review of {row.population}",
        "Sign",
        address,
        str(row),
        address,
        intro=f"By signing you say: {Signature.Meaning.POPULATION.label}.",
    )
    context = {
        "form": form,
        "page": page,
        "review": row,
        "units": len(lines),
        "inside": sum(one["is_in"] for one in lines),
        "decisions": [one for one in lines if one["decision"]],
        "exports_taken": services.exports_taken(row.trial, request.user),
    }
    return done or form_page(request, "reporting/population_review_sign.html", context)


@form_methods
def population_review_abandon(request: HttpRequest, pk: int) -> HttpResponse:
    """Give up an open review."""
    row = review_for(request, pk, REVIEW)
    form = PopulationAbandonForm(sent(request))
    address = _page_of(row)

    def abandon(found: dict) -> str:
        services.abandon(row, by=request.user, **found)
        return address

    done = perform(request, form, abandon)
    page = ActPage(
        f"Abandon the data review of {row.population}",
        "Abandon",
        address,
        str(row),
        address,
        intro="It then decides nothing, and a new review can be opened. What was decided in it "
        "stays on record.",
    )
    return done or act_page(request, form, page)


def _abandoned(request: HttpRequest, row: PopulationReview) -> HttpResponse:
    """What was decided before it was given up."""
    decisions = row.decisions.select_related("patient", "decided_by")
    rule = selectors.rules_of(row.trial).named(row.population)
    context = {
        "review": row,
        "rule": rule,
        "page": Paginator(decisions.order_by("patient__identifier", "scan"), PAGE).get_page(
            request.GET.get("page")
        ),
        "may": _rights(request.user, row.trial),
    }
    return render(request, "reporting/population_review_abandoned.html", context)


def _signed(request: HttpRequest, row: PopulationReview) -> HttpResponse:
    found = selectors.record(row.trial, only=row.population)
    standing = found.standings.get(row.population)
    is_newest = standing is not None and standing.review.pk == row.pk
    members = row.members.select_related("patient").order_by("patient__identifier", "scan")
    shown = request.GET.get("show", "")
    listed = members.filter(is_in=shown == "in") if shown else members
    context = {
        "review": row,
        "page": Paginator(listed, PAGE).get_page(request.GET.get("page")),
        "units": members.count(),
        "inside": members.filter(is_in=True).count(),
        "shown": shown,
        "choices": SHOWN,
        "standing": standing if is_newest else None,
        "later": None if is_newest or standing is None else standing.review,
        "signature": selectors.signature_of(row),
        "is_as_signed": selectors.is_as_signed(row, selectors.signature_of(row)),
        "may": _rights(request.user, row.trial),
    }
    return render(request, "reporting/population_review_signed.html", context)


def _lines(
    review: PopulationReview,
    rules: selectors.Rules,
    facts: Sequence[rules_of_populations.PatientFact],
) -> list[dict]:
    """Each unit of an open review with the proposal and what was decided so far."""
    names = {one["patient"]: (one["identifier"], one["site"]) for one in facts}
    decided = {
        Unit(one.patient_id, one.scan): one for one in review.decisions.select_related("decided_by")
    }
    found = []
    for one in services.proposals(review.population, rules, list(facts)):
        decision = decided.get(one.unit)
        identifier, site = names[one.unit.patient]
        found.append(
            {
                "unit": one.unit,
                "identifier": identifier,
                "site": site,
                "scan": rules.scans.get(one.unit.scan, one.unit.scan),
                "proposed": one.is_in,
                "why": " ".join(sentences(one.reasons)),
                "decision": decision,
                "is_in": decision.is_in if decision else one.is_in,
            }
        )
    return found


def counts(trial: Trial, found: Record) -> list[Count]:
    opened = _open(trial)
    by_name: dict[str, list[Row]] = {one.identifier: [] for one in found.rules.populations}
    for row in found.rows:
        by_name[row.population].append(row)
    return [_count(one, by_name[one.identifier], opened) for one in found.rules.populations]


def _count(rule: Population, rows: Sequence[Row], opened: dict[str, int]) -> Count:
    words = [one.standing for one in rows]
    worst = next((one for one in ("broken", "overtaken", "stands") if one in words), "")
    return Count(
        population=rule,
        conditions=[rules_of_populations.words(one) for one in rule.conditions],
        units=len(rows),
        proposed=sum(one.proposed for one in rows),
        counted=sum(one.is_in for one in rows),
        overruled=sum(one.is_overruled for one in rows),
        standing=worst,
        open_review=opened.get(rule.identifier),
    )


def _open(trial: Trial) -> dict[str, int]:
    rows = PopulationReview.objects.filter(trial=trial, state=PopulationReview.State.DRAFT)
    return dict(rows.values_list("population", "pk"))


def _before(boxes: Sequence[Box], population: str) -> set[str]:
    """Who is in the step before a population's own."""
    names = [one.population for one in boxes]
    if population not in names[1:]:
        return set()
    return set(boxes[names.index(population) - 1].patients)


def is_shown(row: Row, shown: str) -> bool:
    return row.is_in if shown == "in" else not row.is_in if shown == "out" else True


def rule_of(rules: selectors.Rules, population: str) -> Population:
    """A rule by its identifier; 404 where there is none."""
    rule = rules.named(population)
    if rule is None:
        raise Http404
    return rule


def _whole(user: User, permission: str | None = None) -> list[int]:
    """Trials at all of whose sites the user holds a role, or one that grants `permission`."""
    return [trial for trial, site in user.scopes(permission) if site is None]


def trial_for(request: HttpRequest, identifier: str, permission: str) -> Trial:
    """A trial as a whole: out of reach for a role at one site."""
    row = Trial.objects.filter(pk__in=_whole(request.user), identifier=identifier).first()
    if row is None:
        raise Http404
    permissions.require(request.user, permission, PopulationReview(trial=row))
    return row


def review_for(request: HttpRequest, pk: int, permission: str) -> PopulationReview:
    rows = PopulationReview.objects.select_related("trial", "opened_by", "abandoned_by")
    return permissions.fetched(rows, request.user, permission, pk=pk)


def _patient(row: PopulationReview, request: HttpRequest) -> Patient:
    asked = request.GET.get("patient", "")
    if not (asked.isascii() and asked.isdigit()):
        raise Http404
    found = Patient.objects.filter(trial=row.trial_id, pk=int(asked[:18])).first()
    if found is None:
        raise Http404
    return found


def _rights(user: User, trial: Trial) -> dict[str, bool]:
    scope = (trial.pk, EVERY_SITE)
    return {
        name.replace(".", "_"): user.may_for(name, scope)
        for name in (VIEW, REVIEW, "patient.view", "audit.view", "deviation.view")
    }


def _page_of(row: PopulationReview) -> str:
    return reverse("population_review", args=[row.pk])
