// Convolutions run channels-last, and so do transposed ones. Layers after them follow where they
// can, so that transposes stand only where a layer needs the channels first; canonicalise cancels
// the pairs.
#include <algorithm>
#include <map>

#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"
#include "core/optimizer/weights.h"

namespace torch_tensorrt::core::optimizer {
namespace {

constexpr int64_t kSmallConstant = 1 << 16;

bool IsConvolution(const Layer& layer) {
  return layer.kind == LayerKind::kConvolution || layer.kind == LayerKind::kDeconvolution;
}

class LayoutAssigner {
 public:
  explicit LayoutAssigner(Network* network) : network_(*network), rw_(network) {}

  Result<bool> Run() {
    bool changed = false;
    const std::vector<LayerId> order = network_.order();
    for (LayerId id : order) {
      const Layer& layer = *network_.layer(id);
      if (layer.outputs.size() != 1) continue;
      NoteTranspose(layer);
      if (!CanFollow(layer)) continue;
      TRT_ASSIGN_OR_RETURN(const TensorId last, Follow(layer));
      TRT_RETURN_IF_ERROR(Replace(layer, last));
      EraseWithConstants(id);
      changed = true;
    }
    return changed;
  }

 private:
  // At once, not at the end of the pass: all weights would be there twice.
  void EraseWithConstants(LayerId id) {
    const std::vector<TensorId> inputs = network_.layer(id)->inputs;
    if (network_.use_count(network_.layer(id)->outputs[0]) > 0) return;
    network_.EraseLayer(id);
    for (TensorId input : inputs) {
      if (network_.weights(input) != nullptr && network_.use_count(input) == 0) {
        network_.EraseLayer(network_.producer(input)->id);
        last_.erase(input);
      }
    }
  }

  bool HasLast(TensorId id) const { return last_.count(id) != 0; }

  // A transpose to channels-first says that its input is the channels-last version.
  void NoteTranspose(const Layer& layer) {
    if (layer.kind != LayerKind::kTranspose || rw_.rank(layer.inputs[0]) < 3) return;
    const Dims perm = layer.attrs.Ints("perm");
    if (perm == ToChannelsFirst(static_cast<int>(perm.size()))) {
      last_[layer.outputs[0]] = layer.inputs[0];
    }
  }

  // The channels-last version of a tensor.
  Result<TensorId> Last(TensorId id, const Layer& like) {
    auto it = last_.find(id);
    if (it != last_.end()) return it->second;
    const Dims perm = ToChannelsLast(rw_.rank(id));
    if (const ir::Weights* weights = network_.weights(id)) {
      return last_[id] =
                 network_.AddConstant(TransposeWeights(*weights, perm), network_.tensor(id).name);
    }
    TRT_ASSIGN_OR_RETURN(last_[id], rw_.Transpose(id, perm, like));
    return last_[id];
  }

  // Readers take the channels-first view of `last`; those that follow find `last` again.
  Status Replace(const Layer& layer, TensorId last) {
    const TensorId old = layer.outputs[0];
    if (layer.kind == LayerKind::kReduce && !layer.attrs.Bool("keepdim")) {
      return network_.ReplaceAllUses(old, last);
    }
    TRT_ASSIGN_OR_RETURN(const TensorId first,
                         rw_.Transpose(last, ToChannelsFirst(rw_.rank(last)), layer));
    last_[first] = last;
    return network_.ReplaceAllUses(old, first);
  }

  bool CanFollow(const Layer& layer) const {
    if (layer.inputs.empty() || layer.attrs.Bool("channels_last")) return false;
    const TensorId x = layer.inputs[0];
    switch (layer.kind) {
      case LayerKind::kConvolution:
      case LayerKind::kDeconvolution:
        return !layer.attrs.Has("epilogue");
      case LayerKind::kUnary:
      case LayerKind::kCast:
      case LayerKind::kPool:
      case LayerKind::kAdaptivePool:
      case LayerKind::kResize:
      case LayerKind::kSoftmax:
      case LayerKind::kSlice:
        return HasLast(x);
      case LayerKind::kPad:
        return HasLast(x) || FeedsConvolutions(layer);
      case LayerKind::kNormalization: {
        const std::string kind = layer.attrs.Str("kind");
        return HasLast(x) && (kind == "group" || kind == "batch");
      }
      case LayerKind::kElementwise:
      case LayerKind::kSelect:
        return CanFollowPointwise(layer);
      case LayerKind::kConcat:
        return std::all_of(layer.inputs.begin(), layer.inputs.end(),
                           [this](TensorId id) { return HasLast(id); });
      case LayerKind::kReduce:
        return HasLast(x) && (layer.attrs.Bool("keepdim") || KeepsOrder(layer));
      case LayerKind::kReshape:
        return HasLast(x) && KeepsChannels(layer);
      default:  // every other kind reads its dims in the user's order
        return false;
    }
  }

  // Turned around before padding, the image is smaller, and its rows are longer.
  bool FeedsConvolutions(const Layer& layer) const {
    const std::vector<LayerId> readers = network_.consumers(layer.outputs[0]);
    return !readers.empty() && !network_.is_output(layer.outputs[0]) &&
           std::all_of(readers.begin(), readers.end(), [&](LayerId id) {
             const Layer& reader = *network_.layer(id);
             return IsConvolution(reader) && reader.inputs[0] == layer.outputs[0] &&
                    CanFollow(reader);
           });
  }

  // One operand has the full dims channels-last; the others are too, or small enough to be turned
  // around.
  bool CanFollowPointwise(const Layer& layer) const {
    const SymDims& out = rw_.dims(layer.outputs[0]);
    bool full = false;
    for (TensorId id : layer.inputs) {
      full = full || (HasLast(id) && rw_.dims(id) == out);
      if (HasLast(id) && rw_.rank(id) == static_cast<int>(out.size())) continue;
      if (!TurnsFreely(id, out.size())) return false;
    }
    return full;
  }

  bool TurnsFreely(TensorId id, size_t rank) const {
    const SymDims& dims = rw_.dims(id);
    if (dims.size() + 2 <= rank && dims.size() <= 1) return true;
    if (const ir::Weights* weights = network_.weights(id)) {
      return NumElements(weights->dims) <= kSmallConstant;
    }
    // At most one of channel and spatial dims is larger than 1: the transpose moves nothing.
    const size_t shift = rank - dims.size();
    bool spatial = false;
    bool channel = false;
    for (size_t d = 0; d < dims.size(); ++d) {
      if (dims[d].Equals(1)) continue;
      if (d + shift == 1) channel = true;
      if (d + shift > 1) spatial = true;
    }
    return !(spatial && channel);
  }

  // Without its axes, are the dims in the same order channels-last as they are channels-first?
  bool KeepsOrder(const Layer& reduce) const {
    const Dims axes = reduce.attrs.Ints("axes");
    int64_t before = -1;
    for (int64_t d : ToChannelsLast(rw_.rank(reduce.inputs[0]))) {
      if (std::find(axes.begin(), axes.end(), d) != axes.end()) continue;
      if (d < before) return false;
      before = d;
    }
    return true;
  }

  // [N, C, spatial...] to [N, C, other spatial...]?
  bool KeepsChannels(const Layer& reshape) const {
    const SymDims& in = rw_.dims(reshape.inputs[0]);
    const SymDims& out = rw_.dims(reshape.outputs[0]);
    return out.size() >= 3 && in[0] == out[0] && in[1] == out[1];
  }

  // The layer on channels-last inputs.
  Result<TensorId> Follow(const Layer& layer) {
    if (IsConvolution(layer)) return FollowConvolution(layer);
    if (layer.kind == LayerKind::kElementwise || layer.kind == LayerKind::kSelect) {
      return FollowPointwise(layer);
    }
    std::vector<TensorId> inputs = layer.inputs;
    const size_t turned = layer.kind == LayerKind::kConcat ? inputs.size() : 1;
    for (size_t i = 0; i < turned; ++i) {
      TRT_ASSIGN_OR_RETURN(inputs[i], Last(inputs[i], layer));
    }
    return rw_.Add(layer.kind, std::move(inputs), TurnAttributes(layer), layer);
  }

  Result<TensorId> FollowConvolution(const Layer& layer) {
    std::vector<TensorId> inputs = layer.inputs;
    TRT_ASSIGN_OR_RETURN(inputs[0], Last(inputs[0], layer));
    TRT_ASSIGN_OR_RETURN(inputs[1], Last(inputs[1], layer));
    Attributes attrs = layer.attrs;
    attrs.Set("channels_last", true);
    return rw_.Add(layer.kind, std::move(inputs), std::move(attrs), layer);
  }

  Result<TensorId> FollowPointwise(const Layer& layer) {
    const auto rank = static_cast<size_t>(rw_.rank(layer.outputs[0]));
    std::vector<TensorId> inputs = layer.inputs;
    for (TensorId& input : inputs) {
      SymDims dims = rw_.dims(input);
      if (dims.size() < rank) {
        if (NumElements(dims).Equals(1) && dims.size() <= 1) continue;
        dims.insert(dims.begin(), rank - dims.size(), SymInt(1));
        TRT_ASSIGN_OR_RETURN(input, rw_.Reshape(input, dims, layer));
        TRT_ASSIGN_OR_RETURN(input, rw_.Transpose(input, ToChannelsLast(rw_.rank(input)), layer));
        continue;
      }
      TRT_ASSIGN_OR_RETURN(input, Last(input, layer));
    }
    return rw_.Add(layer.kind, std::move(inputs), layer.attrs, layer);
  }

  Attributes TurnAttributes(const Layer& layer) const {
    Attributes attrs = layer.attrs;
    const Dims perm = ToChannelsLast(rw_.rank(layer.inputs[0]));
    const Dims place = InversePerm(perm);
    auto turn_syms = [&](const char* name) { attrs.Set(name, Permute(attrs.Syms(name), perm)); };
    if (attrs.Has("axis")) attrs.Set("axis", place[static_cast<size_t>(attrs.Int("axis"))]);
    switch (layer.kind) {
      case LayerKind::kPool:
      case LayerKind::kAdaptivePool:
      case LayerKind::kResize:
      case LayerKind::kNormalization:
        attrs.Set("channels_last", true);
        break;
      case LayerKind::kReduce: {
        Dims axes;
        for (int64_t axis : attrs.Ints("axes")) axes.push_back(place[static_cast<size_t>(axis)]);
        std::sort(axes.begin(), axes.end());
        attrs.Set("axes", axes);
        break;
      }
      case LayerKind::kSlice:
        turn_syms("starts");
        turn_syms("sizes");
        attrs.Set("steps", Permute(attrs.Ints("steps"), perm));
        break;
      case LayerKind::kPad: {
        const SymDims pads = attrs.Syms("pads");
        const auto middle = pads.begin() + static_cast<int64_t>(perm.size());
        SymDims turned = Permute(SymDims(pads.begin(), middle), perm);
        const SymDims end = Permute(SymDims(middle, pads.end()), perm);
        turned.insert(turned.end(), end.begin(), end.end());
        attrs.Set("pads", turned);
        break;
      }
      case LayerKind::kReshape: {
        const SymDims dims = rw_.dims(layer.outputs[0]);
        attrs.Set("dims", Permute(dims, ToChannelsLast(static_cast<int>(dims.size()))));
        break;
      }
      default:  // no attribute names a dim
        break;
    }
    return attrs;
  }

  Network& network_;
  Rewriter rw_;
  std::map<TensorId, TensorId> last_;
};

bool ShouldAssign(const Network& network) {
  return std::any_of(network.order().begin(), network.order().end(), [&](LayerId id) {
    const Layer& layer = *network.layer(id);
    return IsConvolution(layer) && !layer.attrs.Bool("channels_last");
  });
}

}  // namespace

Result<bool> AssignLayout(Network* network) {
  if (!ShouldAssign(*network)) return false;
  TRT_ASSIGN_OR_RETURN(const bool changed, LayoutAssigner(network).Run());
  network->RemoveDead();
  TRT_RETURN_IF_ERROR(network->SortTopologically());
  return changed;
}

}  // namespace torch_tensorrt::core::optimizer
