// Networks whose layers say the values of symbols.
#include <gtest/gtest.h>

#include "core/ir/network.h"

namespace torch_tensorrt::core::ir {
namespace {

Result<Network> Parsed(const std::string& rest) {
  return Network::Parse("symbol s 1 4 9\nsymbol u 0 4 9\ninput %x : i64[]\n" + rest);
}

TEST(ComputedSizes, AReadSizeLivesAsLongAsItsSymbolIsUsed) {
  // By a layer without inputs, whose dims alone say that it needs the size.
  auto used = Parsed(R"(%r = ReadSize(%x) {symbol="u"}
%f = Fill() {dims=sym[u], dtype=dtype:f32, value=1.0}
output "f" %f
)");
  ASSERT_TRUE(used.ok()) << used.status().ToString();
  EXPECT_EQ(used->RemoveDead(), 0);
  EXPECT_EQ(used->computed_sizes().size(), 1U);
  const Layer& fill = *used->producer(used->outputs()[0]);
  EXPECT_EQ(used->SizesNeededBy(fill, used->computed_sizes()),
            std::set<LayerId>{used->computed_sizes().at("u")});

  auto unused = Parsed(R"(%r = ReadSize(%x) {symbol="u"}
%f = Fill() {dims=sym[s], dtype=dtype:f32, value=1.0}
output "f" %f
)");
  ASSERT_TRUE(unused.ok()) << unused.status().ToString();
  EXPECT_EQ(unused->RemoveDead(), 1);
  EXPECT_TRUE(unused->computed_sizes().empty());
}

std::string ErrorOf(const std::string& rest) {
  const auto network = Parsed(rest);
  if (!network.ok()) return std::string(network.status().message());
  return std::string(network->Verify().message());
}

TEST(ComputedSizes, ASymbolHasOneOrigin) {
  EXPECT_EQ(ErrorOf("%r = ReadSize(%x) {symbol=\"u\"}\noutput \"r\" %r\n"), "");
  EXPECT_NE(ErrorOf("%r = ReadSize(%x) {symbol=\"v\"}\noutput \"r\" %r\n").find("unknown symbol"),
            std::string::npos);
  EXPECT_NE(ErrorOf("%r = ReadSize(%x) {symbol=\"u\"}\n%q = ReadSize(%x) {symbol=\"u\"}\n"
                    "output \"r\" %r\noutput \"q\" %q\n")
                .find("read by two layers"),
            std::string::npos);
  EXPECT_NE(ErrorOf("input %y : f32[2*u]\n%r = ReadSize(%x) {symbol=\"u\"}\noutput \"r\" %r\n")
                .find("given by an input"),
            std::string::npos);
}

}  // namespace
}  // namespace torch_tensorrt::core::ir
