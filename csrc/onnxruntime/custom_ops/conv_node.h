// One node of a graph: its attributes checked and its constant weights packed when the kernel is made.
#pragma once

#include <onnxruntime_c_api.h>

#include <memory>
#include <string>

#include "onnxruntime/custom_ops/arguments.h"
#include "onnxruntime/custom_ops/kernel_views.h"

namespace vidrt::custom_ops {

class ConvNode {
 public:
  virtual ~ConvNode() = default;

  /// Throws std::invalid_argument for attributes and inputs that are known to be wrong before a run.
  /// `label` names the node in messages.
  static std::unique_ptr<ConvNode> make(const Signature& signature, std::string label, const OrtApi& api,
                                        const OrtKernelInfo* info);

  /// Throws std::invalid_argument for inputs that do not fit. Several runs may go on at once.
  void run(KernelRun& run) const;

  const std::string& label() const { return label_; }

 protected:
  ConvNode(const Signature& signature, const NodeFacts& facts, std::string label)
      : signature_(signature), facts_(facts), label_(std::move(label)) {}

  const NodeFacts& facts() const { return facts_; }

 private:
  virtual void compute(const Arguments& arguments, KernelRun& run) const = 0;

  const Signature& signature_;
  NodeFacts facts_;
  std::string label_;
};

}  // namespace vidrt::custom_ops
