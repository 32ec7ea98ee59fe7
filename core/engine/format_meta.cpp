#include "core/engine/format.h"
#include "core/util/checked.h"
#include "core/util/coding.h"

namespace torch_tensorrt::core::engine {
namespace {

// Field tags; permanent. A retired tag keeps its line with a note.
enum PlanTag : uint32_t {
  kPlanName = 1,
  kPlanSymbol = 2,
  kPlanInput = 3,
  kPlanOutput = 4,
  kPlanTensor = 5,
  kPlanConstant = 6,
  kPlanStep = 7,
  kPlanMetadata = 8,
  kPlanTarget = 9,  // absent: the CPU
};
enum SymbolTag : uint32_t {
  kSymbolName = 1,
  kSymbolMin = 2,
  kSymbolOpt = 3,
  kSymbolMax = 4,
  kSymbolSource = 5,  // absent: the inputs' dims
};
enum BindingTag : uint32_t { kBindingName = 1, kBindingTensor = 2 };
enum TensorTag : uint32_t {
  kTensorName = 1,
  kTensorDataType = 2,
  kTensorDim = 3,
  kTensorLocation = 4,
  kTensorIndex = 5,
  kTensorOffset = 6,
  kTensorStride = 7,
};
enum ConstantTag : uint32_t { kConstantDataType = 1, kConstantDim = 2, kConstantOffset = 3 };
enum StepTag : uint32_t {
  kStepKernel = 1,
  kStepName = 2,
  kStepSource = 3,
  kStepAttributes = 4,
  kStepInput = 5,
  kStepOutput = 6,
};
enum MetadataTag : uint32_t { kMetadataKey = 1, kMetadataValue = 2 };

constexpr int32_t kMaxIndex = 1 << 28;

RecordWriter EncodeTensor(const PlanTensor& tensor) {
  RecordWriter out;
  out.Bytes(kTensorName, tensor.name);
  out.Unsigned(kTensorDataType, static_cast<uint64_t>(tensor.dtype));
  for (const SymInt& dim : tensor.dims) out.Bytes(kTensorDim, dim.ToString());
  out.Unsigned(kTensorLocation, static_cast<uint64_t>(tensor.location));
  out.Signed(kTensorIndex, tensor.index);
  if (tensor.location == Location::kView) {
    out.Bytes(kTensorOffset, tensor.offset.ToString());
    for (const SymInt& stride : tensor.strides) out.Bytes(kTensorStride, stride.ToString());
  }
  return out;
}

RecordWriter EncodeStep(const PlanStep& step) {
  RecordWriter out;
  out.Bytes(kStepKernel, step.kernel);
  out.Bytes(kStepName, step.name);
  out.Bytes(kStepSource, step.source);
  out.Bytes(kStepAttributes, EncodeAttributes(step.attributes));
  for (int32_t t : step.inputs) out.Signed(kStepInput, t);
  for (int32_t t : step.outputs) out.Signed(kStepOutput, t);
  return out;
}

RecordWriter EncodeBinding(const Binding& binding) {
  RecordWriter out;
  out.Bytes(kBindingName, binding.name);
  out.Signed(kBindingTensor, binding.tensor);
  return out;
}

Result<int32_t> Index(const RecordReader& reader) {
  const int64_t value = reader.Signed();
  if (value < -1 || value > kMaxIndex) return DataLoss("[plan] index ", value);
  return static_cast<int32_t>(value);
}

Result<DataType> Type(const RecordReader& reader) {
  if (reader.Unsigned() >= kDataTypeCount) return DataLoss("[plan] unknown dtype");
  return static_cast<DataType>(reader.Unsigned());
}

Result<PlanSymbol> DecodeSymbol(std::string_view bytes) {
  RecordReader reader(bytes);
  PlanSymbol symbol;
  while (reader.Next()) {
    if (reader.tag() == kSymbolName) symbol.name = reader.String();
    if (reader.tag() == kSymbolMin) symbol.min = reader.Signed();
    if (reader.tag() == kSymbolOpt) symbol.opt = reader.Signed();
    if (reader.tag() == kSymbolMax) symbol.max = reader.Signed();
    if (reader.tag() == kSymbolSource) {
      TRT_ASSIGN_OR_RETURN(symbol.source, Index(reader));
    }
  }
  TRT_RETURN_IF_ERROR(reader.status());
  return symbol;
}

Result<Binding> DecodeBinding(std::string_view bytes) {
  RecordReader reader(bytes);
  Binding binding;
  while (reader.Next()) {
    if (reader.tag() == kBindingName) binding.name = reader.String();
    if (reader.tag() == kBindingTensor) {
      TRT_ASSIGN_OR_RETURN(binding.tensor, Index(reader));
    }
  }
  TRT_RETURN_IF_ERROR(reader.status());
  return binding;
}

Result<PlanTensor> DecodeTensor(std::string_view bytes) {
  RecordReader reader(bytes);
  PlanTensor tensor;
  while (reader.Next()) {
    // Tags of a newer writer are skipped.
    if (reader.tag() == kTensorName) {
      tensor.name = reader.String();
    } else if (reader.tag() == kTensorDataType) {
      TRT_ASSIGN_OR_RETURN(tensor.dtype, Type(reader));
    } else if (reader.tag() == kTensorDim) {
      TRT_ASSIGN_OR_RETURN(SymInt dim, SymInt::Parse(reader.Bytes()));
      tensor.dims.push_back(std::move(dim));
    } else if (reader.tag() == kTensorLocation) {
      if (reader.Unsigned() > static_cast<uint64_t>(Location::kView)) {
        return DataLoss("[plan] unknown tensor location");
      }
      tensor.location = static_cast<Location>(reader.Unsigned());
    } else if (reader.tag() == kTensorIndex) {
      TRT_ASSIGN_OR_RETURN(tensor.index, Index(reader));
    } else if (reader.tag() == kTensorOffset) {
      TRT_ASSIGN_OR_RETURN(tensor.offset, SymInt::Parse(reader.Bytes()));
    } else if (reader.tag() == kTensorStride) {
      TRT_ASSIGN_OR_RETURN(SymInt stride, SymInt::Parse(reader.Bytes()));
      tensor.strides.push_back(std::move(stride));
    }
  }
  TRT_RETURN_IF_ERROR(reader.status());
  return tensor;
}

Result<PlanConstant> DecodeConstant(std::string_view bytes, std::span<const std::byte> data,
                                    const std::shared_ptr<const void>& owner) {
  RecordReader reader(bytes);
  PlanConstant constant;
  uint64_t offset = 0;
  while (reader.Next()) {
    if (reader.tag() == kConstantDataType) {
      TRT_ASSIGN_OR_RETURN(constant.dtype, Type(reader));
    }
    if (reader.tag() == kConstantDim) constant.dims.push_back(reader.Signed());
    if (reader.tag() == kConstantOffset) offset = reader.Unsigned();
  }
  TRT_RETURN_IF_ERROR(reader.status());
  std::optional<int64_t> numel = static_cast<int64_t>(SizeOf(constant.dtype));
  for (int64_t dim : constant.dims) {
    if (dim < 0 || !numel) return DataLoss("[plan] constant dims");
    numel = CheckedMul(*numel, dim);
  }
  if (!numel || offset % kPlanAlignment != 0 || offset > data.size() ||
      static_cast<uint64_t>(*numel) > data.size() - offset) {
    return DataLoss("[plan] constant outside the data section");
  }
  constant.data = std::shared_ptr<const void>(owner, data.data() + offset);
  return constant;
}

Result<PlanStep> DecodeStep(std::string_view bytes) {
  RecordReader reader(bytes);
  PlanStep step;
  while (reader.Next()) {
    if (reader.tag() == kStepKernel) step.kernel = reader.String();
    if (reader.tag() == kStepName) step.name = reader.String();
    if (reader.tag() == kStepSource) step.source = reader.String();
    if (reader.tag() == kStepAttributes) {
      TRT_ASSIGN_OR_RETURN(step.attributes, DecodeAttributes(reader.Bytes()));
    }
    if (reader.tag() == kStepInput || reader.tag() == kStepOutput) {
      TRT_ASSIGN_OR_RETURN(const int32_t t, Index(reader));
      (reader.tag() == kStepInput ? step.inputs : step.outputs).push_back(t);
    }
  }
  TRT_RETURN_IF_ERROR(reader.status());
  return step;
}

Status DecodeMetadata(std::string_view bytes, std::map<std::string, std::string>* metadata) {
  RecordReader reader(bytes);
  std::string key;
  while (reader.Next()) {
    if (reader.tag() == kMetadataKey) key = reader.String();
    if (reader.tag() == kMetadataValue) (*metadata)[key] = reader.String();
  }
  return reader.status();
}

}  // namespace

std::string EncodeMeta(const Plan& plan, const std::vector<size_t>& constant_offsets) {
  RecordWriter out;
  out.Bytes(kPlanName, plan.name);
  if (plan.target != Target::kCpu) {
    out.Unsigned(kPlanTarget, static_cast<uint64_t>(plan.target));
  }
  for (const PlanSymbol& symbol : plan.symbols) {
    RecordWriter record;
    record.Bytes(kSymbolName, symbol.name);
    record.Signed(kSymbolMin, symbol.min);
    record.Signed(kSymbolOpt, symbol.opt);
    record.Signed(kSymbolMax, symbol.max);
    if (symbol.source >= 0) record.Signed(kSymbolSource, symbol.source);
    out.Record(kPlanSymbol, record);
  }
  for (const Binding& binding : plan.inputs) out.Record(kPlanInput, EncodeBinding(binding));
  for (const Binding& binding : plan.outputs) out.Record(kPlanOutput, EncodeBinding(binding));
  for (const PlanTensor& tensor : plan.tensors) out.Record(kPlanTensor, EncodeTensor(tensor));
  for (size_t i = 0; i < plan.constants.size(); ++i) {
    RecordWriter record;
    record.Unsigned(kConstantDataType, static_cast<uint64_t>(plan.constants[i].dtype));
    for (int64_t dim : plan.constants[i].dims) record.Signed(kConstantDim, dim);
    record.Unsigned(kConstantOffset, constant_offsets[i]);
    out.Record(kPlanConstant, record);
  }
  for (const PlanStep& step : plan.steps) out.Record(kPlanStep, EncodeStep(step));
  for (const auto& [key, value] : plan.metadata) {
    RecordWriter record;
    record.Bytes(kMetadataKey, key);
    record.Bytes(kMetadataValue, value);
    out.Record(kPlanMetadata, record);
  }
  return out.bytes();
}

Result<Plan> DecodeMeta(std::string_view meta, std::span<const std::byte> data,
                        const std::shared_ptr<const void>& owner) {
  Plan plan;
  RecordReader reader(meta);
  while (reader.Next()) {
    const std::string_view bytes = reader.Bytes();
    if (reader.tag() == kPlanName) {
      plan.name = reader.String();
    } else if (reader.tag() == kPlanTarget) {
      if (reader.Unsigned() >= kTargetCount) return DataLoss("[plan] unknown target");
      plan.target = static_cast<Target>(reader.Unsigned());
    } else if (reader.tag() == kPlanSymbol) {
      TRT_ASSIGN_OR_RETURN(PlanSymbol symbol, DecodeSymbol(bytes));
      plan.symbols.push_back(std::move(symbol));
    } else if (reader.tag() == kPlanInput || reader.tag() == kPlanOutput) {
      TRT_ASSIGN_OR_RETURN(Binding binding, DecodeBinding(bytes));
      (reader.tag() == kPlanInput ? plan.inputs : plan.outputs).push_back(std::move(binding));
    } else if (reader.tag() == kPlanTensor) {
      TRT_ASSIGN_OR_RETURN(PlanTensor tensor, DecodeTensor(bytes));
      plan.tensors.push_back(std::move(tensor));
    } else if (reader.tag() == kPlanConstant) {
      TRT_ASSIGN_OR_RETURN(PlanConstant constant, DecodeConstant(bytes, data, owner));
      plan.constants.push_back(std::move(constant));
    } else if (reader.tag() == kPlanStep) {
      TRT_ASSIGN_OR_RETURN(PlanStep step, DecodeStep(bytes));
      plan.steps.push_back(std::move(step));
    } else if (reader.tag() == kPlanMetadata) {
      TRT_RETURN_IF_ERROR(DecodeMetadata(bytes, &plan.metadata));
    }
  }
  TRT_RETURN_IF_ERROR(reader.status());
  return plan;
}

}  // namespace torch_tensorrt::core::engine
