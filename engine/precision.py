"""Precisions as the command line writes them: fp16, or denoiser=fp16 for one module."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from vidrt.engine.errors import InvalidArgument

PRECISIONS = ("fp32", "fp16", "bf16")
"""What graphs compute in, by the manifest's words."""

EVERY_MODULE = ""
"""The key for modules that are not named."""


def parse_precisions(texts: Sequence[str], known: Sequence[str] = PRECISIONS) -> dict[str, tuple[str, ...]]:
    """Read wishes of the form [MODULE=]PRECISION[,PRECISION].

    Args:
        texts: The wishes.
        known: The words that may be wished for.

    Returns:
        The precisions by module, in the order in which they are wished for.

    Raises:
        InvalidArgument: One is not of that form, or two are for the same modules.
    """
    wishes: dict[str, tuple[str, ...]] = {}
    for text in texts:
        module, equals, listed = text.rpartition("=")
        names = tuple(name.strip() for name in listed.split(","))
        unknown = [name for name in names if name not in known]
        if unknown or (equals and not module) or len(set(names)) != len(names):
            raise InvalidArgument(
                f"a precision is written as fp16, or denoiser=fp16 for one module, got {text!r}; expected each of "
                f"{', '.join(known)} at most once."
            )
        if module in wishes:
            raise InvalidArgument(f"got two precisions for {module or 'every module'}; expected one, as fp16,bf16.")
        wishes[module] = names
    return wishes


def check_modules(wishes: Mapping[str, object], modules: Collection[str], owner: str) -> None:
    """Raise InvalidArgument for a wish for a module that there is not."""
    unknown = sorted(set(wishes) - {EVERY_MODULE, *modules})
    if unknown:
        raise InvalidArgument(f"{owner} has no module {unknown[0]!r}; it has {', '.join(modules)}.")
