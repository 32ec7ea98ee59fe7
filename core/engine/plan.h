// Plan: a built network as plain data: bindings, tensors with where they live, constants, and the
// steps in running order.
//
// The builder makes it, the plan file stores it, an Engine is created from it. It holds no pointers
// but constants' data. Value type; immutable once given to an Engine.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/types/attributes.h"
#include "core/types/data_type.h"
#include "core/types/sym_int.h"
#include "core/types/target.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::engine {

// Where a tensor's elements are. Values are stored in plan files: append only.
enum class Location : uint8_t {
  kInput = 0,     // binding `index` of inputs, contiguous
  kOutput = 1,    // binding `index` of outputs, contiguous
  kConstant = 2,  // constant `index`, contiguous
  kArena = 3,     // contiguous, placed by the memory planner for each set of shapes
  kView = 4,      // elements of tensor `index`: `offset` and `strides`, in elements of its storage
};

struct PlanTensor {
  std::string name;
  DataType dtype = DataType::kFloat32;
  SymDims dims;
  Location location = Location::kArena;
  int32_t index = -1;  // kView: a tensor that is no view itself
  SymInt offset = 0;   // kView
  SymDims strides;     // kView
};

struct PlanConstant {
  DataType dtype = DataType::kUInt8;
  Dims dims;
  std::shared_ptr<const void> data;  // 64-byte aligned when it comes from a plan file

  size_t bytes() const { return static_cast<size_t>(NumElements(dims)) * SizeOf(dtype); }
};

struct PlanStep {
  std::string kernel;  // id in the kernel registry
  std::string name;    // of the layer, for reports
  std::string source;  // the user's source line
  Attributes attributes;
  std::vector<int32_t> inputs;   // tensor indices
  std::vector<int32_t> outputs;  // kArena or kOutput tensors, each written by one step
};

struct Binding {
  std::string name;
  int32_t tensor = -1;
};

struct PlanSymbol {
  std::string name;
  int64_t min = 0;
  int64_t opt = 0;
  int64_t max = INT64_MAX;
  // -1: the dims of the inputs say its value. Else a tensor of one i64 element that a step writes:
  // the value, from then on (see phases.h).
  int32_t source = -1;
};

struct Plan {
  std::string name;
  Target target = Target::kCpu;
  std::vector<PlanSymbol> symbols;
  std::vector<Binding> inputs;
  std::vector<Binding> outputs;
  std::vector<PlanTensor> tensors;
  std::vector<PlanConstant> constants;
  std::vector<PlanStep> steps;
  std::map<std::string, std::string> metadata;  // free text: versions, settings, report

  size_t constant_bytes() const;
};

// Rules every plan obeys, checked before anything is allocated for it: indices in range, bindings
// consistent, views of non-views, each arena/output tensor written once and before it is read,
// known dtypes, rank <= kMaxRank, computed sizes known before they are needed. DataLoss naming the
// first violation.
Status VerifyPlan(const Plan& plan);

}  // namespace torch_tensorrt::core::engine
