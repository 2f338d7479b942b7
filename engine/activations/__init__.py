"""What modules take of memory besides weights and the planned arena: measured, fitted and kept for the plan."""

from __future__ import annotations

from vidrt.engine.activations.measure import measure_activations

__all__ = ["measure_activations"]
