#include "core/kernels/cuda/loop/loop_plan.h"

#include <algorithm>
#include <bit>

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using loop::Instr;
using loop::InstrKind;

constexpr int kBlockThreads = 256;
constexpr int kMaxVectorBytes = 16;
constexpr int kMaxVector = 8;
constexpr size_t kMaxThreadBytes = 192;
// A row lies in registers up to this many elements per thread.
constexpr int kMaxRowElements = 32;
constexpr int kMaxRowThreads = 1024;
constexpr int64_t kMaxGrid = (int64_t{1} << 31) - 1;

size_t At(int64_t i) { return static_cast<size_t>(i); }

// Element strides of one tensor per domain dim.
struct Strides {
  DataType dtype;
  std::vector<int64_t> of;
};

Result<Strides> InputStrides(const loop::Input& input, const TensorView& view, const Dims& domain,
                             size_t index) {
  Strides strides{view.dtype, std::vector<int64_t>(domain.size(), 0)};
  if (view.dtype != input.dtype) {
    return InvalidArgument("[cuda.loop] input ", index, " is ", DataTypeName(view.dtype),
                           ", the program expects ", DataTypeName(input.dtype));
  }
  for (size_t d = 0; d < domain.size(); ++d) {
    const int dim = input.map[d];
    if (dim < 0) continue;
    const int64_t size = dim < view.rank ? view.dims[At(dim)] : -1;
    if (size != 1 && size != domain[d]) {
      return InvalidArgument("[cuda.loop] input ", index, " has size ", size, " along domain dim ",
                             d, " of ", ToString(domain));
    }
    strides.of[d] = size == 1 ? 0 : view.strides[At(dim)];
  }
  return strides;
}

Result<Strides> OutputStrides(const loop::Output& output, const TensorView& view,
                              const Dims& domain, size_t index) {
  Strides strides{view.dtype, std::vector<int64_t>(domain.size(), 0)};
  const size_t rank = domain.size() - (output.row ? 1 : 0);
  if (view.dtype != output.dtype || At(view.rank) != rank) {
    return InvalidArgument("[cuda.loop] output ", index, " is ", DataTypeName(view.dtype),
                           " of rank ", view.rank, ", the program writes ",
                           DataTypeName(output.dtype), " of rank ", rank);
  }
  for (size_t d = 0; d < rank; ++d) {
    if (view.dims[d] != domain[d]) {
      return InvalidArgument("[cuda.loop] output ", index, " has size ", view.dims[d],
                             " along domain dim ", d, " of ", ToString(domain));
    }
    strides.of[d] = view.dims[d] == 1 ? 0 : view.strides[d];
  }
  return strides;
}

Result<std::vector<Strides>> AllStrides(const loop::Program& program, const Dims& domain,
                                        std::span<const TensorView> inputs,
                                        std::span<const TensorView> outputs) {
  if (At(program.rank) != domain.size() || inputs.size() != program.inputs.size() ||
      outputs.size() != program.outputs.size()) {
    return InvalidArgument("[cuda.loop] program of rank ", program.rank, " with ",
                           program.inputs.size(), " inputs and ", program.outputs.size(),
                           " outputs got a domain ", ToString(domain), ", ", inputs.size(),
                           " inputs and ", outputs.size(), " outputs");
  }
  std::vector<Strides> all;
  for (size_t i = 0; i < inputs.size(); ++i) {
    TRT_ASSIGN_OR_RETURN(Strides one, InputStrides(program.inputs[i], inputs[i], domain, i));
    all.push_back(std::move(one));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    TRT_ASSIGN_OR_RETURN(Strides one, OutputStrides(program.outputs[i], outputs[i], domain, i));
    all.push_back(std::move(one));
  }
  return all;
}

// Domain dims that an Iota counts stay as they are.
std::vector<bool> CountedDims(const loop::Program& program) {
  std::vector<bool> counted(At(program.rank), false);
  for (const Instr& instr : program.instrs) {
    if (instr.kind == InstrKind::kIota) counted[At(instr.index)] = true;
  }
  return counted;
}

// A joined dim under construction: domain dims first..last.
struct Group {
  std::vector<size_t> dims;
  int64_t size = 1;
  bool alone = false;
};

bool CanJoin(const Group& group, size_t d, const Dims& domain, const std::vector<Strides>& all) {
  const size_t before = group.dims.back();
  return std::all_of(all.begin(), all.end(),
                     [&](const Strides& s) { return s.of[before] == s.of[d] * domain[d]; });
}

std::vector<Group> GroupDims(const Dims& domain, const std::vector<bool>& alone, bool keep_last,
                             const std::vector<Strides>& all) {
  std::vector<Group> groups;
  for (size_t d = 0; d < domain.size(); ++d) {
    const bool last = keep_last && d + 1 == domain.size();
    if (domain[d] == 1 && !last) continue;
    if (!last && !alone[d] && !groups.empty() && !groups.back().alone &&
        CanJoin(groups.back(), d, domain, all)) {
      groups.back().dims.push_back(d);
      groups.back().size *= domain[d];
    } else {
      groups.push_back({{d}, domain[d], alone[d]});
    }
  }
  return groups;
}

LoopAccess MakeAccess(const Strides& strides, const std::vector<Group>& outer, const Group* inner) {
  LoopAccess access;
  access.dtype = strides.dtype;
  for (const Group& group : outer) access.strides.push_back(strides.of[group.dims.back()]);
  access.inner_stride = inner == nullptr ? 0 : strides.of[inner->dims.back()];
  access.inner = access.inner_stride == 0   ? LoopAccess::Inner::kSame
                 : access.inner_stride == 1 ? LoopAccess::Inner::kUnit
                                            : LoopAccess::Inner::kStrided;
  return access;
}

bool FitsIn32Bits(const JoinedDomain& domain) {
  constexpr int64_t kLimit = int64_t{1} << 30;
  if (domain.rows() >= kLimit / std::max<int64_t>(domain.inner, 1)) return false;
  return std::all_of(domain.accesses.begin(), domain.accesses.end(), [&](const LoopAccess& access) {
    int64_t reach = domain.inner * std::abs(access.inner_stride);
    for (size_t d = 0; d < domain.outer.size(); ++d) {
      reach += domain.outer[d] * std::abs(access.strides[d]);
    }
    return reach < kLimit;
  });
}

// Elements a thread handles at once: as many as make 16 bytes of the narrowest tensor that is dense
// along the inner dim.
int VectorOf(const JoinedDomain& domain) {
  size_t narrowest = 0;
  for (const LoopAccess& access : domain.accesses) {
    if (access.unused || access.inner != LoopAccess::Inner::kUnit) continue;
    const size_t size = SizeOf(access.dtype);
    narrowest = narrowest == 0 ? size : std::min(narrowest, size);
  }
  if (narrowest == 0) return 1;
  // All tensors' elements of one thread lie in registers at once.
  size_t bytes = 0;
  for (const LoopAccess& access : domain.accesses)
    bytes += access.unused ? 0 : SizeOf(access.dtype);
  int vector = std::min(kMaxVector, kMaxVectorBytes / static_cast<int>(narrowest));
  while (vector > 1 && bytes * static_cast<size_t>(vector) > kMaxThreadBytes) vector /= 2;
  return vector;
}

void PlanPointwise(LoopPlan* plan, int multiprocessors) {
  plan->vector = VectorOf(plan->domain);
  while (plan->vector > 1 && plan->domain.inner < plan->vector) plan->vector /= 2;
  const int64_t per_row = (plan->domain.inner + plan->vector - 1) / plan->vector;
  const int64_t units = plan->domain.rows() * per_row;
  // Small work is spread over all multiprocessors in smaller blocks.
  plan->threads = kBlockThreads;
  while (plan->threads > 64 && units < int64_t{plan->threads} * multiprocessors) plan->threads /= 2;
  plan->blocks = std::min((units + plan->threads - 1) / plan->threads, kMaxGrid);
}

void PlanRows(LoopPlan* plan, int multiprocessors) {
  const int64_t inner = plan->domain.inner;
  const int64_t rows = plan->domain.rows();
  plan->vector = VectorOf(plan->domain);
  while (plan->vector > 1 && (inner % plan->vector != 0 || inner / plan->vector < 16)) {
    plan->vector /= 2;
  }
  const int64_t units = std::max<int64_t>((inner + plan->vector - 1) / plan->vector, 1);
  const int most_chunks = std::max(kMaxRowElements / plan->vector, 1);
  // Long rows in registers of a warp starve the GPU of warps when there are few.
  const int64_t warp_units =
      rows < int64_t{4} * multiprocessors ? 32 : int64_t{32} * std::min(most_chunks, 4);
  if (units <= warp_units) {
    plan->lanes = static_cast<int>(std::min<int64_t>(32, std::bit_ceil(At(units))));
    plan->threads =
        rows * plan->lanes < int64_t{kBlockThreads} * multiprocessors ? 64 : kBlockThreads;
    plan->chunks = static_cast<int>((units + plan->lanes - 1) / plan->lanes);
    const int64_t per_block = plan->threads / plan->lanes;
    plan->blocks = std::min((rows + per_block - 1) / per_block, kMaxGrid);
    return;
  }
  // Many rows: four vectors a thread, so that several rows share a multiprocessor. Few rows: more
  // threads for each.
  const int64_t vectors = rows < int64_t{2} * multiprocessors ? 2 : 4;
  int threads = 64;
  while (threads < kMaxRowThreads && units > threads * vectors) threads *= 2;
  plan->threads = plan->lanes = threads;
  const int64_t chunks = (units + threads - 1) / threads;
  plan->chunks = chunks <= most_chunks ? static_cast<int>(chunks) : 0;
  plan->blocks = std::min(rows, kMaxGrid);
}

}  // namespace

int64_t JoinedDomain::rows() const {
  int64_t n = 1;
  for (const int64_t size : outer) n *= size;
  return n;
}

Result<JoinedDomain> JoinDomain(const loop::Program& program, const Dims& domain,
                                std::span<const TensorView> inputs,
                                std::span<const TensorView> outputs, bool keep_last) {
  TRT_ASSIGN_OR_RETURN(const std::vector<Strides> all,
                       AllStrides(program, domain, inputs, outputs));
  std::vector<Group> groups = GroupDims(domain, CountedDims(program), keep_last, all);
  JoinedDomain joined;
  joined.place.assign(domain.size(), JoinedDomain::kGone);
  std::vector<Group> outer = groups;
  if (!outer.empty()) outer.pop_back();
  const Group* inner = groups.empty() ? nullptr : &groups.back();
  for (size_t g = 0; g < groups.size(); ++g) {
    const bool is_inner = g + 1 == groups.size();
    for (const size_t d : groups[g].dims) {
      joined.place[d] = is_inner ? JoinedDomain::kInner : static_cast<int>(g);
    }
    if (!is_inner) joined.outer.push_back(groups[g].size);
  }
  joined.inner = inner == nullptr ? 1 : inner->size;
  for (const Strides& strides : all) joined.accesses.push_back(MakeAccess(strides, outer, inner));
  std::vector<bool> used(joined.accesses.size(), false);
  for (const Instr& instr : program.instrs) {
    if (instr.kind == InstrKind::kLoad) used[At(instr.index)] = true;
  }
  for (size_t i = 0; i < inputs.size(); ++i) joined.accesses[i].unused = !used[i];
  return joined;
}

Result<LoopPlan> PlanLoop(const loop::Program& program, const Dims& domain,
                          std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                          int multiprocessors) {
  LoopPlan plan;
  plan.rows = std::any_of(program.instrs.begin(), program.instrs.end(), [](const Instr& instr) {
    return instr.kind == InstrKind::kReduce || instr.kind == InstrKind::kStoreRow;
  });
  TRT_ASSIGN_OR_RETURN(plan.domain, JoinDomain(program, domain, inputs, outputs, plan.rows));
  if (plan.domain.rows() == 0 || (plan.domain.inner == 0 && !plan.rows)) return plan;
  for (const Instr& instr : program.instrs) {
    const bool extremum =
        instr.kind == InstrKind::kReduce &&
        (instr.reduce == loop::ReduceOp::kMax || instr.reduce == loop::ReduceOp::kMin);
    if (extremum && plan.domain.inner == 0) {
      return InvalidArgument("[cuda.loop] ", ReduceOpName(instr.reduce),
                             " over an empty row of domain ", ToString(domain));
    }
  }
  plan.wide_index = !FitsIn32Bits(plan.domain);
  if (plan.rows) {
    PlanRows(&plan, multiprocessors);
  } else {
    PlanPointwise(&plan, multiprocessors);
  }
  return plan;
}

}  // namespace torch_tensorrt::core::kernels::cuda
