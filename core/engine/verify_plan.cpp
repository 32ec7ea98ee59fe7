#include "core/engine/phases.h"
#include "core/engine/plan.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::engine {
namespace {

// Binding is quadratic in them; networks have a handful.
constexpr size_t kMaxSymbols = 4096;

bool InRange(int32_t index, size_t size) { return index >= 0 && static_cast<size_t>(index) < size; }

// Whether `tensor` is the one that describes the binding, whose memory has that tensor's size.
bool IsBound(const std::vector<Binding>& bindings, int32_t index, size_t tensor) {
  return InRange(index, bindings.size()) &&
         bindings[static_cast<size_t>(index)].tensor == static_cast<int64_t>(tensor);
}

Status CheckTensor(const Plan& plan, size_t i) {
  const PlanTensor& tensor = plan.tensors[i];
  auto bad = [&](std::string_view what) {
    return DataLoss("[plan] tensor ", i, " '", tensor.name, "': ", what);
  };
  if (tensor.dims.size() > kMaxRank) return bad("rank too large");
  switch (tensor.location) {
    case Location::kInput:
      return IsBound(plan.inputs, tensor.index, i) ? Status::Ok() : bad("input index");
    case Location::kOutput:
      return IsBound(plan.outputs, tensor.index, i) ? Status::Ok() : bad("output index");
    case Location::kConstant: {
      if (!InRange(tensor.index, plan.constants.size())) return bad("constant index");
      const PlanConstant& constant = plan.constants[static_cast<size_t>(tensor.index)];
      if (constant.dtype != tensor.dtype) return bad("dtype differs from its constant");
      if (!IsStatic(tensor.dims) || ToStatic(tensor.dims) != constant.dims) {
        return bad("dims differ from its constant");
      }
      return Status::Ok();
    }
    case Location::kArena:
      return Status::Ok();
    case Location::kView:
      if (!InRange(tensor.index, plan.tensors.size())) return bad("view base index");
      if (plan.tensors[static_cast<size_t>(tensor.index)].location == Location::kView) {
        return bad("view of a view");
      }
      if (plan.tensors[static_cast<size_t>(tensor.index)].dtype != tensor.dtype) {
        return bad("dtype differs from its base");
      }
      return tensor.strides.size() == tensor.dims.size() ? Status::Ok() : bad("strides rank");
  }
  return bad("unknown location");
}

Status CheckBindings(const Plan& plan) {
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const int32_t t = plan.inputs[i].tensor;
    if (!InRange(t, plan.tensors.size())) return DataLoss("[plan] input ", i, ": tensor index");
    const PlanTensor& tensor = plan.tensors[static_cast<size_t>(t)];
    if (tensor.location != Location::kInput || tensor.index != static_cast<int32_t>(i)) {
      return DataLoss("[plan] input ", i, ": not an input tensor");
    }
  }
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    const int32_t t = plan.outputs[i].tensor;
    if (!InRange(t, plan.tensors.size())) return DataLoss("[plan] output ", i, ": tensor index");
    const PlanTensor& tensor = plan.tensors[static_cast<size_t>(t)];
    if (tensor.location != Location::kOutput || tensor.index != static_cast<int32_t>(i)) {
      return DataLoss("[plan] output ", i, ": not an output tensor");
    }
  }
  return Status::Ok();
}

// Storage of a tensor: itself, or a view's base.
size_t StorageOf(const Plan& plan, int32_t t) {
  const PlanTensor& tensor = plan.tensors[static_cast<size_t>(t)];
  return static_cast<size_t>(tensor.location == Location::kView ? tensor.index : t);
}

Status CheckSteps(const Plan& plan) {
  std::vector<bool> written(plan.tensors.size(), false);
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const Location location = plan.tensors[i].location;
    written[i] = location == Location::kInput || location == Location::kConstant;
  }
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const PlanStep& step = plan.steps[s];
    auto bad = [&](std::string_view what) {
      return DataLoss("[plan] step ", s, " '", step.name, "' (", step.kernel, "): ", what);
    };
    for (int32_t t : step.inputs) {
      if (!InRange(t, plan.tensors.size())) return bad("input index");
      if (!written[StorageOf(plan, t)]) return bad("reads a tensor before it is written");
    }
    for (int32_t t : step.outputs) {
      if (!InRange(t, plan.tensors.size())) return bad("output index");
      const auto k = static_cast<size_t>(t);
      const Location location = plan.tensors[k].location;
      if (location != Location::kArena && location != Location::kOutput) {
        return bad("writes a tensor that is neither arena nor output");
      }
      if (written[k]) return bad("writes a tensor twice");
      written[k] = true;
    }
  }
  for (const Binding& output : plan.outputs) {
    if (!written[static_cast<size_t>(output.tensor)]) {
      return DataLoss("[plan] output '", output.name, "' is never written");
    }
  }
  return Status::Ok();
}

Status CheckSymbols(const Plan& plan) {
  for (const PlanSymbol& symbol : plan.symbols) {
    if (symbol.source == -1) continue;
    auto bad = [&](std::string_view what) {
      return DataLoss("[plan] symbol '", symbol.name, "': ", what);
    };
    if (!InRange(symbol.source, plan.tensors.size())) return bad("source index");
    const PlanTensor& source = plan.tensors[static_cast<size_t>(symbol.source)];
    if (source.location != Location::kArena && source.location != Location::kOutput) {
      return bad("its source is neither arena nor output");
    }
    if (source.dtype != DataType::kInt64 || !source.dims.empty()) {
      return bad("its source is not one i64 element");
    }
    if (plan.target != Target::kCpu) return bad("computed sizes need the CPU");
  }
  return FindPhases(plan).status();
}

}  // namespace

size_t Plan::constant_bytes() const {
  size_t total = 0;
  for (const PlanConstant& constant : constants) total += constant.bytes();
  return total;
}

Status VerifyPlan(const Plan& plan) {
  if (plan.symbols.size() > kMaxSymbols) {
    return DataLoss("[plan] ", plan.symbols.size(), " symbols, at most ", kMaxSymbols);
  }
  for (size_t i = 0; i < plan.tensors.size(); ++i) TRT_RETURN_IF_ERROR(CheckTensor(plan, i));
  TRT_RETURN_IF_ERROR(CheckBindings(plan));
  TRT_RETURN_IF_ERROR(CheckSteps(plan));
  return CheckSymbols(plan);
}

}  // namespace torch_tensorrt::core::engine
