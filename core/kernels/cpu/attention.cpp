#include "core/kernels/cpu/attention.h"

#include <limits>
#include <utility>

#include "core/kernels/cpu/gemm/micro_amx.h"
#include "core/kernels/cpu/gemm/select.h"
#include "core/kernels/cpu/isa_table.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(AttentionCode, kAttentionCode, AttentionCodeFor)

void SetMask(const AttentionProblem& problem, const TensorView& mask, int64_t b, int64_t h,
             int64_t s, int64_t t, ScoreRow* row) {
  row->mask_type = problem.mask_type;
  if (problem.mask_type < 0) return;
  row->mask_stride = mask.strides[3];
  row->mask = RowOf(mask, b, h, s) + t * mask.strides[3] * static_cast<int64_t>(SizeOf(mask.dtype));
}

namespace {

class AttentionState : public KernelState {
 public:
  AttentionProblem problem;
  bool direct = false;
  TiledPlan tiled;
  DirectPlan split;
};

// The mask as a rank-4 view with stride 0 where it broadcasts.
Result<TensorView> BroadcastMask(const TensorView& mask, const AttentionProblem& p) {
  const int64_t target[4] = {p.batch, p.heads, p.queries, p.keys};
  if (mask.rank > 4) return InvalidArgument("[Attention] mask of rank ", mask.rank);
  TensorView out = mask;
  out.rank = 4;
  for (int d = 0; d < 4; ++d) {
    const int from = d - (4 - mask.rank);
    const int64_t size = from < 0 ? 1 : mask.dims[Idx(from)];
    if (size != 1 && size != target[d]) {
      return InvalidArgument("[Attention] mask dim ", from, " is ", size, ", expected 1 or ",
                             target[d]);
    }
    out.dims[Idx(d)] = target[d];
    out.strides[Idx(d)] = size == 1 ? 0 : mask.strides[Idx(from)];
  }
  return out;
}

Status CheckUnitStride(const TensorView& view, std::string_view name) {
  if (view.rank != 4) return InvalidArgument("[Attention] ", name, " of rank ", view.rank);
  if (view.dims[3] > 1 && view.strides[3] != 1) {
    return Unsupported("[Attention] ", name, " with last stride ", view.strides[3],
                       "; copy it first");
  }
  return Status::Ok();
}

Result<AttentionProblem> Describe(const PrepareArgs& args) {
  TRT_RETURN_IF_ERROR(CheckCounts("Attention", args, 3, 1));
  constexpr std::string_view kNames[3] = {"q", "k", "v"};
  const TensorView& q = args.inputs[0];
  for (size_t i = 0; i < 3; ++i) {
    TRT_RETURN_IF_ERROR(CheckUnitStride(args.inputs[i], kNames[i]));
    TRT_RETURN_IF_ERROR(CheckNarrowFloat("Attention", args.inputs[i].dtype));
    if (args.inputs[i].dtype != q.dtype)
      return Unsupported("[Attention] q, k, v of several dtypes");
  }
  TRT_RETURN_IF_ERROR(CheckUnitStride(args.outputs[0], "output"));
  const TensorView& k = args.inputs[1];
  const TensorView& v = args.inputs[2];
  AttentionProblem p;
  p.batch = q.dims[0];
  p.heads = q.dims[1];
  p.queries = q.dims[2];
  p.depth = q.dims[3];
  p.kv_heads = k.dims[1];
  p.keys = k.dims[2];
  p.value_depth = v.dims[3];
  if (k.dims[0] != p.batch || v.dims[0] != p.batch || v.dims[1] != p.kv_heads ||
      v.dims[2] != p.keys || k.dims[3] != p.depth || p.kv_heads == 0 || p.heads % p.kv_heads != 0) {
    return InvalidArgument("[Attention] q has ", p.heads, " heads of ", p.depth, ", k ", p.kv_heads,
                           " heads of ", k.dims[3], " over ", p.keys, " keys, v ", v.dims[1],
                           " heads over ", v.dims[2], " keys");
  }
  p.type = NarrowFloatIndex(q.dtype);
  p.scale = static_cast<float>(args.attributes.Double("scale", 1));
  p.causal = args.attributes.Bool("causal");
  p.out_bshd = args.attributes.Bool("out_bshd");
  if (args.attributes.Bool("hidden_nan") && p.keys > 0) {
    p.hidden = std::numeric_limits<float>::quiet_NaN();
  }
  if (args.inputs.size() > 3) {
    const DataType type = args.inputs[3].dtype;
    p.mask_type = type == DataType::kBool ? kBoolMask : NarrowFloatIndex(type);
    if (p.mask_type < 0) {
      return Unsupported("[Attention] mask of dtype ", DataTypeName(type),
                         ", expected bool, f32, f16 or bf16");
    }
    TRT_RETURN_IF_ERROR(BroadcastMask(args.inputs[3], p).status());
  }
  return p;
}

// Products of bf16 operands, where this machine has them.
const MicroFamily* NarrowFamily() {
#ifdef TORCHTRT_X86
  if (CurrentIsa() == Isa::kAmx) return &amx::kBf16;
#endif
  const MicroFamily& family = GemmMicro().bf16_bf16;
  return family.max_rows > 0 ? &family : nullptr;
}

class AttentionKernel : public Kernel {
 public:
  AttentionKernel() : code_(AttentionCodeFor(CurrentIsa())), micro_(GemmMicro()) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    auto state = std::make_unique<AttentionState>();
    TRT_ASSIGN_OR_RETURN(state->problem, Describe(args));
    state->direct = PrefersDirect(state->problem);
    Prepared prepared;
    if (state->direct) {
      state->split = PlanDirect(state->problem);
      prepared.scratch_bytes = Idx(state->split.floats) * sizeof(float);
    } else {
      state->tiled = PlanTiled(state->problem, micro_, NarrowFamily());
      prepared.scratch_bytes = Idx(state->tiled.slot_bytes * state->tiled.slots);
    }
    prepared.state = std::move(state);
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    const auto* state = static_cast<const AttentionState*>(args.state);
    const AttentionProblem& p = state->problem;
    if (args.outputs[0].numel() == 0) return Status::Ok();
    AttentionTensors tensors{args.inputs[0], args.inputs[1], args.inputs[2], {}, args.outputs[0]};
    if (p.mask_type >= 0) {
      TRT_ASSIGN_OR_RETURN(tensors.mask, BroadcastMask(args.inputs[3], p));
    }
    if (p.out_bshd) {
      std::swap(tensors.out.dims[1], tensors.out.dims[2]);
      std::swap(tensors.out.strides[1], tensors.out.strides[2]);
    }
    if (state->direct) {
      RunDirect(p, state->split, code_, tensors, reinterpret_cast<float*>(args.scratch));
    } else {
      RunTiled(p, state->tiled, code_, micro_, tensors, args.scratch);
    }
    return Status::Ok();
  }

 private:
  const AttentionCode& code_;
  const GemmMicroTable& micro_;
};

}  // namespace

KernelResult CreateAttention(const Attributes& /*attributes*/) {
  return std::unique_ptr<const Kernel>(std::make_unique<AttentionKernel>());
}

}  // namespace torch_tensorrt::core::kernels
