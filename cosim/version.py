"""The version, and where this code lies."""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"

ROOT = Path(__file__).resolve().parent.parent
"""Folder that holds the rooms: the checkout, or site-packages."""
