// Gather, GatherElements, ScatterElements, Index, IndexPut, NonZero.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/kernels/reference/kernels.h"
#include "core/kernels/reference/shapes.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

// `index` as a position in [0, size), negative ones counted from the end.
Result<int64_t> Wrapped(std::string_view tag, int64_t index, int64_t size, int64_t axis) {
  const int64_t wrapped = index < 0 ? index + size : index;
  if (wrapped >= 0 && wrapped < size) return wrapped;
  return InvalidArgument("[", tag, "] index ", index, " is out of range for dim ", axis,
                         " of size ", size);
}

template <typename T>
T Combine(const std::string& reduce, T old, T v) {
  using Wrapping = std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, double>;
  const auto a = static_cast<Wrapping>(old);
  const auto b = static_cast<Wrapping>(v);
  if (reduce == "sum" || reduce == "mean") return static_cast<T>(a + b);
  if (reduce == "prod") return static_cast<T>(a * b);
  if constexpr (std::is_same_v<T, double>) {
    if (std::isnan(old) || std::isnan(v)) return std::isnan(old) ? old : v;
  }
  return reduce == "amax" ? std::max(old, v) : std::min(old, v);
}

template <typename T>
T FloorMean(T sum, int64_t count) {
  if constexpr (std::is_same_v<T, double>) {
    return sum / static_cast<double>(count);
  } else {
    return sum / count - (sum % count < 0 ? 1 : 0);
  }
}

// ScatterElements with a reduction, over dense copies.
template <typename T>
class Scatter {
 public:
  Scatter(const RefArgs& args, std::string reduce)
      : args_(args), reduce_(std::move(reduce)), axis_(args.attributes.Int("axis")) {}

  Status Run() {
    const TensorView& data = args_.in(0);
    const TensorView& index = args_.in(1);
    const TensorView& src = args_.in(2);
    values_ = ReadAll<T>(data);
    counts_.assign(values_.size(), args_.attributes.Bool("include_self", true) ? 1 : 0);
    const TensorView dense =
        MakeView(nullptr, data.dtype, Dims(data.dims.begin(), data.dims.begin() + data.rank));
    for (Walker<2> w(index.dims.data(), index.rank, {index.strides.data(), src.strides.data()});
         !w.done(); w.Next()) {
      TRT_ASSIGN_OR_RETURN(
          const int64_t at,
          Wrapped("ScatterElements", ReadElement<int64_t>(index.data, index.dtype, w.offset(0)),
                  data.dims[At(axis_)], axis_));
      int64_t target = 0;
      for (int d = 0; d < index.rank; ++d) {
        target += (d == axis_ ? at : w.index(d)) * dense.strides[At(d)];
      }
      Add(At(target), ReadElement<T>(src.data, src.dtype, w.offset(1)));
    }
    Finish();
    WriteAll(args_.out(), values_);
    return Status::Ok();
  }

 private:
  void Add(size_t target, T v) {
    const bool replaces = reduce_ == "none" || counts_[target] == 0;
    values_[target] = replaces ? v : Combine(reduce_, values_[target], v);
    if constexpr (std::is_same_v<T, int64_t>) {
      values_[target] = WrapTo(args_.out().dtype, values_[target]);
    }
    ++counts_[target];
  }

  void Finish() {
    if (reduce_ != "mean") return;
    for (size_t i = 0; i < values_.size(); ++i) {
      values_[i] = FloorMean(values_[i], std::max<int64_t>(counts_[i], 1));
    }
  }

  const RefArgs& args_;
  std::string reduce_;
  int64_t axis_;
  std::vector<T> values_;
  std::vector<int64_t> counts_;  // values folded in, the element's own included if asked
};

// How aten.index addresses `data`: index tensors at `positions`, broadcast together; their dims
// stand at the first position when positions are adjacent, else in front.
struct IndexPlan {
  std::vector<TensorView> indices;  // broadcast to `joint`
  Dims positions;
  Dims joint;      // dims of the index tensors together
  int lead = 0;    // result dims before the joint ones
  Dims free_dims;  // data dims without index, in order
  Dims result;     // dims of the indexed result
};

Result<IndexPlan> PlanIndex(const RefArgs& args, std::span<const TensorView> indices) {
  const TensorView& data = args.in(0);
  IndexPlan plan;
  plan.positions = args.attributes.Ints("dims");
  if (plan.positions.size() != indices.size() || indices.empty()) {
    return InvalidArgument("[Index] ", indices.size(), " index tensors for ", plan.positions.size(),
                           " dims");
  }
  TRT_ASSIGN_OR_RETURN(plan.joint, JointDims(indices));
  const TensorView shape = MakeView(nullptr, DataType::kInt64, plan.joint);
  for (const TensorView& v : indices) plan.indices.push_back(BroadcastTo(v, shape));
  const bool adjacent = plan.positions.back() - plan.positions.front() + 1 ==
                        static_cast<int64_t>(plan.positions.size());
  plan.lead = adjacent ? static_cast<int>(plan.positions.front()) : 0;
  for (int d = 0; d < data.rank; ++d) {
    if (static_cast<int>(plan.free_dims.size()) == plan.lead &&
        plan.result.size() == At(plan.lead)) {
      plan.result.insert(plan.result.end(), plan.joint.begin(), plan.joint.end());
    }
    const Dims& p = plan.positions;
    if (std::find(p.begin(), p.end(), d) != p.end()) continue;
    plan.free_dims.push_back(d);
    plan.result.push_back(data.dims[At(d)]);
  }
  return plan;
}

// Calls f(result position walker, data offset) for every element of the result.
template <typename F>
Status ForEachIndexed(const IndexPlan& plan, const TensorView& data, const TensorView& result,
                      const F& f) {
  const int joint_rank = static_cast<int>(plan.joint.size());
  for (Walker<1> w(plan.result.data(), static_cast<int>(plan.result.size()),
                   {result.strides.data()});
       !w.done(); w.Next()) {
    int64_t offset = 0;
    for (size_t k = 0; k < plan.indices.size(); ++k) {
      const TensorView& index = plan.indices[k];
      int64_t at = 0;
      for (int d = 0; d < joint_rank; ++d) at += w.index(plan.lead + d) * index.strides[At(d)];
      const int64_t dim = plan.positions[k];
      TRT_ASSIGN_OR_RETURN(const int64_t position,
                           Wrapped("Index", ReadElement<int64_t>(index.data, index.dtype, at),
                                   data.dims[At(dim)], dim));
      offset += position * data.strides[At(dim)];
    }
    for (size_t k = 0; k < plan.free_dims.size(); ++k) {
      const int at = static_cast<int>(k) + (static_cast<int>(k) < plan.lead ? 0 : joint_rank);
      offset += w.index(at) * data.strides[At(plan.free_dims[k])];
    }
    f(w.offset(0), offset);
  }
  return Status::Ok();
}

}  // namespace

Status RunGather(const RefArgs& args) {
  const TensorView& data = args.in(0);
  const TensorView& index = args.in(1);
  const auto axis = static_cast<int>(args.attributes.Int("axis"));
  const bool wrap = args.attributes.Bool("allow_negative");
  // The output as [indices..., data dims without the axis...], whatever the axis.
  TensorView rows = args.out();
  rows.rank = index.rank;
  TensorView rest = args.out();
  rest.rank = data.rank - 1;
  for (int d = 0; d < index.rank; ++d) {
    rows.dims[At(d)] = index.dims[At(d)];
    rows.strides[At(d)] = args.out().strides[At(axis + d)];
  }
  for (int d = 0; d < rest.rank; ++d) {
    const int from = d < axis ? d : d + index.rank;
    rest.dims[At(d)] = args.out().dims[At(from)];
    rest.strides[At(d)] = args.out().strides[At(from)];
  }
  for (Walker<2> w(rows.dims.data(), rows.rank, {index.strides.data(), rows.strides.data()});
       !w.done(); w.Next()) {
    const auto at = ReadElement<int64_t>(index.data, index.dtype, w.offset(0));
    if (at < 0 && !wrap) {
      return InvalidArgument("[Gather] index ", at, " is out of range for dim ", axis, " of size ",
                             data.dims[At(axis)]);
    }
    TRT_ASSIGN_OR_RETURN(const int64_t position, Wrapped("Gather", at, data.dims[At(axis)], axis));
    CopyElements(Selected(data, axis, position), Shifted(rest, w.offset(1)));
  }
  return Status::Ok();
}

Status RunGatherElements(const RefArgs& args) {
  const TensorView& data = args.in(0);
  const TensorView& index = args.in(1);
  const TensorView& out = args.out();
  const int64_t axis = args.attributes.Int("axis");
  for (Walker<2> w(out.dims.data(), out.rank, {index.strides.data(), out.strides.data()});
       !w.done(); w.Next()) {
    TRT_ASSIGN_OR_RETURN(
        const int64_t at,
        Wrapped("GatherElements", ReadElement<int64_t>(index.data, index.dtype, w.offset(0)),
                out.rank == 0 ? 1 : data.dims[At(axis)], axis));
    int64_t offset = 0;
    for (int d = 0; d < out.rank; ++d) {
      offset += (d == axis ? at : w.index(d)) * data.strides[At(d)];
    }
    WriteValue(out.data, out.dtype, w.offset(1), ReadValue(data.data, data.dtype, offset));
  }
  return Status::Ok();
}

Status RunScatterElements(const RefArgs& args) {
  const std::string reduce = args.attributes.Str("reduce", "none");
  static constexpr std::string_view kReduces[] = {"none", "sum", "prod", "mean", "amax", "amin"};
  if (std::find(std::begin(kReduces), std::end(kReduces), reduce) == std::end(kReduces)) {
    return InvalidArgument("[ScatterElements] unknown reduce '", reduce, "'");
  }
  return DispatchAll(args.in(0).dtype,
                     [&](auto zero) { return Scatter<decltype(zero)>(args, reduce).Run(); });
}

Status RunIndex(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const IndexPlan plan, PlanIndex(args, args.inputs.subspan(1)));
  const TensorView& data = args.in(0);
  const TensorView& out = args.out();
  return ForEachIndexed(plan, data, out, [&](int64_t to, int64_t from) {
    WriteValue(out.data, out.dtype, to, ReadValue(data.data, data.dtype, from));
  });
}

Status RunIndexPut(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const IndexPlan plan, PlanIndex(args, args.inputs.subspan(2)));
  const TensorView& out = args.out();
  const bool accumulate = args.attributes.Bool("accumulate");
  CopyElements(args.in(0), out);
  const TensorView values = BroadcastTo(args.in(1), MakeView(nullptr, out.dtype, plan.result));
  return ForEachIndexed(plan, out, values, [&](int64_t from, int64_t to) {
    Value value = ReadValue(values.data, values.dtype, from);
    if (accumulate) {
      const Value old = ReadValue(out.data, out.dtype, to);
      value.f += old.f;
      value.i = static_cast<int64_t>(static_cast<uint64_t>(value.i) + static_cast<uint64_t>(old.i));
    }
    WriteValue(out.data, out.dtype, to, value);
  });
}

Status RunNonZero(const RefArgs& args) {
  const TensorView& x = args.in(0);
  const TensorView& out = args.out();
  int64_t found = 0;
  for (Walker<1> w(x.dims.data(), x.rank, {x.strides.data()}); !w.done(); w.Next()) {
    const Value value = ReadValue(x.data, x.dtype, w.offset(0));
    if (IsFloat(x.dtype) ? value.f == 0 : value.i == 0) continue;
    for (int d = 0; d < x.rank && found < out.dims[0]; ++d) {
      WriteElement<int64_t>(out.data, out.dtype, found * out.strides[0] + d * out.strides[1],
                            w.index(d));
    }
    ++found;
  }
  return CheckFound(found, out.dims[0]);
}

}  // namespace torch_tensorrt::core::kernels::reference
