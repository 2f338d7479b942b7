"""Image to video: a bundle that takes an image, and a call that must have one."""

from __future__ import annotations

from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import InvalidArgument
from vidrt.engine.options import GenerateOptions
from vidrt.engine.pipeline import TextToVideoPipeline
from vidrt.engine.prepared_options import check_takes_image


class ImageToVideoPipeline(TextToVideoPipeline):
    """Generates videos that begin with an image: `pipe(image="cat.jpg", prompt="the cat looks up")`.

    It is the pipeline of text to video, which takes the same bundle and image; here an image must be given
    (docs/image_to_video.md). Arguments are those of TextToVideoPipeline.

    Raises:
        InvalidArgument: If the bundle takes no image, besides what TextToVideoPipeline raises.
    """

    def _check_bundle(self, bundle: Bundle) -> None:
        check_takes_image(bundle)

    def prepare(self, options: GenerateOptions) -> GenerateOptions:
        """The same as for text to video. Raises InvalidArgument where there is no image."""
        if options.image is None:
            raise InvalidArgument("got no image; give one, or generate from text alone with TextToVideoPipeline.")
        return super().prepare(options)
