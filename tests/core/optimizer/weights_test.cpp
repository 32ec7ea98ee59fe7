#include "core/optimizer/weights.h"

#include <gtest/gtest.h>

#include <algorithm>
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

}  // namespace
}  // namespace torch_tensorrt::core::optimizer
