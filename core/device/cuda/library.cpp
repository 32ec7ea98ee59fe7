#include "core/device/cuda/library.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>

namespace torch_tensorrt::core::device::cuda {
namespace {

constexpr std::string_view kPathVariable = "TORCHTRT_CUDA_LIBRARY_PATH";

void AddUnique(std::string directory, std::vector<std::string>* out) {
  if (directory.empty()) return;
  if (std::find(out->begin(), out->end(), directory) == out->end()) {
    out->push_back(std::move(directory));
  }
}

void AddFromEnvironment(std::vector<std::string>* out) {
  const char* value = std::getenv(kPathVariable.data());  // NOLINT(concurrency-mt-unsafe)
  std::string_view rest = value == nullptr ? std::string_view() : std::string_view(value);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(':'), rest.size());
    AddUnique(std::string(rest.substr(0, end)), out);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

std::string_view Parent(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

// Wheels lie side by side: <site>/torch_tensorrt/libtorchtrt.so, <site>/torch/lib/libtorch_cpu.so,
// <site>/nvidia/cu13/lib/libnvrtc.so.13.
int AddFromLoadedObject(dl_phdr_info* info, size_t /*size*/, void* data) {
  auto* out = static_cast<std::vector<std::string>*>(data);
  const std::string_view path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  const std::string_view directory = Parent(path);
  std::string_view site;
  if (directory.ends_with("/torch/lib")) site = Parent(Parent(directory));
  if (directory.ends_with("/torch_tensorrt")) site = Parent(directory);
  if (site.empty()) return 0;
  for (const char* wheel : {"/nvidia/cu13/lib", "/nvidia/cuda_nvrtc/lib", "/nvidia/cublas/lib"}) {
    AddUnique(StrCat(site, wheel), out);
  }
  return 0;
}

}  // namespace

std::vector<std::string> LibraryDirectories() {
  std::vector<std::string> out;
  AddFromEnvironment(&out);
  dl_iterate_phdr(AddFromLoadedObject, &out);
  return out;
}

Result<void*> OpenLibrary(std::string_view what, std::span<const std::string_view> names) {
  for (std::string_view name : names) {
    if (void* library = dlopen(std::string(name).c_str(), RTLD_NOW | RTLD_NOLOAD)) return library;
  }
  const std::vector<std::string> directories = LibraryDirectories();
  for (const std::string& directory : directories) {
    for (std::string_view name : names) {
      const std::string path = StrCat(directory, "/", name);
      if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    }
  }
  for (std::string_view name : names) {
    if (void* library = dlopen(std::string(name).c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  }
  std::string text;
  for (std::string_view name : names) text += StrCat(text.empty() ? "" : " or ", name);
  text += " was found neither in this process nor in ";
  for (const std::string& directory : directories) text += StrCat(directory, ", ");
  return Unsupported("[cuda] no ", what, ": ", text, directories.empty() ? "" : "nor in ",
                     "the system's library path; set ", kPathVariable, " to its directory");
}

void* FindSymbol(void* library, const char* name) { return dlsym(library, name); }

bool OpenBeside(const void* symbol, std::string_view name) {
  Dl_info info;
  if (dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return false;
  const std::string path = StrCat(Parent(info.dli_fname), "/", name);
  return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr;
}

}  // namespace torch_tensorrt::core::device::cuda
