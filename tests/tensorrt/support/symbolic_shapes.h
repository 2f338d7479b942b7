// TensorRT's dimension expressions without TensorRT: kept as trees, computed when the sizes are known.
#pragma once

#include <NvInferRuntime.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace vidrt::trt::testing {

using Sizes = std::map<std::string, std::int64_t>;

class Expr final : public nvinfer1::IDimensionExpr, private nvinfer1::apiv::VDimensionExpr {
 public:
  Expr() { mImpl = this; }

  std::string symbol;  // empty unless a size that is not known yet
  std::int64_t value = 0;
  const Expr* first = nullptr;  // set for an operation
  const Expr* second = nullptr;
  nvinfer1::DimensionOperation op{};

  std::int64_t compute(const Sizes& sizes) const;

 private:
  bool isConstant() const override;
  std::int64_t getConstantValue() const override;
  bool isSizeTensor() const override { return false; }
};

/// Makes expressions and keeps them.
class SymbolicShapes final : public nvinfer1::IExprBuilder, private nvinfer1::apiv::VExprBuilder {
 public:
  SymbolicShapes() { mImpl = this; }

  /// Dimensions given as numbers or as names of sizes that are not known: {"N", "8", "T"}.
  nvinfer1::DimsExprs dims(const std::vector<std::string>& sizes);

  /// The value of each dimension.
  static std::vector<std::int64_t> compute(const nvinfer1::DimsExprs& dims, const Sizes& sizes);

 private:
  const nvinfer1::IDimensionExpr* constant(std::int64_t value) override;
  const nvinfer1::IDimensionExpr* operation(nvinfer1::DimensionOperation op, const nvinfer1::IDimensionExpr& first,
                                            const nvinfer1::IDimensionExpr& second) override;
  const nvinfer1::IDimensionExpr* declareSizeTensor(std::int32_t, const nvinfer1::IDimensionExpr&,
                                                    const nvinfer1::IDimensionExpr&) override {
    return nullptr;
  }

  std::deque<Expr> exprs_;
};

}  // namespace vidrt::trt::testing
