// Changes fields of a plan at random, as somebody might who writes plan files by hand.
#pragma once

#include <cmath>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/plan.h"
#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::fuzz {

class Mutator {
 public:
  Mutator(engine::Plan* plan, unsigned seed) : plan_(*plan), random_(seed) {}

  // Changes one field; returns what was done.
  std::string Mutate() {
    switch (Below(13)) {
      case 0:
        return ChangeDim();
      case 1:
        return ChangeRank();
      case 2:
        return ChangeType();
      case 3:
        return ChangeView();
      case 4:
        return ChangeInput();
      case 5:
        return ChangeOutput();
      case 6:
      case 7:
      case 8:
        return ChangeAttribute();
      case 9:
        return ChangeKernel();
      case 10:
        return MoveAttribute();
      case 11:
        return ChangeSource();
      default:  // the rest of the numbers drawn
        return ChangeConstant();
    }
  }

  size_t Below(size_t n) { return n == 0 ? 0 : random_() % n; }

 private:
  int64_t Number() {
    static constexpr int64_t kNumbers[] = {0,
                                           1,
                                           -1,
                                           2,
                                           3,
                                           4,
                                           7,
                                           16,
                                           64,
                                           1000,
                                           -5,
                                           int64_t{1} << 23,
                                           int64_t{1} << 31,
                                           int64_t{1} << 40,
                                           INT64_MAX,
                                           INT64_MIN};
    return kNumbers[Below(std::size(kNumbers))];
  }
  // Often a small step away from what is there.
  int64_t Near(int64_t value) {
    if (Below(2) == 0) return Number();
    return static_cast<int64_t>(static_cast<uint64_t>(value) + Below(5) - 2);
  }
  SymInt Symbolic(const SymInt& value) {
    if (value.is_constant()) return Near(value.constant());
    static constexpr const char* kTexts[] = {"2*s", "s+1",   "s-1", "floordiv(s,2)",
                                             "n*3", "s*s*s", "u",   "u+n"};
    if (Below(2) == 0) return *SymInt::Parse(kTexts[Below(std::size(kTexts))]);
    return value + SymInt(Near(0));
  }
  engine::PlanTensor& AnyTensor() { return plan_.tensors[Below(plan_.tensors.size())]; }
  engine::PlanStep& AnyStep() { return plan_.steps[Below(plan_.steps.size())]; }

  std::string ChangeDim() {
    engine::PlanTensor& tensor = AnyTensor();
    if (tensor.dims.empty()) return "";
    SymInt& dim = tensor.dims[Below(tensor.dims.size())];
    dim = Symbolic(dim);
    return StrCat("dims of ", tensor.name, " ", ToString(tensor.dims));
  }

  std::string ChangeRank() {
    engine::PlanTensor& tensor = AnyTensor();
    if (Below(2) == 0 && !tensor.dims.empty()) {
      tensor.dims.pop_back();
      if (!tensor.strides.empty()) tensor.strides.pop_back();
    } else {
      const size_t extra = 1 + Below(3);
      tensor.dims.insert(tensor.dims.begin(), extra, SymInt(1));
      if (tensor.location == engine::Location::kView) {
        tensor.strides.insert(tensor.strides.begin(), extra, SymInt(Number()));
      }
    }
    return StrCat("rank of ", tensor.name, " ", ToString(tensor.dims));
  }

  // Another tensor says the value of a symbol, a new one perhaps, or the inputs do.
  std::string ChangeSource() {
    if (plan_.symbols.empty()) return "";
    engine::PlanSymbol& symbol = plan_.symbols[Below(plan_.symbols.size())];
    symbol.source = static_cast<int32_t>(Below(plan_.tensors.size() + 2)) - 1;
    if (Below(2) == 0) {
      for (const engine::PlanTensor& tensor : plan_.tensors) {
        const bool fits = tensor.dtype == DataType::kInt64 && tensor.dims.empty();
        if (fits) symbol.source = static_cast<int32_t>(&tensor - plan_.tensors.data());
      }
    }
    if (Below(3) == 0) symbol.max = static_cast<int64_t>(Below(64));
    return StrCat("source of ", symbol.name, " ", symbol.source);
  }

  std::string ChangeType() {
    engine::PlanTensor& tensor = AnyTensor();
    tensor.dtype = static_cast<DataType>(Below(kDataTypeCount));
    return StrCat("type of ", tensor.name, " ", DataTypeName(tensor.dtype));
  }

  // A tensor becomes a view of another of its type, or a view moves.
  std::string ChangeView() {
    engine::PlanTensor& tensor = AnyTensor();
    const int32_t base = static_cast<int32_t>(Below(plan_.tensors.size()));
    if (tensor.location == engine::Location::kView && Below(2) == 0) {
      tensor.offset = Symbolic(tensor.offset);
      if (!tensor.strides.empty() && Below(2) == 0) {
        SymInt& stride = tensor.strides[Below(tensor.strides.size())];
        stride = Symbolic(stride);
      }
      return "view " + tensor.name;
    }
    engine::PlanTensor view = tensor;
    view.location = engine::Location::kView;
    view.index = base;
    view.offset = static_cast<int64_t>(Below(3));
    view.dtype = plan_.tensors[static_cast<size_t>(base)].dtype;
    view.strides.assign(view.dims.size(), SymInt(static_cast<int64_t>(Below(3))));
    plan_.tensors.push_back(view);
    engine::PlanStep& step = AnyStep();
    if (step.inputs.empty()) return "";
    step.inputs[Below(step.inputs.size())] = static_cast<int32_t>(plan_.tensors.size()) - 1;
    return StrCat("input of ", step.kernel, " is a new view of tensor ", base);
  }

  std::string ChangeInput() {
    engine::PlanStep& step = AnyStep();
    if (Below(4) == 0) {
      step.inputs.push_back(static_cast<int32_t>(Below(plan_.tensors.size())));
      return "one more input of " + step.kernel;
    }
    if (step.inputs.empty()) return "";
    if (Below(4) == 0) {
      step.inputs.pop_back();
      return "one input less of " + step.kernel;
    }
    step.inputs[Below(step.inputs.size())] = static_cast<int32_t>(Below(plan_.tensors.size()));
    return "input of " + step.kernel;
  }

  std::string ChangeOutput() {
    engine::PlanStep& step = AnyStep();
    if (step.outputs.empty()) return "";
    if (Below(3) == 0) {
      step.outputs.pop_back();
      return "one output less of " + step.kernel;
    }
    engine::PlanTensor fresh = plan_.tensors[static_cast<size_t>(step.outputs.back())];
    if (Below(2) == 0) fresh = AnyTensor();
    if (Below(3) != 0) {
      fresh.location = engine::Location::kArena;
      fresh.index = -1;
    }
    plan_.tensors.push_back(fresh);
    const auto index = static_cast<int32_t>(plan_.tensors.size()) - 1;
    if (Below(2) == 0) {
      step.outputs.push_back(index);
    } else {
      step.outputs[Below(step.outputs.size())] = index;
    }
    return "new output of " + step.kernel;
  }

  void ChangeValue(AttrValue* value) {
    if (auto* number = std::get_if<int64_t>(value)) {
      *number = Near(*number);
    } else if (auto* flag = std::get_if<bool>(value)) {
      *flag = !*flag;
    } else if (auto* real = std::get_if<double>(value)) {
      static constexpr double kReals[] = {0, -1, 1e-300, 1e300, INFINITY, NAN};
      *real = kReals[Below(std::size(kReals))];
    } else if (auto* reals = std::get_if<std::vector<double>>(value)) {
      static constexpr double kReals[] = {0, -1, 1e-300, 1e300, INFINITY, NAN, 0.3};
      reals->resize(Below(4), kReals[Below(std::size(kReals))]);
      if (!reals->empty()) reals->back() = kReals[Below(std::size(kReals))];
    } else if (auto* list = std::get_if<Dims>(value)) {
      ChangeList(list);
    } else if (auto* symbols = std::get_if<SymDims>(value)) {
      if (symbols->empty() || Below(4) == 0) symbols->push_back(SymInt(Number()));
      SymInt& hit = (*symbols)[Below(symbols->size())];
      hit = Symbolic(hit);
    } else if (auto* symbol = std::get_if<SymInt>(value)) {
      *symbol = Symbolic(*symbol);
    } else if (auto* program = std::get_if<ProgramText>(value)) {
      ChangeText(&program->text);
    } else if (auto* text = std::get_if<std::string>(value)) {
      static constexpr const char* kWords[] = {"",    "sum",     "max",    "avg",    "linear",
                                               "rms", "reflect", "argmin", "direct", "winograd"};
      *text = kWords[Below(std::size(kWords))];
    } else if (auto* type = std::get_if<DataType>(value)) {
      *type = static_cast<DataType>(Below(kDataTypeCount));
    } else {
      *value = Number();
    }
  }

  void ChangeList(Dims* list) {
    if (list->empty() || Below(4) == 0) list->push_back(Number());
    if (Below(6) == 0) list->pop_back();
    if (list->empty()) return;
    int64_t& hit = (*list)[Below(list->size())];
    hit = Near(hit);
  }

  void ChangeText(std::string* text) {
    if (text->empty()) return;
    char& hit = (*text)[Below(text->size())];
    hit = hit >= '0' && hit <= '9' ? static_cast<char>('0' + Below(10)) : " %=-,x[]1"[Below(9)];
  }

  std::string ChangeAttribute() {
    engine::PlanStep& step = AnyStep();
    if (step.attributes.empty()) return "";
    auto at = step.attributes.map().begin();
    std::advance(at, static_cast<int64_t>(Below(step.attributes.map().size())));
    const std::string name = at->first;
    AttrValue value = at->second;
    if (Below(8) == 0) {
      step.attributes.Erase(name);
      return StrCat("no ", name, " of ", step.kernel);
    }
    ChangeValue(&value);
    step.attributes.Set(name, value);
    return StrCat(name, " of ", step.kernel, " ", ToString(value));
  }

  std::string ChangeKernel() {
    engine::PlanStep& step = AnyStep();
    const std::string old = step.kernel;
    std::vector<std::string_view> known;
    for (const auto& table : {kernels::ReferenceKernels(), kernels::CpuKernels(),
                              kernels::CpuLoopKernels(), kernels::CpuGemmKernels()}) {
      for (const kernels::KernelEntry& entry : table) known.push_back(entry.id);
    }
    // Mostly the other kernels of the same layer, which have rules of their own.
    const kernels::KernelEntry* entry = kernels::FindKernel(old);
    for (int tries = 0; tries < 200; ++tries) {
      step.kernel = known[Below(known.size())];
      if (tries > 190 || entry == nullptr || step.kernel == old) continue;
      if (kernels::FindKernel(step.kernel)->kind == entry->kind) break;
    }
    return StrCat("kernel ", old, " -> ", step.kernel);
  }

  // An attribute of one step, in another.
  std::string MoveAttribute() {
    const engine::PlanStep& from = AnyStep();
    engine::PlanStep& to = AnyStep();
    if (from.attributes.empty()) return "";
    auto at = from.attributes.map().begin();
    std::advance(at, static_cast<int64_t>(Below(from.attributes.map().size())));
    const std::string name = at->first;
    to.attributes.Set(name, AttrValue(at->second));
    return StrCat(name, " of ", from.kernel, " to ", to.kernel);
  }

  std::string ChangeConstant() {
    if (plan_.constants.empty()) return ChangeDim();
    engine::PlanConstant& constant = plan_.constants[Below(plan_.constants.size())];
    if (constant.dims.empty()) return "";
    // Smaller, as its bytes are there; its tensor follows.
    int64_t& dim = constant.dims[Below(constant.dims.size())];
    if (dim > 0) dim -= 1 + static_cast<int64_t>(Below(static_cast<size_t>(dim)));
    for (engine::PlanTensor& tensor : plan_.tensors) {
      if (tensor.location != engine::Location::kConstant) continue;
      if (&plan_.constants[static_cast<size_t>(tensor.index)] == &constant) {
        tensor.dims = ToSymbolic(constant.dims);
      }
    }
    return "a smaller constant";
  }

  engine::Plan& plan_;
  std::mt19937 random_;
};

}  // namespace torch_tensorrt::core::fuzz
