#include "core/kernels/cuda/matrix/library.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using device::cuda::CublasLt;
using device::cuda::Gpu;
using device::cuda::LtContext;
using device::cuda::LtHandle;
using device::cuda::LtHeuristic;
using device::cuda::LtLayout;
using device::cuda::LtMatmulDesc;
using device::cuda::LtPreference;
namespace lt = device::cuda::lt;

constexpr uint64_t kMostWorkspace = uint64_t{16} << 20;

int LibraryType(DataType type) { return type == DataType::kFloat16 ? lt::kFloat16 : lt::kBFloat16; }

// One handle per GPU, for as long as anyone uses it.
std::shared_ptr<LtContext> HandleOf(const Gpu& gpu, const CublasLt& table) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<LtContext>> known;
  const std::lock_guard<std::mutex> lock(mutex);
  auto& slot = known[gpu.info().ordinal];
  if (auto handle = slot.lock()) return handle;
  LtHandle made = nullptr;
  if (table.create(&made) != 0) return nullptr;
  const std::shared_ptr<LtContext> handle(made, [&table](LtHandle h) { table.destroy(h); });
  slot = handle;
  return handle;
}

// Can the library read this tensor as the one that is added to the product?
bool IsAddend(const TensorView& view, const TensorView& output) {
  return view.dtype == output.dtype && view.rank == output.rank && view.contiguous() &&
         std::equal(view.dims.begin(), view.dims.begin() + view.rank, output.dims.begin());
}

}  // namespace

// The product as the library's column-major matrices: out^T = b a^T, with rows of values as
// columns.
struct LibraryState::Problem {
  const CublasLt* table = nullptr;
  std::shared_ptr<LtContext> handle;
  LtMatmulDesc desc = nullptr;
  LtLayout weights = nullptr, rows = nullptr, out = nullptr;
  bool has_bias = false;
  bool adds = false;
  size_t addend = 0;  // input

  Problem() = default;
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;
  ~Problem() {
    for (LtLayout layout : {weights, rows, out}) {
      if (layout != nullptr) table->layout_destroy(layout);
    }
    if (desc != nullptr) table->desc_destroy(desc);
  }

  bool Describe(const Product& p, bool relu, DataType bias_type) {
    const int type = LibraryType(p.dtype);
    const auto wide = [](int64_t x) { return static_cast<uint64_t>(x); };
    if (table->desc_create(&desc, lt::kComputeFloat32, lt::kFloat32) != 0) return false;
    const int transposed = lt::kTransposed;
    int epilogue = relu ? lt::kEpilogueRelu : lt::kEpilogueNone;
    if (has_bias) epilogue = relu ? lt::kEpilogueReluBias : lt::kEpilogueBias;
    const int bias = LibraryType(bias_type);
    int failed = table->desc_set(desc, lt::kTransposeA, &transposed, sizeof(transposed));
    failed |= table->desc_set(desc, lt::kEpilogue, &epilogue, sizeof(epilogue));
    if (has_bias) failed |= table->desc_set(desc, lt::kBiasType, &bias, sizeof(bias));
    failed |= table->layout_create(&weights, type, wide(p.k), wide(p.n), p.b.row);
    failed |= table->layout_create(&rows, type, wide(p.k), wide(p.m), p.a.row);
    failed |= table->layout_create(&out, type, wide(p.n), wide(p.m), p.out_row);
    return failed == 0;
  }
};

std::vector<std::unique_ptr<LibraryState>> LibraryState::Offers(const Gpu& gpu, const Product& p,
                                                                const ResultStage& stage,
                                                                std::span<const TensorView> inputs,
                                                                const TensorView& output,
                                                                int most) {
  std::vector<std::unique_ptr<LibraryState>> offers;
  const auto plain = stage.Plain();
  if (!plain.has_value() || !IsHalf(p.dtype) || output.dtype != p.dtype || p.windows ||
      p.batch_count() != 1 || p.a.column != 1 || p.b.column != 1 || p.a.row < p.k || p.n < 2 ||
      p.m < 2) {
    return offers;
  }
  const auto problem = std::make_shared<Problem>();
  const auto table = gpu.cublaslt();
  if (!table.ok()) return offers;
  problem->table = *table;
  problem->has_bias = plain->bias >= 0;
  problem->adds = plain->addend >= 0;
  if (problem->adds) problem->addend = static_cast<size_t>(plain->addend);
  const DataType bias_type =
      problem->has_bias ? inputs[static_cast<size_t>(plain->bias)].dtype : p.dtype;
  if (bias_type != p.dtype) return offers;
  if (problem->adds && !IsAddend(inputs[problem->addend], output)) return offers;
  problem->handle = HandleOf(gpu, **table);
  if (problem->handle == nullptr || !problem->Describe(p, plain->relu, bias_type)) return offers;
  LtPreference preference = nullptr;
  if (problem->table->preference_create(&preference) != 0) return offers;
  problem->table->preference_set(preference, lt::kMaxWorkspace, &kMostWorkspace,
                                 sizeof(kMostWorkspace));
  std::vector<LtHeuristic> found(static_cast<size_t>(most));
  int count = 0;
  if (problem->table->heuristics(problem->handle.get(), problem->desc, problem->weights,
                                 problem->rows, problem->out, problem->out, preference, most,
                                 found.data(), &count) != 0) {
    count = 0;
  }
  problem->table->preference_destroy(preference);
  for (int i = 0; i < count; ++i) {
    const LtHeuristic& one = found[static_cast<size_t>(i)];
    if (one.status != 0) continue;
    auto state = std::make_unique<LibraryState>();
    state->problem_ = problem;
    state->algorithm_ = one.algorithm;
    state->workspace_bytes_ = one.workspace_bytes;
    offers.push_back(std::move(state));
  }
  return offers;
}

Status LibraryState::Reserve(const Gpu& gpu) {
  if (workspace_bytes_ == 0 || workspace_ != nullptr) return Status::Ok();
  TRT_ASSIGN_OR_RETURN(workspace_, gpu.Allocate(workspace_bytes_));
  return Status::Ok();
}

Status LibraryState::Run(const RunArgs& args, const ResultStage& stage, const void* a,
                         const void* b) {
  const Problem& p = *problem_;
  if (p.has_bias) {
    const void* bias = stage.Bias(args.inputs);
    if (p.table->desc_set(p.desc, lt::kBiasPointer, &bias, sizeof(bias)) != 0) {
      return InternalError("[cublaslt] cannot set the bias");
    }
  }
  const float one = 1;
  const float adds = p.adds ? 1 : 0;
  void* out = args.outputs[0].data;
  const void* addend = p.adds ? args.inputs[p.addend].data : out;
  const int failed =
      p.table->matmul(p.handle.get(), p.desc, &one, b, p.weights, a, p.rows, &adds, addend, p.out,
                      out, p.out, &algorithm_, workspace_.get(), workspace_bytes_, args.stream);
  if (failed != 0) return InternalError("[cublaslt] a product failed with status ", failed);
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::kernels::cuda
