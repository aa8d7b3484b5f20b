"""The shapes of the reporting part of the API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from reporting import datasets, models, selectors
from reporting.changes import ADDED, CHANGED, REMOVED, Changes
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

    cut_off = serializers.DateField(
        default=None,
        allow_null=True,
        help_text="The last day whose events are in it, by the clock of each site; null for all.",
    )
    at_event = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        help_text="As the record stood at this event of the audit trail; null for as it is now.",
    )
    at_moment = serializers.DateTimeField(
        default=None,
        allow_null=True,
        help_text="Or as it stood at this moment. Against such an export any later one has the "
        "changes since.",
    )
    unblinding_reason = Line(
        max_length=LONGEST_REASON,
        default="",
        allow_blank=True,
        help_text="Why it has to hold what the trial conceals; empty for a blinded export. Such an "
        "export waits until a second person agrees.",
    )


class DecideUnblinding(serializers.Serializer):
    """What a second person says of an unblinded export."""

    decision = serializers.ChoiceField(["approve", "decline"])
    reason = Line(
        max_length=LONGEST_REASON, help_text="Stands in the manifest and in the audit trail."
    )


class CutOffCount(serializers.Serializer):
    """What a data cut-off did to a dataset."""

    dataset = serializers.CharField()
    column = serializers.CharField(
        allow_blank=True, help_text="What dates its rows; empty where their scan or patient does."
    )
    left_out = serializers.IntegerField()
    undated = serializers.IntegerField(help_text="Rows that stay, for their date does not tell.")
    pending = serializers.IntegerField(
        required=False,
        help_text="Rows of two scans that stay without the second, which came later.",
    )


class CutOff(serializers.Serializer):
    """A data cut-off, its rule and what it did."""

    day = serializers.CharField()
    rule = serializers.CharField()
    datasets = CutOffCount(many=True)


class FormVersion(serializers.Serializer):
    """A version of the protocol, and so of its forms."""

    number = serializers.IntegerField()
    label = serializers.CharField()
    sha256 = serializers.CharField()


class Unblinding(serializers.Serializer):
    """Why an export holds what the trial conceals, and who agreed."""

    reason = serializers.CharField()
    decided_by = serializers.CharField()
    decided_at = serializers.CharField()
    decision_reason = serializers.CharField()


class VeiledColumn(serializers.Serializer):
    """A column that is kept back while a blind stands."""

    dataset = serializers.CharField()
    column = serializers.CharField()
    act = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())


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
    columns = serializers.IntegerField(
        allow_null=True, required=False, help_text="Null for a file that is no dataset."
    )
    schema_sha256 = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Of name, type, unit and codes of the columns: the same as long as they are.",
    )


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
    is_read_back = serializers.BooleanField(
        required=False, help_text="Whether it is of an earlier point, read back from the trail."
    )
    privacy = serializers.CharField(required=False)
    touched = TouchedColumn(many=True, required=False)
    is_unblinded = serializers.BooleanField(required=False)
    unblinding = Unblinding(allow_null=True, required=False)
    blind_because = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="What is kept back, and why."
    )
    veiled = VeiledColumn(many=True, required=False)
    cut_off = CutOff(allow_null=True, required=False)
    open_queries = serializers.IntegerField(allow_null=True, required=False)
    unsigned_forms = serializers.IntegerField(
        allow_null=True,
        required=False,
        help_text="Complete forms without a signature on what they say.",
    )
    form_versions = FormVersion(many=True, required=False)
    mappings = serializers.DictField(child=serializers.CharField(), required=False)
    code_commit = serializers.CharField(required=False, allow_blank=True)
    tools = serializers.DictField(child=serializers.CharField(), required=False)
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


class Progress(serializers.Serializer):
    """How far a job is: a part is a dataset in all its formats, a standard, or a package."""

    number = serializers.IntegerField(help_text="The part that is written, from 1.")
    parts = serializers.IntegerField()
    what = serializers.CharField()
    rows = serializers.IntegerField(help_text="Rows of it that were read.")


class RebuiltFile(serializers.Serializer):
    """A file of an export beside the same file made once more."""

    path = serializers.CharField()
    was = serializers.CharField(allow_null=True, help_text="SHA-256 as frozen.")
    made = serializers.CharField(allow_null=True, help_text="SHA-256 as made once more.")
    what = serializers.CharField(allow_blank=True, help_text="What differs in a dataset.")


class Rebuild(serializers.ModelSerializer):
    """A frozen export made once more from the audit trail."""

    state = serializers.ChoiceField(models.ExportRebuild.State.choices, source="standing")
    requested_by = serializers.CharField(source="requested_by.username")
    message = serializers.SerializerMethodField(help_text="Why it failed.")
    progress = serializers.SerializerMethodField(help_text="While a worker is at it.")
    is_same = serializers.SerializerMethodField(
        help_text="Whether every file has the same bytes; null until it is done."
    )
    files = RebuiltFile(many=True)

    class Meta:
        model = models.ExportRebuild
        fields = [
            "id",
            "state",
            "message",
            "progress",
            "requested_by",
            "requested_at",
            "finished_at",
            "software_version",
            "is_same",
            "files",
        ]

    def get_message(self, row: models.ExportRebuild) -> str:
        return selectors.message_of(row)

    @extend_schema_field(Progress(allow_null=True))
    def get_progress(self, row: models.ExportRebuild) -> dict | None:
        return _progress(row)

    def get_is_same(self, row: models.ExportRebuild) -> bool | None:
        if row.state != models.ExportRebuild.State.DONE:
            return None
        return all(one["was"] == one["made"] for one in row.files)


def _progress(row: models.Export | models.ExportRebuild) -> dict | None:
    found = selectors.progress_of(row)
    return Progress(found).data if found else None


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


class DatasetChanges(serializers.Serializer):
    """How much of a dataset changed; its file has a line for each row."""

    dataset = serializers.CharField(source="name")
    keys = serializers.ListField(child=serializers.CharField())
    is_new = serializers.BooleanField()
    is_gone = serializers.BooleanField()
    is_replaced = serializers.BooleanField(
        help_text="Its keys are others: forget the earlier rows, all of the newer ones are added."
    )
    rows_added = serializers.SerializerMethodField()
    rows_changed = serializers.SerializerMethodField()
    rows_removed = serializers.SerializerMethodField()

    def get_rows_added(self, one: Changes) -> int:
        return one.count(ADDED)

    def get_rows_changed(self, one: Changes) -> int:
        return one.count(CHANGED)

    def get_rows_removed(self, one: Changes) -> int:
        return one.count(REMOVED)


class Export(serializers.ModelSerializer):
    """An export; `manifest` and `sha256` are there once it is frozen."""

    trial = serializers.CharField(source="trial.identifier")
    requested_by = serializers.CharField(source="requested_by.username")
    state = serializers.ChoiceField(models.Export.State.choices, source="standing")
    message = serializers.SerializerMethodField(help_text="Why it failed.")
    progress = serializers.SerializerMethodField(help_text="While a worker is at it.")
    cancelled_by = serializers.CharField(
        source="cancelled_by.username", default=None, help_text="Who called it off."
    )
    formats = serializers.ListField(child=serializers.CharField(), help_text="Besides CSV.")
    manifest = serializers.SerializerMethodField()
    signing_key_sha256 = serializers.CharField(
        help_text="Of whose SHA256SUMS there is a signature: the SHA-256 of the public key (DER); "
        "empty if it is not signed.",
    )
    decided_by = serializers.CharField(
        source="decided_by.username",
        default=None,
        help_text="Of an unblinded one: who agreed to it, or declined it.",
    )

    class Meta:
        model = models.Export
        fields = [
            "id",
            "trial",
            "state",
            "message",
            "progress",
            "cancelled_by",
            "cancelled_at",
            "reason",
            "formats",
            "privacy",
            "requested_by",
            "requested_at",
            "is_unblinded",
            "unblinding_reason",
            "cut_off",
            "decided_by",
            "decided_at",
            "decision_reason",
            "as_of",
            "audit_event",
            "manifest",
            "sha256",
            "size",
            "signing_key_sha256",
        ]

    def get_message(self, row: models.Export) -> str:
        return selectors.message_of(row)

    @extend_schema_field(Progress(allow_null=True))
    def get_progress(self, row: models.Export) -> dict | None:
        return _progress(row)

    @extend_schema_field(Manifest(allow_null=True))
    def get_manifest(self, row: models.Export) -> dict | None:
        return row.manifest or None
