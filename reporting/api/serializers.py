"""The shapes of the reporting part of the API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from reporting import datasets, models, selectors
from reporting.differences import Difference
from reporting.formats import CHOICES
from reporting.profiles import LABELS, Profile
from reporting.services.exports import LONGEST_REASON
from trials.api.fields import Line


class OrderExport(serializers.Serializer):
    """What is to be exported, and what for."""

    trial = Line(max_length=40, help_text="Identifier of the trial.")
    reason = Line(
        max_length=LONGEST_REASON, help_text="Stands in the manifest and in the audit trail."
    )
    formats = serializers.ListField(
        child=serializers.ChoiceField(list(CHOICES)),
        default=list,
        help_text="Besides CSV, which is always there.",
    )
    privacy = serializers.ChoiceField(
        [(one.value, label) for one, label in LABELS.items()],
        default=Profile.FULL.value,
        help_text="The manifest names each column that is left out or masked.",
    )


class TouchedColumn(serializers.Serializer):
    """A column that the privacy profile left out or masked."""

    dataset = serializers.CharField()
    column = serializers.CharField()
    act = serializers.CharField()


class ManifestFile(serializers.Serializer):
    path = serializers.CharField()
    label = serializers.CharField()
    rows = serializers.IntegerField(
        allow_null=True, help_text="Without the header; null for a file that has no rows."
    )
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class Manifest(serializers.Serializer):
    """The manifest, as it also lies in the export."""

    format = serializers.CharField()
    export = serializers.IntegerField()
    trial = serializers.CharField()
    is_demo = serializers.BooleanField()
    protocol_version = serializers.CharField(allow_blank=True)
    protocol_sha256 = serializers.CharField(allow_blank=True)
    as_of = serializers.CharField(help_text="The database's clock at the instant read.")
    audit_event = serializers.IntegerField(allow_null=True)
    snapshot = serializers.CharField(help_text="PostgreSQL's name of the instant read.")
    software_version = serializers.CharField()
    requested_by = serializers.CharField()
    requested_at = serializers.CharField()
    reason = serializers.CharField()
    formats = serializers.ListField(child=serializers.CharField(), required=False)
    privacy = serializers.CharField(required=False)
    touched = TouchedColumn(many=True, required=False)
    files = ManifestFile(many=True)


class Column(serializers.Serializer):
    """A column of a dataset, as the codebook of the export describes it."""

    name = serializers.CharField()
    label = serializers.CharField()
    type = serializers.CharField()
    unit = serializers.CharField(allow_blank=True)
    codes = serializers.SerializerMethodField()
    missing = serializers.CharField(allow_blank=True, help_text="What no value means.")
    privacy = serializers.CharField()

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
    def get_codes(self, column: datasets.Column) -> dict[str, str]:
        return dict(column.codes)


class Dataset(serializers.Serializer):
    """A dataset of an export and its columns."""

    name = serializers.CharField()
    label = serializers.CharField()
    grain = serializers.CharField(help_text="What a row is.")
    keys = serializers.ListField(child=serializers.CharField())
    rows = serializers.SerializerMethodField()
    columns = Column(many=True)

    def get_rows(self, dataset: datasets.Dataset) -> int:
        return self.context["counts"][dataset.path]


class Since(serializers.Serializer):
    since = serializers.IntegerField(help_text="An earlier export of the same trial.")


class DatasetDifference(serializers.Serializer):
    """How much of a dataset differs; the CSV beside it says what."""

    dataset = serializers.CharField(source="name")
    is_new = serializers.BooleanField()
    is_gone = serializers.BooleanField()
    columns_added = serializers.ListField(child=serializers.CharField())
    columns_removed = serializers.ListField(child=serializers.CharField())
    described_otherwise = serializers.ListField(
        child=serializers.CharField(),
        help_text="Columns whose label, type, unit, codes or meaning of empty is another one.",
    )
    rows_added = serializers.SerializerMethodField()
    rows_removed = serializers.SerializerMethodField()
    rows_changed = serializers.IntegerField()

    def get_rows_added(self, one: Difference) -> int:
        return len(one.added)

    def get_rows_removed(self, one: Difference) -> int:
        return len(one.removed)


class Export(serializers.ModelSerializer):
    """An export; `manifest` and `sha256` are there once it is frozen."""

    trial = serializers.CharField(source="trial.identifier")
    requested_by = serializers.CharField(source="requested_by.username")
    state = serializers.ChoiceField(models.Export.State.choices, source="standing")
    message = serializers.SerializerMethodField(help_text="Why it failed.")
    formats = serializers.ListField(child=serializers.CharField(), help_text="Besides CSV.")
    manifest = serializers.SerializerMethodField()

    class Meta:
        model = models.Export
        fields = [
            "id",
            "trial",
            "state",
            "message",
            "reason",
            "formats",
            "privacy",
            "requested_by",
            "requested_at",
            "as_of",
            "audit_event",
            "manifest",
            "sha256",
            "size",
        ]

    def get_message(self, row: models.Export) -> str:
        return selectors.message_of(row)

    @extend_schema_field(Manifest(allow_null=True))
    def get_manifest(self, row: models.Export) -> dict | None:
        return row.manifest or None
