#include "tests/core/optimizer/harness.h"

namespace torch_tensorrt::core::optimizer {
namespace {

using ir::LayerKind;

std::string PaddedConv(const std::string& pad_attrs) {
  return "input %x : f32[2, 3, 5, 6]\n" + ConstantLine("w", {4, 3, 3, 3}, 1) + "%p = Pad(%x) {" +
         pad_attrs +
         "}\n%c = Convolution(%p, %w) {stride=[2, 2], padding=[1, 0, 0, 0], dilation=[1, 1], "
         "groups=1}\noutput \"y\" %c\n";
}

ir::Network Folded(const std::string& text) { return MustParse(After(FoldPadding, text)); }

TEST(FoldPadding, AsymmetricZerosGoIntoTheConvolution) {
  const ir::Network network =
      Folded(PaddedConv("pads=[0, 0, 0, 1, 0, 0, 1, 2], mode=\"constant\", value=0x0p+0"));
  EXPECT_EQ(CountKind(network, LayerKind::kPad), 0);
}

TEST(FoldPadding, OtherPaddingStays) {
  for (const char* attrs : {"pads=[0, 0, 0, 1, 0, 0, 1, 2], mode=\"constant\", value=0x1p+0",
                            "pads=[0, 0, 0, 1, 0, 0, 1, 2], mode=\"reflect\"",
                            "pads=[1, 0, 0, 1, 0, 0, 1, 2], mode=\"constant\", value=0x0p+0",
                            "pads=[0, 0, 0, -1, 0, 0, 1, 2], mode=\"constant\", value=0x0p+0"}) {
    EXPECT_EQ(CountKind(Folded(PaddedConv(attrs)), LayerKind::kPad), 1) << attrs;
  }
}

TEST(FoldPadding, PoolingToOneElementIsAReduction) {
  for (const char* kind : {"avg", "max"}) {
    const std::string text = StrCat("input %x : f32[2, 3, 5, 6]\n%p = AdaptivePool(%x) {kind=\"",
                                    kind, "\", sizes=[1, 1]}\noutput \"y\" %p\n");
    const ir::Network network = Folded(text);
    EXPECT_EQ(CountKind(network, LayerKind::kReduce), 1) << kind;
    EXPECT_EQ(CountKind(network, LayerKind::kAdaptivePool), 0) << kind;
  }
  const ir::Network kept = Folded(
      "input %x : f32[2, 3, 5, 6]\n%p = AdaptivePool(%x) {kind=\"avg\", sizes=[1, 2]}\n"
      "output \"y\" %p\n");
  EXPECT_EQ(CountKind(kept, LayerKind::kAdaptivePool), 1);
}

}  // namespace
}  // namespace torch_tensorrt::core::optimizer
