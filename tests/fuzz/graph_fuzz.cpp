// What is done with an ONNX file before a backend sees it: any bytes give a graph or a BundleError. A graph whose weights
// are lifted is one that the reader takes again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/lifted_graph.h"
#include "runtime/onnx_graph.h"
#include "vidrt/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string model(reinterpret_cast<const char*>(data), size);
  std::string lifted;
  try {
    vidrt::read_onnx_graph(model, "graph.onnx");  // what is refused here is never lifted
    lifted = vidrt::lift_weights(model, "graph.onnx").model;
  } catch (const vidrt::BundleError&) {
    return 0;
  }
  vidrt::read_onnx_graph(lifted, "lifted.onnx");
  return 0;
}
