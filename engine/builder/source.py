"""Which graph of a module becomes the engine."""

from __future__ import annotations

from pathlib import Path

from vidrt import _core
from vidrt.engine.builder.options import BuildOptions
from vidrt.engine.builder.sidecar import Source
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.precision import EVERY_MODULE, check_modules

PLUGIN_LIBRARY = "libvidrt_trt_plugins.so"
_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}


def chosen_modules(bundle: Bundle, names: tuple[str, ...]) -> list[_core.Module]:
    """The modules of these names, all for none. Raises InvalidArgument for a name that the bundle has not."""
    unknown = [name for name in names if name not in bundle.modules]
    if unknown:
        raise InvalidArgument(f"{bundle.name} has no module {unknown[0]!r}; it has {', '.join(bundle.modules)}.")
    return [module for name, module in bundle.modules.items() if not names or name in names]


def check_wish(bundle: Bundle, options: BuildOptions) -> None:
    """Check that there is what is insisted on.

    Raises:
        BackendError: No module has the variant.
        InvalidArgument: The bundle has not the module that a precision is for.
    """
    known = sorted({variant.id for module in bundle.modules.values() for variant in module.variants})
    if options.variant is not None and options.variant not in known:
        raise BackendError(f"no module of {bundle.name} has a variant {options.variant!r}; it has {', '.join(known)}.")
    check_modules(options.precisions, list(bundle.modules), bundle.name)


def precisions_of(module: _core.Module, backend: str) -> list[str]:
    """What a module's variants for a backend compute in, the preferred first."""
    return list(dict.fromkeys(variant.precision for variant in module.variants if backend in variant.backends))


def check_plugins(options: BuildOptions) -> None:
    """Raises BackendError for a plugin library that is not there."""
    for path in options.plugins:
        if not path.is_file():
            raise BackendError(
                f"the plugin library {path} is not there. Build {PLUGIN_LIBRARY} (docs/tensorrt_plugin.md), name it "
                "with --plugin, or leave --plugin out for the stock graphs."
            )


def wished_variants(module: _core.Module, options: BuildOptions) -> list[_core.Variant]:
    """Those of a module that may be taken, the preferred first: for the backend, and the wanted one where there is."""
    return [variant for variant in _asked_for(module, options) if options.backend in variant.backends]


def choose_variant(module: _core.Module, options: BuildOptions) -> _core.Variant:
    """The first variant that the backend can take: one with custom operators needs a plugin library.

    Raises:
        BackendError: There is none in the precision that is insisted on, or none at all; the message says why each was
            refused.
    """
    wished = _asked_for(module, options)
    precision = options.precisions.get(module.name, options.precisions.get(EVERY_MODULE))
    if precision is not None:
        _check_there(module, precision, options.backend)
        wished = [variant for variant in wished if variant.precision == precision]
        if not wished:
            raise BackendError(f"the variant {options.variant} of {module.name} does not compute in {precision}.")
    refused = []
    for variant in wished:
        reason = _refusal(variant, options)
        if reason is None:
            return variant
        refused.append(f"{variant.id} {reason}")
    raise BackendError(f"{module.name} has no variant for {options.backend}: {'; '.join(refused)}.")


def source_of(bundle: Bundle, module: _core.Module, variant: _core.Variant) -> Source:
    """What the sidecar says of where an engine comes from."""
    files = bundle.manifest.data_files
    return Source(
        bundle=bundle.name,
        path=str(bundle.path.resolve()),
        module=module.name,
        variant=variant.id,
        precision=variant.precision,
        graph_sha256=variant.sha256,
        data_files={name: files[name].sha256 for name in variant.data_files},
        initializer_bytes=weight_bytes(variant),
    )


def weight_bytes(variant: _core.Variant) -> int:
    """A variant's weights in the precision that it computes in; those of eight bits stay what they are."""
    kept = variant.storage == "int8"
    return variant.weight_bytes if kept else variant.weight_bytes * _BYTES[variant.precision] // _BYTES[variant.storage]


def graph_path(bundle: Bundle, variant: _core.Variant) -> Path:
    """The ONNX file."""
    return bundle.resolve(variant.file)


def _asked_for(module: _core.Module, options: BuildOptions) -> list[_core.Variant]:
    return [variant for variant in module.variants if variant.id == options.variant] or module.variants


def _check_there(module: _core.Module, precision: str, backend: str) -> None:
    there = precisions_of(module, backend)
    if precision not in there:
        raise BackendError(
            f"{module.name} has no graph that computes in {precision} for {backend}; it has "
            f"{', '.join(there) or 'none'}. Choose one of these, or export the bundle with --precision "
            f"{module.name}={precision}."
        )


def _refusal(variant: _core.Variant, options: BuildOptions) -> str | None:
    if options.backend not in variant.backends:
        return f"is for {', '.join(variant.backends)}"
    if variant.custom_ops and not options.plugins:
        needed = ", ".join(variant.custom_ops)
        return f"needs the plugin library {PLUGIN_LIBRARY} for {needed}: name it with --plugin"
    return None
