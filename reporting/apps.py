from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "reporting"

    def ready(self) -> None:
        # Checks of settings and the job handlers.
        from reporting import checks, tasks  # noqa: F401  imported, they register themselves
