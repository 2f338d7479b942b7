"""Text to video: open a bundle once, generate as often as wanted."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, overload

from vidrt import _core
from vidrt.engine.asynchronous import frames_async, run_async
from vidrt.engine.builder.missing import EngineUse, build_missing, call_with_engines
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import InvalidArgument, VidrtWarning
from vidrt.engine.events import Callbacks
from vidrt.engine.frame_stream import FrameStream
from vidrt.engine.layer_profile import LayerProfile
from vidrt.engine.onnxruntime_location import announce_onnxruntime
from vidrt.engine.options import DecodeOptions, GenerateOptions, options_from_settings, pipeline_options
from vidrt.engine.plan import GenerationPlan
from vidrt.engine.prepared_options import check_prompt, core_arguments, prepare_options
from vidrt.engine.prompt_embeds import PromptEmbeds
from vidrt.engine.prompt_fixing import fixed_by, fixed_prompts
from vidrt.engine.tensorrt_location import announce_tensorrt
from vidrt.engine.video import Video
from vidrt.engine.writers import Frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from typing_extensions import Unpack

    from vidrt.engine.builder import BuildEvent
    from vidrt.engine.events import CancelToken, FramesEvent, StageEvent, StepEvent
    from vidrt.engine.options import GenerateSettings

T = TypeVar("T")
_NO_CALLBACKS = Callbacks()


class TextToVideoPipeline:
    """Runs the text encoder, denoiser and decoder of one bundle; of a bundle that has only a decoder, that.

    Calls from several threads are taken one after another; for parallel generation open one pipeline a thread. The GIL
    is released while the core works.

    Args:
        bundle: A bundle folder, or an opened Bundle.
        backend: "auto", "onnxruntime", "onnxruntime-cuda", "tensorrt" or "tensorrt-rtx".
        device: "cpu" or "cuda:N"; None takes what the backend runs on: the processor, or cuda:0.
        threads: Compute threads; None takes one per physical core.
        memory_budget: Bytes that a plan may take, as a number or "6GiB"; None sets no limit.
        variant: Insist on this variant of every module that has it; None takes the first that can run.
        cuda_graphs: TensorRT: record runs that repeat, and replay them at the cost of one launch.
        embeds_cache: Bytes, as a number or "256MiB", that embeddings of prompts may take in the user's cache folder,
            where later processes find them and do without the text encoder (docs/memory.md); None keeps none.
        profile_layers: Time every layer of every run, for take_layer_profile(). Slower: TensorRT waits for each run and
            replays none as a CUDA graph, ONNX Runtime writes events. Not with "onnxruntime-cuda".
        build_engines: TensorRT: build engines that are missing, or that do not match the device, TensorRT's version or
            the bundle, here, and those that do not take the size of a call in that call (docs/engines.md). It takes
            minutes; Ctrl-C keeps finished engines and nothing half-built. False raises BackendError instead.
        on_build: Called with a BuildEvent about 20 times a second while engines are built, on the thread that asked for
            them. An exception from it ends the build.

    Raises:
        InvalidArgument: If an option is unknown or of the wrong type, or build_engines is given to a backend that runs
            no engines.
        BundleError: If the bundle cannot be used.
        BackendError: If the backend's library is missing or no variant can run on it, or engines cannot be built.
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
        build_engines: bool = False,
        on_build: Callable[[BuildEvent], object] | None = None,
    ) -> None:
        options = pipeline_options(
            backend,
            device,
            threads,
            memory_budget,
            variant,
            cuda_graphs=cuda_graphs,
            embeds_cache=embeds_cache,
            profile_layers=profile_layers,
        )
        announce_onnxruntime()
        announce_tensorrt()
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle(bundle)
        self._check_bundle(self.bundle)
        self._engines = EngineUse.of(self.bundle, options) if build_engines else None
        self._on_build = on_build
        if self._engines is not None:
            build_missing(self._engines, on_event=on_build)
        self._core = _core.Pipeline(self.bundle.path, options)

    def _check_bundle(self, bundle: Bundle) -> None:
        """Refuse a bundle that lacks what a pipeline of this kind needs; text to video takes all."""

    @property
    def backend(self) -> str:
        """The backend in use with its version: "onnxruntime 1.32.0"."""
        return self._core.backend_description

    @overload
    def __call__(
        self,
        prompt: str = ...,
        *,
        on_stage: Callable[[StageEvent], object] | None = ...,
        on_step: Callable[[StepEvent], object] | None = ...,
        on_frames: Callable[[FramesEvent], object] | None = ...,
        on_warning: Callable[[str], object] | None = ...,
        cancel: CancelToken | None = ...,
        **settings: Unpack[GenerateSettings],
    ) -> Video: ...

    @overload
    def __call__(
        self,
        prompt: list[str] | tuple[str, ...],
        *,
        on_stage: Callable[[StageEvent], object] | None = ...,
        on_step: Callable[[StepEvent], object] | None = ...,
        on_frames: Callable[[FramesEvent], object] | None = ...,
        on_warning: Callable[[str], object] | None = ...,
        cancel: CancelToken | None = ...,
        **settings: Unpack[GenerateSettings],
    ) -> list[Video]: ...

    def __call__(
        self,
        prompt: str | list[str] | tuple[str, ...] = "",
        *,
        on_stage: Callable[[StageEvent], object] | None = None,
        on_step: Callable[[StepEvent], object] | None = None,
        on_frames: Callable[[FramesEvent], object] | None = None,
        on_warning: Callable[[str], object] | None = None,
        cancel: CancelToken | None = None,
        **settings: Unpack[GenerateSettings],
    ) -> Video | list[Video]:
        """Generate a video, or a list of videos from a list of prompts with the same settings and seed each.

        Args:
            prompt: What the video shall show.
            on_stage: Called with a StageEvent as a stage goes on.
            on_step: Called with a StepEvent after each denoising step.
            on_frames: Called with a FramesEvent as soon as frames are decoded.
            on_warning: Called with warnings; unset, they are issued as VidrtWarning.
            cancel: Ends the generation from any thread.
            **settings: The attributes of GenerateOptions: negative_prompt, height, width, num_frames,
                num_inference_steps, guidance_scale, seed, fps, scheduler, step_cache, truncate, decode_chunk,
                vae_tiling, output_type, keep_frames, latents, image, video, strength, prompt_embeds,
                negative_prompt_embeds.

        Raises:
            InvalidArgument: If an option cannot be used; raised for every prompt before anything is generated.
            BundleError: If the bundle has only a decoder.
            OutOfMemory: If no plan fits the memory budget.
            BackendError: If the backend fails.
            Cancelled: If `cancel` asked for it.
        """
        callbacks = Callbacks(on_stage, on_step, on_frames, on_warning, cancel)
        if isinstance(prompt, str):
            return self.generate(options_from_settings(prompt, settings), callbacks)
        if not isinstance(prompt, (list, tuple)):
            raise InvalidArgument(f"prompt must be a string or a list of strings, got {type(prompt).__name__}.")
        batch = [self.prepare(options_from_settings(one, settings)) for one in prompt]
        for options in batch:
            self.check(options)
        return [self.generate(options, callbacks) for options in batch]

    def generate(self, options: GenerateOptions, callbacks: Callbacks = _NO_CALLBACKS) -> Video:
        """Generate one video. Raises as a call of the pipeline does."""
        callbacks = _with_warnings(callbacks)
        options = self._fixed(self.prepare(options), callbacks)
        arguments = core_arguments(options)
        if self._engines is not None:
            self._call(lambda: self._core.plan(*arguments), callbacks.cancel)
        video = self._core.generate(*arguments, callbacks.cancel, callbacks.to_core())
        return Video.from_core(video, fixed_by(self.bundle.manifest))

    def stream(
        self, prompt: str = "", *, callbacks: Callbacks = _NO_CALLBACKS, **settings: Unpack[GenerateSettings]
    ) -> FrameStream:
        """Generate in a thread of its own and iterate over the frames, each (H, W, 3), as they are decoded.

        A consumer that falls behind makes the decoder wait, so memory stays flat. Closing the iterator cancels.

        Args:
            prompt: What the video shall show.
            callbacks: Called on the generating thread. A stream has a cancel token of its own: `callbacks.cancel` must
                be unset.
            **settings: The attributes of GenerateOptions; keep_frames is off unless asked for.

        Raises:
            InvalidArgument: At once, if an option cannot be used.
        """
        settings.setdefault("keep_frames", False)
        options = self.prepare(options_from_settings(prompt, settings))
        if callbacks.cancel is not None:
            raise InvalidArgument("a stream is cancelled by closing it; leave callbacks.cancel unset.")
        self.check(options)
        return FrameStream(lambda inner: self.generate(options, inner), callbacks)

    async def agenerate(
        self, prompt: str = "", *, callbacks: Callbacks = _NO_CALLBACKS, **settings: Unpack[GenerateSettings]
    ) -> Video:
        """Generate without blocking the event loop. Cancelling the task cancels the generation.

        Callbacks run on a worker thread. Arguments and errors are those of a call of the pipeline.
        """
        options = options_from_settings(prompt, settings)
        return await run_async(lambda inner: self.generate(options, inner), callbacks)

    async def astream(
        self, prompt: str = "", *, callbacks: Callbacks = _NO_CALLBACKS, **settings: Unpack[GenerateSettings]
    ) -> AsyncIterator[Frames]:
        """Iterate over the frames with `async for`, as stream() does with `for`."""
        async for frame in frames_async(self.stream(prompt, callbacks=callbacks, **settings)):
            yield frame

    def encode_prompt(
        self, prompt: str, *, truncate: bool = False, callbacks: Callbacks = _NO_CALLBACKS
    ) -> PromptEmbeds:
        """Run the text encoder alone. Raises InvalidArgument for an empty or overlong prompt."""
        callbacks = _with_warnings(callbacks)
        fixed = self._fixed(GenerateOptions(prompt), callbacks)  # which checks that it is text
        return self._core.encode_prompt(fixed.prompt, truncate, callbacks.cancel, callbacks.to_core())

    def decode_latents(self, options: DecodeOptions, callbacks: Callbacks = _NO_CALLBACKS) -> Video:
        """Turn latents into a video with the decoder alone, which is all that some bundles have.

        Raises:
            InvalidArgument: If the latents or an option cannot be used.
            OutOfMemory: If it does not fit the memory budget.
            BackendError: If the backend fails.
            Cancelled: If `callbacks.cancel` asked for it.
        """
        core = options.to_core()
        if self._engines is not None:
            self._call(lambda: self._core.plan_decode(core, options.latents), callbacks.cancel)
        core_callbacks = _with_warnings(callbacks).to_core()
        video = self._core.decode_latents(core, options.latents, callbacks.cancel, core_callbacks)
        return Video.from_core(video)

    def activations_file(self, module: str) -> str:
        """The file that says what a module's activations take, once measured; "" where the user has no home."""
        return self._core.activations_file(module)

    def take_layer_profile(self) -> LayerProfile:
        """What the layers took in all runs since the pipeline was opened, or since the last call of this.

        Unloads all modules, for ONNX Runtime tells when a session ends; the next generation loads them again.

        Raises:
            InvalidArgument: If the pipeline was opened without profile_layers.
            BackendError: If what ONNX Runtime wrote cannot be read.
        """
        return LayerProfile.from_core(self._core.take_layer_profile())

    def plan_decode(self, options: DecodeOptions) -> GenerationPlan:
        """Say what decode_latents() would do and need, without loading or running anything. Raises what it raises."""
        core = options.to_core()
        return GenerationPlan.from_core(self._call(lambda: self._core.plan_decode(core, options.latents)))

    def prepare(self, options: GenerateOptions) -> GenerateOptions:
        """Read the image or the clip, if there is one, and bring it to the video's size, chosen where it is not given.

        The result has pixels for it, and height and width set, for a clip num_frames and, of a file, fps as well; every
        call that takes options does this itself.

        Raises:
            InvalidArgument: If the bundle takes no image or no clip, or this is none that can be used.
            IoError: If its file cannot be read.
            BackendError: If a clip's file needs PyAV, which is not there.
        """
        return prepare_options(self.bundle, options)

    def check(self, options: GenerateOptions) -> None:
        """Raise what generate() would raise for the prompt and the options, and load nothing."""
        self.plan(options)
        check_prompt(self.bundle, options)

    def plan(self, options: GenerateOptions | None = None) -> GenerationPlan:
        """Say what a generation would do and need, without loading or running anything.

        With build_engines, engines that it lacks are built: they say what memory they take.

        Raises:
            InvalidArgument: If an option cannot be used.
            OutOfMemory: If no plan fits the memory budget.
        """
        options = self.prepare(GenerateOptions() if options is None else options)
        arguments = core_arguments(options)
        return GenerationPlan.from_core(self._call(lambda: self._core.plan(*arguments)))

    def _call(self, call: Callable[[], T], cancel: CancelToken | None = None) -> T:
        """Call the core for a plan, with the engines that it misses built where that is allowed."""
        if self._engines is None:
            return call()
        return call_with_engines(self._engines, call, on_event=self._on_build, cancel=cancel)

    def _fixed(self, options: GenerateOptions, callbacks: Callbacks = _NO_CALLBACKS) -> GenerateOptions:
        return fixed_prompts(options, self.bundle.manifest, callbacks.on_warning)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.bundle.path)!r}, backend={self.backend!r})"


def _with_warnings(callbacks: Callbacks) -> Callbacks:
    if callbacks.on_warning is not None:
        return callbacks
    # The caller of the core's caller: pipe(...) in the user's own code.
    return replace(callbacks, on_warning=lambda message: warnings.warn(message, VidrtWarning, stacklevel=4))
