// Inference of kinds that move data: reshape, transpose, slice, concat, pad ...
#include <algorithm>

#include "core/layers/infer_args.h"

namespace torch_tensorrt::core::layers {
namespace {

Status CheckNotNegative(const InferArgs& args, const SymDims& dims) {
  for (const SymInt& dim : dims) {
    if (dim.is_constant() && dim.constant() < 0) {
      return args.Error("dims ", core::ToString(dims), " must not be negative");
    }
  }
  return Status::Ok();
}

}  // namespace

InferResult InferReshape(const InferArgs& args) {
  const SymDims dims = args.attrs.Syms("dims");
  TRT_RETURN_IF_ERROR(CheckNotNegative(args, dims));
  if (!MayEqual(NumElements(args.dims(0)), NumElements(dims))) {
    return args.Error(ToString(args.in(0)), " does not hold as many elements as ",
                      core::ToString(dims));
  }
  return std::vector<TensorType>{{args.in(0).dtype, dims}};
}

InferResult InferTranspose(const InferArgs& args) {
  const Dims perm = args.attrs.Ints("perm");
  std::vector<bool> seen(perm.size(), false);
  SymDims dims;
  bool valid = static_cast<int64_t>(perm.size()) == args.rank(0);
  for (size_t i = 0; valid && i < perm.size(); ++i) {
    valid = perm[i] >= 0 && perm[i] < args.rank(0) && !seen[static_cast<size_t>(perm[i])];
    if (!valid) break;
    seen[static_cast<size_t>(perm[i])] = true;
    dims.push_back(args.dims(0)[static_cast<size_t>(perm[i])]);
  }
  if (!valid) return args.Error("perm ", core::ToString(perm), " for ", ToString(args.in(0)));
  return std::vector<TensorType>{{args.in(0).dtype, std::move(dims)}};
}

InferResult InferExpand(const InferArgs& args) {
  const SymDims dims = args.attrs.Syms("dims");
  TRT_RETURN_IF_ERROR(CheckNotNegative(args, dims));
  const SymDims& from = args.dims(0);
  bool valid = from.size() <= dims.size();
  for (size_t i = 0; valid && i < from.size(); ++i) {
    valid = from[i].Equals(1) || MayEqual(from[i], dims[dims.size() - from.size() + i]);
  }
  if (!valid) return args.Error(ToString(args.in(0)), " does not expand to ", core::ToString(dims));
  return std::vector<TensorType>{{args.in(0).dtype, dims}};
}

InferResult InferSlice(const InferArgs& args) {
  const SymDims starts = args.attrs.Syms("starts");
  const SymDims sizes = args.attrs.Syms("sizes");
  const Dims steps = args.attrs.Ints("steps");
  const SymDims& dims = args.dims(0);
  if (starts.size() != dims.size() || sizes.size() != dims.size() || steps.size() != dims.size()) {
    return args.Error("starts, sizes and steps need one value per dim of ", ToString(args.in(0)));
  }
  TRT_RETURN_IF_ERROR(CheckNotNegative(args, sizes));
  for (size_t d = 0; d < dims.size(); ++d) {
    if (steps[d] == 0) return args.Error("step 0 along dim ", d);
    if (sizes[d].Equals(0)) continue;
    const SymInt last = starts[d] + (sizes[d] - 1) * steps[d];
    const SymInt room = dims[d] - 1 - (steps[d] > 0 ? last : starts[d]);
    const SymInt& lowest = steps[d] > 0 ? starts[d] : last;
    if ((lowest.is_constant() && lowest.constant() < 0) ||
        (room.is_constant() && room.constant() < 0 && sizes[d].is_constant())) {
      return args.Error("start ", starts[d], ", size ", sizes[d], ", step ", steps[d],
                        " leave dim ", d, " of ", ToString(args.in(0)));
    }
  }
  return std::vector<TensorType>{{args.in(0).dtype, sizes}};
}

InferResult InferConcat(const InferArgs& args) {
  TRT_ASSIGN_OR_RETURN(const size_t axis, args.Axis("axis", 0));
  SymDims dims = args.dims(0);
  for (size_t i = 1; i < args.inputs.size(); ++i) {
    TRT_RETURN_IF_ERROR(args.RequireSameType(0, i));
    if (args.rank(i) != args.rank(0)) {
      return args.Error("input ", i, " is ", ToString(args.in(i)), ", input 0 ",
                        ToString(args.in(0)));
    }
    for (size_t d = 0; d < dims.size(); ++d) {
      if (d == axis) {
        dims[d] = dims[d] + args.dims(i)[d];
      } else if (!MayEqual(dims[d], args.dims(i)[d])) {
        return args.Error("input ", i, " is ", ToString(args.in(i)), ", input 0 ",
                          ToString(args.in(0)), " along axis ", axis);
      } else if (args.dims(i)[d].is_constant()) {
        dims[d] = args.dims(i)[d];
      }
    }
  }
  return std::vector<TensorType>{{args.in(0).dtype, std::move(dims)}};
}

InferResult InferPad(const InferArgs& args) {
  const SymDims pads = args.attrs.Syms("pads");
  const std::string mode = args.attrs.Str("mode");
  const size_t rank = args.dims(0).size();
  if (mode != "constant" && mode != "reflect" && mode != "replicate" && mode != "circular") {
    return args.Error("unknown mode ", mode);
  }
  if (pads.size() != 2 * rank) {
    return args.Error("pads ", core::ToString(pads), " for ", ToString(args.in(0)));
  }
  SymDims dims;
  for (size_t d = 0; d < rank; ++d) {
    const SymInt& size = args.dims(0)[d];
    dims.push_back(size + pads[d] + pads[d + rank]);
    if (dims.back().is_constant() && dims.back().constant() < 0) {
      return args.Error("pads ", core::ToString(pads), " leave nothing of ", ToString(args.in(0)));
    }
    if (mode == "constant" || !size.is_constant()) continue;
    const int64_t most = mode == "reflect" ? size.constant() - 1 : size.constant();
    const int64_t limit = std::max<int64_t>(most, 0);
    for (const SymInt& pad : {pads[d], pads[d + rank]}) {
      const bool too_far = mode != "replicate" && pad.is_constant() && pad.constant() > limit;
      if (too_far || (size.constant() == 0 && !pad.Equals(0))) {
        return args.Error(mode, " pad ", pad, " of a dim of size ", size);
      }
    }
  }
  return std::vector<TensorType>{{args.in(0).dtype, std::move(dims)}};
}

}  // namespace torch_tensorrt::core::layers
