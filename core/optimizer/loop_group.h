// A group of layers that can run as one fused loop: how its tensors are read over the group's
// domain, and the loop program that computes it. Used by the fusion passes.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "core/loop/program.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {

// For each domain dim the tensor dim it walks, or -1.
using DimMap = std::vector<int8_t>;

// Layers that only change which element is read: Expand, Transpose, and Reshapes that add or drop
// dims of size 1.
bool IsLoopView(const Network& network, const Layer& layer);
// Can the loop IR compute this layer (given a suitable domain)?
bool CanLoop(const Network& network, const Layer& layer);
// A Reduce over just the last dim.
bool IsRowReduce(const Network& network, const Layer& layer);

struct LoopGroup {
  SymDims domain;
  std::set<LayerId> layers;
  std::vector<TensorId> outputs;  // of domain dims, or row outputs (made by a row reduction)
};

// How every tensor the group touches is read, inner and outer ones; views outside the group are
// looked through. Empty when some read cannot be expressed: a reduction not along the row, or of
// what is the same all along it.
std::map<TensorId, std::set<DimMap>> TraceReads(const Network& network, const LoopGroup& group);

struct LoopProgram {
  loop::Program program;
  std::vector<TensorId> inputs;
};
// REQUIRES: TraceReads(group) is not empty.
Result<LoopProgram> BuildProgram(Network* network, const LoopGroup& group);

DimMap IdentityMap(size_t rank);

}  // namespace torch_tensorrt::core::optimizer
