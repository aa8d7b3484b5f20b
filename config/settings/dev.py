"""Development and the demo: the embedded parts, on loopback."""

from config import env
from config.settings.base import *

DEBUG = env.flag("TRIALTRACE_DEBUG", default=False)
# Good enough for loopback alone; production has no default.
SECRET_KEY = env.text("TRIALTRACE_SECRET_KEY", default="development-only-" + "x" * 40)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
DEMO = True
