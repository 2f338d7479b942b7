#include "onnxruntime/contrib_ops.h"

#include <sstream>
#include <utility>

namespace vidrt {
namespace {

constexpr const char* kMatMulNBits = "com.microsoft::MatMulNBits";
// Its kernels for eight bits: 1.21 has none, 1.22 only one that rounds activations to eight bits as well.
constexpr std::pair<int, int> kEightBits = {1, 23};

std::pair<int, int> read_version(const std::string& version) {
  std::istringstream stream(version);
  int major = 0;
  int minor = 0;
  char dot = '.';
  stream >> major >> dot >> minor;
  return {major, minor};
}

}  // namespace

bool is_contrib_op(const std::string& name) {
  // Those that exporters write; ONNX Runtime has no list of its own to ask.
  return name == kMatMulNBits || name == "com.microsoft::MultiHeadAttention" ||
         name == "com.microsoft::RotaryEmbedding";
}

std::string contrib_op_lacks(const std::string& name, const std::string& version) {
  if (name != kMatMulNBits || read_version(version) >= kEightBits) return "";
  return "needs ONNX Runtime 1.23 or later for " + name + " of eight bits, and this is " + version;
}

}  // namespace vidrt
