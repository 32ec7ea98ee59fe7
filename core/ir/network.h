// Network: a typed graph of layers over tensors with symbolic dims. What converters build and the
// optimiser rewrites.
//
// Ids are stable: erasing a layer never renumbers others. Layers are kept in a topological order.
// Weights are shared, never copied. Not thread-safe while being built; immutable once the builder
// has taken it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/layers/infer.h"
#include "core/layers/layer_table.h"
#include "core/types/attributes.h"
#include "core/types/data_type.h"
#include "core/types/sym_int.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::ir {

using layers::BroadcastDims;
using layers::CheckAttributes;
using layers::InferOutputs;
using layers::InfoOf;
using layers::kLayerKindCount;
using layers::LayerKind;
using layers::LayerKindInfo;
using layers::MayEqual;
using layers::ParseLayerKind;
using layers::TensorType;
using layers::ToString;

using TensorId = int32_t;
using LayerId = int32_t;
inline constexpr int32_t kNone = -1;

// Dense row-major constant data. `data` keeps its owner alive (a torch tensor, a vector, a mapped
// file). Deferred weights are a recipe instead, so that what passes derive from a model's weights
// exists one layer at a time, while the layer is packed: with copies of all of them a build would
// hold the weights twice.
struct Weights {
  using Recipe = std::function<std::shared_ptr<const void>()>;

  DataType dtype = DataType::kFloat32;
  Dims dims;
  std::shared_ptr<const void> data = nullptr;      // null when deferred
  std::shared_ptr<const Recipe> recipe = nullptr;  // null otherwise

  // These weights with their data, made afresh if they are deferred.
  Weights Made() const { return recipe ? Weights{dtype, dims, (*recipe)()} : *this; }
  // Equal for copies of the same weights, whatever their dims.
  const void* identity() const { return recipe ? recipe.get() : data.get(); }
  size_t bytes() const { return static_cast<size_t>(NumElements(dims)) * SizeOf(dtype); }
  // REQUIRES: not deferred.
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data.get());
  }
};

// Fresh weights of this shape and a pointer to fill them through.
struct NewWeights {
  Weights weights;
  void* data;
};
NewWeights AllocateWeights(DataType dtype, const Dims& dims);

struct Tensor {
  TensorId id = kNone;
  std::string name;
  DataType dtype = DataType::kFloat32;
  SymDims dims;
  LayerId producer = kNone;  // kNone: a network input
  int output_index = 0;

  int rank() const { return static_cast<int>(dims.size()); }
};

struct Layer {
  LayerId id = kNone;
  LayerKind kind = LayerKind::kConstant;
  std::string name;
  std::string source;  // the user's source line, for errors and reports
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  Attributes attrs;
  Weights weights;  // kConstant only
};

// A symbol, its range and the value tuning uses. Input dims define it, or one ReadSize layer.
struct Symbol {
  std::string name;
  int64_t min = 0;
  int64_t opt = 0;
  int64_t max = INT64_MAX;
};

class Network {
 public:
  Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  Network(Network&&) = default;
  Network& operator=(Network&&) = default;

  // --- building ---------------------------------------------------------------------------------
  // InvalidArgument when the name is taken or the range is empty.
  Status AddSymbol(Symbol symbol);
  TensorId AddInput(std::string name, DataType dtype, SymDims dims);
  TensorId AddConstant(Weights weights, std::string name);
  // Adds a layer after the others, infers and checks its outputs by the layer table. Returns its
  // first output.
  Result<TensorId> AddLayer(LayerKind kind, std::vector<TensorId> inputs, Attributes attrs,
                            std::string name, std::string source = "");
  // As AddLayer, for kinds with several outputs.
  Result<std::vector<TensorId>> AddMultiLayer(LayerKind kind, std::vector<TensorId> inputs,
                                              Attributes attrs, std::string name,
                                              std::string source = "");
  // The same tensor may be marked several times; an input may be marked.
  void MarkOutput(TensorId tensor, std::string name);

  // --- reading ----------------------------------------------------------------------------------
  const Tensor& tensor(TensorId id) const { return tensors_[static_cast<size_t>(id)]; }
  // Null when the layer was erased.
  const Layer* layer(LayerId id) const { return layers_[static_cast<size_t>(id)].get(); }
  // For attributes, names and weights; inputs change only through the methods below, which keep the
  // lists of readers.
  Layer* mutable_layer(LayerId id) { return layers_[static_cast<size_t>(id)].get(); }
  // The layer that makes `tensor`, or null for a network input.
  const Layer* producer(TensorId tensor) const;
  // Live layers in topological order.
  const std::vector<LayerId>& order() const { return order_; }
  const std::vector<TensorId>& inputs() const { return inputs_; }
  const std::vector<TensorId>& outputs() const { return outputs_; }
  const std::vector<std::string>& output_names() const { return output_names_; }
  const std::vector<Symbol>& symbols() const { return symbols_; }
  SymbolRanges symbol_ranges() const;
  // The ReadSize layers by the symbols that they define.
  std::map<std::string, LayerId, std::less<>> computed_sizes() const;
  // The ReadSize layers that must run before `layer` because its outputs' dims or its attributes
  // need what they read; no input of it says so. `sizes`: of computed_sizes().
  std::set<LayerId> SizesNeededBy(const Layer& layer,
                                  const std::map<std::string, LayerId, std::less<>>& sizes) const;
  // Values of all symbols at the optimisation point.
  SymbolLookup opt_values() const;
  int tensor_count() const { return static_cast<int>(tensors_.size()); }
  // Layers that read `tensor`, in order, each once.
  std::vector<LayerId> consumers(TensorId tensor) const;
  // Number of reads by layers plus marks as output.
  int use_count(TensorId tensor) const;
  bool is_output(TensorId tensor) const;
  // The weights when `tensor` is made by a Constant, else null. Makes deferred ones, and keeps
  // them.
  const Weights* constant(TensorId tensor) const;
  // The same, deferred ones as they are.
  const Weights* weights(TensorId tensor) const;

  // --- rewriting (optimiser passes) -------------------------------------------------------------
  // Every reader of `from`, and every output mark, takes `to`. Dtype and dims must agree (Internal
  // otherwise).
  Status ReplaceAllUses(TensorId from, TensorId to);
  void ReplaceInput(LayerId layer, size_t index, TensorId to);
  // New inputs for the layer; the caller keeps the layer's outputs true (see Verify).
  void SetInputs(LayerId layer, std::vector<TensorId> inputs);
  // Checks the outputs anew after inputs or attributes changed: the types must be those of the old
  // outputs up to dims that cannot be told apart (Internal otherwise).
  Status Reinfer(LayerId layer);
  // REQUIRES: no output of the layer is used.
  void EraseLayer(LayerId layer);
  // Removes layers none of whose outputs is used, until none is left. A ReadSize is used when its
  // symbol is, by a layer or an output that stays. Returns how many.
  int RemoveDead();
  // Restores topological order after rewriting; stable. Internal on a cycle.
  Status SortTopologically();
  void RenameTensor(TensorId tensor, std::string name);

  // --- checking and text ------------------------------------------------------------------------
  // Table rules for every layer (arity, attributes, re-inferred dtypes and dims), def before use,
  // outputs live.
  Status Verify() const;
  // Text form, one layer a line; constants above `inline_elements` elements print a digest and
  // cannot be parsed back.
  std::string ToString(int64_t inline_elements = 16) const;
  static Result<Network> Parse(std::string_view text);

 private:
  TensorId NewTensor(const std::string& name, DataType dtype, SymDims dims);
  std::string UniqueName(const std::string& name);
  Layer* NewLayer(LayerKind kind, std::vector<TensorId> inputs, Attributes attrs,
                  const std::string& name, std::string source);
  Result<std::vector<TensorType>> InferLayer(const Layer& layer) const;
  Status VerifyLayer(const Layer& layer) const;
  Status VerifyUses() const;
  Status VerifyComputedSizes() const;
  void AddUse(TensorId tensor, LayerId layer);
  void DropUse(TensorId tensor, LayerId layer);

  std::vector<Tensor> tensors_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<LayerId> order_;
  std::vector<int> position_;                // by layer id: increases along order_ (with gaps)
  std::vector<std::vector<LayerId>> users_;  // by tensor id: one entry per read
  std::vector<TensorId> inputs_;
  std::vector<TensorId> outputs_;
  std::vector<std::string> output_names_;
  std::vector<Symbol> symbols_;
  std::map<std::string, int, std::less<>> names_;
};

}  // namespace torch_tensorrt::core::ir
