"""Why a convolution stays what it is."""

from __future__ import annotations


class Unfit(Exception):
    """Raised inside the pass; the message is the reason that its report gives."""
