"""Image to video: a bundle that takes an image, and a call that must have one."""

from __future__ import annotations

import os

from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import InvalidArgument
from vidrt.engine.options import GenerateOptions
from vidrt.engine.pipeline import TextToVideoPipeline, check_takes_image


class ImageToVideoPipeline(TextToVideoPipeline):
    """Generates videos that begin with an image: `pipe(image="cat.jpg", prompt="the cat looks up")`.

    It is the pipeline of text to video, which takes the same bundle and image; here an image must be given
    (docs/image_to_video.md). Arguments are those of TextToVideoPipeline.

    Raises:
        InvalidArgument: If the bundle takes no image, besides what TextToVideoPipeline raises.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] | Bundle,
        backend: str = "auto",
        device: str | None = None,
        threads: int | None = None,
        memory_budget: int | str | None = None,
        variant: str | None = None,
        *,
        cuda_graphs: bool = True,
        embeds_cache: int | str | None = None,
        profile_layers: bool = False,
    ) -> None:
        opened = bundle if isinstance(bundle, Bundle) else Bundle(bundle)
        check_takes_image(opened)
        super().__init__(
            opened,
            backend,
            device,
            threads,
            memory_budget,
            variant,
            cuda_graphs=cuda_graphs,
            embeds_cache=embeds_cache,
            profile_layers=profile_layers,
        )

    def prepare(self, options: GenerateOptions) -> GenerateOptions:
        """The same as for text to video. Raises InvalidArgument where there is no image."""
        if options.image is None:
            raise InvalidArgument("got no image; give one, or generate from text alone with TextToVideoPipeline.")
        return super().prepare(options)
