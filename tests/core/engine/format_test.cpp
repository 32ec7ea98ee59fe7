#include "core/engine/format.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "core/engine/engine.h"
#include "core/util/hash.h"

namespace torch_tensorrt::core::engine {
namespace {

// y = view(x + w) for x [s, 4] and a constant w [4]; small, but with every kind of field.
Plan SamplePlan() {
  Plan plan;
  plan.name = "sample";
  plan.symbols = {{"s", 1, 4, 16}};
  auto weights = std::shared_ptr<float>(new float[4]{1, 2, 3, 4}, std::default_delete<float[]>());
  plan.constants.push_back({DataType::kFloat32, {4}, weights});
  const SymInt s = SymInt::Symbol("s");
  plan.tensors = {
      {"x", DataType::kFloat32, {s, 4}, Location::kInput, 0, 0, {}},
      {"w", DataType::kFloat32, {4}, Location::kConstant, 0, 0, {}},
      {"sum", DataType::kFloat32, {s, 4}, Location::kArena, -1, 0, {}},
      {"t", DataType::kFloat32, {4, s}, Location::kView, 2, 0, {1, 4}},
      {"y", DataType::kFloat32, {4, s}, Location::kOutput, 0, 0, {}},
  };
  plan.inputs = {{"x", 0}};
  plan.outputs = {{"y", 4}};
  PlanStep add;
  add.kernel = "ref.Elementwise";
  add.name = "add";
  add.source = "model.py:3";
  add.attributes = {{"op", PointwiseOp::kAdd}};
  add.inputs = {0, 1};
  add.outputs = {2};
  PlanStep copy;
  copy.kernel = "ref.Copy";
  copy.name = "copy";
  copy.inputs = {3};
  copy.outputs = {4};
  plan.steps = {add, copy};
  plan.metadata["version"] = "1";
  return plan;
}

struct Free {
  void operator()(std::byte* p) const { std::free(p); }
};

// Plan bytes at a 64-byte aligned address.
class Bytes {
 public:
  explicit Bytes(const Plan& plan) {
    const PlanEncoder encoder(plan);
    size_ = encoder.size();
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(64, (size_ + 63) / 64 * 64)));
    encoder.WriteTo(data_.get());
  }
  std::span<std::byte> span() { return {data_.get(), size_}; }
  Result<Plan> Decode() { return DecodePlan(span(), std::make_shared<int>(0)); }
  Result<Plan> DecodePrefix(size_t size) {
    return DecodePlan(span().subspan(0, size), std::make_shared<int>(0));
  }

 private:
  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
};

TEST(PlanFormat, KeepsTheTargetAndAnOldFileIsForTheCpu) {
  Plan plan = SamplePlan();
  const std::string cpu = EncodeMeta(plan, {0});
  plan.target = Target::kCuda;
  const std::string cuda = EncodeMeta(plan, {0});
  EXPECT_GT(cuda.size(), cpu.size());  // files for the CPU have no such field, like old ones
  const std::vector<std::byte> data(64);
  EXPECT_EQ(DecodeMeta(cpu, data, nullptr)->target, Target::kCpu);
  EXPECT_EQ(DecodeMeta(cuda, data, nullptr)->target, Target::kCuda);
}

TEST(PlanFormat, RoundTrips) {
  Bytes bytes(SamplePlan());
  auto plan = bytes.Decode();
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  Bytes again(*plan);
  ASSERT_EQ(again.span().size(), bytes.span().size());
  EXPECT_EQ(std::memcmp(again.span().data(), bytes.span().data(), bytes.span().size()), 0);
  EXPECT_EQ(plan->tensors[3].dims[1].ToString(), "s");
  EXPECT_EQ(static_cast<const float*>(plan->constants[0].data.get())[3], 4.0F);
}

TEST(PlanFormat, UnalignedBytesAreCopied) {
  Bytes bytes(SamplePlan());
  std::vector<std::byte> shifted(bytes.span().size() + 65);
  const auto address = reinterpret_cast<uintptr_t>(shifted.data());
  std::byte* at = shifted.data() + (64 - address % 64) + 1;
  std::memcpy(at, bytes.span().data(), bytes.span().size());
  auto plan = DecodePlan({at, bytes.span().size()}, nullptr);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(plan->constants[0].data.get()) % 64, 0U);
  shifted.assign(shifted.size(), std::byte{0});
  EXPECT_EQ(static_cast<const float*>(plan->constants[0].data.get())[3], 4.0F);
  std::memcpy(at, bytes.span().data(), bytes.span().size());
  at[bytes.span().size() - 60] ^= std::byte{1};  // of the constants
  EXPECT_EQ(DecodePlan({at, bytes.span().size()}, nullptr).status().code(), StatusCode::kDataLoss);
}

// Right hashes, but nothing that says what the engine is: the tag of the meta section becomes one
// of a newer version that a reader may skip.
TEST(PlanFormat, AFileWithoutTheMetaSectionIsRefused) {
  constexpr size_t kTable = 64;
  constexpr size_t kTableBytes = 64;
  Bytes bytes(SamplePlan());
  std::byte* table = bytes.span().data() + kTable;
  const uint32_t skipped[2] = {77, 0};
  std::memcpy(table, skipped, sizeof(skipped));
  const uint64_t hash = ContentHash({table, kTableBytes});
  std::memcpy(bytes.span().data() + 24, &hash, sizeof(hash));
  const auto plan = bytes.Decode();
  EXPECT_EQ(plan.status().code(), StatusCode::kDataLoss);
  EXPECT_NE(plan.status().message().find("no section"), std::string::npos);
}

TEST(PlanFormat, EveryTruncationIsRefused) {
  Bytes bytes(SamplePlan());
  for (size_t size = 0; size < bytes.span().size(); ++size) {
    EXPECT_EQ(bytes.DecodePrefix(size).status().code(), StatusCode::kDataLoss) << size;
  }
}

TEST(PlanFormat, EveryBitFlipIsRefusedOrHarmless) {
  Bytes bytes(SamplePlan());
  for (size_t i = 0; i < bytes.span().size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes.span()[i] ^= static_cast<std::byte>(1 << bit);
      auto plan = bytes.Decode();
      // Only bytes that mean nothing (padding and the reserved part of the header) may change
      // unnoticed.
      if (plan.ok()) {
        Bytes again(*plan);
        bytes.span()[i] ^= static_cast<std::byte>(1 << bit);
        EXPECT_EQ(std::memcmp(again.span().data(), bytes.span().data(), bytes.span().size()), 0);
        continue;
      }
      EXPECT_EQ(plan.status().code(), StatusCode::kDataLoss) << i;
      bytes.span()[i] ^= static_cast<std::byte>(1 << bit);
    }
  }
}

// Corruption that a hash does not see: the meta section itself is arbitrary bytes.
TEST(PlanFormat, RandomMetaBytesNeverCrash) {
  const std::string meta = EncodeMeta(SamplePlan(), {0});
  std::vector<std::byte> data(64);
  std::mt19937 rng(3);
  int accepted = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::string mutated = meta;
    const int edits = 1 + static_cast<int>(rng() % 4);
    for (int e = 0; e < edits; ++e) {
      mutated[rng() % mutated.size()] = static_cast<char>(rng() % 256);
    }
    auto plan = DecodeMeta(mutated, data, std::make_shared<int>(0));
    if (plan.ok() && VerifyPlan(*plan).ok()) {
      ++accepted;
      auto engine = Engine::Create(std::move(*plan));
      EXPECT_NE(engine.ok(), !engine.status().message().empty());
    }
  }
  EXPECT_LT(accepted, 20000);
}

TEST(VerifyPlan, FindsEachPlantedFault) {
  ASSERT_TRUE(VerifyPlan(SamplePlan()).ok());
  auto refused = [](auto&& plant) {
    Plan plan = SamplePlan();
    plant(plan);
    return VerifyPlan(plan).code() == StatusCode::kDataLoss;
  };
  EXPECT_TRUE(refused([](Plan& p) { p.tensors[0].index = 5; }));
  EXPECT_TRUE(refused([](Plan& p) { p.tensors[1].dims = {5}; }));
  EXPECT_TRUE(refused([](Plan& p) { p.tensors[1].dtype = DataType::kInt32; }));
  EXPECT_TRUE(refused([](Plan& p) { p.tensors[3].index = 3; }));
  EXPECT_TRUE(refused([](Plan& p) { p.tensors[3].strides.pop_back(); }));
  EXPECT_TRUE(refused([](Plan& p) { p.steps[0].inputs[0] = 99; }));
  EXPECT_TRUE(refused([](Plan& p) { p.steps[0].outputs[0] = 0; }));
  EXPECT_TRUE(refused([](Plan& p) { p.steps[1].outputs[0] = 2; }));
  EXPECT_TRUE(refused([](Plan& p) { std::swap(p.steps[0], p.steps[1]); }));
  EXPECT_TRUE(refused([](Plan& p) { p.steps.pop_back(); }));
  EXPECT_TRUE(refused([](Plan& p) { p.outputs[0].tensor = 2; }));
  EXPECT_TRUE(refused([](Plan& p) { p.tensors[2].dims.resize(40, 1); }));
  // A second tensor for the memory of an output, of another size.
  EXPECT_TRUE(refused([](Plan& p) {
    p.tensors.push_back(p.tensors[4]);
    p.tensors[5].dims = {1000};
    p.steps[0].outputs[0] = 5;
  }));
  EXPECT_TRUE(refused([](Plan& p) { p.symbols.resize(5000); }));
}

}  // namespace
}  // namespace torch_tensorrt::core::engine
