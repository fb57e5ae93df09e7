"""The embedded data set: recorded human motion, drawn as video files in UCF101's layout."""

from __future__ import annotations

VERSION = "1"
"""Changes whenever what is drawn changes, so that numbers of different drawings are never compared."""
