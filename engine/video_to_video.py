"""Video to video: a bundle that can encode clips, and a call that must have one."""

from __future__ import annotations

from vidrt import _core
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import InvalidArgument
from vidrt.engine.options import GenerateOptions
from vidrt.engine.pipeline import TextToVideoPipeline


class VideoToVideoPipeline(TextToVideoPipeline):
    """Generates videos that start from a clip: `pipe(video="cat.mp4", prompt="a tiger", strength=0.6)`.

    It is the pipeline of text to video, which takes the same bundle and clip; here a clip must be given
    (docs/video_to_video.md). Arguments are those of TextToVideoPipeline.

    Raises:
        InvalidArgument: If the bundle cannot encode clips, besides what TextToVideoPipeline raises.
    """

    def _check_bundle(self, bundle: Bundle) -> None:
        _core.require_clip_encoder(bundle.manifest)

    def prepare(self, options: GenerateOptions) -> GenerateOptions:
        """The same as for text to video. Raises InvalidArgument where there is no clip."""
        if options.video is None:
            raise InvalidArgument("got no video; give one, or generate from text alone with TextToVideoPipeline.")
        return super().prepare(options)
