// Normalization: layer and rms over trailing dims, group, batch.
#include "core/kernels/cuda/reference/plans.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using enum PointwiseOp;
using loop::ReduceOp;

constexpr int kGroupThreads = 256;  // kThreads of ref_norm.cu

// Loads input `i` as one value per element of the last domain dim, in `type`.
int LoadChannels(const StepPlan& plan, size_t i, int channel_dim, DataType type,
                 ProgramBuilder* builder) {
  std::vector<int8_t> map(At(builder->program().rank), -1);
  map[At(channel_dim)] = 0;
  return builder->Cast(builder->Load(plan.in(i).dtype, std::move(map)), type);
}

// v * weight + bias with the optional inputs from `next` on.
int AddAffine(const StepPlan& plan, size_t next, int channel_dim, int v, ProgramBuilder* builder) {
  const DataType type = builder->TypeOf(v);
  if (plan.attributes.Bool("has_weight")) {
    v = builder->Op(kMul, type, {v, LoadChannels(plan, next++, channel_dim, type, builder)});
  }
  if (plan.attributes.Bool("has_bias")) {
    v = builder->Op(kAdd, type, {v, LoadChannels(plan, next, channel_dim, type, builder)});
  }
  return v;
}

// `input` as a flat vector. Dense: it is.
Result<Placed> Flat(StepPlan& plan, size_t i) {
  TRT_ASSIGN_OR_RETURN(Placed dense, DenseInput(plan, i));
  dense.view = MakeView(nullptr, dense.view.dtype, {dense.view.numel()});
  return dense;
}

// Dims of x for a row program: the trailing `norm_rank` ones as one.
struct Rows {
  Dims dims;
  Placed x;
  Placed out;
};

Result<Rows> RowsOf(StepPlan& plan, int64_t norm_rank) {
  const TensorView& in = plan.in(0);
  if (norm_rank < 0 || norm_rank > in.rank) {
    return InvalidArgument("[Normalization] norm_rank ", norm_rank, " of a tensor of rank ",
                           in.rank);
  }
  Rows rows;
  const auto outer = static_cast<int>(in.rank - norm_rank);
  int64_t n = 1;
  for (int d = outer; d < in.rank; ++d) n *= in.dims[At(d)];
  rows.dims.assign(in.dims.begin(), in.dims.begin() + outer);
  rows.dims.push_back(n);
  rows.x = {in, InputPlace(0)};
  rows.out = {plan.out(), OutputPlace(0)};
  if (norm_rank == 1) return rows;
  if (!plan.out().contiguous()) return Unsupported("[Normalization] a strided output");
  TRT_ASSIGN_OR_RETURN(rows.x, DenseInput(plan, 0));
  rows.x.view = MakeView(nullptr, in.dtype, rows.dims);
  rows.out.view = MakeView(nullptr, plan.out().dtype, rows.dims);
  return rows;
}

Status PlanTrailing(StepPlan& plan, bool center) {
  TRT_ASSIGN_OR_RETURN(const Rows rows, RowsOf(plan, plan.attributes.Int("norm_rank", 1)));
  if (rows.x.view.numel() == 0) return Status::Ok();
  const DataType type = ComputeType(rows.x.view.dtype);
  const int rank = rows.x.view.rank;
  ProgramBuilder builder(rank);
  int x = builder.Load(rows.x.view.dtype);
  if (center) {
    x = builder.Op(kSub, type, {x, builder.Reduce(ReduceOp::kMean, type, x)});
  }
  const int variance = builder.Reduce(ReduceOp::kMean, type, builder.Op(kMul, type, {x, x}));
  const int eps = builder.Const(type, plan.attributes.Double("eps"));
  const int inverse = builder.Op(kRsqrt, type, {builder.Op(kAdd, type, {variance, eps})});
  int y = builder.Op(kMul, type, {x, inverse});
  y = AddAffine(plan, 1, rank - 1, y, &builder);
  builder.Store(builder.Cast(y, ComputeType(plan.out().dtype)), plan.out().dtype);
  std::vector<Placed> inputs{rows.x};
  for (size_t i = 1; i < builder.program().inputs.size(); ++i) {
    TRT_ASSIGN_OR_RETURN(Placed parameter, Flat(plan, i));
    inputs.push_back(std::move(parameter));
  }
  return AddLoop(plan, builder.program(), rows.dims, inputs, {rows.out});
}

int ChannelDim(const StepPlan& plan) {
  return plan.attributes.Bool("channels_last") ? plan.in(0).rank - 1 : 1;
}

Status PlanBatch(StepPlan& plan) {
  const TensorView& in = plan.in(0);
  if (plan.inputs.size() < 3 || in.rank < 2) {
    return InvalidArgument("[Normalization] batch needs x, mean, variance; got ",
                           plan.inputs.size(), " inputs");
  }
  const DataType type = ComputeType(in.dtype);
  const int channel = ChannelDim(plan);
  ProgramBuilder builder(in.rank);
  const int x = builder.Load(in.dtype);
  const int mean = LoadChannels(plan, 1, channel, type, &builder);
  const int variance = LoadChannels(plan, 2, channel, type, &builder);
  const int eps = builder.Const(type, plan.attributes.Double("eps"));
  const int inverse = builder.Op(kRsqrt, type, {builder.Op(kAdd, type, {variance, eps})});
  int y = builder.Op(kMul, type, {builder.Op(kSub, type, {x, mean}), inverse});
  y = AddAffine(plan, 3, channel, y, &builder);
  builder.Store(builder.Cast(y, ComputeType(plan.out().dtype)), plan.out().dtype);
  return AddLoop(plan, builder.program(), DimsOf(in), PlacedInputs(plan), PlacedOutputs(plan));
}

// Statistics of [rows, n] as f32 in scratch: mean and 1 / sqrt(variance + eps).
struct Statistics {
  Placed mean;
  Placed inverse;
};

Result<Statistics> AddStatistics(StepPlan& plan, const Dims& domain, DataType type) {
  const Dims rows = {domain[0]};
  const int64_t bytes = domain[0] * static_cast<int64_t>(sizeof(float));
  Statistics statistics{{MakeView(nullptr, DataType::kFloat32, rows), plan.BookScratch(bytes)},
                        {MakeView(nullptr, DataType::kFloat32, rows), plan.BookScratch(bytes)}};
  constexpr DataType kF32 = DataType::kFloat32;
  ProgramBuilder builder(2);
  const int x = builder.Load(type);
  const int mean = builder.Reduce(ReduceOp::kMean, kF32, x);
  const int centred = builder.Op(kSub, kF32, {x, mean});
  const int square = builder.Op(kMul, kF32, {centred, centred});
  const int variance = builder.Reduce(ReduceOp::kMean, kF32, square);
  const int eps = builder.Const(kF32, plan.attributes.Double("eps"));
  builder.Store(mean, kF32, true);
  builder.Store(builder.Op(kRsqrt, kF32, {builder.Op(kAdd, kF32, {variance, eps})}), kF32, true);
  TRT_RETURN_IF_ERROR(AddLoop(plan, builder.program(), domain,
                              {{MakeView(nullptr, type, domain), InputPlace(0)}},
                              {statistics.mean, statistics.inverse}));
  return statistics;
}

// Dense [N, C, spatial...]: a group is a row. One launch for the statistics, one to apply them.
Status PlanDenseGroup(StepPlan& plan, int64_t groups) {
  const TensorView& in = plan.in(0);
  const int64_t per_group = in.dims[1] / groups;
  const int64_t rows = in.dims[0] * groups;
  const int64_t spatial = in.numel() / (in.dims[0] * in.dims[1]);
  TRT_ASSIGN_OR_RETURN(const Statistics statistics,
                       AddStatistics(plan, {rows, per_group * spatial}, in.dtype));
  constexpr DataType kF32 = DataType::kFloat32;
  const Dims domain = {in.dims[0], groups, per_group, spatial};
  ProgramBuilder builder(4);
  const int x = builder.Load(in.dtype);
  const int mean = builder.Load(kF32, {0, 1, -1, -1});
  const int inverse = builder.Load(kF32, {0, 1, -1, -1});
  int y = builder.Op(kMul, kF32, {builder.Op(kSub, kF32, {x, mean}), inverse});
  const TensorView per_image = MakeView(nullptr, kF32, {in.dims[0], groups});
  std::vector<Placed> inputs = {{MakeView(nullptr, in.dtype, domain), InputPlace(0)},
                                {per_image, statistics.mean.place},
                                {per_image, statistics.inverse.place}};
  size_t next = 1;
  for (const auto& [name, op] : {std::pair{"has_weight", kMul}, std::pair{"has_bias", kAdd}}) {
    if (!plan.attributes.Bool(name)) continue;
    TRT_ASSIGN_OR_RETURN(Placed channel, Flat(plan, next++));
    channel.view = MakeView(nullptr, channel.view.dtype, {groups, per_group});
    const int value = builder.Cast(builder.Load(channel.view.dtype, {-1, 0, 1, -1}), kF32);
    y = builder.Op(op, kF32, {y, value});
    inputs.push_back(std::move(channel));
  }
  builder.Store(y, plan.out().dtype);
  return AddLoop(plan, builder.program(), domain, inputs,
                 {{MakeView(nullptr, plan.out().dtype, domain), OutputPlace(0)}});
}

Status PlanGroup(StepPlan& plan) {
  const TensorView& in = plan.in(0);
  if (in.rank < 2) return InvalidArgument("[Normalization] rank ", in.rank, ", expected >= 2");
  const int channel = ChannelDim(plan);
  const int64_t groups = plan.attributes.Int("groups", 1);
  if (groups < 1 || in.dims[At(channel)] % groups != 0) {
    return InvalidArgument("[Normalization] ", groups, " groups do not divide ",
                           in.dims[At(channel)], " channels");
  }
  if (in.numel() == 0) return Status::Ok();
  if (channel == 1 && in.contiguous() && plan.out().contiguous() &&
      ComputeType(in.dtype) == DataType::kFloat32 &&
      ComputeType(plan.out().dtype) == DataType::kFloat32) {
    return PlanDenseGroup(plan, groups);
  }
  if (TakesGroupChannelsLast(plan, channel, groups)) return PlanGroupChannelsLast(plan, groups);
  const bool has_weight = plan.attributes.Bool("has_weight");
  const bool has_bias = plan.attributes.Bool("has_bias");
  const size_t weight = has_weight ? 1 : 0;
  const size_t bias = has_bias ? weight + 1 : 0;
  ParamBlock params;
  params.View(InputPlace(0), in).View(OutputPlace(0), plan.out());
  params.View(InputPlace(weight), plan.in(weight)).View(InputPlace(bias), plan.in(bias));
  params.Int(channel).Int(groups).Int(has_weight ? 1 : 0).Int(has_bias ? 1 : 0);
  params.Float(plan.attributes.Double("eps"));
  const int64_t blocks = in.dims[0] * groups;
  return plan.AddFile("ref_norm.cu", "group_norm",
                      {DefineType("DATA", in.dtype), DefineType("WEIGHT", plan.in(weight).dtype),
                       DefineType("BIAS", plan.in(bias).dtype),
                       plan.attributes.Bool("silu") ? "-DSILU=1" : "-DSILU=0"},
                      GridFor(blocks * kGroupThreads, kGroupThreads), params);
}

}  // namespace

Status PlanNormalization(StepPlan& plan) {
  const std::string kind = plan.attributes.Str("kind");
  if (kind == "layer") return PlanTrailing(plan, true);
  if (kind == "rms") return PlanTrailing(plan, false);
  if (kind == "group") return PlanGroup(plan);
  if (kind == "batch") return PlanBatch(plan);
  return InvalidArgument("[Normalization] unknown kind '", kind, "'");
}

}  // namespace torch_tensorrt::core::kernels::cuda
