from django.apps import AppConfig
from django.conf import settings
from django.db import connections
from django.db.models.signals import post_migrate


def protect_database(*, using: str, **_) -> None:
    """After the owner has migrated, put the audit trail and the grants in place."""
    from trials.services import database

    if using == "owner":
        role = settings.DATABASES["default"]["USER"]
        database.protect(connections[using], runtime_role=role)


class TrialsConfig(AppConfig):
    name = "trials"

    def ready(self) -> None:
        post_migrate.connect(protect_database, sender=self)
