#include "core/device/cpu/isa.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace torch_tensorrt::core {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"generic", "avx2", "avx512", "avx512_bf16",
                                                    "amx"};

#if defined(__x86_64__)
// Whether the processor has bf16 tiles (CPUID leaf 7: EDX bits 22 and 24) and Linux lets this
// process use them, which has to be asked for.
bool MayUseAmx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & (1U << 22)) == 0 || (d & (1U << 24)) == 0) return false;
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

Isa Detect() {
#if defined(__x86_64__)
  // The builtins also check that the operating system saves the wide registers.
  __builtin_cpu_init();
  if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("f16c"))) {
    return Isa::kGeneric;
  }
  if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))) {
    return Isa::kAvx2;
  }
  if (!__builtin_cpu_supports("avx512bf16")) return Isa::kAvx512;
  return MayUseAmx() ? Isa::kAmx : Isa::kAvx512Bf16;
#else
  return Isa::kGeneric;
#endif
}

std::optional<Isa> ParseIsa(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Isa>(i);
  }
  return std::nullopt;
}

// Empty when nothing is forced.
std::string_view ForcedName() {
  const char* value = std::getenv("TORCHTRT_FORCE_ISA");  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? std::string_view() : std::string_view(value);
}

Isa Choose() {
  const Isa best = BestIsa();
  const std::optional<Isa> forced = ParseIsa(ForcedName());
  return forced && *forced <= best ? *forced : best;
}

}  // namespace

std::string_view IsaName(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

Isa BestIsa() {
  static const Isa best = Detect();
  return best;
}

Isa CurrentIsa() {
  static const Isa current = Choose();
  return current;
}

std::string CpuModel() {
#if defined(__x86_64__)
  std::array<unsigned, 12> words{};
  for (unsigned i = 0; i < 3; ++i) {
    unsigned* out = words.data() + 4 * i;
    if (__get_cpuid(0x80000002U + i, out, out + 1, out + 2, out + 3) == 0) return "unknown";
  }
  char name[sizeof(words) + 1] = {};
  std::memcpy(name, words.data(), sizeof(words));
  return name;
#else
  return "unknown";
#endif
}

Status CheckForcedIsa() {
  const std::string_view name = ForcedName();
  if (name.empty()) return Status::Ok();
  const std::optional<Isa> forced = ParseIsa(name);
  if (!forced) {
    return InvalidArgument("[isa] TORCHTRT_FORCE_ISA=", name,
                           " is none of generic, avx2, avx512, avx512_bf16, amx; ",
                           IsaName(BestIsa()), " is used, the best this machine has");
  }
  if (*forced > BestIsa()) {
    return Unsupported("[isa] TORCHTRT_FORCE_ISA=", name, ", but this machine has only ",
                       IsaName(BestIsa()), ", which is used; force that or less");
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core
