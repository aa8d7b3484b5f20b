"""Words for what the record holds."""

from __future__ import annotations

import json
from typing import Any

from django import template

from trials import variables
from trials.models import Evidence
from trials.selectors.evidence import label_of

register = template.Library()


@register.filter
def shown_value(evidence: Evidence) -> str:
    """A value with its unit, in words."""
    return variables.shown(evidence.variable, evidence.value, evidence.unit)


@register.filter
def variable_label(name: str) -> str:
    return label_of(name)


@register.filter
def moment_as_known(text: str) -> str:
    """A partial date or a moment as it was written, without the letter T."""
    return text.replace("T", " ", 1)


@register.filter
def compact(value: Any) -> str:
    """A small structure in one line."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
