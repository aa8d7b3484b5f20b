"""The adrenals of a run compared, once a reader stands for both, and how each number came about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.http import Http404

from imaging.models import Quantification, Read, ReferenceRegion
from imaging.ratios import (
    AdrenalComparison,
    AdrenalUptake,
    LateralisationRule,
    Ratio,
    compared_adrenals,
    rule_of_both,
)
from imaging.selectors import regions
from imaging.selectors.derivations import Node, region_derivation
from trials import lateralisation_rules
from trials.models import User
from trials.selectors import findings

Kind = ReferenceRegion.Kind
SIDES = {"left": "Left", "right": "Right", "bilateral": "Bilateral"}
NOT_EVALUABLE = "not_evaluable"
# What is said of each number, by the name in its address.
QUANTITIES = {
    "ratio": "Dominant over contralateral adrenal, SUVmax",
    "index": "Left/right index: ln(left SUVmax / right SUVmax), above 0 is left",
    "liver_left": "Left adrenal SUVmax over liver SUVmean",
    "liver_right": "Right adrenal SUVmax over liver SUVmean",
    "side": "Side of the adrenals by PET",
}


@dataclass(frozen=True)
class Adrenals:
    """Both adrenals as a reader stands for them, with the liver if there is one."""

    run: Quantification
    left: ReferenceRegion
    right: ReferenceRegion
    liver: ReferenceRegion | None
    found: AdrenalComparison
    rule: LateralisationRule | None
    # Why no rule is held against them; empty where one is.
    without: str

    @property
    def side(self) -> str:
        """left, right, bilateral or not_evaluable."""
        return self.found.side or NOT_EVALUABLE

    @property
    def side_words(self) -> str:
        return SIDES.get(self.side, "Not evaluable")

    @property
    def because(self) -> str:
        """Why, without the answer that stands before it."""
        reason = self.found.why.partition(": ")[2]
        return reason[:1].upper() + reason[1:]

    @property
    def values(self) -> dict[str, float | None]:
        """Each number by the name in its address."""
        found = self.found
        return {
            "ratio": _value(found.dominant_to_contralateral),
            "index": found.left_right_index,
            "liver_left": _value(found.left_to_liver),
            "liver_right": _value(found.right_to_liver),
        }


def compared(run: Quantification, regions: Iterable[ReferenceRegion]) -> Adrenals | None:
    """What regions that a reader stands for come to; None unless both adrenals are among them."""
    by_kind = {one.kind: one for one in regions if not one.is_proposed}
    left, right = by_kind.get(Kind.ADRENAL_LEFT), by_kind.get(Kind.ADRENAL_RIGHT)
    if left is None or right is None:
        return None
    liver = by_kind.get(Kind.LIVER)
    times = [left.uptake_minutes, right.uptake_minutes]
    rules = [LateralisationRule(**one) for one in run.parameters.get("lateralisation", ())]
    rule, without = rule_of_both(rules, *times)
    uptake = AdrenalUptake(
        left=left.suvmax,
        right=right.suvmax,
        liver_mean=liver.suvmean if liver else None,
        minutes=_farthest(times, rule),
    )
    found = compared_adrenals(uptake, rule, without=without)
    return Adrenals(run, left, right, liver, found, rule, without)


def of_read(read: Read) -> Adrenals | None:
    """The adrenals as they stood when the read was signed, or stand now for a draft."""
    run = read.quantification
    return compared(run, regions.stood_for(run, at=read.signed_at))


def shown(run: Quantification, user: User, *, read: str = "") -> Adrenals:
    """The adrenals of a run, or as they stood for a signed read that the user may see."""
    if read:
        rows = Read.objects.filter(quantification=run, state=Read.State.SIGNED)
        signed = rows.filter(pk=int(read)).first() if read.isdecimal() and len(read) < 9 else None
        if signed is None or not findings.may_see(user, signed):
            raise Http404
        found = of_read(signed)
    else:
        found = compared(run, regions.stood_for(run))
    if found is None:
        raise Http404
    return found


def _farthest(times: Sequence[float | None], rule: LateralisationRule | None) -> float | None:
    """Where two beds show the adrenals, both must be at the time of the cut-off."""
    known = [one for one in times if one is not None]
    if len(known) < len(times):
        return None
    return max(known, key=lambda one: abs(one - rule.minutes) if rule else one)


def _value(one: Ratio | None) -> float | None:
    return one.value if one else None


def derivation(adrenals: Adrenals, quantity: str, *, with_origin: bool) -> Node:
    """How one number, or the side, came about; origin as for a lesion."""
    if quantity not in QUANTITIES:
        raise Http404
    found = adrenals.found
    parts = {one: tuple(_parts(adrenals, one, with_origin)) for one in ("left", "right", "liver")}
    label = QUANTITIES[quantity]
    if quantity == "side":
        is_compared = adrenals.values["ratio"] is not None
        inputs = (
            Node("Cut-off of the protocol", *_rule(adrenals)),
            Node("Minutes after injection", found.minutes, "min", "bed that shows the adrenals"),
            *([derivation(adrenals, "ratio", with_origin=with_origin)] if is_compared else []),
        )
        return Node(label, adrenals.side_words, source=found.why, inputs=inputs)
    value = adrenals.values[quantity]
    if value is None:
        raise Http404
    over = {
        "ratio": found.dominant_to_contralateral,
        "liver_left": found.left_to_liver,
        "liver_right": found.right_to_liver,
    }.get(quantity)
    formula = (
        f"{over.numerator:.4g} g/mL / {over.denominator:.4g} g/mL"
        if over
        else f"ln({adrenals.left.suvmax:.4g} / {adrenals.right.suvmax:.4g})"
    )
    named = {"liver_left": ("left", "liver"), "liver_right": ("right", "liver")}
    used = named.get(quantity, ("left", "right"))
    return Node(
        label,
        value,
        source="SUVbw; unproven for hypercortisolism, and not the index of adrenal vein sampling",
        inputs=tuple(node for one in used for node in parts[one]),
        formula=formula,
    )


def _rule(adrenals: Adrenals) -> tuple[str, str, str]:
    rule = adrenals.rule
    if rule is None:
        return f"none: {adrenals.without}", "", "protocol version of the trial"
    stated = {name: getattr(rule, name) for name in rule.__slots__}
    return lateralisation_rules.words(stated), "", rule.source


def _parts(adrenals: Adrenals, which: str, with_origin: bool) -> Iterator[Node]:
    region: ReferenceRegion | None = getattr(adrenals, which)
    if region is not None:
        quantity = "suvmean" if which == "liver" else "suvmax"
        yield region_derivation(region, quantity, with_origin=with_origin)
