from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


def note_log_in(*, user, **_) -> None:
    from trials.services import accounts

    accounts.note_log_in(user)


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Under Django's own name for its receiver, which would write without a frame and be
        # refused by the database; this app comes before auth, so ours is the one that holds.
        user_logged_in.connect(note_log_in, dispatch_uid="update_last_login")
