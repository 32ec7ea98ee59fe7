#include "core/kernels/cpu/loop/geometry.h"

#include <algorithm>

namespace torch_tensorrt::core::kernels {
namespace {

using loop::InstrKind;
using loop::Program;

// One walk per operand over the dims of the domain as given.
using DomainStrides = std::vector<std::vector<int64_t>>;

Status CheckType(DataType have, DataType want, std::string_view what, size_t i) {
  if (have == want) return Status::Ok();
  return InvalidArgument("[cpu.loop] ", what, " ", i, " has type ", DataTypeName(have),
                         ", the program wants ", DataTypeName(want));
}

Result<std::vector<int64_t>> WalkInput(const loop::Input& input, const Dims& domain,
                                       const TensorView& view, size_t i) {
  std::vector<int64_t> strides(domain.size(), 0);
  std::array<bool, kMaxRank> walked{};
  for (size_t d = 0; d < domain.size(); ++d) {
    const int dim = input.map[d];
    if (dim < 0) continue;
    if (dim >= view.rank) {
      return InvalidArgument("[cpu.loop] input ", i, " of rank ", view.rank, " has no dim ", dim);
    }
    const auto k = static_cast<size_t>(dim);
    walked[k] = true;
    if (view.dims[k] == domain[d]) {
      strides[d] = view.strides[k];
    } else if (view.dims[k] != 1) {
      return InvalidArgument("[cpu.loop] dim ", dim, " of input ", i, " is ", view.dims[k],
                             ", the domain ", ToString(domain), " has ", domain[d]);
    }
  }
  for (size_t k = 0; k < static_cast<size_t>(view.rank); ++k) {
    if (!walked[k] && view.dims[k] != 1) {
      return InvalidArgument("[cpu.loop] dim ", k, " of input ", i, " is ", view.dims[k],
                             " but the program does not walk it");
    }
  }
  return strides;
}

Result<std::vector<int64_t>> WalkOutput(const loop::Output& output, const Dims& domain,
                                        const TensorView& view, size_t i) {
  std::vector<int64_t> strides(domain.size(), 0);
  const size_t rank = domain.size() - (output.row ? 1 : 0);
  bool fits = static_cast<size_t>(view.rank) == rank;
  for (size_t d = 0; fits && d < rank; ++d) {
    fits = view.dims[d] == domain[d];
    strides[d] = view.strides[d];
  }
  if (fits) return strides;
  return InvalidArgument("[cpu.loop] output ", i, " of rank ", view.rank,
                         " does not have the dims of the domain ", ToString(domain));
}

// Collapses the domain; `strides` has one walk per operand.
struct Collapse {
  std::vector<int64_t> dims;
  std::vector<size_t> last_of;  // per collapsed dim: its innermost domain dim
  std::vector<int> place_of;
};

Collapse CollapseDims(const Dims& domain, const DomainStrides& strides,
                      const std::vector<bool>& fixed) {
  Collapse out;
  out.place_of.assign(domain.size(), -1);
  bool previous_fixed = true;
  for (size_t d = 0; d < domain.size(); ++d) {
    const bool keep = fixed[d] && d + 1 == domain.size();
    if (domain[d] == 1 && !keep) continue;
    bool merge = !previous_fixed && !fixed[d];
    for (size_t k = 0; merge && k < strides.size(); ++k) {
      merge = strides[k][out.last_of.back()] == strides[k][d] * domain[d];
    }
    if (merge) {
      out.dims.back() *= domain[d];
      out.last_of.back() = d;
    } else {
      out.dims.push_back(domain[d]);
      out.last_of.push_back(d);
    }
    previous_fixed = fixed[d];
    out.place_of[d] = static_cast<int>(out.dims.size()) - 1;
  }
  return out;
}

Walk MakeWalk(DataType dtype, const std::vector<int64_t>& strides, const Collapse& collapse,
              size_t lead) {
  Walk walk;
  walk.dtype = dtype;
  for (size_t j = 0; j < collapse.dims.size(); ++j) {
    // A walk along a dim of size 1 goes nowhere.
    walk.strides[lead + j] = collapse.dims[j] == 1 ? 0 : strides[collapse.last_of[j]];
  }
  return walk;
}

std::vector<int64_t> DenseStrides(const Dims& domain) {
  std::vector<int64_t> strides(domain.size(), 1);
  for (size_t d = domain.size(); d-- > 1;) strides[d - 1] = strides[d] * domain[d];
  return strides;
}

Result<DomainStrides> WalkAll(const Program& program, const Dims& domain,
                              std::span<const TensorView> inputs,
                              std::span<const TensorView> outputs) {
  DomainStrides strides;
  size_t view = 0;
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    if (program.inputs[i].accumulator) {
      strides.push_back(DenseStrides(domain));
      continue;
    }
    TRT_RETURN_IF_ERROR(CheckType(inputs[view].dtype, program.inputs[i].dtype, "input", i));
    TRT_ASSIGN_OR_RETURN(auto walk, WalkInput(program.inputs[i], domain, inputs[view], i));
    strides.push_back(std::move(walk));
    ++view;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    TRT_RETURN_IF_ERROR(CheckType(outputs[i].dtype, program.outputs[i].dtype, "output", i));
    TRT_ASSIGN_OR_RETURN(auto walk, WalkOutput(program.outputs[i], domain, outputs[i], i));
    strides.push_back(std::move(walk));
  }
  return strides;
}

}  // namespace

int64_t Geometry::OuterCount() const {
  int64_t count = 1;
  for (int d = 0; d < row_dim(); ++d) count *= dims[static_cast<size_t>(d)];
  return count;
}

Result<Geometry> MakeGeometry(const Program& program, const Dims& domain,
                              std::span<const TensorView> inputs,
                              std::span<const TensorView> outputs, bool keep_cols) {
  size_t expected = program.inputs.size();
  if (expected > 0 && program.inputs[0].accumulator) --expected;
  if (static_cast<int>(domain.size()) != program.rank || inputs.size() != expected ||
      outputs.size() != program.outputs.size()) {
    return InvalidArgument("[cpu.loop] domain ", ToString(domain), ", ", inputs.size(), " inputs, ",
                           outputs.size(), " outputs for a program of rank ", program.rank,
                           " with ", expected, " and ", program.outputs.size());
  }
  TRT_ASSIGN_OR_RETURN(const DomainStrides strides, WalkAll(program, domain, inputs, outputs));
  std::vector<bool> fixed(domain.size(), false);
  if (keep_cols && !domain.empty()) fixed.back() = true;
  for (const loop::Instr& instr : program.instrs) {
    if (instr.kind == InstrKind::kIota) fixed[static_cast<size_t>(instr.index)] = true;
  }
  const Collapse collapse = CollapseDims(domain, strides, fixed);

  Geometry out;
  const size_t lead = collapse.dims.size() < 2 ? 2 - collapse.dims.size() : 0;
  out.rank = static_cast<int>(collapse.dims.size() + lead);
  out.dims.fill(1);
  std::copy(collapse.dims.begin(), collapse.dims.end(), out.dims.begin() + static_cast<int>(lead));
  for (size_t i = 0; i < strides.size(); ++i) {
    const bool is_input = i < program.inputs.size();
    const DataType dtype =
        is_input ? program.inputs[i].dtype : program.outputs[i - program.inputs.size()].dtype;
    (is_input ? out.inputs : out.outputs).push_back(MakeWalk(dtype, strides[i], collapse, lead));
  }
  // A single column is dense whatever its stride.
  for (Walk& walk : out.outputs) {
    if (out.cols() == 1) walk.strides[static_cast<size_t>(out.col_dim())] = 1;
  }
  out.place_of = collapse.place_of;
  for (int& place : out.place_of) {
    if (place >= 0) place += static_cast<int>(lead);
  }
  return out;
}

}  // namespace torch_tensorrt::core::kernels
