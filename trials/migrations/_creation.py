"""The operation that the squashed migrations of every app begin with."""

from collections.abc import Iterable

from django.db.migrations.operations import CreateModel
from django.db.migrations.operations.base import Operation, OperationCategory


class CreateModels(Operation):
    """Create many models, which may point at each other, as one step.

    One `CreateModel` after the other draws all models that are related anew for each, which in an
    app whose every table knows its user are all there are; and a ring of foreign keys has to be
    opened by hand. PostgreSQL gets the foreign keys at the end of a migration in any case.
    """

    category = OperationCategory.ADDITION
    serialization_expand_args = ["models"]

    def __init__(self, models: Iterable[CreateModel]) -> None:
        self.models = list(models)

    def state_forwards(self, app_label, state):
        # What was drawn is dropped, as the executor itself drops it where it is to be mutated
        # often; the first table draws all of them, once.
        state.__dict__.pop("apps", None)
        for model in self.models:
            model.state_forwards(app_label, state)

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        for model in self.models:
            model.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        for model in reversed(self.models):
            model.database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self):
        return f"Create {len(self.models)} models"
