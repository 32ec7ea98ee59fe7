// Memory that others lend: known as theirs through whatever pointer, kept with its lender.
#include "core/util/lent_memory.h"

#include <gtest/gtest.h>

#include <array>

namespace torch_tensorrt::core {
namespace {

class Shelf : public Lender {
 public:
  Status Check() const override { return Status::Ok(); }
  bool sees_writes() const override { return true; }
  std::array<int, 4> books{1, 2, 3, 4};
};

TEST(LentMemory, IsKnownThroughPointersIntoIt) {
  auto shelf = std::make_shared<const Shelf>();
  const std::shared_ptr<const void> lent = Lend(shelf, shelf->books.data());
  EXPECT_EQ(LenderOf(lent), shelf.get());
  const std::shared_ptr<const void> second(lent, &shelf->books[1]);
  EXPECT_EQ(LenderOf(second), shelf.get());
  const std::shared_ptr<const int> typed = std::static_pointer_cast<const int>(lent);
  EXPECT_EQ(LenderOf(typed), shelf.get());
}

TEST(LentMemory, OwnMemoryHasNoLender) {
  EXPECT_EQ(LenderOf(nullptr), nullptr);
  EXPECT_EQ(LenderOf(std::make_shared<const int>(7)), nullptr);
  const std::shared_ptr<const void> released(
      new int(7), [](const void* p) { delete static_cast<const int*>(p); });
  EXPECT_EQ(LenderOf(released), nullptr);
}

TEST(LentMemory, KeepsItsLender) {
  auto shelf = std::make_shared<const Shelf>();
  const std::weak_ptr<const Shelf> alive = shelf;
  std::shared_ptr<const void> lent = Lend(shelf, shelf->books.data());
  shelf.reset();
  std::shared_ptr<const void> part(lent, lent.get());
  lent.reset();
  EXPECT_FALSE(alive.expired());
  part.reset();
  EXPECT_TRUE(alive.expired());
}

}  // namespace
}  // namespace torch_tensorrt::core
