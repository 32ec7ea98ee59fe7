// MatrixMultiply, Convolution, Deconvolution, Attention, RotaryEmbedding.
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/kernels/cuda/loop/printer.h"
#include "core/kernels/cuda/reference/plans.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr int kAttentionThreads = 128;  // kThreads of ref_attention.cu
constexpr int64_t kMaxValueDepth = 512;

void SwapLast(TensorView* view) {
  const size_t last = At(view->rank - 1);
  std::swap(view->dims[last], view->dims[last - 1]);
  std::swap(view->strides[last], view->strides[last - 1]);
}

// The operand with the output's batch dims, stride 0 where it has none of its own.
TensorView WithBatch(const TensorView& matrix, const TensorView& out) {
  TensorView view = out;
  const int lead = out.rank - matrix.rank;
  for (int d = 0; d < out.rank; ++d) {
    const int from = d - lead;
    const bool walked = from >= 0 && (d >= out.rank - 2 || matrix.dims[At(from)] != 1);
    view.strides[At(d)] = walked ? matrix.strides[At(from)] : 0;
    if (d >= out.rank - 2) view.dims[At(d)] = matrix.dims[At(from)];
  }
  view.dtype = matrix.dtype;
  return view;
}

// Adds kernel `entry` of ref_matrix.cu with the step's epilogue (or a plain store) and the
// epilogue's arguments after `params`. Extra inputs of the epilogue start at input `first_extra`.
Status AddWithEpilogue(StepPlan& plan, const std::string& entry, size_t first_extra,
                       ParamBlock params) {
  const TensorView& out = plan.out();
  const DataType type = plan.in(0).dtype;
  std::vector<std::string> options = {DefineType("DATA", type), "-DKERNEL_" + entry};
  std::string text(SourceText("ref_matrix.cu"));
  if (text.empty()) return InternalError("[cuda] this build has no kernel text ref_matrix.cu");
  const bool has_epilogue = plan.attributes.Has("epilogue") && IsFloat(type);
  if (has_epilogue) {
    TRT_ASSIGN_OR_RETURN(const loop::Program program,
                         loop::Program::Parse(plan.attributes.Get("epilogue", ProgramText{}).text));
    const std::vector<TensorView> extra(plan.inputs.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                  first_extra, plan.inputs.size())),
                                        plan.inputs.end());
    TRT_ASSIGN_OR_RETURN(
        const EpilogueShape shape,
        PlanEpilogue(program, DimsOf(out), extra, ComputeType(program.inputs[0].dtype)));
    TRT_ASSIGN_OR_RETURN(const std::string epilogue, PrintEpilogue(program, shape));
    text = epilogue + text;
    options.emplace_back("-DEPILOGUE");
    AppendEpilogueArgs(shape, extra, first_extra, &params);
  }
  return plan.Add(MakeSource("ref_matrix.cu", std::move(text), std::move(options)), entry,
                  ElementGrid(plan, out.numel()), std::move(params));
}

int64_t Columns(const TensorView& out) { return out.rank == 0 ? 1 : out.dims[At(out.rank - 1)]; }

struct ConvolutionShape {
  TensorView x;
  TensorView w;
  int64_t groups = 1;
};

Result<ConvolutionShape> CheckConvolution(const StepPlan& plan, std::string_view tag) {
  const TensorView& x = plan.in(0);
  if (x.rank < 3 || x.rank > 5 || plan.in(1).rank != x.rank) {
    return InvalidArgument("[", tag, "] ranks ", x.rank, " of x and ", plan.in(1).rank,
                           " of w, expected 3 to 5 and equal");
  }
  const bool last = plan.attributes.Bool("channels_last");
  ConvolutionShape shape{AsNcdhw(x, last), AsNcdhw(plan.in(1), last),
                         plan.attributes.Int("groups", 1)};
  return shape;
}

Status AddConvolution(StepPlan& plan, const ConvolutionShape& shape, const std::string& entry) {
  const Attributes& attributes = plan.attributes;
  const bool last = attributes.Bool("channels_last");
  const bool has_bias = attributes.Bool("has_bias");
  const int rank = plan.out().rank;
  const size_t spatial = At(rank - 2);
  ParamBlock params;
  params.View(InputPlace(0), shape.x).View(InputPlace(1), shape.w);
  const size_t bias = has_bias ? 2 : 0;
  params.View(InputPlace(bias), plan.in(bias)).View(OutputPlace(0), plan.out());
  params.Int(0).Int(last ? rank - 1 : 1);
  for (int d = 0; d < 3; ++d) {
    const int from = d - (3 - static_cast<int>(spatial));
    params.Int(from < 0 ? -1 : from + (last ? 1 : 2));
  }
  params.Int(shape.groups);
  for (const int64_t v : Aligned3(attributes.Ints("stride"), 0, spatial, 1)) params.Int(v);
  for (const int64_t v : Aligned3(attributes.Ints("padding"), 0, spatial, 0)) params.Int(v);
  for (const int64_t v : Aligned3(attributes.Ints("dilation"), 0, spatial, 1)) params.Int(v);
  params.Int(has_bias ? 1 : 0).Int(Columns(plan.out()));
  return AddWithEpilogue(plan, entry, has_bias ? 3 : 2, std::move(params));
}

}  // namespace

Status PlanMatrixMultiply(StepPlan& plan) {
  TensorView a = plan.in(0);
  TensorView b = plan.in(1);
  const TensorView& out = plan.out();
  if (a.rank < 2 || b.rank < 2 || out.rank < 2) {
    return InvalidArgument("[MatrixMultiply] ranks ", a.rank, " and ", b.rank,
                           ", both must be at least 2");
  }
  if (plan.attributes.Bool("transpose_a")) SwapLast(&a);
  if (plan.attributes.Bool("transpose_b")) SwapLast(&b);
  if (a.dims[At(a.rank - 1)] != b.dims[At(b.rank - 2)]) {
    return InvalidArgument("[MatrixMultiply] inner sizes ", a.dims[At(a.rank - 1)], " and ",
                           b.dims[At(b.rank - 2)], " differ");
  }
  const bool has_bias = plan.attributes.Bool("has_bias");
  const size_t bias = has_bias ? 2 : 0;
  ParamBlock params;
  params.View(InputPlace(0), WithBatch(a, out)).View(InputPlace(1), WithBatch(b, out));
  params.View(InputPlace(bias), has_bias ? BroadcastView(plan.in(2), out) : plan.in(0));
  params.View(OutputPlace(0), out).Int(has_bias ? 1 : 0).Int(Columns(out));
  return AddWithEpilogue(plan, "matmul", has_bias ? 3 : 2, std::move(params));
}

Status PlanConvolution(StepPlan& plan) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionShape shape, CheckConvolution(plan, "Convolution"));
  if (shape.groups < 1 || shape.w.dims[1] * shape.groups != shape.x.dims[1] ||
      shape.w.dims[0] % shape.groups != 0) {
    return InvalidArgument("[Convolution] ", shape.x.dims[1], " input channels, ", shape.groups,
                           " groups and weights ", ToString(DimsOf(shape.w)), " do not fit");
  }
  return AddConvolution(plan, shape, "convolution");
}

Status PlanDeconvolution(StepPlan& plan) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionShape shape, CheckConvolution(plan, "Deconvolution"));
  if (shape.groups < 1 || shape.w.dims[0] != shape.x.dims[1] ||
      shape.x.dims[1] % shape.groups != 0) {
    return InvalidArgument("[Deconvolution] ", shape.x.dims[1], " input channels, ", shape.groups,
                           " groups and weights ", ToString(DimsOf(shape.w)), " do not fit");
  }
  return AddConvolution(plan, shape, "deconvolution");
}

Status PlanAttention(StepPlan& plan) {
  const TensorView& q = plan.in(0);
  const TensorView& k = plan.in(1);
  const TensorView& v = plan.in(2);
  if (q.rank != 4 || k.rank != 4 || v.rank != 4 || k.dims[1] == 0 || q.dims[1] % k.dims[1] != 0 ||
      k.dims[0] != q.dims[0] || v.dims[0] != q.dims[0] || v.dims[1] != k.dims[1] ||
      v.dims[2] != k.dims[2] || k.dims[3] != q.dims[3]) {
    return InvalidArgument("[Attention] q ", ToString(DimsOf(q)), ", k ", ToString(DimsOf(k)),
                           ", v ", ToString(DimsOf(v)), " do not fit");
  }
  if (v.dims[3] > kMaxValueDepth) {
    return Unsupported("[Attention] values of ", v.dims[3], " elements; at most ", kMaxValueDepth);
  }
  TensorView scores;
  scores.rank = 4;
  scores.dims = {q.dims[0], q.dims[1], q.dims[2], k.dims[2]};
  const bool masked = plan.inputs.size() > 3;
  TensorView out = plan.out();
  if (plan.attributes.Bool("out_bshd")) out = PermutedView(out, {0, 2, 1, 3});
  const size_t mask = masked ? 3 : 0;
  ParamBlock params;
  params.View(InputPlace(0), q).View(InputPlace(1), k).View(InputPlace(2), v);
  params.View(InputPlace(mask), masked ? BroadcastView(plan.in(3), scores) : q);
  params.View(OutputPlace(0), out).Float(plan.attributes.Double("scale", 1));
  params.Int(plan.attributes.Bool("causal") ? 1 : 0).Int(masked ? 1 : 0);
  params.Int(plan.attributes.Bool("hidden_nan") && k.dims[2] > 0 ? 1 : 0);
  std::vector<std::string> options = {DefineType("DATA", q.dtype),
                                      DefineType("MASK", plan.in(mask).dtype)};
  if (masked && plan.in(3).dtype == DataType::kBool) options.emplace_back("-DBOOL_MASK");
  const int64_t rows = plan.out().numel() == 0 ? 0 : q.dims[0] * q.dims[1] * q.dims[2];
  return plan.AddFile("ref_attention.cu", "attention", std::move(options),
                      GridFor(rows * kAttentionThreads, kAttentionThreads), params);
}

// Both halves of every pair in one loop program: first' = first * cos - second * sin and second' =
// second * cos + first * sin.
Status PlanRotaryEmbedding(StepPlan& plan) {
  using enum PointwiseOp;
  const TensorView& x = plan.in(0);
  if (x.rank < 1 || x.dims[At(x.rank - 1)] % 2 != 0) {
    return InvalidArgument("[RotaryEmbedding] rank ", x.rank, ", expected a last dim of even size");
  }
  const bool interleaved = plan.attributes.Bool("interleaved");
  const size_t last = At(x.rank - 1);
  const int64_t pairs = x.dims[last] / 2;
  const auto half = [&](TensorView view, Place place, bool second) {
    view.dims[last] = pairs;
    const int64_t step = view.strides[last];
    if (second) {
      place.bytes = (interleaved ? step : step * pairs) * static_cast<int64_t>(SizeOf(view.dtype));
    }
    if (interleaved) view.strides[last] = 2 * step;
    return Placed{view, place};
  };
  std::vector<Placed> inputs;
  for (size_t i = 0; i < 3; ++i) {
    const TensorView view = BroadcastView(plan.in(i), x);
    inputs.push_back(half(view, InputPlace(i), false));
    inputs.push_back(half(view, InputPlace(i), true));
  }
  const DataType type = ComputeType(x.dtype);
  ProgramBuilder builder(x.rank);
  int r[6];
  for (size_t i = 0; i < 6; ++i) {
    r[i] = builder.Cast(builder.Load(inputs[i].view.dtype), type);
  }
  const auto product = [&](int a, int b) { return builder.Op(kMul, type, {r[a], r[b]}); };
  const int first = builder.Op(kSub, type, {product(0, 2), product(1, 4)});
  const int second = builder.Op(kAdd, type, {product(1, 3), product(0, 5)});
  const DataType out = plan.out().dtype;
  builder.Store(builder.Cast(first, ComputeType(out)), out);
  builder.Store(builder.Cast(second, ComputeType(out)), out);
  return AddLoop(plan, builder.program(), DimsOf(inputs[0].view), inputs,
                 {half(plan.out(), OutputPlace(0), false), half(plan.out(), OutputPlace(0), true)});
}

}  // namespace torch_tensorrt::core::kernels::cuda
