// A device other than the processor, as reference sessions use it.
#pragma once

#include <functional>
#include <vector>

#include "runtime/device.h"
#include "runtime/session.h"

namespace vidrt::testing {

class TestDevice {
 public:
  using Tensors = std::vector<NamedTensor>;
  using Compute = std::function<void(const Tensors& inputs, const Tensors& outputs)>;

  virtual ~TestDevice() = default;
  virtual Device& device() = 0;
  /// Have `compute` done in its turn, on these tensors of the device where it can reach them. What it throws comes out
  /// where somebody waits, in the device's own way.
  virtual void run(const Tensors& inputs, const Tensors& outputs, Compute compute) = 0;
  /// Wait where nobody can be told what went wrong.
  virtual void settle() noexcept = 0;
  /// Blocks of memory that were not given back; 0 where that is not known.
  virtual std::size_t blocks() const { return 0; }
};

}  // namespace vidrt::testing
