#include "core/tactics/variants.h"

namespace torch_tensorrt::core::tactics {
namespace {

// Winograd's algorithm needs fewer multiplications and more memory traffic: which wins depends on
// the caches. The kernel falls back to the direct product where it cannot be used.
bool MayUseWinograd(const Attributes& attributes) {
  const Dims ones{1, 1};
  return attributes.Ints("kernel") == Dims{3, 3} && attributes.Ints("stride") == ones &&
         attributes.Ints("dilation") == ones && attributes.Int("groups", 1) == 1 &&
         attributes.Get<DataType>("b_dtype", DataType::kFloat32) == DataType::kFloat32;
}

}  // namespace

// Measured on the layers of ResNet-50, MobileNetV2 and BERT-base, f32. Dividing the rows among all
// threads, instead of what the cost model says, won up to 24 % on AVX2 with two threads and on
// AVX-512 with eight, where divisions in between won up to 17 %; all columns apart never did. Small
// blocks of rows won up to 16 % on AVX-512 and nothing on AVX2. Widths of blocks and lengths of k
// slices won nowhere.
std::vector<Attributes> VariantsOf(const VariantQuery& query) {
  const bool convolution = query.kernel == "cpu.convolution";
  if (query.kernel != "cpu.gemm" && !convolution) return {};
  std::vector<Attributes> variants;
  if (convolution && MayUseWinograd(query.attributes)) {
    variants.push_back({{"algorithm", std::string("direct")}});
    variants.push_back({{"algorithm", std::string("winograd")}});
  }
  for (int64_t columns = 1; columns <= query.threads / 2; columns *= 2) {
    variants.push_back({{"column_tasks", columns}});
  }
  if (query.isa >= Isa::kAvx512 || query.exhaustive) {
    variants.push_back({{"block_rows", int64_t{24}}});
  }
  return variants;
}

}  // namespace torch_tensorrt::core::tactics
