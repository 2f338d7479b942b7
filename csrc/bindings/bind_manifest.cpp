// The checked manifest as read-only Python objects.
#include <pybind11/stl.h>

#include <optional>
#include <utility>

#include "bindings/bindings.h"
#include "runtime/module_contract.h"
#include "vidrt/bundle.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

// (before, after), or None.
std::optional<std::pair<int, int>> receptive_field(const VaeConfig& vae) {
  if (!vae.receptive_field) return std::nullopt;
  return std::pair(vae.receptive_field->before, vae.receptive_field->after);
}

void bind_modules(py::module_& m) {
  py::class_<TensorSpec>(m, "TensorSpec")
      .def_readonly("name", &TensorSpec::name)
      .def_property_readonly("dtype", [](const TensorSpec& spec) { return dtype_name(spec.dtype); })
      .def_property_readonly("shape", [](const TensorSpec& spec) { return py::tuple(py::cast(spec.shape)); });
  py::class_<Parity>(m, "Parity")
      .def_readonly("max_abs", &Parity::max_abs)
      .def_readonly("tolerance", &Parity::tolerance)
      .def_readonly("cases", &Parity::cases)
      .def_readonly("method", &Parity::method)
      .def_readonly("cosine", &Parity::cosine)
      .def_readonly("least_cosine", &Parity::least_cosine);
  py::class_<Variant>(m, "Variant")
      .def_readonly("id", &Variant::id)
      .def_readonly("file", &Variant::file)
      .def_readonly("sha256", &Variant::sha256)
      .def_readonly("bytes", &Variant::bytes)
      .def_readonly("weight_bytes", &Variant::weight_bytes)
      .def_readonly("data_files", &Variant::data_files)
      .def_readonly("opset", &Variant::opset)
      .def_readonly("precision", &Variant::precision)
      .def_readonly("storage", &Variant::storage)
      .def_readonly("custom_ops", &Variant::custom_ops)
      .def_readonly("backends", &Variant::backends)
      .def_readonly("inputs", &Variant::inputs)
      .def_readonly("outputs", &Variant::outputs)
      .def_readonly("parity", &Variant::parity);
  py::class_<Module>(m, "Module").def_readonly("name", &Module::name).def_readonly("variants", &Module::variants);
  py::class_<DataFile>(m, "DataFile").def_readonly("bytes", &DataFile::bytes).def_readonly("sha256", &DataFile::sha256);
}

void bind_settings(py::module_& m) {
  py::class_<TokenizerConfig>(m, "TokenizerConfig")
      .def_readonly("kind", &TokenizerConfig::kind)
      .def_readonly("files", &TokenizerConfig::files)
      .def_readonly("max_length", &TokenizerConfig::max_length)
      .def_readonly("pad_id", &TokenizerConfig::pad_id)
      .def_readonly("eos_id", &TokenizerConfig::eos_id)
      .def_readonly("unk_id", &TokenizerConfig::unk_id)
      .def_readonly("bos_id", &TokenizerConfig::bos_id)
      .def_readonly("byte_fallback", &TokenizerConfig::byte_fallback)
      .def_readonly("added_tokens", &TokenizerConfig::added_tokens)
      .def_readonly("normalized_added_tokens", &TokenizerConfig::normalized_added_tokens);
  py::class_<Limit>(m, "Limit")
      .def_readonly("min", &Limit::min)
      .def_readonly("max", &Limit::max)
      .def_readonly("step", &Limit::step)
      .def_readonly("measured_min", &Limit::measured_min)
      .def_readonly("measured_max", &Limit::measured_max);
  py::class_<VaeConfig>(m, "VaeConfig")
      .def_readonly("form", &VaeConfig::form)
      .def_readonly("temporal_ratio", &VaeConfig::temporal_ratio)
      .def_readonly("spatial_ratio", &VaeConfig::spatial_ratio)
      .def_readonly("latent_channels", &VaeConfig::latent_channels)
      .def_readonly("single_first_frame", &VaeConfig::single_first_frame)
      .def_property_readonly("receptive_field", &receptive_field);
  py::class_<Defaults>(m, "Defaults")
      .def_readonly("height", &Defaults::height)
      .def_readonly("width", &Defaults::width)
      .def_readonly("num_frames", &Defaults::num_frames)
      .def_readonly("num_inference_steps", &Defaults::num_inference_steps)
      .def_readonly("guidance_scale", &Defaults::guidance_scale)
      .def_readonly("negative_prompt", &Defaults::negative_prompt)
      .def_readonly("fps", &Defaults::fps);
}

}  // namespace

void bind_manifest(py::module_& m) {
  bind_modules(m);
  bind_settings(m);
  py::class_<Manifest>(m, "Manifest")
      .def_readonly("schema_version", &Manifest::schema_version)
      .def_readonly("name", &Manifest::name)
      .def_readonly("family", &Manifest::family)
      .def_readonly("license", &Manifest::license)
      .def_readonly("decoder_only", &Manifest::decoder_only)
      .def_readonly("tokenizer", &Manifest::tokenizer)
      .def_readonly("scheduler_json", &Manifest::scheduler_json)
      .def_readonly("height", &Manifest::height)
      .def_readonly("width", &Manifest::width)
      .def_readonly("num_frames", &Manifest::num_frames)
      .def_readonly("vae", &Manifest::vae)
      .def_readonly("guidance_off_at", &Manifest::guidance_off_at)
      .def_readonly("text_length", &Manifest::text_length)
      .def_readonly("zero_after_mask", &Manifest::zero_after_mask)
      .def_readonly("text_cleaning", &Manifest::text_cleaning)
      .def_readonly("text_ftfy", &Manifest::text_ftfy)
      .def_readonly("exclusive_words", &Manifest::exclusive_words)
      .def_readonly("image_conditioning", &Manifest::image_conditioning)
      .def_readonly("defaults", &Manifest::defaults)
      .def_readonly("data_files", &Manifest::data_files)
      .def_readonly("modules", &Manifest::modules);
  m.def("require_clip_encoder", &require_clip_encoder, py::arg("manifest"));
  m.def("generation_modules", &generation_modules, py::arg("manifest"));
}

}  // namespace vidrt::bindings
