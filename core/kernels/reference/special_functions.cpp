#include "core/kernels/reference/special_functions.h"

#include <math.h>

namespace torch_tensorrt::core::kernels {
namespace formulas {
namespace {

double LogGamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);
}

#define TRT_SPECIAL inline
#define TRT_SPECIAL_LGAMMA(x) LogGamma(x)
#include "core/kernels/cuda/src/special.cuh"
#undef TRT_SPECIAL_LGAMMA
#undef TRT_SPECIAL

}  // namespace
}  // namespace formulas

namespace special {

#define TRT_DEFINE(name, arity, result, commutative) \
  double name(double x) { return formulas::special::name(x); }
TRT_SPECIAL_UNARY_OPS(TRT_DEFINE)
#undef TRT_DEFINE
#define TRT_DEFINE(name, arity, result, commutative) \
  double name(double a, double b) { return formulas::special::name(a, b); }
TRT_SPECIAL_BINARY_OPS(TRT_DEFINE)
#undef TRT_DEFINE

}  // namespace special
}  // namespace torch_tensorrt::core::kernels
