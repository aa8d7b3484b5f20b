"""What every address of the API shares: a page of rows, a checked body, a described operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

Shape = type[serializers.BaseSerializer]


class Endpoint(GenericAPIView):
    """An address of the API. Rights, rules and rows are elsewhere; this reads and shows."""

    def page(
        self, rows: QuerySet, shape: Shape, *, prepared: Callable[[list], Sequence] = list
    ) -> Response:
        """One page of rows, as `shape` shows them; `prepared` adds what a page needs at once."""
        some = prepared(self.paginate_queryset(rows))
        shown = shape(some, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)

    def show(self, row: Any, shape: Shape, *, status: int = 200) -> Response:
        return Response(shape(row, context=self.get_serializer_context()).data, status=status)


def asked(request: Request, shape: Shape) -> dict[str, Any]:
    """The body, if it has the shape; otherwise 422 with every problem."""
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return given.validated_data


def filtered(request: Request, shape: Shape) -> dict[str, Any]:
    """The query string, if it has the shape; otherwise 422."""
    given = shape(data=request.query_params)
    given.is_valid(raise_exception=True)
    return given.validated_data


def operation(
    name: str,
    *,
    tag: str,
    answers: Any,
    asks: Any = None,
    status: int = 200,
    filters: Shape | None = None,
):
    """What the API's description says of one operation; its text is the docstring."""
    parameters: list[OpenApiParameter | Shape] = [filters] if filters else []
    return extend_schema(
        operation_id=name,
        tags=[tag],
        request=asks,
        responses={status: answers},
        parameters=parameters,
    )
