// The plan functions of the kernels "cuda.ref.<Kind>" (internal). They take any strides, dtypes and
// sizes; many are loop programs and as fast as those.
#pragma once

#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/loop/loop_kernel.h"

namespace torch_tensorrt::core::kernels::cuda {

// X(kind, least inputs, least outputs): every layer kind but Constant, which is no step.
// kinds: with the counts of operands; a test of core/tactics finds a kind that is missing.
#define TRT_CUDA_REFERENCE_KERNELS(X) \
  X(Cast, 1, 1)                       \
  X(Unary, 1, 1)                      \
  X(Elementwise, 2, 1)                \
  X(Select, 3, 1)                     \
  X(Fill, 0, 1)                       \
  X(Iota, 0, 1)                       \
  X(Reduce, 1, 1)                     \
  X(ArgReduce, 1, 1)                  \
  X(Softmax, 1, 1)                    \
  X(MatrixMultiply, 2, 1)             \
  X(Convolution, 2, 1)                \
  X(Deconvolution, 2, 1)              \
  X(Normalization, 1, 1)              \
  X(Attention, 3, 1)                  \
  X(RotaryEmbedding, 3, 1)            \
  X(Reshape, 1, 1)                    \
  X(Transpose, 1, 1)                  \
  X(Expand, 1, 1)                     \
  X(Slice, 1, 1)                      \
  X(Concat, 1, 1)                     \
  X(Gather, 2, 1)                     \
  X(GatherElements, 2, 1)             \
  X(ScatterElements, 3, 1)            \
  X(Index, 2, 1)                      \
  X(IndexPut, 3, 1)                   \
  X(Pad, 1, 1)                        \
  X(Pool, 1, 1)                       \
  X(AdaptivePool, 1, 1)               \
  X(Resize, 1, 1)                     \
  X(TopK, 1, 2)                       \
  X(Sort, 1, 2)                       \
  X(Scan, 1, 1)                       \
  X(Copy, 1, 1)                       \
  X(NonZero, 1, 1)                    \
  X(ReadSize, 1, 1)

#define TRT_DECLARE(kind, inputs, outputs) Status Plan##kind(StepPlan& plan);
TRT_CUDA_REFERENCE_KERNELS(TRT_DECLARE)
#undef TRT_DECLARE

// ---- shared by the plan functions ----

inline size_t At(int64_t i) { return static_cast<size_t>(i); }

// Dims of a view.
Dims DimsOf(const TensorView& view);
// `view` seen with the dims of `target` by right-aligned broadcasting.
TensorView BroadcastView(const TensorView& view, const TensorView& target);
// `view` with its dims in another order.
TensorView PermutedView(const TensorView& view, const std::vector<int>& order);
// `view` with `axis` moved to the end.
TensorView AxisLast(const TensorView& view, int64_t axis);
// [N, C, spatial...] or [N, spatial..., C] as [N, C, d, h, w].
TensorView AsNcdhw(const TensorView& view, bool channels_last);
// The `count` values of a list aligned to the innermost of three spatial dims.
std::vector<int64_t> Aligned3(const Dims& values, size_t first, size_t count, int64_t fallback);

// Writes programs instruction by instruction; each call returns the register.
class ProgramBuilder {
 public:
  explicit ProgramBuilder(int rank) { program_.rank = rank; }
  // Loads a new input whose dims are walked as `map` says.
  int Load(DataType dtype, std::vector<int8_t> map);
  // Of the domain's dims, and right-aligned with `rank` dims of its own.
  int Load(DataType dtype) { return LoadAligned(dtype, program_.rank); }
  int LoadAligned(DataType dtype, int rank);
  int Const(DataType type, double value);
  int Int(int64_t value);
  int Iota(int dim);
  int Op(PointwiseOp op, DataType type, std::vector<int> args, double p0 = 0, double p1 = 0);
  int Cast(int arg, DataType type);
  int Reduce(loop::ReduceOp op, DataType type, int arg);
  void Store(int arg, DataType dtype, bool row = false);
  DataType TypeOf(int r) const { return program_.instrs[At(r)].type; }
  const loop::Program& program() const { return program_; }

 private:
  int Push(const loop::Instr& instr);
  loop::Program program_;
};

// The register type of a tensor's elements.
inline DataType ComputeType(DataType type) { return IsHalf(type) ? DataType::kFloat32 : type; }

// Input i as dense memory: itself, or a copy in scratch that an added launch makes.
Result<Placed> DenseInput(StepPlan& plan, size_t i);

// Options -D<name>=<storage type>.
std::string DefineType(std::string_view name, DataType type);

// Threads of element-wise kernels and the blocks that are worth starting.
constexpr int kElementThreads = 256;
device::cuda::LaunchConfig ElementGrid(const StepPlan& plan, int64_t elements);

// Group normalisation of a dense channels-last tensor, by two launches of group_norm.cu.
bool TakesGroupChannelsLast(const StepPlan& plan, int channel_dim, int64_t groups);
Status PlanGroupChannelsLast(StepPlan& plan, int64_t groups);

}  // namespace torch_tensorrt::core::kernels::cuda
