#include "support/symbolic_shapes.h"

#include <cctype>
#include <stdexcept>

namespace vidrt::trt::testing {

using nvinfer1::DimensionOperation;

std::int64_t Expr::compute(const Sizes& sizes) const {
  if (first == nullptr) return symbol.empty() ? value : sizes.at(symbol);
  const std::int64_t a = first->compute(sizes);
  const std::int64_t b = second->compute(sizes);
  switch (op) {
    case DimensionOperation::kSUM:
      return a + b;
    case DimensionOperation::kSUB:
      return a - b;
    case DimensionOperation::kFLOOR_DIV:
      return a / b;  // sizes are not negative
    default:
      throw std::logic_error("an operation that the plugins do not use");
  }
}

bool Expr::isConstant() const {
  return first == nullptr ? symbol.empty() : first->isConstant() && second->isConstant();
}

std::int64_t Expr::getConstantValue() const { return compute({}); }

nvinfer1::DimsExprs SymbolicShapes::dims(const std::vector<std::string>& sizes) {
  nvinfer1::DimsExprs dims{};
  dims.nbDims = static_cast<std::int32_t>(sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    Expr& expr = exprs_.emplace_back();
    if (std::isdigit(static_cast<unsigned char>(sizes[i][0])) != 0) {
      expr.value = std::stoll(sizes[i]);
    } else {
      expr.symbol = sizes[i];
    }
    dims.d[i] = &expr;
  }
  return dims;
}

std::vector<std::int64_t> SymbolicShapes::compute(const nvinfer1::DimsExprs& dims, const Sizes& sizes) {
  std::vector<std::int64_t> values;
  for (std::int32_t i = 0; i < dims.nbDims; ++i) values.push_back(static_cast<const Expr*>(dims.d[i])->compute(sizes));
  return values;
}

const nvinfer1::IDimensionExpr* SymbolicShapes::constant(std::int64_t value) {
  Expr& expr = exprs_.emplace_back();
  expr.value = value;
  return &expr;
}

const nvinfer1::IDimensionExpr* SymbolicShapes::operation(DimensionOperation op, const nvinfer1::IDimensionExpr& first,
                                                          const nvinfer1::IDimensionExpr& second) {
  Expr& expr = exprs_.emplace_back();
  expr.op = op;
  expr.first = static_cast<const Expr*>(&first);
  expr.second = static_cast<const Expr*>(&second);
  return &expr;
}

}  // namespace vidrt::trt::testing
