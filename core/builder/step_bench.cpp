#include "core/builder/step_bench.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include "core/types/half.h"
#include "core/util/aligned_memory.h"
#include "core/util/checked.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::builder {
namespace {

using engine::Location;
using engine::PlanTensor;

// Above this the weights of one step do not survive in cache until the next run of the engine.
constexpr size_t kColdBytes = size_t{16} << 20;
constexpr int64_t kMaxElements = int64_t{1}
                                 << 32;  // larger steps are not worth a copy of their data
constexpr size_t kPattern = 4096;        // random values, repeated

template <typename T, typename Next>
std::vector<std::byte> Values(const Next& next) {
  std::vector<std::byte> bytes(kPattern * sizeof(T));
  for (size_t i = 0; i < kPattern; ++i) {
    const T value = next();
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

// Values as activations have them; integers and bools are 0 or 1, which are valid as indices too.
std::vector<std::byte> Pattern(DataType dtype) {
  std::mt19937 random(7);
  auto real = [&] { return std::uniform_real_distribution<float>(-1, 1)(random); };
  switch (dtype) {
    case DataType::kFloat32:
      return Values<float>(real);
    case DataType::kFloat64:
      return Values<double>([&] { return static_cast<double>(real()); });
    case DataType::kFloat16:
      return Values<uint16_t>([&] { return FloatToFloat16(real()); });
    case DataType::kBFloat16:
      return Values<uint16_t>([&] { return FloatToBFloat16(real()); });
    case DataType::kInt64:
      return Values<int64_t>([&] { return static_cast<int64_t>(random() & 1U); });
    case DataType::kInt32:
      return Values<int32_t>([&] { return static_cast<int32_t>(random() & 1U); });
    case DataType::kInt16:
      return Values<int16_t>([&] { return static_cast<int16_t>(random() & 1U); });
    case DataType::kInt8:
    case DataType::kUInt8:
    case DataType::kBool:
      return Values<uint8_t>([&] { return static_cast<uint8_t>(random() & 1U); });
  }
  return {};
}

void EvictLines(const std::byte* data, size_t bytes) {
#if defined(__x86_64__)
  constexpr size_t kPiece = size_t{64} << 10;
  ParallelFor(static_cast<int64_t>((bytes + kPiece - 1) / kPiece), 1,
              [&](int64_t begin, int64_t end, int /*thread*/) {
                const size_t last = std::min(bytes, static_cast<size_t>(end) * kPiece);
                for (size_t i = static_cast<size_t>(begin) * kPiece; i < last; i += kCacheLine) {
                  __builtin_ia32_clflush(data + i);
                }
                __builtin_ia32_mfence();
              });
#else
  (void)data;
  (void)bytes;
#endif
}

std::string ViewText(const TensorView& view) {
  std::string out = StrCat(DataTypeName(view.dtype), "[");
  for (size_t i = 0; i < static_cast<size_t>(view.rank); ++i) {
    out += StrCat(i == 0 ? "" : " ", view.dims[i], "@", view.strides[i]);
  }
  return out + "]";
}

}  // namespace

// Memory that grows.
class StepBench::Buffer {
 public:
  Buffer() = default;
  ~Buffer() { FreeAligned(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::byte* data() const { return data_; }
  // At least `bytes`, filled with `pattern` over and over unless that is empty. The old content is
  // lost when it grows.
  Status Reserve(size_t bytes, const std::vector<std::byte>& pattern) {
    if (bytes <= size_) return Status::Ok();
    FreeAligned(data_);
    size_ = 0;
    data_ = static_cast<std::byte*>(AllocateAligned(bytes));
    if (data_ == nullptr) return ResourceExhausted("[tuner] no memory for ", bytes, " bytes");
    size_ = bytes;
    for (size_t at = 0; at < bytes && !pattern.empty(); at += pattern.size()) {
      std::memcpy(data_ + at, pattern.data(), std::min(pattern.size(), bytes - at));
    }
    return Status::Ok();
  }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

StepBench::StepBench(const engine::Plan& plan, const std::map<std::string, int64_t>& point)
    : plan_(plan),
      cold_(plan.constant_bytes() > kColdBytes),
      results_(std::make_unique<Buffer>()),
      scratch_(std::make_unique<Buffer>()) {
  std::map<std::string, int64_t, std::less<>> sizes;
  for (const engine::PlanSymbol& symbol : plan.symbols) {
    const auto given = point.find(symbol.name);
    const bool usable =
        given != point.end() && given->second >= symbol.min && given->second <= symbol.max;
    sizes[symbol.name] = usable ? given->second : symbol.opt;
  }
  opt_ = [sizes = std::move(sizes)](std::string_view name) -> std::optional<int64_t> {
    const auto found = sizes.find(name);
    if (found == sizes.end()) return std::nullopt;
    return found->second;
  };
}

StepBench::~StepBench() = default;

Result<TensorView> StepBench::ViewOf(int32_t index) const {
  const PlanTensor& tensor = plan_.tensors[static_cast<size_t>(index)];
  Dims dims;
  for (const SymInt& dim : tensor.dims) {
    TRT_ASSIGN_OR_RETURN(const int64_t value, dim.Evaluate(opt_));
    if (value <= 0) return InvalidArgument("[tuner] a dim is ", value);
    dims.push_back(value);
  }
  TensorView view = MakeView(nullptr, tensor.dtype, dims);
  for (size_t d = 0; d < tensor.strides.size() && tensor.location == Location::kView; ++d) {
    TRT_ASSIGN_OR_RETURN(view.strides[d], tensor.strides[d].Evaluate(opt_));
  }
  return view;
}

Result<int64_t> StepBench::StorageElements(int32_t index) const {
  int64_t count = 1;
  for (const SymInt& dim : plan_.tensors[static_cast<size_t>(index)].dims) {
    TRT_ASSIGN_OR_RETURN(const int64_t value, dim.Evaluate(opt_));
    const auto product = CheckedMul(count, std::max<int64_t>(value, 1));
    if (!product || *product > kMaxElements) return InvalidArgument("[tuner] too large a tensor");
    count = *product;
  }
  return count;
}

Status StepBench::Select(const engine::PlanStep& step) {
  step_ = &step;
  inputs_.clear();
  outputs_.clear();
  TRT_ASSIGN_OR_RETURN(attributes_, step.attributes.Resolve(opt_));
  text_ = step.kernel;
  for (const auto& [name, value] : attributes_.map())
    text_ += StrCat(" ", name, "=", ToString(value));
  for (const int32_t input : step.inputs) {
    TRT_ASSIGN_OR_RETURN(const TensorView view, ViewOf(input));
    text_ += " <" + ViewText(view);
    inputs_.push_back(view);
  }
  for (const int32_t output : step.outputs) {
    TRT_ASSIGN_OR_RETURN(const TensorView view, ViewOf(output));
    text_ += " >" + ViewText(view);
    outputs_.push_back(view);
  }
  return Status::Ok();
}

// Constants in place, everything else on random values of its dtype, one after the other.
Status StepBench::PlaceInputs() {
  std::map<DataType, int64_t> used;
  std::vector<int64_t> first(inputs_.size(), -1);
  struct Place {
    DataType dtype;
    int64_t first;
    int64_t count;
  };
  std::vector<Place> placed;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const int32_t index = step_->inputs[i];
    const PlanTensor& tensor = plan_.tensors[static_cast<size_t>(index)];
    const int32_t storage = tensor.location == Location::kView ? tensor.index : index;
    const PlanTensor& base = plan_.tensors[static_cast<size_t>(storage)];
    int64_t offset = 0;
    if (storage != index) {
      TRT_ASSIGN_OR_RETURN(offset, tensor.offset.Evaluate(opt_));
    }
    const auto element = static_cast<int64_t>(SizeOf(base.dtype));
    if (base.location == Location::kConstant) {
      const void* data = plan_.constants[static_cast<size_t>(base.index)].data.get();
      inputs_[i].data = static_cast<std::byte*>(const_cast<void*>(data)) + offset * element;
      continue;
    }
    TRT_ASSIGN_OR_RETURN(const int64_t count, StorageElements(storage));
    int64_t& cursor = used[base.dtype];
    placed.push_back({base.dtype, cursor, count});
    first[i] = cursor + offset;
    cursor += (count + 63) / 64 * 64;
  }
  for (const auto& [dtype, count] : used) {
    auto& buffer = random_[dtype];
    if (buffer == nullptr) buffer = std::make_unique<Buffer>();
    TRT_RETURN_IF_ERROR(
        buffer->Reserve(static_cast<size_t>(count) * SizeOf(dtype), Pattern(dtype)));
  }
  activations_.clear();
  for (const Place& place : placed) {
    const size_t size = SizeOf(place.dtype);
    activations_.emplace_back(
        random_[place.dtype]->data() + static_cast<size_t>(place.first) * size,
        static_cast<size_t>(place.count) * size);
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (first[i] < 0) continue;
    TensorView& view = inputs_[i];
    view.data = random_[view.dtype]->data() + first[i] * static_cast<int64_t>(SizeOf(view.dtype));
  }
  return Status::Ok();
}

// The inputs as kernels see them while they prepare: only constants have data.
std::vector<TensorView> StepBench::Shapes() const {
  std::vector<TensorView> shapes = inputs_;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const PlanTensor& tensor = plan_.tensors[static_cast<size_t>(step_->inputs[i])];
    if (tensor.location != Location::kConstant) shapes[i].data = nullptr;
  }
  return shapes;
}

Result<StepBench::Candidate> StepBench::Make(const Attributes& extra) {
  Attributes attributes = attributes_;
  for (const auto& [name, value] : extra.map()) attributes.Set(name, value);
  const kernels::KernelEntry* entry = kernels::FindKernel(step_->kernel);
  if (entry == nullptr) return Unsupported("[tuner] no kernel ", step_->kernel);
  TRT_RETURN_IF_ERROR(PlaceInputs());
  size_t bytes = 0;
  for (const TensorView& view : outputs_) {
    bytes += (static_cast<size_t>(view.numel()) * SizeOf(view.dtype) + 63) / 64 * 64;
  }
  TRT_RETURN_IF_ERROR(results_->Reserve(bytes, {}));
  bytes = 0;
  for (TensorView& view : outputs_) {
    view.data = results_->data() + bytes;
    bytes += (static_cast<size_t>(view.numel()) * SizeOf(view.dtype) + 63) / 64 * 64;
  }
  Candidate made;
  TRT_ASSIGN_OR_RETURN(made.kernel, entry->create(attributes));
  const std::vector<TensorView> inputs = Shapes();
  TRT_ASSIGN_OR_RETURN(kernels::Prepared prepared,
                       made.kernel->Prepare({attributes, inputs, outputs_}));
  made.state = std::move(prepared.state);
  made.scratch_bytes = prepared.scratch_bytes;
  return made;
}

// Line by line, so that each part lies in the caches of the core that wrote it.
void StepBench::Produce() const {
  for (const std::span<std::byte> bytes : activations_) {
    constexpr int64_t kLinesPerTask = 64;
    const auto lines = static_cast<int64_t>(bytes.size() / kCacheLine);
    ParallelFor(lines, kLinesPerTask, [&](int64_t begin, int64_t end, int /*thread*/) {
      for (int64_t i = begin; i < end; ++i) {
        volatile std::byte* at = bytes.data() + static_cast<size_t>(i) * kCacheLine;
        *at = *at;
      }
    });
  }
}

void StepBench::Evict() const {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const PlanTensor& tensor = plan_.tensors[static_cast<size_t>(step_->inputs[i])];
    if (tensor.location != Location::kConstant) continue;
    const engine::PlanConstant& constant = plan_.constants[static_cast<size_t>(tensor.index)];
    EvictLines(static_cast<const std::byte*>(constant.data.get()), constant.bytes());
  }
}

Result<double> StepBench::Time(const Candidate& candidate) {
  TRT_RETURN_IF_ERROR(scratch_->Reserve(candidate.scratch_bytes, {}));
  Produce();
  if (cold_) Evict();
  const auto start = std::chrono::steady_clock::now();
  TRT_RETURN_IF_ERROR(
      candidate.kernel->Run({inputs_, outputs_, scratch_->data(), candidate.state.get()}));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace torch_tensorrt::core::builder
