// Kernel "cuda.loop": a whole loop program as one engine step and one launch.
// Attributes: program (ProgramText), domain (Dims). Inputs and outputs are the program's.
#include "core/kernels/cuda/loop/loop_kernel.h"

#include <functional>
#include <ios>

#include "core/kernels/cuda/cuda_kernels.h"
#include "core/kernels/cuda/loop/printer.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels {
namespace cuda {
namespace {

using Inner = LoopAccess::Inner;

// Bytes that an access of a whole vector must be aligned to; 0: never done at once.
uint32_t VectorAlignment(const LoopPlan& plan, const LoopAccess& access) {
  if (access.unused || access.inner != Inner::kUnit || plan.vector == 1) return 0;
  const bool one_row = plan.domain.outer.empty();
  if (!one_row && plan.domain.inner % plan.vector != 0) return 0;
  for (const int64_t stride : access.strides) {
    if (stride % plan.vector != 0) return 0;
  }
  const auto bytes =
      static_cast<uint32_t>(SizeOf(access.dtype)) * static_cast<uint32_t>(plan.vector);
  return bytes > 16 ? 16 : bytes;
}

// The words that loop_plan.h describes.
ParamBlock ParamsOf(const LoopPlan& plan, const std::vector<Place>& places) {
  const JoinedDomain& domain = plan.domain;
  ParamBlock params;
  for (size_t t = 0; t < domain.accesses.size(); ++t) params.Pointer(places[t]);
  params.Int(domain.rows()).Int(domain.inner);
  if (!plan.rows) params.Divide(CeilDiv(domain.inner, plan.vector));
  for (const int64_t size : domain.outer) params.Divide(size);
  std::vector<std::pair<Place, uint32_t>> aligned;
  for (size_t t = 0; t < domain.accesses.size(); ++t) {
    const LoopAccess& access = domain.accesses[t];
    for (const int64_t stride : access.strides) {
      if (stride != 0) params.Int(stride);
    }
    if (access.inner == Inner::kStrided) params.Int(access.inner_stride);
    aligned.emplace_back(places[t], VectorAlignment(plan, access));
  }
  return params.AlignedBits(aligned);
}

// The integer type with the size of `type`, which loads and stores leave as it is.
DataType BitsType(DataType type) {
  switch (SizeOf(type)) {
    case 1:
      return DataType::kUInt8;
    case 2:
      return DataType::kInt16;
    case 4:
      return DataType::kInt32;
    default:
      return DataType::kInt64;
  }
}

constexpr size_t kMaxBatchDims = 3;  // of row_transpose.cu

// The outer dim along which the input is dense, when the copy turns it against the inner one and
// both are long enough for tiles; else -1.
int TurnedDim(const JoinedDomain& domain) {
  const LoopAccess& in = domain.accesses[0];
  const bool turned = in.inner == Inner::kStrided && domain.accesses[1].inner == Inner::kUnit;
  if (!turned || domain.inner < 8 || domain.outer.size() > kMaxBatchDims + 1) return -1;
  for (size_t d = 0; d < domain.outer.size(); ++d) {
    if (in.strides[d] == 1 && domain.outer[d] >= 8) return static_cast<int>(d);
  }
  return -1;
}

// The launch of row_transpose.cu for outer dim `turned` and the inner dim.
Status AddTranspose(StepPlan& plan, const JoinedDomain& domain, size_t turned, const Placed& from,
                    const Placed& to) {
  const LoopAccess& in = domain.accesses[0];
  const LoopAccess& out = domain.accesses[1];
  std::vector<size_t> batch;
  for (size_t d = 0; d < domain.outer.size(); ++d) {
    if (d != turned) batch.push_back(d);
  }
  const int64_t size_a = domain.outer[turned];
  // Narrow elements need more of them in flight.
  const int64_t tile = SizeOf(from.view.dtype) <= 2 ? 64 : 32;
  const int64_t tiles_a = CeilDiv(size_a, tile);
  const int64_t tiles_b = CeilDiv(domain.inner, tile);
  int64_t blocks = tiles_a * tiles_b;
  std::vector<int64_t> sizes(kMaxBatchDims, 1);
  std::vector<int64_t> strides[2] = {std::vector<int64_t>(kMaxBatchDims, 0),
                                     std::vector<int64_t>(kMaxBatchDims, 0)};
  for (size_t k = 0; k < batch.size(); ++k) {
    const size_t at = kMaxBatchDims - batch.size() + k;
    sizes[at] = domain.outer[batch[k]];
    strides[0][at] = in.strides[batch[k]];
    strides[1][at] = out.strides[batch[k]];
    blocks *= sizes[at];
  }
  if (blocks == 0) return Status::Ok();
  if (blocks > INT32_MAX) return Unsupported("[cuda.copy] a transpose of ", blocks, " tiles");
  ParamBlock params;
  params.Pointer(from.place).Pointer(to.place).Int(size_a).Int(domain.inner);
  params.Int(in.inner_stride).Int(out.strides[turned]).Divide(tiles_a).Divide(tiles_b);
  params.Divide(sizes[1]).Divide(sizes[2]);
  for (const std::vector<int64_t>& side : strides) {
    for (const int64_t stride : side) params.Int(stride);
  }
  device::cuda::LaunchConfig config;
  config.grid[0] = static_cast<unsigned>(blocks);
  config.block[0] = 256;
  config.overlap_previous = true;
  return plan.AddFile(
      "row_transpose.cu", "transpose",
      {StrCat("-DELEMENT=u", SizeOf(from.view.dtype) * 8), StrCat("-DkTile=", tile)}, config,
      params);
}

class LoopKernel : public Kernel {
 public:
  explicit LoopKernel(loop::Program program) : program_(std::move(program)) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    auto launches = std::make_unique<LaunchList>();
    StepPlan plan{args.attributes, args.inputs, args.outputs, args.gpu, *launches};
    TRT_RETURN_IF_ERROR(AddLoop(plan, program_, args.attributes.Ints("domain")));
    Prepared prepared;
    prepared.state = std::move(launches);
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    return static_cast<LaunchList*>(args.state)->Run(args);
  }

 private:
  loop::Program program_;
};

Result<std::unique_ptr<const Kernel>> CreateLoop(const Attributes& attributes) {
  const ProgramText text = attributes.Get<ProgramText>("program", {});
  TRT_ASSIGN_OR_RETURN(loop::Program program, loop::Program::Parse(text.text));
  return std::unique_ptr<const Kernel>(std::make_unique<const LoopKernel>(std::move(program)));
}

constexpr KernelEntry kEntries[] = {{"cuda.loop", &CreateLoop, layers::LayerKind::kFused, nullptr}};

}  // namespace

Status AddLoop(StepPlan& plan, const loop::Program& program, const Dims& domain,
               const std::vector<Placed>& inputs, const std::vector<Placed>& outputs) {
  std::vector<TensorView> views[2];
  std::vector<Place> places;
  for (const Placed& input : inputs) {
    views[0].push_back(input.view);
    places.push_back(input.place);
  }
  for (const Placed& output : outputs) {
    views[1].push_back(output.view);
    places.push_back(output.place);
  }
  TRT_ASSIGN_OR_RETURN(const LoopPlan loop,
                       PlanLoop(program, domain, views[0], views[1], plan.multiprocessors()));
  if (loop.blocks == 0) return Status::Ok();
  TRT_ASSIGN_OR_RETURN(std::string text, PrintLoop(program, loop));
  const std::string name = StrCat("loop ", std::hex, std::hash<std::string>{}(text) & 0xffffffU);
  device::cuda::LaunchConfig config;
  config.grid[0] = static_cast<unsigned>(loop.blocks);
  config.block[0] = static_cast<unsigned>(loop.threads);
  config.overlap_previous = true;
  return plan.Add(MakeSource(name, std::move(text)), "trt_loop", config, ParamsOf(loop, places));
}

Status AddLoop(StepPlan& plan, const loop::Program& program, const Dims& domain) {
  return AddLoop(plan, program, domain, PlacedInputs(plan), PlacedOutputs(plan));
}

std::vector<Placed> PlacedInputs(const StepPlan& plan) {
  std::vector<Placed> placed;
  for (size_t i = 0; i < plan.inputs.size(); ++i) placed.push_back({plan.in(i), InputPlace(i)});
  return placed;
}

std::vector<Placed> PlacedOutputs(const StepPlan& plan) {
  std::vector<Placed> placed;
  for (size_t i = 0; i < plan.outputs.size(); ++i) placed.push_back({plan.out(i), OutputPlace(i)});
  return placed;
}

Status AddCopy(StepPlan& plan, const Placed& from, const Placed& to) {
  Placed source = from;
  Placed target = to;
  source.view.dtype = target.view.dtype = BitsType(from.view.dtype);
  const loop::Program program = loop::CopyProgram(to.view.rank, target.view.dtype, 1);
  const Dims domain(to.view.dims.begin(), to.view.dims.begin() + to.view.rank);
  TRT_ASSIGN_OR_RETURN(
      const JoinedDomain joined,
      JoinDomain(program, domain, std::span(&source.view, 1), std::span(&target.view, 1), false));
  const int turned = TurnedDim(joined);
  if (turned >= 0) return AddTranspose(plan, joined, static_cast<size_t>(turned), source, target);
  return AddLoop(plan, program, domain, {source}, {target});
}

}  // namespace cuda

std::span<const KernelEntry> CudaLoopKernels() { return cuda::kEntries; }

}  // namespace torch_tensorrt::core::kernels
