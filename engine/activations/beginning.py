"""What a generation may start from besides noise, so that the encoder of images is measured as well."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidrt import _core
from vidrt.engine.errors import InvalidArgument


def beginning_of(manifest: _core.Manifest, height: int, width: int, num_frames: int) -> dict[str, Any]:
    """An image, or a clip where the bundle takes no image, as options of a generation; nothing for one without."""
    if manifest.image_conditioning != "none":
        return {"image": np.zeros((height, width, 3), np.uint8)}
    try:
        _core.require_clip_encoder(manifest)
    except InvalidArgument:
        return {}
    return {"video": np.zeros((num_frames, height, width, 3), np.uint8), "strength": 1.0}
