"""The worker of the site's web server with less patience, for gunicorn to load by its name."""

from config import web_worker

GRACE_SECONDS = 1.0


class Worker(web_worker.Worker):
    grace_seconds = GRACE_SECONDS
