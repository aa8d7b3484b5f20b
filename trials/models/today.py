"""The day it is somewhere, for queries over rows of several time zones."""

from __future__ import annotations

from django.db.models import DateField, DateTimeField, Func, Value
from django.db.models.expressions import Combinable
from django.utils import timezone


class Today(Func):
    """The date of now in the time zone that a column or expression names."""

    template = "(%(expressions)s)::date"
    arg_joiner = " AT TIME ZONE "
    output_field = DateField()

    def __init__(self, zone: Combinable | str) -> None:
        super().__init__(Value(timezone.now(), output_field=DateTimeField()), zone)
