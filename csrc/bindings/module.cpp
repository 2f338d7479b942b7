// vidrt._core: the C++ core as a Python module.
#include "bindings/bindings.h"
#include "vidrt/version.h"

PYBIND11_MODULE(_core, m) {
  m.doc() =
      "The C++ core of vidrt. Use the names of the package vidrt instead: this module may change between versions.";
  m.attr("__version__") = vidrt::version();
  vidrt::bindings::bind_errors(m);  // first: the others translate into its classes
  vidrt::bindings::bind_manifest(m);
  vidrt::bindings::bind_bundle(m);
  vidrt::bindings::bind_tokenizer(m);
  vidrt::bindings::bind_prompt_embeds(m);
  vidrt::bindings::bind_options(m);
  vidrt::bindings::bind_plan(m);
  vidrt::bindings::bind_video(m);
  vidrt::bindings::bind_layer_profile(m);
  vidrt::bindings::bind_pipeline(m);
  vidrt::bindings::bind_schedulers(m);
  vidrt::bindings::bind_onnxruntime(m);
  vidrt::bindings::bind_engines(m);
  vidrt::bindings::bind_host(m);
}
