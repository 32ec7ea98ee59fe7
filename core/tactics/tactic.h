// Tactic: one way to run a layer. Each layer kind has one ordered list, fastest first and the
// reference kernel last.
//
// `describe` is the only capability test: it returns the step, or Unsupported with the reason,
// which ends up in the build report. It must be cheap; weights are packed later, for the chosen
// tactic only.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ir/network.h"
#include "core/tactics/layout.h"
#include "core/types/target.h"

namespace torch_tensorrt::core::tactics {

struct TacticQuery {
  const ir::Network& network;
  const ir::Layer& layer;
};

// One input of a step: an input of the layer, or a constant the tactic derives from the layer's
// weights.
struct Operand {
  int layer_input = -1;
  LayoutNeed need = LayoutNeed::kAny;
  // Used when layer_input < 0: the constant, deferred. Equal keys share one constant.
  ir::Weights packed = {};
  std::string pack_key = {};
};

struct StepSpec {
  std::string kernel;
  Attributes attributes;
  std::vector<Operand> operands;
};

struct Tactic {
  std::string_view name;
  Result<StepSpec> (*describe)(const TacticQuery& query);
};

// Tactics of this kind, fastest first; empty for kinds that are no steps (Constant).
std::span<const Tactic> TacticsFor(ir::LayerKind kind, Target target = Target::kCpu);

// Names of the tactics of all kinds and targets, each once, without the reference kernels: what can
// be disabled.
std::vector<std::string_view> ListTactics();

// Whether this is the reference kernel, the last of every list.
constexpr bool IsReference(const Tactic& tactic) {
  return tactic.name == "ref" || tactic.name == "cuda.ref";
}

// A step that passes all layer inputs and attributes through to `kernel`.
StepSpec PassThrough(const TacticQuery& query, std::string kernel, LayoutNeed need);

}  // namespace torch_tensorrt::core::tactics
