// What a layer's outputs are, from its inputs and attributes: the table's dtype and shape rules.
// Pure functions; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "core/layers/layer_table.h"
#include "core/types/attributes.h"
#include "core/types/data_type.h"
#include "core/types/sym_int.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::layers {

struct TensorType {
  DataType dtype = DataType::kFloat32;
  SymDims dims;
};

// InvalidArgument/Unsupported with "[Kind] reason: values". With constant dims the answer is exact;
// the values of attributes may come from a file and be anything. REQUIRES: kind is not kConstant.
Result<std::vector<TensorType>> InferOutputs(LayerKind kind, const std::vector<TensorType>& inputs,
                                             const Attributes& attrs);
// Checks attribute names and types against the table.
Status CheckAttributes(LayerKind kind, const Attributes& attrs);
// The attributes of this kind among those of a step, which may hold others of its kernel; integers
// where symbols were resolved. InvalidArgument when a size is beyond what tensors that fit into a
// machine need, so that arithmetic on them can't overflow.
Result<Attributes> AttributesOfStep(LayerKind kind, const Attributes& step);
// NumPy/PyTorch broadcasting. Dims that cannot be proven equal are taken as equal when neither is 1
// (capture guards them).
Result<SymDims> BroadcastDims(const SymDims& a, const SymDims& b);
// False when the two are different constants; anything else may be equal at run time.
bool MayEqual(const SymInt& a, const SymInt& b);
bool MayEqual(const SymDims& a, const SymDims& b);
// "f32[2, s0]".
std::string ToString(const TensorType& type);

}  // namespace torch_tensorrt::core::layers
