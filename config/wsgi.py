import os

from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")


def _application() -> WSGIHandler:
    application = get_wsgi_application()
    # After the applications are loaded; a worker asks when it begins, in config/celery.py.
    from imaging.storage import ask_at_start

    ask_at_start()
    return application


application = _application()
