// Operators of ONNX Runtime's own, in its domain com.microsoft, that variants may need.
#pragma once

#include <string>

namespace vidrt {

/// Whether vidrt knows the operator "domain::Name" as one of a processor's.
bool is_contrib_op(const std::string& name);

/// Why this version ("1.21.1") cannot run an operator that is_contrib_op() knows; empty where it can.
std::string contrib_op_lacks(const std::string& name, const std::string& version);

}  // namespace vidrt
