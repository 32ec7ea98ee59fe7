#include "core/kernels/cuda/matrix/result.h"

#include <utility>

#include "core/kernels/cuda/launch.h"

namespace torch_tensorrt::core::kernels::cuda {

std::string DimsText(const TensorView& view) {
  return ToString(Dims(view.dims.begin(), view.dims.begin() + view.rank));
}

bool IsTensorCoreType(DataType type) { return type == DataType::kFloat32 || IsHalf(type); }

Result<ResultStage> ResultStage::Create(const Attributes& attributes, size_t operands) {
  ResultStage stage;
  stage.operands_ = operands;
  stage.has_bias_ = attributes.Bool("has_bias");
  stage.has_epilogue_ = attributes.Has("epilogue");
  if (stage.has_epilogue_) {
    TRT_ASSIGN_OR_RETURN(stage.epilogue_,
                         loop::Program::Parse(attributes.Get<ProgramText>("epilogue", {}).text));
  }
  return stage;
}

std::span<const TensorView> ResultStage::EpilogueInputs(std::span<const TensorView> inputs) const {
  return inputs.subspan(std::min(inputs.size(), operands_ + (has_bias_ ? 1 : 0)));
}

const void* ResultStage::Bias(std::span<const TensorView> inputs) const {
  return has_bias_ ? inputs[operands_].data : nullptr;
}

Result<ResultPlan> ResultStage::Prepare(std::string_view tag, std::span<const TensorView> inputs,
                                        const TensorView& output, int64_t columns) const {
  if (!output.contiguous()) return Unsupported("[", tag, "] output with gaps");
  if (inputs.size() < operands_ + (has_bias_ ? 1 : 0)) {
    return InvalidArgument("[", tag, "] got ", inputs.size(), " inputs");
  }
  ResultPlan plan;
  if (has_bias_) {
    const TensorView& bias = inputs[operands_];
    if (bias.numel() != columns || !bias.contiguous()) {
      return InvalidArgument("[", tag, "] bias ", DimsText(bias), " for ", columns, " columns");
    }
    if (!IsTensorCoreType(bias.dtype)) {
      return Unsupported("[", tag, "] bias of type ", DataTypeName(bias.dtype));
    }
    plan.text = StrCat("#define TRT_BIAS ", StorageName(bias.dtype), "\n");
  }
  const Dims domain(output.dims.begin(), output.dims.begin() + output.rank);
  const loop::Program program = has_epilogue_ ? epilogue_ : StoreProgram(output.rank, output.dtype);
  if (program.outputs.empty() || program.outputs[0].dtype != output.dtype) {
    return InvalidArgument("[", tag, "] output of type ", DataTypeName(output.dtype),
                           " is not what the epilogue stores");
  }
  TRT_ASSIGN_OR_RETURN(plan.shape, PlanEpilogue(program, domain, EpilogueInputs(inputs)));
  TRT_ASSIGN_OR_RETURN(const std::string epilogue, PrintEpilogue(program, plan.shape));
  plan.text += epilogue;
  return plan;
}

std::optional<PlainResult> ResultStage::Plain() const {
  PlainResult plain;
  if (has_bias_) plain.bias = static_cast<int>(operands_);
  if (!has_epilogue_) return plain;
  const loop::Program& program = epilogue_;
  // The instruction, but for casts among floats.
  const auto bare = [&](int32_t r) {
    const loop::Instr* instr = &program.instrs[static_cast<size_t>(r)];
    while (instr->kind == loop::InstrKind::kPointwise && instr->op == PointwiseOp::kCast &&
           IsFloat(instr->type)) {
      instr = &program.instrs[static_cast<size_t>(instr->args[0])];
    }
    return instr;
  };
  const auto loads = [](const loop::Instr* instr, int32_t input) {
    return instr->kind == loop::InstrKind::kLoad && instr->index == input;
  };
  const auto is = [](const loop::Instr* instr, PointwiseOp op) {
    return instr->kind == loop::InstrKind::kPointwise && instr->op == op;
  };
  if (program.instrs.empty() || program.instrs.back().kind != loop::InstrKind::kStore) {
    return std::nullopt;
  }
  const loop::Instr* value = bare(program.instrs.back().args[0]);
  if (is(value, PointwiseOp::kRelu)) {
    plain.relu = true;
    value = bare(value->args[0]);
  }
  if (is(value, PointwiseOp::kAdd)) {
    const loop::Instr* left = bare(value->args[0]);
    const loop::Instr* right = bare(value->args[1]);
    if (loads(right, 0)) std::swap(left, right);
    if (!loads(right, 1) || program.inputs.size() != 2) return std::nullopt;
    const std::vector<int8_t>& map = program.inputs[1].map;
    for (size_t d = 0; d < map.size(); ++d) {
      if (map[d] != static_cast<int8_t>(d)) return std::nullopt;
    }
    plain.addend = static_cast<int>(operands_) + (has_bias_ ? 1 : 0);
    value = left;
  }
  if (!loads(value, 0) || (plain.addend < 0 && program.inputs.size() != 1)) return std::nullopt;
  return plain;
}

std::vector<std::byte> ResultStage::Arguments(const ResultPlan& plan,
                                              std::span<const TensorView> inputs) const {
  return MakeEpilogueArgs(plan.shape, EpilogueInputs(inputs));
}

}  // namespace torch_tensorrt::core::kernels::cuda
