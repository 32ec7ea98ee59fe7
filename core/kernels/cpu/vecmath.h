// Elementary functions on VecF (f32 lanes): for *.isa.cpp files only.
//
// Accuracy: within 4 ulp of the exact value over the whole range, subnormal arguments and results
// included; GeluErf within 5 ulp; Silu and GeluTanh off by up to 2^-142 where the result is
// subnormal, GeluErf by up to 2^-126 below -13; ExpFast and GeluTanh as said there. NaN gives NaN;
// infinities, zeros and poles give what C's functions give. Polynomials are our own minimax fits in
// relative error; their range stands beside each.
#pragma once

#include <math.h>

#include "core/kernels/cpu/normal_table.h"
#include "core/kernels/cpu/simd.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {

template <int N>
TRT_INLINE VecF Horner(VecF x, const float (&c)[N]) {
  VecF y(c[N - 1]);
  for (int i = N - 2; i >= 0; --i) y = Fma(y, x, VecF(c[i]));
  return y;
}

// 2^n. REQUIRES: -126 <= n <= 127.
TRT_INLINE VecF Pow2(VecI32 n) { return AsFloat((n + VecI32(127)) << 23); }

// x = n ln2 + r, |r| <= ln2 / 2 (a little more after rounding). The high part of ln2 has 10 bits: n
// times it is exact.
TRT_INLINE VecF ReduceLn2(VecF x, VecF* n) {
  *n = Round(x * VecF(1.44269504F));
  const VecF r = Fma(*n, VecF(-0.693359375F), x);
  return Fma(*n, VecF(2.12194440e-4F), r);
}

// (e^r - 1 - r) / r^2 on |r| <= 0.347.
TRT_INLINE VecF ExpTail(VecF r) {
  constexpr float kC[] = {0.5F,           0.166666657F,   0.0416663587F,
                          0.00833338965F, 0.00139407208F, 0.000198458845F};
  return Horner(r, kC);
}

TRT_INLINE VecF Exp(VecF x) {
  const VecF bounded = MinOr(VecF(89.0F), MaxOr(VecF(-104.5F), x));  // NaN passes
  VecF n;
  const VecF r = ReduceLn2(bounded, &n);
  const VecF y = Fma(ExpTail(r), r * r, r) + VecF(1.0F);
  // Two steps, so that neither factor leaves the normal range where the result is subnormal or
  // infinite.
  const VecI32 k = ToInt(n);
  const VecI32 half = k >> 1;
  return y * Pow2(half) * Pow2(k - half);
}

// As Exp, cheaper: results below 2^-126 are 0, arguments above 88 give at least e^88 (not
// infinity). For softmax and attention, whose arguments are at most 0; exp(-inf) = 0.
TRT_INLINE VecF ExpFast(VecF x) {
  const VecF bounded = MinOr(VecF(88.3F), MaxOr(VecF(-87.33F), x));
  VecF n;
  const VecF r = ReduceLn2(bounded, &n);
  const VecF y = (Fma(ExpTail(r), r * r, r) + VecF(1.0F)) * Pow2(ToInt(n));
  return Select(x < VecF(-87.33F), VecF(0.0F), y);
}

// As ExpFast for arguments of at most about 0, within 2^-13 of the exact value: for results that
// are then rounded to bf16. e^0 is 1.
TRT_INLINE VecF ExpNarrow(VecF x) {
  constexpr float kC[] = {1.0F, 1.00019594F, 0.504131436F, 0.165179402F};
  const VecF bounded = MaxOr(VecF(-87.33F), x);  // NaN passes
  const VecF n = Round(bounded * VecF(1.44269504F));
  const VecF r = Fma(n, VecF(-0.693147181F), bounded);
  return Select(x < VecF(-87.33F), VecF(0.0F), Horner(r, kC) * Pow2(ToInt(n)));
}

TRT_INLINE VecF Exp2(VecF x) {
  const VecF bounded = MinOr(VecF(129.0F), MaxOr(VecF(-151.0F), x));
  const VecF n = Round(bounded);
  const VecF r = (bounded - n) * VecF(0.693147181F);
  const VecF y = Fma(ExpTail(r), r * r, r) + VecF(1.0F);
  const VecI32 k = ToInt(n);
  const VecI32 half = k >> 1;
  return y * Pow2(half) * Pow2(k - half);
}

// e^x - 1 for |x| >= 2^-24 or so (smaller lose their last bits). Scaled by one half inside, so
// 2^128 never occurs.
TRT_INLINE VecF Expm1Core(VecF x) {
  const VecF bounded = MinOr(VecF(89.0F), MaxOr(VecF(-17.5F), x));
  VecF n;
  const VecF r = ReduceLn2(bounded, &n);
  const VecF p = Fma(ExpTail(r), r * r, r);
  const VecF s = Pow2(ToInt(n) - VecI32(1));
  return VecF(2.0F) * Fma(s, p, s - VecF(0.5F));
}
TRT_INLINE VecF Expm1(VecF x) { return Select(Abs(x) < VecF(0x1p-25F), x, Expm1Core(x)); }

// x = 2^k (1 + f), sqrt(1/2) - 1 <= f < sqrt(2) - 1. REQUIRES: x positive and finite.
TRT_INLINE VecF ReduceLog(VecF x, VecF* k) {
  const VecI32 subnormal = x < VecF(0x1p-126F);
  const VecF scaled = Select(subnormal, x * VecF(0x1p23F), x);
  const VecI32 bits = AsInt(scaled) - VecI32(0x3f3504f3);
  *k = ToFloat(bits >> 23) - Select(subnormal, VecF(23.0F), VecF(0.0F));
  return AsFloat((bits & VecI32(0x7fffff)) + VecI32(0x3f3504f3)) - VecF(1.0F);
}
// log(1 + f) - f on the range of ReduceLog.
TRT_INLINE VecF Log1pTail(VecF f) {
  constexpr float kC[] = {0.333333135F,  -0.250000089F, 0.200021192F,  -0.166679963F, 0.142195508F,
                          -0.124055922F, 0.118881777F,  -0.116756387F, 0.0674659163F};
  const VecF square = f * f;
  return Fma(Horner(f, kC) * f, square, VecF(-0.5F) * square);
}
// What logarithms give at 0, infinity, NaN and below 0; `y` elsewhere.
TRT_INLINE VecF LogSpecial(VecF x, VecF y) {
  y = Select(x == VecF(0.0F), VecF(-__builtin_inff()), y);
  y = Select(x == VecF(__builtin_inff()), x, y);
  return Select(x >= VecF(0.0F), y, VecF(__builtin_nanf("")));
}

TRT_INLINE VecF LogPositive(VecF x) {
  VecF k;
  const VecF f = ReduceLog(x, &k);
  const VecF y = Fma(k, VecF(-2.12194440e-4F), Log1pTail(f)) + f;
  return Fma(k, VecF(0.693359375F), y);
}
TRT_INLINE VecF Log(VecF x) { return LogSpecial(x, LogPositive(x)); }

TRT_INLINE VecF Log2(VecF x) {
  VecF k;
  const VecF f = ReduceLog(x, &k);
  return LogSpecial(x, Fma(Log1pTail(f) + f, VecF(1.44269504F), k));
}
TRT_INLINE VecF Log10(VecF x) {
  VecF k;
  const VecF f = ReduceLog(x, &k);
  // log10(2) in two parts; the high one has 10 bits.
  const VecF y = Fma(Log1pTail(f) + f, VecF(0.434294482F), k * VecF(4.60503898e-6F));
  return LogSpecial(x, Fma(k, VecF(0.301025390625F), y));
}
TRT_INLINE VecF Log1p(VecF x) {
  const VecF u = VecF(1.0F) + x;
  // What rounding 1 + x lost, to first order.
  const VecF rest = (x - (u - VecF(1.0F))) / u;
  const VecF y = LogSpecial(u, LogPositive(u) + rest);
  const VecI32 keep = (Abs(x) < VecF(0x1p-25F)) | (u == VecF(__builtin_inff()));
  return Select(keep, x, Select(u == VecF(0.0F), VecF(-__builtin_inff()), y));
}

TRT_INLINE VecF Tanh(VecF x) {
  const VecF a = MinOr(VecF(10.0F), Abs(x));
  const VecF e = Expm1Core(a + a);
  const VecF y = CopySign(e / (e + VecF(2.0F)), x);
  return Select(Abs(x) < VecF(0x1p-12F), x, Select(IsNan(x), x, y));
}

TRT_INLINE VecF Sigmoid(VecF x) {
  const VecF e = Exp(-Abs(x));
  const VecF s = VecF(1.0F) / (VecF(1.0F) + e);
  return Select(x < VecF(0.0F), e * s, s);
}
TRT_INLINE VecF Silu(VecF x) { return x * Sigmoid(x); }

// The Gaussian tail P(Z > a) for a >= 0, with small relative error; 0 where exp(-a^2 / 2) is below
// 2^-126 (a > 13.2).
TRT_INLINE VecF NormalTail(VecF a) {
  // (a + 3.5) exp(a^2 / 2) P(Z > a) as a polynomial in (a - 3.5) / (a + 3.5), 0 <= a <= 14.4. The
  // factor keeps the polynomial between 0.4 and 1.8, so that its terms do not cancel.
  constexpr float kC[] = {0.744416058F,    -0.565561771F,  0.315425038F,    -0.116053015F,
                          0.017406486F,    0.00649298122F, -0.00317580416F, -0.000494898239F,
                          0.000422630052F, 0.000111090209F};
  a = MinOr(VecF(14.4F), a);
  const VecF square = a * a;
  VecF rest;  // a^2 - square, which exp() would otherwise magnify by a^2 / 2
  if constexpr (kHasFma) {
    rest = Fma(a, a, -square);
  } else {
    const VecF high = AsFloat(AsInt(a) & VecI32(static_cast<int32_t>(0xfffff000U)));
    const VecF low = a - high;
    rest = ((high * high - square) + (high + high) * low) + low * low;
  }
  const VecF e = ExpFast(VecF(-0.5F) * square);
  const VecF exact = Fma(e * rest, VecF(-0.5F), e);
  const VecF inverse = VecF(1.0F) / (a + VecF(3.5F));
  return exact * inverse * Horner((a - VecF(3.5F)) * inverse, kC);
}

TRT_INLINE VecF Erf(VecF x) {
  // erf(x) / x - 1: less than 0.16, so that its rounding hardly shows in x plus it times x.
  constexpr float kC[] = {0.128379167F,  -0.37612626F,     0.112835854F,   -0.0268538147F,
                          0.0051883338F, -0.000801024202F, 7.85400916e-05F};
  const VecF a = Abs(x);
  const VecF small = Fma(x, Horner(x * x, kC), x);
  const VecF tail = NormalTail(a * VecF(1.41421356F));
  return Select(a < VecF(1.0F), small, CopySign(Fma(tail, VecF(-2.0F), VecF(1.0F)), x));
}

// x P(Z <= x), accurate in the far negative tail too, where 1 + erf(x / sqrt 2) would cancel.
TRT_INLINE VecF GeluErf(VecF x) {
  // (P(Z <= x) - 1/2) / x on |x| <= sqrt 2. Used near 0, where 1/2 plus it does not cancel.
  constexpr float kC[] = {0.39894226F,     -0.0664903573F,   0.00997337469F, -0.00118678215F,
                          0.000114647063F, -8.85015071e-06F, 4.33876808e-07F};
  const VecF a = Abs(x);
#ifdef __AVX512F__
  if (!Any(~(a < VecF(kNormalTailEnd)))) {
    const VecF tail = NormalTailTable(a);
    return x * Select(x < VecF(0.0F), tail, VecF(1.0F) - tail);
  }
#endif
  const VecF tail = NormalTail(a);
  const VecF far = Select(x < VecF(0.0F), tail, VecF(1.0F) - tail);
  const VecF near = Fma(Horner(x * x, kC), x, VecF(0.5F));
  return x * Select(a < VecF(0.625F), near, far);
}
// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) through a sigmoid. Relative error grows to about
// 2^-22 |log result| in the negative tail; torch's own formula has no correct digits there.
TRT_INLINE VecF GeluTanh(VecF x) {
  const VecF u = x * Fma(x * x, VecF(0.0713548163F), VecF(1.59576912F));
  return x * Sigmoid(u);
}

// The activations for results that are then rounded to bf16: within 2^-12 of the exact values.
TRT_INLINE VecF SigmoidNarrow(VecF x) {
  const VecF e = ExpNarrow(-Abs(x));
  const VecF s = VecF(1.0F) / (VecF(1.0F) + e);
  return Select(x < VecF(0.0F), e * s, s);
}
TRT_INLINE VecF SiluNarrow(VecF x) { return x * SigmoidNarrow(x); }
TRT_INLINE VecF GeluErfNarrow(VecF x) {
  // As in NormalTail.
  constexpr float kC[] = {0.744404138F,  -0.565484002F, 0.315786172F,
                          -0.116901544F, 0.0154837345F, 0.00802533387F};
  const VecF a = MinOr(VecF(14.4F), Abs(x));
  const VecF inverse = VecF(1.0F) / (a + VecF(3.5F));
  const VecF tail =
      ExpNarrow(VecF(-0.5F) * a * a) * inverse * Horner((a - VecF(3.5F)) * inverse, kC);
  return x * Select(x < VecF(0.0F), tail, VecF(1.0F) - tail);
}
TRT_INLINE VecF GeluTanhNarrow(VecF x) {
  const VecF u = x * Fma(x * x, VecF(0.0713548163F), VecF(1.59576912F));
  return x * SigmoidNarrow(u);
}

// Sine (quadrant 0) or cosine (quadrant 1). Arguments of 2^16 and more go to the C library lane by
// lane.
TRT_INLINE VecF SinCos(VecF x, int quadrant) {
  constexpr float kSin[] = {-0.166666672F, 0.00833332911F, -0.000198393042F, 2.71804743e-06F};
  constexpr float kCos[] = {0.0416666679F, -0.00138888834F, 2.47994521e-05F, -2.72050471e-07F};
  const VecI32 large = ~(Abs(x) < VecF(0x1p16F));  // NaN too
  const VecF bounded = Select(large, VecF(0.0F), x);
  const VecF n = Round(bounded * VecF(0.636619772F));
  // The high part of pi/2 has 33 bits and n 17: the products are exact without an FMA.
  const VecD high(-0x1.921fb544p+0);
  const VecD low(-0x1.0b4611a626331p-34);
  const VecD n0 = LowToDouble(n);
  const VecD n1 = HighToDouble(n);
  const VecF r = FromDoubles((LowToDouble(bounded) + n0 * high) + n0 * low,
                             (HighToDouble(bounded) + n1 * high) + n1 * low);
  const VecF square = r * r;
  const VecF sine = Fma(Horner(square, kSin) * r, square, r);
  const VecF cosine =
      Fma(Horner(square, kCos) * square, square, Fma(square, VecF(-0.5F), VecF(1.0F)));
  const VecI32 q = ToInt(n) + VecI32(quadrant);
  const VecF value = Select((q & VecI32(1)) == VecI32(1), cosine, sine);
  VecF y = AsFloat(AsInt(value) ^ ((q & VecI32(2)) << 30));
  if (quadrant == 0) y = Select(Abs(x) < VecF(0x1p-12F), x, y);
  if (Any(large)) {
    float in[VecF::kLanes];
    float out[VecF::kLanes];
    x.Store(in);
    y.Store(out);
    for (int i = 0; i < VecF::kLanes; ++i) {
      if (!(fabsf(in[i]) < 0x1p16F)) out[i] = quadrant == 0 ? sinf(in[i]) : cosf(in[i]);
    }
    y = VecF::Load(out);
  }
  return y;
}
TRT_INLINE VecF Sin(VecF x) { return SinCos(x, 0); }
TRT_INLINE VecF Cos(VecF x) { return SinCos(x, 1); }

TRT_INLINE VecF Relu(VecF x) { return MaxOr(VecF(0.0F), x); }
TRT_INLINE VecF Clamp(VecF x, VecF low, VecF high) { return MinOr(high, MaxOr(low, x)); }
TRT_INLINE VecF HardSigmoid(VecF x) {
  return Clamp(x + VecF(3.0F), VecF(0.0F), VecF(6.0F)) / VecF(6.0F);
}
TRT_INLINE VecF HardSwish(VecF x) {
  return x * Clamp(x + VecF(3.0F), VecF(0.0F), VecF(6.0F)) / VecF(6.0F);
}
TRT_INLINE VecF LeakyRelu(VecF x, VecF slope) { return Select(x > VecF(0.0F), x, x * slope); }
TRT_INLINE VecF Elu(VecF x, VecF negative_scale, VecF positive_scale) {
  return Select(x <= VecF(0.0F), Expm1(x) * negative_scale, x * positive_scale);
}
TRT_INLINE VecF Softplus(VecF x, VecF beta, VecF threshold) {
  const VecF scaled = x * beta;
  return Select(scaled > threshold, x, Log1p(Exp(scaled)) / beta);
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
