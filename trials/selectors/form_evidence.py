"""What a form that was filled in gives as evidence, item by item, for its page."""

from __future__ import annotations

from dataclasses import dataclass

from trials import item_evidence
from trials.case_report_forms import Form, Item
from trials.models import Evidence, FormEntry

UNDATED = "no evidence as long as its day is not known: {item} says it"
UNVISITED = "no evidence as long as the visit is not recorded"
SILENT = "no evidence: the answer says nothing of it"


@dataclass(frozen=True)
class Given:
    """The variable that an item gives, what stands of it, and why nothing does."""

    label: str
    evidence: Evidence | None
    why_not: str = ""


def given_by(entry: FormEntry, form: Form) -> dict[str, Given]:
    """By item; one query where the form gives evidence, none where it does not."""
    giving = [one for one in form.items if one.evidence]
    if not giving or entry.state != FormEntry.State.COMPLETE:
        return {}
    rows = Evidence.objects.filter(
        item_value__entry=entry, superseded_by=None, is_void=False
    ).select_related("item_value")
    standing = {row.item_value.item: row for row in rows if row.item_value}
    answers = {row.item: row.entered for row in entry.values.all()}
    return {
        item.identifier: Given(
            item_evidence.words(item),
            standing.get(item.identifier),
            "" if item.identifier in standing else _why_not(form, item, answers),
        )
        for item in giving
        if item.identifier in answers
    }


def _why_not(form: Form, item: Item, answers: dict) -> str:
    if item_evidence.saying(item, answers[item.identifier]) is None:
        return SILENT
    dating = form.item(item_evidence.dated_by(item))
    return UNDATED.format(item=dating.label) if dating else UNVISITED
