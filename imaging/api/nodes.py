"""DICOM nodes of a site over the API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from imaging import models
from imaging.services import nodes
from trials import permissions
from trials.api.base import Endpoint, asked, operation
from trials.api.fields import Line
from trials.api.serializers import Reason
from trials.api.views.sites import site_for

Rows = serializers.ModelSerializer


class DicomContact(Rows):
    class Meta:
        model = models.DicomContact
        fields = ["at", "calling_ae_title", "address", "refusal"]


class DicomNode(Rows):
    calling_ae_titles = serializers.ListField(
        child=serializers.CharField(), help_text="Who may call; any if empty."
    )
    allowed_addresses = serializers.ListField(
        child=serializers.CharField(), help_text="From where; the server itself if empty."
    )
    contact = serializers.SerializerMethodField(help_text="Who called last, and whether let in.")

    class Meta:
        model = models.DicomNode
        fields = [
            "id",
            "called_ae_title",
            "calling_ae_titles",
            "allowed_addresses",
            "is_active",
            "registered_at",
            "contact",
        ]

    @extend_schema_field(DicomContact(allow_null=True))
    def get_contact(self, row: models.DicomNode) -> dict | None:
        contact = getattr(row, "contact", None)
        return DicomContact(contact).data if contact else None


class Callers(serializers.Serializer):
    """Who may call a node, and from where."""

    calling_ae_titles = serializers.ListField(
        child=Line(max_length=16), max_length=nodes.MOST, default=list
    )
    allowed_addresses = serializers.ListField(
        child=Line(max_length=60),
        max_length=nodes.MOST,
        default=list,
        help_text="Addresses and networks, as 10.1.2.3 or 10.1.2.0/24.",
    )


class RegisterNode(Callers):
    called_ae_title = Line(max_length=16)


class ChangeNode(Callers, Reason):
    pass


class Nodes(Endpoint):
    @operation("listNodes", tag="images", answers=DicomNode(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """What the scanners and archives of a site call, and who called last."""
        site = site_for(request, "site.view", pk)
        return self.page(site.dicom_nodes.select_related("contact"), DicomNode)

    @operation("registerNode", tag="images", asks=RegisterNode, answers=DicomNode, status=201)
    def post(self, request: Request, pk: int) -> Response:
        """Give a site an AE title; whoever calls it by C-STORE sends to the site."""
        site = site_for(request, "scanner.manage", pk)
        row = nodes.register(site, by=request.user, **asked(request, RegisterNode))
        return self.show(row, DicomNode, status=201)


class ChangeOfNode(Endpoint):
    @operation("changeNode", tag="images", asks=ChangeNode, answers=DicomNode)
    def post(self, request: Request, pk: int) -> Response:
        """Say anew who may call a node; what is not named is no longer allowed."""
        row = nodes.change(_node(request, pk), by=request.user, **asked(request, ChangeNode))
        return self.show(row, DicomNode)


class RetireNode(Endpoint):
    @operation("retireNode", tag="images", asks=Reason, answers=DicomNode)
    def post(self, request: Request, pk: int) -> Response:
        """Let nobody in at a node any more; its AE title is not given again."""
        row = nodes.retire(_node(request, pk), by=request.user, **asked(request, Reason))
        return self.show(row, DicomNode)


def _node(request: Request, pk: int) -> models.DicomNode:
    rows = models.DicomNode.objects.select_related("site", "contact")
    return permissions.fetched(rows, request.user, "scanner.manage", pk=pk)
