#include "core/optimizer/weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace torch_tensorrt::core::optimizer {
namespace {

ir::Weights Counting(DataType dtype, const Dims& dims) {
  std::vector<double> values(static_cast<size_t>(NumElements(dims)));
  std::iota(values.begin(), values.end(), 1.0);
  return FromDoubles(values, dtype, dims);
}

// Element by element, by the definition of a transpose.
std::vector<double> Expected(const ir::Weights& from, const Dims& perm) {
  const std::vector<double> values = ToDoubles(from);
  std::vector<double> out;
  Dims index(perm.size(), 0);
  for (size_t n = 0; n < values.size(); ++n) {
    Dims source(perm.size());
    for (size_t d = 0; d < perm.size(); ++d) source[static_cast<size_t>(perm[d])] = index[d];
    size_t at = 0;
    for (size_t d = 0; d < perm.size(); ++d) {
      at = at * static_cast<size_t>(from.dims[d]) + static_cast<size_t>(source[d]);
    }
    out.push_back(values[at]);
    for (size_t d = perm.size(); d-- > 0;) {
      if (++index[d] < from.dims[static_cast<size_t>(perm[d])]) break;
      index[d] = 0;
    }
  }
  return out;
}

TEST(Weights, TransposeEveryOrderAndType) {
  const Dims shapes[] = {{2, 3, 4, 5}, {7, 1, 1, 3}, {1, 5, 3, 1}, {4, 6, 1, 1}, {1, 1, 1, 1}};
  for (const DataType dtype : {DataType::kFloat16, DataType::kFloat32, DataType::kFloat64}) {
    for (const Dims& dims : shapes) {
      const ir::Weights from = Counting(dtype, dims);
      Dims perm = {0, 1, 2, 3};
      do {
        const ir::Weights to = TransposeWeights(from, perm);
        for (size_t d = 0; d < perm.size(); ++d) {
          ASSERT_EQ(to.dims[d], dims[static_cast<size_t>(perm[d])]);
        }
        ASSERT_EQ(ToDoubles(to), Expected(from, perm)) << DataTypeName(dtype);
      } while (std::next_permutation(perm.begin(), perm.end()));
    }
  }
}

TEST(Weights, TransposeSharesWhatDoesNotMove) {
  const ir::Weights from = Counting(DataType::kFloat32, {8, 16, 1, 1});
  EXPECT_EQ(TransposeWeights(from, {0, 2, 3, 1}).data, from.data);
  EXPECT_NE(TransposeWeights(from, {1, 0, 2, 3}).data, from.data);
  const ir::Weights none = Counting(DataType::kFloat32, {0, 3, 2});
  EXPECT_EQ(TransposeWeights(none, {2, 1, 0}).dims, (Dims{2, 3, 0}));
}

// Above 256 KiB: nothing is moved before somebody looks.
TEST(Weights, LargeOnesAreDeferred) {
  const ir::Weights from = Counting(DataType::kFloat32, {33, 65, 7, 7});
  const Dims perm{0, 2, 3, 1};
  const ir::Weights to = TransposeWeights(from, perm);
  EXPECT_EQ(to.data, nullptr);
  EXPECT_EQ(to.dims, (Dims{33, 7, 7, 65}));
  EXPECT_EQ(ToDoubles(to), Expected(from, perm));
  // A transpose of what is deferred, and one that moves nothing.
  const Dims back{0, 3, 1, 2};
  EXPECT_EQ(ToDoubles(TransposeWeights(to, back)), ToDoubles(from));
  const ir::Weights matrix = TransposeWeights(Counting(DataType::kFloat32, {300, 400}), {1, 0});
  const ir::Weights same =
      TransposeWeights({matrix.dtype, {400, 300, 1}, nullptr, matrix.recipe}, {0, 2, 1});
  EXPECT_EQ(same.dims, (Dims{400, 1, 300}));
  EXPECT_EQ(same.identity(), matrix.identity());
  EXPECT_EQ(ToDoubles(same), ToDoubles(matrix));
  const ir::Weights joined = ConcatWeights({matrix, matrix}, 1);
  EXPECT_EQ(joined.data, nullptr);
  EXPECT_EQ(joined.dims, (Dims{400, 600}));
  EXPECT_EQ(joined.Made().as<float>()[2 * 600 + 300], matrix.Made().as<float>()[2 * 300]);
  EXPECT_NE(ConcatWeights({Counting(DataType::kFloat32, {2, 3})}, 0).data, nullptr);
}

// Many runs, so that several threads take a part.
TEST(Weights, ScalesRunsByTheirChannel) {
  const std::vector<double> scale = {0.5, -2, 1.0 / 3, 0, 1e-9};
  for (const DataType dtype :
       {DataType::kFloat16, DataType::kBFloat16, DataType::kFloat32, DataType::kFloat64}) {
    for (const int64_t run : {1, 7, 33}) {
      const ir::Weights from = Counting(dtype, {1543, 5, run});
      const auto channel = [](size_t r) { return (r * 3) % 5; };
      const ir::Weights to = ScaleRuns(from, static_cast<size_t>(run), scale, channel);
      std::vector<double> expected = ToDoubles(from);
      for (size_t i = 0; i < expected.size(); ++i) {
        expected[i] *= scale[channel(i / static_cast<size_t>(run))];
      }
      EXPECT_EQ(to.dims, from.dims);
      // Rounded once, by the same rule; bit by bit, for f16 has infinities here and NaN.
      const ir::Weights want = FromDoubles(expected, dtype, from.dims);
      EXPECT_EQ(std::memcmp(to.data.get(), want.data.get(), want.bytes()), 0);
    }
  }
  EXPECT_EQ(ScaleRuns(Counting(DataType::kFloat32, {0, 3}), 3, scale, nullptr).dims, (Dims{0, 3}));
  EXPECT_EQ(ScaleRuns(Counting(DataType::kFloat32, {3, 0}), 0, scale, nullptr).dims, (Dims{3, 0}));
}

}  // namespace
}  // namespace torch_tensorrt::core::optimizer
