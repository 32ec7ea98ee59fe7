// cpu.normalization: layer and rms over trailing dims, group in both layouts. Input and output are
// contiguous.
#include <vector>

#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/cpu/isa_table.h"
#include "core/kernels/cpu/normalization_code.h"
#include "core/types/half.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(NormalizationCode, kNormalizationCode, NormalizationCodeFor)

namespace {

void ReadFloats(const TensorView& view, float* out) {
  const int64_t n = view.numel();
  const auto* halves = view.as<const uint16_t>();
  for (int64_t i = 0; i < n; ++i) {
    out[i] = view.dtype == DataType::kFloat32   ? view.as<const float>()[i]
             : view.dtype == DataType::kFloat16 ? Float16ToFloat(halves[i])
                                                : BFloat16ToFloat(halves[i]);
  }
}

struct Problem {
  NormRowsArgs rows;        // layer, rms, group of [N, C, spatial]
  NormColumnsArgs columns;  // group of [N, spatial, C]
  bool by_columns = false;
  int64_t samples = 0;     // column problems
  int64_t parameters = 0;  // elements of weight and bias each
};

// Weight (0) and bias (1): which input holds them, and their values when they are constants.
struct Parameter {
  int input = -1;
  std::vector<float> values;
};

class NormalizationState : public KernelState {
 public:
  Problem problem;
  Parameter parameters[2];
};

class NormalizationKernel : public Kernel {
 public:
  explicit NormalizationKernel(const Attributes& attributes)
      : kind_(attributes.Str("kind")), code_(NormalizationCodeFor(CurrentIsa())) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    TRT_RETURN_IF_ERROR(CheckCounts("Normalization", args, 1, 1));
    const TensorView& x = args.inputs[0];
    TRT_RETURN_IF_ERROR(CheckNarrowFloat("Normalization", x.dtype));
    if (!IsDense(x) || !IsDense(args.outputs[0])) {
      return Unsupported("[Normalization] a tensor that is not contiguous; copy it first");
    }
    auto state = std::make_unique<NormalizationState>();
    Prepared prepared;
    if (kind_ == "group") {
      TRT_RETURN_IF_ERROR(DescribeGroup(args, &state->problem));
      if (state->problem.by_columns) {
        prepared.scratch_bytes = Idx(2 * state->problem.samples * x.dims[Idx(x.rank - 1)]) * 4;
      }
    } else {
      TRT_RETURN_IF_ERROR(DescribeTrailing(args, &state->problem));
    }
    TRT_RETURN_IF_ERROR(ReadParameters(args, state.get()));
    prepared.scratch_bytes += Idx(2 * state->problem.parameters) * 4;
    prepared.state = std::move(state);
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    auto* state = static_cast<NormalizationState*>(args.state);
    Problem p = state->problem;
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    const float* parameters[2] = {};
    for (int k = 0; k < 2; ++k) {
      const Parameter& parameter = state->parameters[k];
      if (parameter.input < 0) continue;
      const TensorView& view = args.inputs[Idx(parameter.input)];
      parameters[k] = parameter.values.data();
      if (!parameter.values.empty()) continue;
      if (view.dtype == DataType::kFloat32) {
        parameters[k] = view.as<const float>();
      } else {
        ReadFloats(view, scratch + k * p.parameters);
        parameters[k] = scratch + k * p.parameters;
      }
    }
    p.rows.weight = p.columns.weight = parameters[0];
    p.rows.bias = p.columns.bias = parameters[1];
    if (p.by_columns) {
      RunColumns(args, p, scratch + 2 * p.parameters);
    } else {
      RunRows(args, p);
    }
    return Status::Ok();
  }

 private:
  Status DescribeTrailing(const PrepareArgs& args, Problem* p) const {
    if (kind_ != "layer" && kind_ != "rms") {
      return Unsupported("[Normalization] kind '", kind_, "', expected layer, rms or group");
    }
    const TensorView& x = args.inputs[0];
    const auto inner = static_cast<int>(args.attributes.Int("norm_rank", 1));
    TRT_ASSIGN_OR_RETURN(const RowView rows, ReadAsRows("Normalization", x, inner));
    p->rows.rows = rows.rows;
    p->rows.n = p->parameters = rows.n;
    p->rows.center = kind_ == "layer";
    p->rows.eps = args.attributes.Double("eps");
    return Status::Ok();
  }

  static Status DescribeGroup(const PrepareArgs& args, Problem* p) {
    const TensorView& x = args.inputs[0];
    const int64_t groups = args.attributes.Int("groups", 1);
    p->by_columns = args.attributes.Bool("channels_last") && x.rank > 2;
    const int64_t channels = x.rank < 2 ? 0 : x.dims[Idx(p->by_columns ? x.rank - 1 : 1)];
    if (x.rank < 2 || groups < 1 || channels % groups != 0) {
      return InvalidArgument("[Normalization] ", groups, " groups of ", channels, " channels");
    }
    const double eps = args.attributes.Double("eps");
    const int64_t per_sample = x.dims[0] == 0 ? 0 : x.numel() / x.dims[0];
    p->parameters = channels;
    p->samples = x.dims[0];
    if (p->by_columns) {
      p->columns.spatial = channels == 0 ? 0 : per_sample / channels;
      p->columns.channels = channels;
      p->columns.per_group = channels / groups;
      p->columns.last_group = groups;
      p->columns.eps = eps;
    } else {
      p->rows.rows = x.dims[0] * groups;
      p->rows.n = per_sample / groups;
      p->rows.eps = eps;
      p->rows.channels = channels / groups;
      p->rows.groups = groups;
    }
    return Status::Ok();
  }

  static Status ReadParameters(const PrepareArgs& args, NormalizationState* state) {
    int next = 1;
    const char* names[2] = {"has_weight", "has_bias"};
    for (int k = 0; k < 2; ++k) {
      if (!args.attributes.Bool(names[k])) continue;
      if (Idx(next) >= args.inputs.size()) {
        return InvalidArgument("[Normalization] ", names[k], " but only ", args.inputs.size(),
                               " inputs");
      }
      const TensorView& view = args.inputs[Idx(next)];
      TRT_RETURN_IF_ERROR(CheckNarrowFloat("Normalization", view.dtype));
      if (!IsDense(view) || view.numel() != state->problem.parameters) {
        return Unsupported("[Normalization] weight or bias of ", view.numel(),
                           " elements, expected ", state->problem.parameters, " contiguous ones");
      }
      state->parameters[k].input = next++;
      if (view.data != nullptr && view.dtype != DataType::kFloat32) {
        state->parameters[k].values.resize(Idx(view.numel()));
        ReadFloats(view, state->parameters[k].values.data());
      }
    }
    return Status::Ok();
  }

  void RunRows(const RunArgs& args, const Problem& p) const {
    if (p.rows.n == 0) return;
    const auto rows = code_.rows[NarrowFloatIndex(args.inputs[0].dtype)];
    ParallelFor(p.rows.rows, GrainOf(p.rows.n), [&](int64_t begin, int64_t end, int /*thread*/) {
      NormRowsArgs part = p.rows;
      part.x = ElementAt(args.inputs[0], begin * part.n);
      part.y = ElementAt(args.outputs[0], begin * part.n);
      part.rows = end - begin;
      part.first_row = begin;
      rows(part);
    });
  }

  void RunColumns(const RunArgs& args, const Problem& p, float* scratch) const {
    const auto columns = code_.columns[NarrowFloatIndex(args.inputs[0].dtype)];
    const int64_t groups = p.columns.last_group;
    const int64_t sample_size = p.columns.spatial * p.columns.channels;
    if (sample_size == 0) return;
    const int64_t grain = GrainOf(p.columns.spatial * p.columns.per_group);
    ParallelFor(p.samples * groups, grain, [&](int64_t begin, int64_t end, int /*thread*/) {
      while (begin < end) {
        const int64_t sample = begin / groups;
        NormColumnsArgs part = p.columns;
        part.x = ElementAt(args.inputs[0], sample * sample_size);
        part.y = ElementAt(args.outputs[0], sample * sample_size);
        part.first_group = begin - sample * groups;
        part.last_group = std::min(groups, end - sample * groups);
        part.scale = scratch + 2 * sample * part.channels;
        part.shift = part.scale + part.channels;
        columns(part);
        begin += part.last_group - part.first_group;
      }
    });
  }

  std::string kind_;
  const NormalizationCode& code_;
};

}  // namespace

KernelResult CreateNormalization(const Attributes& attributes) {
  return std::unique_ptr<const Kernel>(std::make_unique<NormalizationKernel>(attributes));
}

}  // namespace torch_tensorrt::core::kernels
