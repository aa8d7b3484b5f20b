import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

application = get_wsgi_application()

# After the applications are loaded; a worker asks when it begins, in config/celery.py.
from imaging.storage import ask_at_start  # noqa: E402

ask_at_start()
