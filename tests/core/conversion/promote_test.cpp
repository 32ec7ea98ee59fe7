#include "core/conversion/promote.h"

#include <gtest/gtest.h>

namespace torch_tensorrt::core::conversion {
namespace {

using T = DataType;

TEST(PromoteTypes, FollowsTorch) {
  EXPECT_EQ(PromoteTypes(T::kFloat16, T::kBFloat16), T::kFloat32);
  EXPECT_EQ(PromoteTypes(T::kFloat16, T::kInt64), T::kFloat16);
  EXPECT_EQ(PromoteTypes(T::kUInt8, T::kInt8), T::kInt16);
  EXPECT_EQ(PromoteTypes(T::kUInt8, T::kInt16), T::kInt16);
  EXPECT_EQ(PromoteTypes(T::kInt32, T::kInt64), T::kInt64);
  EXPECT_EQ(PromoteTypes(T::kBool, T::kUInt8), T::kUInt8);
  EXPECT_EQ(PromoteTypes(T::kFloat64, T::kBFloat16), T::kFloat64);
}

TEST(PromoteTypes, IsCommutativeAndIdempotent) {
  for (int a = 0; a < kDataTypeCount; ++a) {
    for (int b = 0; b < kDataTypeCount; ++b) {
      const T x = static_cast<T>(a);
      const T y = static_cast<T>(b);
      EXPECT_EQ(PromoteTypes(x, y), PromoteTypes(y, x));
      EXPECT_EQ(PromoteTypes(x, PromoteTypes(x, y)), PromoteTypes(x, y));
    }
  }
}

TEST(ResultType, NumbersAreWeak) {
  ResultTypeState half;
  half.AddTensor(T::kBFloat16, true);
  half.AddNumber(T::kFloat32);
  EXPECT_EQ(half.Get(), T::kBFloat16);

  ResultTypeState integer;
  integer.AddTensor(T::kInt16, true);
  integer.AddNumber(T::kFloat32);
  EXPECT_EQ(integer.Get(), T::kFloat32);

  ResultTypeState flag;
  flag.AddTensor(T::kBool, true);
  flag.AddNumber(T::kInt64);
  EXPECT_EQ(flag.Get(), T::kInt64);
}

TEST(ResultType, ScalarsTensorsAreWeakerThanTensorsWithDims) {
  ResultTypeState mixed;
  mixed.AddTensor(T::kFloat16, true);
  mixed.AddTensor(T::kFloat64, false);
  EXPECT_EQ(mixed.Get(), T::kFloat16);

  ResultTypeState higher;
  higher.AddTensor(T::kInt32, true);
  higher.AddTensor(T::kFloat64, false);
  EXPECT_EQ(higher.Get(), T::kFloat64);

  ResultTypeState same_category;
  same_category.AddTensor(T::kUInt8, true);
  same_category.AddTensor(T::kInt64, false);
  EXPECT_EQ(same_category.Get(), T::kUInt8);
}

}  // namespace
}  // namespace torch_tensorrt::core::conversion
