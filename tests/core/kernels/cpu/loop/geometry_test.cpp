#include "core/kernels/cpu/loop/geometry.h"

#include <gtest/gtest.h>

#include "tests/core/kernels/cpu/loop/loop_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

using testing::ProgramWriter;

constexpr DataType kF32 = DataType::kFloat32;

Geometry Make(const ProgramWriter& writer, const Dims& domain, std::vector<Dims> inputs,
              bool keep_cols = false) {
  std::vector<TensorView> in;
  for (const Dims& dims : inputs) in.push_back(MakeView(nullptr, kF32, dims));
  const TensorView out = MakeView(nullptr, kF32, domain);
  auto geometry = MakeGeometry(writer.program(), domain, in, {&out, 1}, keep_cols);
  EXPECT_TRUE(geometry.ok()) << geometry.status().ToString();
  return geometry.ok() ? *geometry : Geometry{};
}

TEST(Geometry, DenseTensorsBecomeOneDim) {
  ProgramWriter writer(4);
  writer.Store(writer.Op(PointwiseOp::kNeg, {writer.Load(kF32)}), kF32);
  const Geometry dense = Make(writer, {2, 1, 3, 5}, {{2, 1, 3, 5}});
  EXPECT_EQ(dense.rank, 2);
  EXPECT_EQ(dense.rows(), 1);
  EXPECT_EQ(dense.cols(), 30);
  EXPECT_EQ(dense.ColStride(dense.inputs[0]), 1);
  const Geometry kept = Make(writer, {2, 1, 3, 5}, {{2, 1, 3, 5}}, true);
  EXPECT_EQ(kept.rows(), 6);
  EXPECT_EQ(kept.cols(), 5);
  EXPECT_EQ(kept.RowStride(kept.inputs[0]), 5);
}

TEST(Geometry, BroadcastsSplitDimsOnlyWhereTheyStart) {
  ProgramWriter writer(4);
  const int x = writer.Load(kF32);
  const int channel = writer.Load(kF32, {-1, 0, -1, -1});
  writer.Store(writer.Op(PointwiseOp::kAdd, {x, channel}), kF32);
  const Geometry g = Make(writer, {2, 7, 3, 5}, {{2, 7, 3, 5}, {7}});
  EXPECT_EQ(g.rank, 3);
  EXPECT_EQ(g.OuterCount(), 2);
  EXPECT_EQ(g.rows(), 7);
  EXPECT_EQ(g.cols(), 15);
  EXPECT_EQ(g.RowStride(g.inputs[1]), 1);
  EXPECT_EQ(g.ColStride(g.inputs[1]), 0);
}

TEST(Geometry, IotaKeepsItsDim) {
  ProgramWriter writer(3);
  const int x = writer.Load(kF32);
  const int position = writer.Cast(writer.Iota(DataType::kInt64, 1), kF32);
  writer.Store(writer.Op(PointwiseOp::kAdd, {x, position}), kF32);
  const Geometry g = Make(writer, {2, 7, 3}, {{2, 7, 3}});
  EXPECT_EQ(g.rank, 3);
  EXPECT_EQ(g.place_of[1], g.row_dim());
  const Geometry one = Make(writer, {2, 1, 3}, {{2, 1, 3}});
  EXPECT_EQ(one.place_of[1], -1);
  EXPECT_EQ(one.cols(), 6);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
