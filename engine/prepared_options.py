"""Options of a generation made ready for the core, and checked as far as that needs no backend."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from vidrt import _core
from vidrt.engine.errors import InvalidArgument
from vidrt.engine.image import fit_to_bundle
from vidrt.engine.prompt_fixing import fixed_prompts
from vidrt.engine.video_input import fit_clip

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from vidrt.engine.bundle import Bundle
    from vidrt.engine.options import GenerateOptions
    from vidrt.engine.prompt_embeds import PromptEmbeds

    CoreArguments = tuple[
        _core.GenerateOptions,
        npt.NDArray[np.float32] | None,
        npt.NDArray[np.uint8] | None,
        npt.NDArray[np.uint8] | None,
        PromptEmbeds | None,
        PromptEmbeds | None,
    ]


def prepare_options(bundle: Bundle, options: GenerateOptions) -> GenerateOptions:
    """Read the image or the clip and bring it to the video's size, as TextToVideoPipeline.prepare() says."""
    if options.video is not None:
        _core.require_clip_encoder(bundle.manifest)
        options.to_core()  # checks the types of the sizes, before anything is read
        return fit_clip(options, bundle.manifest)
    if options.image is None:
        return options
    check_takes_image(bundle)
    options.to_core()  # checks the types of height and width
    pixels = fit_to_bundle(options.image, bundle.manifest, options.height, options.width)
    return replace(options, image=pixels, height=pixels.shape[0], width=pixels.shape[1])


def check_options(bundle: Bundle, options: GenerateOptions) -> None:
    """Raise what a generation would raise for options that are prepared: all but what its backend and memory decide.

    Raises:
        InvalidArgument: An option or the prompt cannot be used.
        BundleError: The bundle has only a decoder.
    """
    _core.check_options(bundle.core, *core_arguments(options))
    check_prompt(bundle, options)


def check_prompt(bundle: Bundle, options: GenerateOptions) -> None:
    """Raises InvalidArgument for a prompt that is empty or too long."""
    options = fixed_prompts(options, bundle.manifest, None)
    if options.prompt_embeds is None:
        if not options.prompt.strip():
            raise InvalidArgument("prompt is empty; say what the video shall show.")
        bundle.tokenizer.fit(options.prompt, bundle.manifest.tokenizer, options.truncate)


def check_takes_image(bundle: Bundle) -> None:
    """Raise InvalidArgument unless videos of the bundle may begin with an image."""
    if bundle.manifest.image_conditioning in ("", "none"):
        raise InvalidArgument(
            f"the bundle {bundle.name!r} makes videos from text alone (image_conditioning none) and takes no image; "
            "leave image out, or open a bundle that takes one."
        )


def core_arguments(options: GenerateOptions) -> CoreArguments:
    """Options that are prepared, as the core takes them."""
    return (
        options.to_core(),
        options.latents,
        cast("npt.NDArray[np.uint8] | None", options.image),
        cast("npt.NDArray[np.uint8] | None", options.video),
        options.prompt_embeds,
        options.negative_prompt_embeds,
    )
