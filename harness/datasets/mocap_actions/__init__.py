"""Embedded data set: recorded human motion, drawn as videos in UCF101's layout."""

from __future__ import annotations

VERSION = "1"
"""Version of the drawing; changes whenever a pixel does."""
