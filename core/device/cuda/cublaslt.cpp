#include "core/device/cuda/cublaslt.h"

#include <array>
#include <string_view>
#include <type_traits>

#include "core/device/cuda/library.h"

namespace torch_tensorrt::core::device::cuda {
namespace {

Result<CublasLt> Open() {
  constexpr std::array<std::string_view, 2> kNames = {"libcublasLt.so.13", "libcublasLt.so.12"};
  TRT_ASSIGN_OR_RETURN(void* const library, OpenLibrary("cuBLASLt (wheel nvidia-cublas)", kNames));
  CublasLt table{};
  const char* missing = nullptr;
  auto bind = [&](const char* name, auto* function) {
    *function =
        reinterpret_cast<std::remove_pointer_t<decltype(function)>>(FindSymbol(library, name));
    if (*function == nullptr) missing = name;
  };
  bind("cublasLtGetVersion", &table.version);
  bind("cublasLtCreate", &table.create);
  bind("cublasLtDestroy", &table.destroy);
  bind("cublasLtMatmulDescCreate", &table.desc_create);
  bind("cublasLtMatmulDescDestroy", &table.desc_destroy);
  bind("cublasLtMatmulDescSetAttribute", &table.desc_set);
  bind("cublasLtMatrixLayoutCreate", &table.layout_create);
  bind("cublasLtMatrixLayoutDestroy", &table.layout_destroy);
  bind("cublasLtMatrixLayoutSetAttribute", &table.layout_set);
  bind("cublasLtMatmulPreferenceCreate", &table.preference_create);
  bind("cublasLtMatmulPreferenceDestroy", &table.preference_destroy);
  bind("cublasLtMatmulPreferenceSetAttribute", &table.preference_set);
  bind("cublasLtMatmulAlgoGetHeuristic", &table.heuristics);
  bind("cublasLtMatmul", &table.matmul);
  if (missing != nullptr) return Unsupported("[cublaslt] the library has no ", missing);
  return table;
}

}  // namespace

const Result<CublasLt>& LoadCublasLt() {
  static const Result<CublasLt> table = Open();
  return table;
}

}  // namespace torch_tensorrt::core::device::cuda
