// Compile: KernelSource -> cubin with NVRTC. The ABI is declared here, so that building needs no
// CUDA toolkit.
#include <array>
#include <string_view>

#include "core/device/cuda/gpu.h"
#include "core/device/cuda/library.h"

namespace torch_tensorrt::core::device::cuda {
namespace {

using Program = struct NvrtcProgram*;
constexpr int kOutOfMemory = 1;
constexpr int kInvalidOption = 5;
constexpr int kBuiltinFailure = 7;

struct Nvrtc {
  const char* (*error_string)(int) = nullptr;
  int (*version)(int*, int*) = nullptr;
  int (*create)(Program*, const char* text, const char* name, int headers,
                const char* const* header_texts, const char* const* header_names) = nullptr;
  int (*destroy)(Program*) = nullptr;
  int (*compile)(Program, int count, const char* const* options) = nullptr;
  int (*cubin_size)(Program, size_t*) = nullptr;
  int (*cubin)(Program, char*) = nullptr;
  int (*ptx_size)(Program, size_t*) = nullptr;
  int (*ptx)(Program, char*) = nullptr;
  int (*log_size)(Program, size_t*) = nullptr;
  int (*log)(Program, char*) = nullptr;
};

template <typename F>
bool Bind(void* library, const char* name, F* function) {
  *function = reinterpret_cast<F>(FindSymbol(library, name));
  return *function != nullptr;
}

Result<Nvrtc> OpenNvrtc() {
  constexpr std::array<std::string_view, 2> kNames = {"libnvrtc.so.13", "libnvrtc.so.12"};
  TRT_ASSIGN_OR_RETURN(void* const library, OpenLibrary("NVRTC (wheel nvidia-cuda-nvrtc)", kNames));
  Nvrtc n;
  const bool complete =
      Bind(library, "nvrtcGetErrorString", &n.error_string) &&
      Bind(library, "nvrtcVersion", &n.version) && Bind(library, "nvrtcCreateProgram", &n.create) &&
      Bind(library, "nvrtcDestroyProgram", &n.destroy) &&
      Bind(library, "nvrtcCompileProgram", &n.compile) &&
      Bind(library, "nvrtcGetCUBINSize", &n.cubin_size) &&
      Bind(library, "nvrtcGetCUBIN", &n.cubin) && Bind(library, "nvrtcGetPTXSize", &n.ptx_size) &&
      Bind(library, "nvrtcGetPTX", &n.ptx) &&
      Bind(library, "nvrtcGetProgramLogSize", &n.log_size) &&
      Bind(library, "nvrtcGetProgramLog", &n.log);
  if (!complete) return Unsupported("[nvrtc] the library lacks functions that 12.0 has");
  int major = 0;
  int minor = 0;
  n.version(&major, &minor);
  // NVRTC opens its second half by bare name. Where that is on the system's path this may fail.
  OpenBeside(reinterpret_cast<const void*>(n.version),
             StrCat("libnvrtc-builtins.so.", major, ".", minor));
  return n;
}

const Result<Nvrtc>& Table() {
  static const Result<Nvrtc> table = OpenNvrtc();
  return table;
}

class ProgramOwner {
 public:
  explicit ProgramOwner(const Nvrtc& nvrtc) : nvrtc_(nvrtc) {}
  ~ProgramOwner() {
    if (program != nullptr) nvrtc_.destroy(&program);
  }
  ProgramOwner(const ProgramOwner&) = delete;
  ProgramOwner& operator=(const ProgramOwner&) = delete;
  Program program = nullptr;

 private:
  const Nvrtc& nvrtc_;
};

std::string LogOf(const Nvrtc& nvrtc, Program program) {
  size_t size = 0;
  if (nvrtc.log_size(program, &size) != 0 || size == 0) return {};
  std::string log(size, '\0');
  if (nvrtc.log(program, log.data()) != 0) return {};
  log.resize(size - 1);  // without the final zero
  return log;
}

Status CompileError(const Nvrtc& nvrtc, int code, const KernelSource& source, std::string_view arch,
                    const std::string& log) {
  const std::string text = StrCat("[nvrtc] '", source.name, "' for ", arch, ": ",
                                  nvrtc.error_string(code), log.empty() ? "" : "\n", log);
  if (code == kInvalidOption || code == kBuiltinFailure) {
    return Unsupported(text, "; is this NVRTC complete and new enough?");
  }
  return code == kOutOfMemory ? ResourceExhausted(text) : InternalError(text);
}

std::vector<std::string> Options(const KernelSource& source, std::string_view arch) {
  std::vector<std::string> options = {StrCat("--gpu-architecture=", arch), "--std=c++17",
                                      "--ptxas-options=-v"};
  options.insert(options.end(), source.options.begin(), source.options.end());
  return options;
}

Status Create(const Nvrtc& nvrtc, const KernelSource& source, Program* program) {
  std::vector<std::string> strings;  // headers' texts then names, each ended by a zero
  for (const SourceHeader& header : source.headers) strings.emplace_back(header.text);
  for (const SourceHeader& header : source.headers) strings.emplace_back(header.name);
  std::vector<const char*> pointers;
  for (const std::string& string : strings) pointers.push_back(string.c_str());
  const size_t count = source.headers.size();
  const std::string file = source.name.ends_with(".cu") ? source.name : source.name + ".cu";
  const int code = nvrtc.create(program, source.text.c_str(), file.c_str(), static_cast<int>(count),
                                pointers.data(), pointers.data() + count);
  return code == 0 ? Status::Ok() : CompileError(nvrtc, code, source, "any", "");
}

// Creates and compiles; returns the log.
Result<std::string> Run(const Nvrtc& nvrtc, const KernelSource& source, std::string_view arch,
                        Program* program) {
  TRT_RETURN_IF_ERROR(Create(nvrtc, source, program));
  const std::vector<std::string> options = Options(source, arch);
  std::vector<const char*> pointers;
  for (const std::string& option : options) pointers.push_back(option.c_str());
  const int code = nvrtc.compile(*program, static_cast<int>(pointers.size()), pointers.data());
  std::string log = LogOf(nvrtc, *program);
  if (code != 0) return CompileError(nvrtc, code, source, arch, log);
  return log;
}

}  // namespace

Result<Compiled> Compile(const KernelSource& source, std::string_view arch) {
  if (!Table().ok()) return Table().status();
  const Nvrtc& nvrtc = *Table();
  ProgramOwner owner(nvrtc);
  Compiled out;
  TRT_ASSIGN_OR_RETURN(out.log, Run(nvrtc, source, arch, &owner.program));
  size_t size = 0;
  int code = nvrtc.cubin_size(owner.program, &size);
  if (code == 0) {
    out.cubin.resize(size);
    code = nvrtc.cubin(owner.program, out.cubin.data());
  }
  if (code != 0 || size == 0) return CompileError(nvrtc, code, source, arch, "no cubin");
  return out;
}

Result<std::string> CompileToPtx(const KernelSource& source, std::string_view arch) {
  if (!Table().ok()) return Table().status();
  const Nvrtc& nvrtc = *Table();
  ProgramOwner owner(nvrtc);
  TRT_RETURN_IF_ERROR(Run(nvrtc, source, arch, &owner.program).status());
  size_t size = 0;
  std::string ptx;
  int code = nvrtc.ptx_size(owner.program, &size);
  if (code == 0) {
    ptx.resize(size);
    code = nvrtc.ptx(owner.program, ptx.data());
  }
  if (code != 0 || size <= 1) return CompileError(nvrtc, code, source, arch, "no PTX");
  ptx.resize(size - 1);  // without the final zero
  return ptx;
}

Result<int> NvrtcVersion() {
  if (!Table().ok()) return Table().status();
  int major = 0;
  int minor = 0;
  Table()->version(&major, &minor);
  return major * 1000 + minor * 10;
}

}  // namespace torch_tensorrt::core::device::cuda
