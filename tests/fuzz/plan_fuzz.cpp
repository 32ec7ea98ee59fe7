// Plans that lie: real plans with a few fields changed, written as files with right hashes, opened
// again and run. Whatever is in a file, nothing may be read or written outside of the tensors; run
// it under ASan to see that.
//
// Usage: plan_fuzz [trials [first seed [only this plan]]]. A trial is its seed. Prints what became
// of the plans. A trial that ends the process is named by the last line of standard error when
// TORCHTRT_FUZZ_TRACE is set.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>

#include "core/builder/builder.h"
#include "core/engine/engine.h"
#include "core/engine/format.h"
#include "core/execution/execution_context.h"
#include "core/util/aligned_memory.h"
#include "tests/fuzz/plan_mutator.h"
#include "tests/fuzz/plan_networks.h"

namespace torch_tensorrt::core::fuzz {
namespace {

using engine::Plan;
using engine::PlanTensor;

// What a run may take: a hostile plan may ask for any amount of honest work.
constexpr int64_t kMaxTensor = 1 << 16;
constexpr int64_t kMaxMemory = int64_t{64} << 20;

// Memory between pages that nobody may touch, its end right before one of them. ASan is more exact.
std::shared_ptr<void> Memory(size_t bytes, int value) {
#ifdef __SANITIZE_ADDRESS__
  std::shared_ptr<void> memory(AllocateAligned(bytes), FreeAligned);
#else
  constexpr size_t kPage = 4096;
  constexpr size_t kAlignment = 64;
  const size_t inside = (bytes + kPage - 1) / kPage * kPage;
  void* pages = mmap(nullptr, inside + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  std::byte* first = static_cast<std::byte*>(pages) + kPage;
  if (inside > 0 && mprotect(first, inside, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  std::shared_ptr<void> memory(first + (inside - bytes) / kAlignment * kAlignment,
                               [pages, inside](const void*) { munmap(pages, inside + 2 * kPage); });
#endif
  std::memset(memory.get(), value, bytes);
  return memory;
}

// What becomes of a file.
const char* Run(const engine::Plan& source, unsigned seed) {
  const engine::PlanEncoder encoder(source);
  if (encoder.size() > static_cast<size_t>(kMaxMemory)) return "too large";
  const auto file = Memory(encoder.size(), 0);
  auto* bytes = static_cast<std::byte*>(file.get());
  encoder.WriteTo(bytes);
  auto decoded = engine::DecodePlan({bytes, encoder.size()}, file);
  if (!decoded.ok()) return "refused when decoded";
  auto made = engine::Engine::Create(std::move(*decoded));
  if (!made.ok()) return "refused when loaded";
  const Plan& plan = (*made)->plan();
  const SymbolLookup at_opt = [&](std::string_view name) -> std::optional<int64_t> {
    for (const engine::PlanSymbol& symbol : plan.symbols) {
      if (symbol.name == name) return symbol.opt;
    }
    return std::nullopt;
  };
  for (const PlanTensor& tensor : plan.tensors) {
    double size = 1;
    for (const SymInt& dim : tensor.dims) {
      const auto value = dim.Evaluate(at_opt);
      size *= value.ok() ? std::max(static_cast<double>(*value), 1.0) : 1.0;
    }
    if (size > kMaxTensor && size < 1e11) return "honest but large";
  }
  std::vector<std::shared_ptr<void>> memory;
  const auto view_of = [&](DataType dtype, const Dims& dims, int value) {
    memory.push_back(Memory(static_cast<size_t>(NumElements(dims)) * SizeOf(dtype), value));
    return MakeView(memory.back().get(), dtype, dims);
  };
  std::vector<TensorView> inputs;
  for (const engine::Binding& binding : plan.inputs) {
    const PlanTensor& tensor = plan.tensors[static_cast<size_t>(binding.tensor)];
    Dims dims;
    for (const SymInt& dim : tensor.dims) {
      const auto value = dim.Evaluate(at_opt);
      if (!value.ok() || *value < 0 || *value > kMaxTensor) return "impossible inputs";
      dims.push_back(*value);
    }
    inputs.push_back(view_of(tensor.dtype, dims, seed % 2 != 0 ? 1 : 0));
  }
  execution::ExecutionContext context(*made);
  if (!context.SetInputShapes(inputs).ok()) return "refused with shapes";
  if (context.memory().arena_bytes > static_cast<size_t>(kMaxMemory)) return "honest but large";
  std::vector<TensorView> outputs;
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    const PlanTensor& tensor = plan.tensors[static_cast<size_t>(plan.outputs[i].tensor)];
    outputs.emplace_back();
    if (context.OutputDimsKnown(i)) {
      outputs.back() = view_of(tensor.dtype, context.OutputDims(i), 0);
    }
  }
  const execution::OutputAllocator allocate = [&](size_t i,
                                                  const Dims& dims) -> Result<TensorView> {
    const PlanTensor& tensor = plan.tensors[static_cast<size_t>(plan.outputs[i].tensor)];
    if (NumElements(dims) > kMaxTensor) return ResourceExhausted("a large output");
    return view_of(tensor.dtype, dims, 0);
  };
  execution::RunOptions options;
  options.allocate = &allocate;
  return context.Run(inputs, outputs, nullptr, options).ok() ? "ran" : "refused when run";
}

// The plans, as built by all tactics and by the reference kernels alone.
std::vector<Plan> BuildPlans() {
  std::vector<Plan> plans;
  for (const std::string& text : PlanNetworks()) {
    for (const bool reference : {false, true}) {
      auto network = ir::Network::Parse(text);
      if (!network.ok()) {
        std::fprintf(stderr, "%s\n", network.status().ToString().c_str());
        return {};
      }
      builder::BuilderConfig config;
      config.optimization_level = 2;
      config.reference_only = reference;
      auto built = builder::Build(*std::move(network), config);
      if (!built.ok()) {
        std::fprintf(stderr, "%s\n", built.status().ToString().c_str());
        return {};
      }
      plans.push_back(std::move(built->plan));
    }
  }
  return plans;
}

const char* Trial(const Plan& original, unsigned seed, bool trace) {
  Plan plan = original;
  Mutator mutator(&plan, seed);
  std::string done;
  for (size_t count = 1 + mutator.Below(3); count > 0; --count) done += mutator.Mutate() + "; ";
  if (trace) std::fprintf(stderr, "%u: %s\n", seed, done.c_str());
  if (!engine::VerifyPlan(plan).ok()) return "refused when verified";
  try {
    return Run(plan, seed);
  } catch (const std::bad_alloc&) {
    return "out of memory";
  }
}

int Main(unsigned trials, unsigned first, int only) {
  const std::vector<Plan> plans = BuildPlans();
  if (plans.empty()) return 1;
  const bool trace = std::getenv("TORCHTRT_FUZZ_TRACE") != nullptr;
  for (size_t i = 0; i < plans.size(); ++i) {
    const std::string result = Run(plans[i], 0);
    if (result == "ran") continue;
    std::fprintf(stderr, "plan %zu as built: %s\n", i, result.c_str());
    return 1;
  }
  std::map<std::string, int> results;
  for (unsigned seed = first; seed < first + trials; ++seed) {
    const size_t plan = only >= 0 ? static_cast<size_t>(only) : seed % plans.size();
    ++results[Trial(plans[plan], seed, trace)];
  }
  for (const auto& [result, count] : results) std::printf("%s: %d\n", result.c_str(), count);
  return 0;
}

}  // namespace
}  // namespace torch_tensorrt::core::fuzz

int main(int argc, char** argv) {
  const auto argument = [&](int i, long fallback) {
    return argc > i ? std::strtol(argv[i], nullptr, 10) : fallback;
  };
  return torch_tensorrt::core::fuzz::Main(static_cast<unsigned>(argument(1, 10000)),
                                          static_cast<unsigned>(argument(2, 1)),
                                          static_cast<int>(argument(3, -1)));
}
