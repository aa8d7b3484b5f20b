"""Where frozen exports lie: by the digest of their bytes, like every stored file."""

from __future__ import annotations

from imaging.storage import Store

exports = Store("exports")
