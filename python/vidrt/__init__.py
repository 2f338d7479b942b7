"""Text-to-video diffusion on the device in front of you.

    import vidrt

    pipe = vidrt.TextToVideoPipeline("models/pocket")
    video = pipe("a small red circle moving left", seed=7)
    video.save("circle.mp4")

Importing this package loads nothing heavy: each public name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidrt._core import __version__ as __version__
    from vidrt.engine.bundle import Bundle as Bundle
    from vidrt.engine.custom_ops import custom_ops_library as custom_ops_library
    from vidrt.engine.errors import BackendError as BackendError
    from vidrt.engine.errors import BundleError as BundleError
    from vidrt.engine.errors import Cancelled as Cancelled
    from vidrt.engine.errors import Error as Error
    from vidrt.engine.errors import InvalidArgument as InvalidArgument
    from vidrt.engine.errors import IoError as IoError
    from vidrt.engine.errors import OutOfMemory as OutOfMemory
    from vidrt.engine.errors import VidrtWarning as VidrtWarning
    from vidrt.engine.events import Callbacks as Callbacks
    from vidrt.engine.events import CancelToken as CancelToken
    from vidrt.engine.events import FramesEvent as FramesEvent
    from vidrt.engine.events import StageEvent as StageEvent
    from vidrt.engine.events import StepEvent as StepEvent
    from vidrt.engine.image_to_video import ImageToVideoPipeline as ImageToVideoPipeline
    from vidrt.engine.layer_profile import LayerProfile as LayerProfile
    from vidrt.engine.options import DecodeOptions as DecodeOptions
    from vidrt.engine.options import GenerateOptions as GenerateOptions
    from vidrt.engine.pipeline import TextToVideoPipeline as TextToVideoPipeline
    from vidrt.engine.plan import GenerationPlan as GenerationPlan
    from vidrt.engine.prompt_embeds import PromptEmbeds as PromptEmbeds
    from vidrt.engine.vae_tiling import VaeTiling as VaeTiling
    from vidrt.engine.video import Timings as Timings
    from vidrt.engine.video import Video as Video
    from vidrt.engine.video import VideoMetadata as VideoMetadata
    from vidrt.engine.video_to_video import VideoToVideoPipeline as VideoToVideoPipeline
    from vidrt.engine.writers import open_writer as open_writer

_HOME = {
    "__version__": "vidrt._core",
    "Bundle": "vidrt.engine.bundle",
    "custom_ops_library": "vidrt.engine.custom_ops",
    "BackendError": "vidrt.engine.errors",
    "BundleError": "vidrt.engine.errors",
    "Cancelled": "vidrt.engine.errors",
    "Error": "vidrt.engine.errors",
    "InvalidArgument": "vidrt.engine.errors",
    "IoError": "vidrt.engine.errors",
    "OutOfMemory": "vidrt.engine.errors",
    "VidrtWarning": "vidrt.engine.errors",
    "Callbacks": "vidrt.engine.events",
    "CancelToken": "vidrt.engine.events",
    "FramesEvent": "vidrt.engine.events",
    "StageEvent": "vidrt.engine.events",
    "StepEvent": "vidrt.engine.events",
    "ImageToVideoPipeline": "vidrt.engine.image_to_video",
    "LayerProfile": "vidrt.engine.layer_profile",
    "DecodeOptions": "vidrt.engine.options",
    "GenerateOptions": "vidrt.engine.options",
    "TextToVideoPipeline": "vidrt.engine.pipeline",
    "GenerationPlan": "vidrt.engine.plan",
    "PromptEmbeds": "vidrt.engine.prompt_embeds",
    "VaeTiling": "vidrt.engine.vae_tiling",
    "Timings": "vidrt.engine.video",
    "Video": "vidrt.engine.video",
    "VideoMetadata": "vidrt.engine.video",
    "VideoToVideoPipeline": "vidrt.engine.video_to_video",
    "open_writer": "vidrt.engine.writers",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'vidrt' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))
