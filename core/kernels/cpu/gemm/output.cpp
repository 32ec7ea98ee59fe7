#include "core/kernels/cpu/gemm/output.h"

#include <sstream>
#include <utility>

#include "core/kernels/cpu/gemm/rows.h"
#include "core/kernels/cpu/gemm/select.h"
#include "core/types/half.h"

namespace torch_tensorrt::core::kernels {
namespace {

float ReadAsFloat(const TensorView& view, int64_t i) {
  switch (view.dtype) {
    case DataType::kFloat16:
      return Float16ToFloat(view.as<const uint16_t>()[i]);
    case DataType::kBFloat16:
      return BFloat16ToFloat(view.as<const uint16_t>()[i]);
    default:
      return view.as<const float>()[i];
  }
}

Status CheckBias(std::string_view tag, const TensorView& bias, int64_t columns) {
  if (bias.numel() != columns || bias.rank < 1 ||
      bias.dims[static_cast<size_t>(bias.rank - 1)] != columns) {
    return InvalidArgument("[", tag, "] bias ", DimsText(bias),
                           " does not hold one value for each of ", columns, " output columns");
  }
  if (bias.dtype != DataType::kFloat32 && !IsHalf(bias.dtype)) {
    return Unsupported("[", tag, "] bias of type ", DataTypeName(bias.dtype),
                       "; cast it to f32, f16 or bf16");
  }
  return Status::Ok();
}

}  // namespace

std::string DimsText(const TensorView& view) {
  std::ostringstream out;
  out << "[";
  for (int i = 0; i < view.rank; ++i) {
    out << (i > 0 ? ", " : "") << view.dims[static_cast<size_t>(i)];
  }
  out << "]";
  return out.str();
}

Result<OutputStage> OutputStage::Create(const Attributes& attributes, size_t operands) {
  OutputStage stage;
  stage.operands_ = operands;
  stage.has_bias_ = attributes.Bool("has_bias");
  if (attributes.Has("epilogue")) {
    const ProgramText text = attributes.Get<ProgramText>("epilogue", {});
    TRT_ASSIGN_OR_RETURN(loop::Program program, loop::Program::Parse(text.text));
    TRT_ASSIGN_OR_RETURN(stage.epilogue_, CompileLoop(program));
  }
  return stage;
}

std::span<const TensorView> OutputStage::EpilogueInputs(std::span<const TensorView> inputs) const {
  return inputs.subspan(operands_ + (has_bias_ ? 1 : 0));
}

Result<OutputPlan> OutputStage::Prepare(std::string_view tag, std::span<const TensorView> inputs,
                                        const TensorView& output, int64_t columns) const {
  const size_t own = operands_ + (has_bias_ ? 1 : 0);
  if (inputs.size() < own || (epilogue_ == nullptr && inputs.size() > own)) {
    return InvalidArgument("[", tag, "] got ", inputs.size(), " inputs, expected ", own,
                           epilogue_ == nullptr ? "" : " and the epilogue's");
  }
  if (has_bias_) TRT_RETURN_IF_ERROR(CheckBias(tag, inputs[operands_], columns));
  OutputPlan plan;
  plan.dtype = output.dtype;
  const bool rows = CanReadAsRows(output);
  if (epilogue_ != nullptr) {
    Dims domain(output.dims.begin(), output.dims.begin() + output.rank);
    TRT_ASSIGN_OR_RETURN(plan.epilogue,
                         PrepareEpilogue(*epilogue_, domain, EpilogueInputs(inputs), output));
    plan.row_stride = plan.epilogue->OutputRowStride();
    plan.needs_sink = !plan.epilogue->IsPlainCopy();
    plan.in_place = plan.epilogue->CanRunInPlace() && plan.row_stride >= 0;
    if (!plan.in_place) plan.needs_sink = true;
    return plan;
  }
  if (!rows) {
    return Unsupported("[", tag, "] output ", DimsText(output),
                       " has rows that are not evenly spaced; copy the result");
  }
  if (output.dtype != DataType::kFloat32 && !IsHalf(output.dtype)) {
    return Unsupported("[", tag, "] output of type ", DataTypeName(output.dtype),
                       "; f32, f16 and bf16 are supported, others run on the reference kernel");
  }
  plan.row_stride = ReadAsRows(output).row_stride;
  plan.in_place = output.dtype == DataType::kFloat32;
  plan.needs_sink = !plan.in_place;
  return plan;
}

size_t OutputStage::BiasScratch(std::span<const TensorView> inputs) const {
  if (!has_bias_) return 0;
  const TensorView& bias = inputs[operands_];
  if (bias.dtype == DataType::kFloat32 && bias.contiguous()) return 0;
  return (static_cast<size_t>(bias.numel()) * sizeof(float) + 63) / 64 * 64;
}

const float* OutputStage::Bias(std::span<const TensorView> inputs, std::byte* scratch) const {
  if (!has_bias_) return nullptr;
  const TensorView& bias = inputs[operands_];
  if (bias.dtype == DataType::kFloat32 && bias.contiguous()) return bias.as<const float>();
  auto* values = reinterpret_cast<float*>(scratch);
  const int64_t stride = bias.strides[static_cast<size_t>(bias.rank - 1)];
  for (int64_t i = 0; i < bias.numel(); ++i) values[i] = ReadAsFloat(bias, i * stride);
  return values;
}

void OutputSink::Store(const float* block, int64_t stride, int64_t row, int64_t rows,
                       int64_t column, int64_t columns) const {
  if (plan_.epilogue != nullptr) {
    RunEpilogueTile(*plan_.epilogue, inputs_, output_, block, stride, row_ + row, rows,
                    column_ + column, columns);
    return;
  }
  const GemmMicroTable& micro = GemmMicro();
  const auto convert = plan_.dtype == DataType::kBFloat16 ? micro.f32_to_bf16 : micro.f32_to_f16;
  auto* out = output_.as<uint16_t>() + (row_ + row) * plan_.row_stride + column_ + column;
  for (int64_t i = 0; i < rows; ++i)
    convert(block + i * stride, out + i * plan_.row_stride, columns);
}

float* OutputAt(const OutputPlan& plan, const TensorView& output, int64_t row, int64_t column) {
  return output.as<float>() + row * plan.row_stride + column;
}

}  // namespace torch_tensorrt::core::kernels
