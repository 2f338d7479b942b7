"""What ftfy puts right in prompts: text that was decoded wrongly, curly quotes, odd widths. The core cannot do this."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING

from vidrt.engine.packages import package_folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidrt import _core
    from vidrt.engine.options import GenerateOptions

_CLEANING = {
    "whitespace": "white space made single",
    "html": "HTML's character references resolved, white space made single",
}


def fixed_by(manifest: _core.Manifest) -> str:
    """What puts the prompts of a bundle right here, with its version: "ftfy 6.3.1", or empty for nothing."""
    return f"ftfy {metadata.version('ftfy')}" if manifest.text_ftfy and _ftfy_installed() else ""


def fixed_prompts(
    options: GenerateOptions, manifest: _core.Manifest, warn: Callable[[str], object] | None
) -> GenerateOptions:
    """The options with both prompts as ftfy.fix_text gives them, where the bundle wants that.

    Where ftfy is not installed the prompts stay as they are; one that is not plain ASCII is then a warning.
    """
    if manifest.decoder_only or not manifest.text_ftfy:
        return options
    options.to_core()  # checks that both are text
    negative = options.negative_prompt  # the bundle's own is right already
    if not _ftfy_installed():
        if warn is not None and not (options.prompt + (negative or "")).isascii():
            warn(
                "this model's prompts are put right with ftfy first, which is not installed: the video may differ from "
                "the original's. pip install 'vidrt[text]'"
            )
        return options
    from ftfy import fix_text

    negative = None if negative is None else fix_text(negative)
    return replace(options, prompt=fix_text(options.prompt), negative_prompt=negative)


def cleaning_in_words(manifest: _core.Manifest) -> str:
    """What happens to a prompt before it is tokenised, for people."""
    steps = []
    if manifest.text_ftfy:
        steps.append(fixed_by(manifest) or "ftfy (not installed here: pip install 'vidrt[text]')")
    if manifest.text_cleaning != "none":
        steps.append(_CLEANING[manifest.text_cleaning])
    return ", then ".join(steps)


def _ftfy_installed() -> bool:
    return bool(package_folders("ftfy"))
