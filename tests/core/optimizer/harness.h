// Shared by the optimiser's tests: texts in, texts out, and equality of results before and after.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/optimizer/evaluate.h"
#include "core/optimizer/optimizer.h"
#include "core/optimizer/pass.h"
#include "core/optimizer/weights.h"

namespace torch_tensorrt::core::optimizer {

// Texts hold constants up to this size.
inline constexpr int64_t kInline = 1 << 16;

inline ir::Network MustParse(const std::string& text) {
  auto network = ir::Network::Parse(text);
  EXPECT_TRUE(network.ok()) << network.status().ToString();
  return network.ok() ? *std::move(network) : ir::Network();
}

// A constant's line with `count` values that depend on `seed`: "%name = Constant() data [...] :
// f32[dims]".
inline std::string ConstantLine(const std::string& name, const Dims& dims, int seed,
                                const std::string& dtype = "f32", double low = -1) {
  std::mt19937 random(static_cast<unsigned>(seed));
  std::uniform_real_distribution<double> values(low, 1);
  std::string out = StrCat("%", name, " = Constant() data [");
  for (int64_t i = 0; i < NumElements(dims); ++i) out += StrCat(i == 0 ? "" : ", ", values(random));
  return StrCat(out, "] : ", dtype, core::ToString(dims), "\n");
}

inline ir::Weights RandomWeights(DataType dtype, const Dims& dims, unsigned seed) {
  std::mt19937 random(seed);
  if (IsFloat(dtype)) {
    std::uniform_real_distribution<double> values(-2, 2);
    std::vector<double> data(static_cast<size_t>(NumElements(dims)));
    for (double& value : data) value = values(random);
    return FromDoubles(data, dtype, dims);
  }
  ir::NewWeights fresh = ir::AllocateWeights(dtype, dims);
  for (int64_t i = 0; i < NumElements(dims); ++i) {
    const auto value = static_cast<int64_t>(random() % (dtype == DataType::kBool ? 2 : 5));
    if (dtype == DataType::kInt64) static_cast<int64_t*>(fresh.data)[i] = value;
    if (dtype == DataType::kInt32) static_cast<int32_t*>(fresh.data)[i] = static_cast<int>(value);
    if (SizeOf(dtype) == 1) static_cast<uint8_t*>(fresh.data)[i] = static_cast<uint8_t>(value);
  }
  return fresh.weights;
}

inline SymbolLookup AllSymbols(int64_t value) {
  return [value](std::string_view) -> std::optional<int64_t> { return value; };
}

inline std::vector<ir::Weights> RandomInputs(const ir::Network& network, int64_t symbol_value) {
  std::vector<ir::Weights> inputs;
  for (ir::TensorId id : network.inputs()) {
    Dims dims;
    for (const SymInt& dim : network.tensor(id).dims) {
      dims.push_back(*dim.Evaluate(AllSymbols(symbol_value)));
    }
    inputs.push_back(
        RandomWeights(network.tensor(id).dtype, dims, static_cast<unsigned>(7 + inputs.size())));
  }
  return inputs;
}

// Element values of any dtype the tests use.
inline std::vector<double> Values(const ir::Weights& w) {
  if (IsFloat(w.dtype)) return ToDoubles(w);
  std::vector<double> out(static_cast<size_t>(NumElements(w.dims)));
  for (size_t i = 0; i < out.size(); ++i) {
    if (w.dtype == DataType::kInt64) out[i] = static_cast<double>(w.as<int64_t>()[i]);
    if (w.dtype == DataType::kInt32) out[i] = static_cast<double>(w.as<int32_t>()[i]);
    if (SizeOf(w.dtype) == 1) out[i] = static_cast<double>(w.as<uint8_t>()[i]);
  }
  return out;
}

// Both networks give the same outputs on random inputs. Runs both through the reference kernels.
inline void ExpectEqualResults(const ir::Network& a, const ir::Network& b, double tolerance = 1e-5,
                               int64_t symbol_value = 3) {
  const std::vector<ir::Weights> inputs = RandomInputs(a, symbol_value);
  const auto from_a = EvaluateNetwork(a, inputs, AllSymbols(symbol_value));
  const auto from_b = EvaluateNetwork(b, inputs, AllSymbols(symbol_value));
  ASSERT_TRUE(from_a.ok()) << from_a.status().ToString();
  ASSERT_TRUE(from_b.ok()) << from_b.status().ToString() << "\n" << b.ToString();
  ASSERT_EQ(from_a->size(), from_b->size());
  for (size_t o = 0; o < from_a->size(); ++o) {
    const ir::Weights& x = (*from_a)[o];
    const ir::Weights& y = (*from_b)[o];
    ASSERT_EQ(x.dims, y.dims);
    ASSERT_EQ(x.dtype, y.dtype);
    const std::vector<double> all_expected = Values(x);
    const std::vector<double> all_got = Values(y);
    for (size_t i = 0; i < all_expected.size(); ++i) {
      const double expected = all_expected[i];
      const double got = all_got[i];
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(got)) << "output " << o << " element " << i;
      } else {
        ASSERT_NEAR(got, expected, tolerance * (1 + std::abs(expected)))
            << "output " << o << " element " << i << "\n"
            << b.ToString();
      }
    }
  }
}

// The network's text with its tensors numbered, so that names a pass invents do not matter.
inline std::string Numbered(ir::Network network) {
  int next = 0;
  for (ir::LayerId id : network.order()) {
    for (ir::TensorId output : network.layer(id)->outputs) {
      network.RenameTensor(output, StrCat("#", next++));
    }
    network.mutable_layer(id)->name = network.tensor(network.layer(id)->outputs[0]).name;
  }
  return network.ToString(kInline);
}

// The text after one pass, which must be legal and compute the same.
inline std::string After(PassFn pass, const std::string& text, double tolerance = 1e-5,
                         bool compare = true) {
  const ir::Network before = MustParse(text);
  ir::Network network = MustParse(text);
  const auto changed = pass(&network);
  EXPECT_TRUE(changed.ok()) << changed.status().ToString();
  EXPECT_TRUE(network.Verify().ok()) << network.Verify().ToString();
  if (compare) ExpectEqualResults(before, network, tolerance);
  // A second run finds nothing to do.
  const std::string once = network.ToString(kInline);
  const auto again = pass(&network);
  EXPECT_TRUE(again.ok() && network.ToString(kInline) == once) << once << "\n"
                                                               << network.ToString();
  return Numbered(std::move(network));
}

// `text` as After gives it.
inline std::string Normalised(const std::string& text) { return Numbered(MustParse(text)); }

inline int CountKind(const ir::Network& network, ir::LayerKind kind) {
  int count = 0;
  for (ir::LayerId id : network.order()) count += network.layer(id)->kind == kind ? 1 : 0;
  return count;
}

// The network after one pass, checked as by After.
inline ir::Network Apply(PassFn pass, const std::string& text, double tolerance = 1e-5) {
  return MustParse(After(pass, text, tolerance));
}

// The first layer of a kind; a failure when there is none.
inline const ir::Layer& Only(const ir::Network& network, ir::LayerKind kind) {
  static const ir::Layer kMissing;
  for (ir::LayerId id : network.order()) {
    if (network.layer(id)->kind == kind) return *network.layer(id);
  }
  ADD_FAILURE() << "no " << layers::InfoOf(kind).name << " in\n" << network.ToString();
  return kMissing;
}

}  // namespace torch_tensorrt::core::optimizer
