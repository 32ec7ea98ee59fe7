#include "core/kernels/cuda/launch.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr size_t kMaxParamBytes = 4096;
constexpr size_t kScratchAlignment = 256;
constexpr int kDefaultMultiprocessors = 132;

uint64_t AddressOf(const Place& place, const RunArgs& args) {
  const void* base = nullptr;
  switch (place.of) {
    case Place::Of::kInput:
      base = args.inputs[place.index].data;
      break;
    case Place::Of::kOutput:
      base = args.outputs[place.index].data;
      break;
    case Place::Of::kScratch:
      base = args.scratch;
      break;
    case Place::Of::kDataError:
      base = args.data_error;
      break;
  }
  return reinterpret_cast<uint64_t>(base) + static_cast<uint64_t>(place.bytes);
}

}  // namespace

ParamBlock& ParamBlock::Pointer(const Place& place) {
  patches_.push_back({words_.size(), place, 0, 0});
  words_.push_back(0);
  return *this;
}

ParamBlock& ParamBlock::Int(int64_t value) {
  words_.push_back(static_cast<uint64_t>(value));
  return *this;
}

ParamBlock& ParamBlock::Float(double value) {
  words_.push_back(std::bit_cast<uint64_t>(value));
  return *this;
}

// n / by == (mulhi(n, magic) + n) >> shift for n < 2^31, with 2^(shift-1) < by <= 2^shift and
// magic = 2^32 * (2^shift - by) / by + 1.
ParamBlock& ParamBlock::Divide(int64_t by) {
  const auto value = static_cast<uint64_t>(by);
  const auto shift = static_cast<uint64_t>(std::bit_width(value - 1));
  const uint64_t magic = ((uint64_t{1} << 32) * ((uint64_t{1} << shift) - value)) / value + 1;
  words_.push_back(value | (magic << 32));
  words_.push_back(shift);
  return *this;
}

ParamBlock& ParamBlock::View(const Place& place, const TensorView& view) {
  Pointer(place).Int(view.rank);
  for (int d = 0; d < kMaxRank; ++d) Int(d < view.rank ? view.dims[static_cast<size_t>(d)] : 1);
  for (int d = 0; d < kMaxRank; ++d) Int(d < view.rank ? view.strides[static_cast<size_t>(d)] : 0);
  return *this;
}

ParamBlock& ParamBlock::AlignedBits(const std::vector<std::pair<Place, uint32_t>>& places) {
  for (size_t t = 0; t < places.size(); ++t) {
    if (places[t].second == 0) continue;
    patches_.push_back({words_.size(), places[t].first, places[t].second, static_cast<int>(t)});
  }
  words_.push_back(0);
  return *this;
}

Status LaunchList::Add(const device::cuda::Gpu* gpu, const device::cuda::KernelSource& source,
                       const std::string& entry, const device::cuda::LaunchConfig& config,
                       ParamBlock params) {
  if (params.bytes() > kMaxParamBytes) {
    return Unsupported("[cuda] kernel ", source.name, " would take ", params.bytes(),
                       " bytes of parameters; at most ", kMaxParamBytes,
                       " are possible: too many inputs");
  }
  if (config.grid[0] == 0 || config.grid[1] == 0 || config.grid[2] == 0) return Status::Ok();
  Launch launch{{}, config, std::move(params)};
  if (gpu != nullptr) {
    TRT_ASSIGN_OR_RETURN(launch.function, gpu->Load(source, entry));
  }
  launches_.push_back(std::move(launch));
  return Status::Ok();
}

Status LaunchList::Run(const RunArgs& args) {
  for (Launch& launch : launches_) {
    std::vector<uint64_t>& words = launch.params.words_;
    for (const ParamBlock::Patch& patch : launch.params.patches_) {
      if (patch.alignment != 0) words[patch.word] = 0;
    }
    for (const ParamBlock::Patch& patch : launch.params.patches_) {
      const uint64_t address = AddressOf(patch.place, args);
      if (patch.alignment == 0) {
        words[patch.word] = address;
      } else if (address % patch.alignment == 0) {
        words[patch.word] |= uint64_t{1} << patch.bit;
      }
    }
    void* params[] = {words.data(), nullptr};
    TRT_RETURN_IF_ERROR(args.gpu->Launch(launch.function, launch.config, args.stream, params));
  }
  return Status::Ok();
}

Place StepPlan::BookScratch(int64_t bytes) {
  const size_t at = scratch_bytes;
  const auto size = static_cast<size_t>(bytes);
  scratch_bytes += (size + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
  return ScratchPlace(at);
}

int StepPlan::multiprocessors() const {
  return gpu != nullptr ? gpu->info().multiprocessors : kDefaultMultiprocessors;
}

Status StepPlan::Add(const device::cuda::KernelSource& source, const std::string& entry,
                     const device::cuda::LaunchConfig& config, ParamBlock params) {
  return launches.Add(gpu, source, entry, config, std::move(params));
}

Status StepPlan::AddFile(const std::string& file, const std::string& entry,
                         std::vector<std::string> options, const device::cuda::LaunchConfig& config,
                         ParamBlock params) {
  const std::string_view text = SourceText(file);
  if (text.empty()) return InternalError("[cuda] this build has no kernel text ", file);
  options.push_back("-DKERNEL_" + entry);
  return Add(MakeSource(file, std::string(text), std::move(options)), entry, config,
             std::move(params));
}

Result<Prepared> PlannedKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < min_inputs_ || args.outputs.size() < min_outputs_) {
    return InvalidArgument("[cuda] ", args.inputs.size(), " inputs and ", args.outputs.size(),
                           " outputs, expected at least ", min_inputs_, " and ", min_outputs_);
  }
  auto launches = std::make_unique<LaunchList>();
  StepPlan plan{args.attributes, args.inputs, args.outputs, args.gpu, *launches};
  TRT_RETURN_IF_ERROR(plan_(plan));
  Prepared prepared;
  prepared.scratch_bytes = plan.scratch_bytes;
  prepared.state = std::move(launches);
  return prepared;
}

Status PlannedKernel::Run(const RunArgs& args) const {
  return static_cast<LaunchList*>(args.state)->Run(args);
}

std::string_view StorageName(DataType type) {
  static constexpr std::string_view kNames[] = {"float", "f16", "bf16", "double", "i64",
                                                "i32",   "i16", "i8",   "u8",     "b8"};
  return kNames[static_cast<size_t>(type)];
}

std::string_view RegisterName(DataType type) {
  if (IsHalf(type)) return "float";
  return type == DataType::kBool ? "bool" : StorageName(type);
}

device::cuda::LaunchConfig GridFor(int64_t items, int threads, int64_t most) {
  device::cuda::LaunchConfig config;
  config.block[0] = static_cast<unsigned>(threads);
  config.grid[0] = static_cast<unsigned>(std::min(CeilDiv(items, threads), most));
  return config;
}

}  // namespace torch_tensorrt::core::kernels::cuda
