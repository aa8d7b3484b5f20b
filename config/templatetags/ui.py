"""Small parts every page is made of: badges, moments, form fields, pages of a list."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django import forms, template
from django.core.paginator import Page
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# The tone of a badge; the word beside it says the same, so that colour is never alone.
TONES = {
    "good": "quantified enrolled eligible satisfied met computed released accepted placed "
    "closed frozen done assembled active agrees reference signed "
    "confirmed only agreed adjudicated",
    "busy": "minor receiving received inspected running queued requested scheduled injected "
    "images_received screening answered acknowledged proposed draft begun "
    "awaiting_readers",
    "warn": "major review quarantined flagged not_evaluable cannot_tell open drafted provisional "
    "undecided awaiting_adjudication unsettled waiting",
    "bad": "rejected refused ineligible excludes not_met failed parked screen_failed withdrawn "
    "contradicts blocking declined",
}
TONE_OF = {state: tone for tone, states in TONES.items() for state in states.split()}

# The stations of a transmittal, where it can be stopped, and the words that differ.
WAY = ("received", "inspected", "released", "assembled", "quantified")
STOPPED = {"quarantined": "inspected", "rejected": "inspected"}
WORDS = {"released": "De-identified", "quantified": "Measured"}

CONTROLS = {
    "select": "form-select",
    "selectmultiple": "form-select",
    "checkbox": "form-check-input",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """An outline from our sheet, for the eye alone: the words beside it say what it means."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("config/icons.svg"),
        name,
    )


@register.simple_tag
def status_badge(state: str, label: str = "") -> SafeString:
    """A state as a badge; the word carries it, the colour only helps."""
    key = str(state).lower().replace(" ", "_").replace("-", "_")
    tone = TONE_OF.get(key, "calm")
    words = str(label or state).replace("_", " ")
    return format_html(
        '<span class="badge status-{}">{}</span>', tone, words[:1].upper() + words[1:]
    )


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """A time in UTC, the same on every page: 2026-03-02 08:15 UTC."""
    if at is None:
        return "–"
    at = at.astimezone(UTC)
    return format_html(
        '<time class="moment" datetime="{}">{} UTC</time>',
        at.isoformat(timespec="seconds"),
        at.strftime("%Y-%m-%d %H:%M"),
    )


@register.filter
def day(at: date | str | None) -> SafeString | str:
    """A day, in one line: 2026-03-02."""
    return format_html('<span class="moment">{}</span>', str(at)[:10]) if at else ""


@register.filter
def figure(value: object) -> object:
    """A value to read: nine significant figures, what single precision can hold, of a number.

    >>> figure(0.00024290297712)
    '0.000242902977'
    >>> figure(["ATTN", "DECY"])
    'ATTN, DECY'
    """
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, dict):
        value = [one for one in value.values() if one is not None]
    if isinstance(value, list | tuple):
        return ", ".join(str(figure(one)) for one in value)
    return value


@register.inclusion_tag("config/_empty_state.html")
def empty_state(title: str, text: str = "", icon: str = "inbox") -> dict:
    """What a list shows when it is empty: why, and what would fill it."""
    return {"title": title, "text": text, "icon": icon}


@register.inclusion_tag("config/_form_fields.html")
def form_fields(form: forms.BaseForm) -> dict:
    """The fields of a form with labels, help and errors that assistive technology reads."""
    return {"form": form}


@register.filter
def control(field: forms.BoundField) -> SafeString:
    """The input of a field, dressed for the design."""
    dress = CONTROLS.get(field.widget_type, "form-control")
    own = field.field.widget.attrs.get("class", "")
    wrong = "is-invalid" if field.errors else ""
    return field.as_widget(attrs={"class": " ".join(filter(None, [dress, own, wrong]))})


@register.inclusion_tag("config/_pagination.html", takes_context=True)
def pagination(context: template.Context, page: Page) -> dict:
    """Links to the pages of a list that keep what the list is filtered by."""
    query = context["request"].GET.copy()
    query.pop("page", None)
    numbers = page.paginator.get_elided_page_range(page.number, on_each_side=1)
    return {"page": page, "numbers": numbers, "query": query.urlencode()}


@register.simple_tag
def way_of_images(state: str) -> list[dict]:
    """The stations of images that a site sent, and the one where they stand.

    A stop by a rule or for a person takes the place of the station it happened at.
    """
    last = STOPPED.get(state, state)
    place = WAY.index(last) if last in WAY else -1
    return [
        {
            "label": _word(state if index == place else station),
            "is_current": index == place,
            "is_done": index < place or index == place == len(WAY) - 1,
            "is_stopped": index == place and state in STOPPED,
        }
        for index, station in enumerate(WAY)
    ]


def _word(station: str) -> str:
    return WORDS.get(station, station.capitalize())
