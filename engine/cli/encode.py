"""`vidrt encode`: a prompt to an embeddings file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.build_progress import missing_engines_built
from vidrt.engine.cli.text import print_json
from vidrt.engine.events import Callbacks


def encode(
    prompt: Annotated[str, typer.Argument(help="The text to encode.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .safetensors file to write.")],
    truncate: arg.Truncate = False,
    bundle: arg.BundleOption = None,
    backend: arg.Backend = "auto",
    device: arg.Device = None,
    threads: arg.Threads = None,
    embeds_cache: arg.EmbedsCache = arg.EMBEDS_CACHE,
    build_engines: arg.BuildEngines = False,
    json: arg.Json = False,
) -> None:
    """Encode a prompt, for `vidrt generate --prompt-embeds` on a device that cannot hold the text encoder."""
    with missing_engines_built(build_engines, silent=json) as on_build:
        pipe = arg.open_pipeline(
            bundle, backend, device, threads, None, None, embeds_cache=embeds_cache, on_build=on_build
        )
    callbacks = Callbacks(on_warning=lambda message: print(f"warning: {message}", file=sys.stderr))
    embeds = pipe.encode_prompt(prompt, truncate=truncate, callbacks=callbacks)
    embeds.save(output)
    rows, columns = embeds.text_embeds.shape
    if json:
        print_json({"output": str(output), "prompt": prompt, "shape": [rows, columns], "encoder_id": embeds.encoder_id})
    else:
        print(f"{output}: {rows} rows of {columns}, {int(embeds.text_mask.sum())} tokens")
