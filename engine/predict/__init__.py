"""Latency predictions for devices that are not here (docs/predictions.md): what graphs compute and move, against peaks.

Needs the package `onnx` (extra `predict`), which is imported when a graph is first read.
"""

from __future__ import annotations

from vidrt.engine.predict.devices import DeviceSpec, device_spec, known_devices
from vidrt.engine.predict.prediction import PredictedStage, Prediction, predict

__all__ = ["DeviceSpec", "PredictedStage", "Prediction", "device_spec", "known_devices", "predict"]
