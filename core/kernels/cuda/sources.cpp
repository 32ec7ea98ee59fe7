#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {

using device::cuda::KernelSource;
using device::cuda::SourceHeader;

std::string_view SourceText(std::string_view file) {
  for (const SourceHeader& embedded : EmbeddedFiles()) {
    if (embedded.name == file) return embedded.text;
  }
  return {};
}

std::span<const SourceHeader> SourceHeaders() {
  static const std::vector<SourceHeader> headers = [] {
    std::vector<SourceHeader> out;
    for (const SourceHeader& file : EmbeddedFiles()) {
      if (file.name.ends_with(".cuh")) out.push_back(file);
    }
    return out;
  }();
  return headers;
}

KernelSource MakeSource(std::string name, std::string text, std::vector<std::string> options) {
  return {std::move(name), std::move(text), std::move(options), SourceHeaders()};
}

}  // namespace torch_tensorrt::core::kernels::cuda
