// Special functions of real numbers in double precision: plain C++ over the math library, compiled
// for GPUs with the other sources and for the CPU by core/kernels/reference/special_functions.cpp.
// Outside of their domain they give what PyTorch's give: mostly NaN, at poles an infinity.
#pragma once

#ifndef TRT_SPECIAL_LGAMMA  // the C library's own writes a global
#define TRT_SPECIAL_LGAMMA(x) lgamma(x)
#endif
#ifndef TRT_SPECIAL  // included by itself
#define TRT_SPECIAL TRT_DEVICE
#endif
#define TRT_SPECIAL_INF (1.0 / Zero())
#define TRT_SPECIAL_NAN (Zero() / Zero())

namespace special {

// Hidden from constant folding: a literal 1.0 / 0.0 is a warning.
TRT_SPECIAL double Zero() {
  volatile double zero = 0;
  return zero;
}

constexpr double kPi = 3.14159265358979323846;
constexpr double kEulerGamma = 0.57721566490153286061;
constexpr double kTwoOverRootPi = 1.12837916709551257390;

TRT_SPECIAL bool IsNan(double x) { return x != x; }
TRT_SPECIAL bool IsInf(double x) { return x - x != 0 && x == x; }

TRT_SPECIAL double Erfc(double x) { return erfc(x); }
TRT_SPECIAL double Lgamma(double x) { return TRT_SPECIAL_LGAMMA(x); }
TRT_SPECIAL double BesselJ0(double x) { return j0(x); }
TRT_SPECIAL double BesselJ1(double x) { return j1(x); }
TRT_SPECIAL double BesselY0(double x) {
  return x == 0 ? -TRT_SPECIAL_INF : (x > 0 ? y0(x) : TRT_SPECIAL_NAN);
}
TRT_SPECIAL double BesselY1(double x) {
  return x == 0 ? -TRT_SPECIAL_INF : (x > 0 ? y1(x) : TRT_SPECIAL_NAN);
}

// ---- error function family ----

// One step of Halley's method towards erf(x) = y, given erf(x) - y.
TRT_SPECIAL double NearerErf(double x, double excess) {
  const double newton = excess / (kTwoOverRootPi * exp(-x * x));
  return x - newton / (1 + x * newton);
}

// x >= 0 with erfc(x) = z, for z in (0, 1].
TRT_SPECIAL double ErfcInverse(double z) {
  // Winitzki's formula is right to two digits; each of Halley's steps triples them.
  const double a = 0.147;
  const double log_term = log(z * (2 - z));
  const double half = 2 / (kPi * a) + 0.5 * log_term;
  double x = sqrt(fmax(sqrt(half * half - log_term / a) - half, 0.0));
  for (int step = 0; step < 4; ++step) x = NearerErf(x, z - erfc(x));
  return x;
}

TRT_SPECIAL double Erfinv(double y) {
  const double size = fabs(y);
  if (!(size <= 1)) return TRT_SPECIAL_NAN;
  if (size == 1) return y * TRT_SPECIAL_INF;
  if (size > 0.5) return copysign(ErfcInverse(1 - size), y);
  double x = y * (1 / kTwoOverRootPi) * (1 + kPi / 12 * y * y);
  for (int step = 0; step < 4; ++step) x = NearerErf(x, erf(x) - y);
  return x;
}

// The quantile of the standard normal distribution.
TRT_SPECIAL double Ndtri(double p) {
  if (!(p >= 0 && p <= 1)) return TRT_SPECIAL_NAN;
  if (p == 0) return -TRT_SPECIAL_INF;
  if (p == 1) return TRT_SPECIAL_INF;
  const double root2 = 1.41421356237309504880;
  return p < 0.5 ? -root2 * ErfcInverse(2 * p) : root2 * ErfcInverse(2 * (1 - p));
}

// exp(x^2) erfc(x).
TRT_SPECIAL double Erfcx(double x) {
  if (x < 25) return x < -26.7 ? TRT_SPECIAL_INF : exp(x * x) * erfc(x);
  if (IsInf(x)) return 0;
  const double w = 1 / (2 * x * x);
  return kTwoOverRootPi / 2 / x * (1 - w * (1 - 3 * w * (1 - 5 * w * (1 - 7 * w))));
}

// ---- gamma family ----

// The asymptotic series holds from 10 on; smaller arguments are raised to there.
TRT_SPECIAL double DigammaOfPositive(double x) {
  double shift = 0;
  for (; x < 10; x += 1) shift -= 1 / x;
  const double w = 1 / (x * x);
  const double series =
      w * (1.0 / 12 -
           w * (1.0 / 120 -
                w * (1.0 / 252 -
                     w * (1.0 / 240 - w * (1.0 / 132 - w * (691.0 / 32760 - w * (1.0 / 12)))))));
  return shift + log(x) - 0.5 / x - series;
}

TRT_SPECIAL double Digamma(double x) {
  if (x == 0) return copysign(TRT_SPECIAL_INF, -x);
  if (x > 0) return IsInf(x) ? x : DigammaOfPositive(x);
  if (IsNan(x) || x == floor(x)) return TRT_SPECIAL_NAN;
  return DigammaOfPositive(1 - x) - kPi / tan(kPi * (x - trunc(x)));
}

// The common factor of both incomplete gamma functions: x^a e^-x / Gamma(a).
TRT_SPECIAL double GammaFactor(double a, double x) { return exp(a * log(x) - x - Lgamma(a)); }

// The lower function by its power series: all terms are positive.
TRT_SPECIAL double LowerGammaSeries(double a, double x) {
  double term = 1 / a;
  double sum = term;
  for (int n = 1; n < 20000 && term > sum * 1e-17; ++n) {
    term *= x / (a + n);
    sum += term;
  }
  return sum * GammaFactor(a, x);
}

// The upper function by its continued fraction, evaluated forwards (Lentz).
TRT_SPECIAL double UpperGammaFraction(double a, double x) {
  const double tiny = 1e-300;
  double b = x + 1 - a;
  double c = 1 / tiny;
  double d = 1 / (b == 0 ? tiny : b);
  double h = d;
  for (int n = 1; n < 20000; ++n) {
    const double numerator = -n * (n - a);
    b += 2;
    d = numerator * d + b;
    d = 1 / (d == 0 ? tiny : d);
    c = b + numerator / c;
    if (c == 0) c = tiny;
    h *= d * c;
    if (fabs(d * c - 1) < 1e-16) break;
  }
  return h * GammaFactor(a, x);
}

TRT_SPECIAL double Igamma(double a, double x) {
  if (!(a >= 0 && x >= 0)) return TRT_SPECIAL_NAN;
  if (a == 0) return x > 0 ? 1 : TRT_SPECIAL_NAN;
  if (x == 0) return 0;
  if (IsInf(a)) return IsInf(x) ? TRT_SPECIAL_NAN : 0;
  if (IsInf(x)) return 1;
  return x < a + 1 ? LowerGammaSeries(a, x) : 1 - UpperGammaFraction(a, x);
}

TRT_SPECIAL double Igammac(double a, double x) {
  if (!(a >= 0 && x >= 0)) return TRT_SPECIAL_NAN;
  if (a == 0) return x > 0 ? 0 : TRT_SPECIAL_NAN;
  if (x == 0) return 1;
  if (IsInf(a)) return IsInf(x) ? TRT_SPECIAL_NAN : 1;
  if (IsInf(x)) return 0;
  return x < a + 1 ? 1 - LowerGammaSeries(a, x) : UpperGammaFraction(a, x);
}

// The Hurwitz zeta function, by Euler and Maclaurin's formula.
TRT_SPECIAL double Zeta(double s, double q) {
  if (s == 1) return TRT_SPECIAL_INF;
  if (!(s > 1) || IsNan(q)) return TRT_SPECIAL_NAN;
  if (q <= 0) {
    if (q == floor(q)) return TRT_SPECIAL_INF;
    if (s != floor(s)) return TRT_SPECIAL_NAN;
  }
  double sum = 0;
  double at = q;
  for (int n = 0; n < 12 || at < 12; ++n, at += 1) {
    if (n > 100000) return TRT_SPECIAL_NAN;
    sum += pow(at, -s);
  }
  const double power = pow(at, -s);
  sum += power * at / (s - 1) + 0.5 * power;
  // B_2k / (2k)!, k = 1, 2, ...
  const double weights[] = {1.0 / 12,
                            -1.0 / 720,
                            1.0 / 30240,
                            -1.0 / 1209600,
                            1.0 / 47900160,
                            -691.0 / 1307674368000.0,
                            1.0 / 74724249600.0,
                            -3617.0 / 10670622842880000.0};
  double rising = s;
  double falling = power / at;
  for (int k = 0; k < 8; ++k) {
    sum += weights[k] * rising * falling;
    rising *= (s + 2 * k + 1) * (s + 2 * k + 2);
    falling /= at * at;
  }
  return sum;
}

// ---- Bessel functions ----

// e^-x I_order(x) for x >= 0 and order 0 or 1.
TRT_SPECIAL double ScaledBesselI(int order, double x) {
  if (IsInf(x)) return 0;
  if (x <= 20) {
    const double quarter = x * x / 4;
    double term = order == 0 ? 1 : x / 2;
    double sum = term;
    for (int k = 1; k < 60; ++k) {
      term *= quarter / (k * (k + order));
      sum += term;
    }
    return sum * exp(-x);
  }
  double term = 1;
  double sum = 1;
  for (int k = 1; k < 30; ++k) {
    term *= -(4.0 * order * order - (2 * k - 1) * (2 * k - 1)) / (k * 8 * x);
    sum += term;
  }
  return sum / sqrt(2 * kPi * x);
}

TRT_SPECIAL double Signed(double like, double value) { return like < 0 ? -value : value; }

TRT_SPECIAL double BesselI0e(double x) { return IsNan(x) ? x : ScaledBesselI(0, fabs(x)); }
TRT_SPECIAL double BesselI1e(double x) {
  return IsNan(x) ? x : Signed(x, ScaledBesselI(1, fabs(x)));
}
// The factor is applied in halves: it overflows a little before the product does.
TRT_SPECIAL double BesselI0(double x) {
  if (IsInf(x)) return fabs(x);
  const double half = exp(fabs(x) / 2);
  return BesselI0e(x) * half * half;
}
TRT_SPECIAL double BesselI1(double x) {
  if (IsInf(x)) return x;
  const double half = exp(fabs(x) / 2);
  return BesselI1e(x) * half * half;
}

// e^x K_order(x) for x > 0, as an integral over a line: the trapezoidal rule converges
// geometrically. The step follows the width of the peak.
TRT_SPECIAL double ScaledBesselK(double order, double x) {
  const double step = fmin(0.125, 0.5 / sqrt(x));
  double sum = 0.5;
  for (int n = 1; n < 4000; ++n) {
    const double t = n * step;
    const double s = sinh(t / 2);
    const double exponent = 2 * x * s * s;
    if (exponent > 60 + order * t) break;
    sum += exp(-exponent) * cosh(order * t);
  }
  return sum * step;
}

TRT_SPECIAL double BesselK0e(double x) {
  if (x == 0) return TRT_SPECIAL_INF;
  if (!(x > 0)) return TRT_SPECIAL_NAN;
  if (IsInf(x)) return 0;
  return x < 1e-9 ? (-log(x / 2) - kEulerGamma) * exp(x) : ScaledBesselK(0, x);
}
TRT_SPECIAL double BesselK1e(double x) {
  if (x == 0) return TRT_SPECIAL_INF;
  if (!(x > 0)) return TRT_SPECIAL_NAN;
  if (IsInf(x)) return 0;
  return x < 1e-9 ? exp(x) / x : ScaledBesselK(1, x);
}
TRT_SPECIAL double BesselK0(double x) { return IsInf(x) ? 0 : BesselK0e(x) * exp(-x); }
TRT_SPECIAL double BesselK1(double x) { return IsInf(x) ? 0 : BesselK1e(x) * exp(-x); }

// Both power series of Ai, for |x| up to about 7.
TRT_SPECIAL double AirySeries(double x) {
  const double cube = x * x * x;
  double even = 0.35502805388781723926;  // Ai(0)
  double odd = -0.25881940379280679840 * x;
  double sum = even + odd;
  for (int k = 1; k < 60; ++k) {
    even *= cube / ((3 * k - 1) * (3 * k));
    odd *= cube / ((3 * k) * (3 * k + 1));
    sum += even + odd;
  }
  return sum;
}

// Ai(-x) for large x: amplitude and phase.
TRT_SPECIAL double AiryWave(double x) {
  const double zeta = x * sqrt(x) * 2 / 3;
  double term = 1;
  double parts[2] = {1, 0};
  for (int k = 1; k < 20; ++k) {
    term *= (6.0 * k - 5) * (6.0 * k - 3) * (6.0 * k - 1) / (216.0 * k * (2 * k - 1)) / zeta;
    parts[k % 2] += (k / 2) % 2 == 0 ? term : -term;
  }
  const double phase = zeta - kPi / 4;
  return (cos(phase) * parts[0] + sin(phase) * parts[1]) / (sqrt(kPi) * sqrt(sqrt(x)));
}

TRT_SPECIAL double AiryAi(double x) {
  if (IsNan(x) || IsInf(x)) return TRT_SPECIAL_NAN;
  if (x > 104) return 0;
  if (x > 2) {
    const double zeta = x * sqrt(x) * 2 / 3;
    return sqrt(x / 3) / kPi * ScaledBesselK(1.0 / 3, zeta) * exp(-zeta);
  }
  return x < -7 ? AiryWave(-x) : AirySeries(x);
}

// ---- orthogonal polynomials: the degree is the whole part of n, negative ones give 0 ----

// Also from 2^63 on, which PyTorch's degree, a 64-bit integer, does not hold: it turns negative.
TRT_SPECIAL bool IsNoDegree(double n) { return IsNan(n) || n < 0 || n >= 9223372036854775808.0; }

TRT_SPECIAL bool IsOdd(double whole) { return fmod(whole, 2.0) != 0; }

// p_0 = 1, p_1 = first, p_k = factor p_(k-1) - p_(k-2).
TRT_SPECIAL double ByChebyshevRule(double n, double first, double factor) {
  double before = 1;
  double now = first;
  for (double k = 2; k <= n && !IsNan(now); k += 1) {
    const double next = factor * now - before;
    before = now;
    now = next;
  }
  return now;
}

TRT_SPECIAL double ChebyshevT(double x, double degree) {
  const double n = trunc(degree);
  if (IsNoDegree(n)) return 0;
  if (fabs(x) == 1) return x > 0 || !IsOdd(n) ? 1 : -1;
  if (n > 6 && fabs(x) < 1) return cos(n * acos(x));
  return n == 0 ? 1 : ByChebyshevRule(n, x, x + x);
}
TRT_SPECIAL double ChebyshevU(double x, double degree) {
  const double n = trunc(degree);
  if (IsNoDegree(n)) return 0;
  if (fabs(x) == 1) return x > 0 || !IsOdd(n) ? n + 1 : -(n + 1);
  if (n > 8 && fabs(x) < 1) return sin((n + 1) * acos(x)) / sin(acos(x));
  return n == 0 ? 1 : ByChebyshevRule(n, x + x, x + x);
}
TRT_SPECIAL double ChebyshevV(double x, double degree) {
  const double n = trunc(degree);
  if (IsNoDegree(n)) return 0;
  if (fabs(x) == 1) return x > 0 ? 1 : (IsOdd(n) ? -(n + n + 1) : n + n + 1);
  if (n > 8 && fabs(x) < 1) return cos((n + 0.5) * acos(x)) / cos(acos(x) / 2);
  return n == 0 ? 1 : ByChebyshevRule(n, x + x - 1, x + x);
}
TRT_SPECIAL double ChebyshevW(double x, double degree) {
  const double n = trunc(degree);
  if (IsNoDegree(n)) return 0;
  if (fabs(x) == 1) return x > 0 ? n + n + 1 : (IsOdd(n) ? -1 : 1);
  if (n > 8 && fabs(x) < 1) return sin((n + 0.5) * acos(x)) / sin(acos(x) / 2);
  return n == 0 ? 1 : ByChebyshevRule(n, x + x + 1, x + x);
}
TRT_SPECIAL double ShiftedChebyshevT(double x, double n) { return ChebyshevT(x + x - 1, n); }
TRT_SPECIAL double ShiftedChebyshevU(double x, double n) { return ChebyshevU(x + x - 1, n); }
TRT_SPECIAL double ShiftedChebyshevV(double x, double n) { return ChebyshevV(x + x - 1, n); }
TRT_SPECIAL double ShiftedChebyshevW(double x, double n) { return ChebyshevW(x + x - 1, n); }

TRT_SPECIAL double HermiteH(double x, double degree) {
  const double n = trunc(degree);
  if (IsNoDegree(n)) return 0;
  if (n == 0) return 1;
  double before = 1;
  double now = x + x;
  for (double k = 1; k < n && !IsNan(now); k += 1) {
    const double next = 2 * (x * now - k * before);
    before = now;
    now = next;
  }
  return now;
}
TRT_SPECIAL double HermiteHe(double x, double degree) {
  const double n = trunc(degree);
  if (IsNoDegree(n)) return 0;
  if (n == 0) return 1;
  double before = 1;
  double now = x;
  for (double k = 1; k < n && !IsNan(now); k += 1) {
    const double next = x * now - k * before;
    before = now;
    now = next;
  }
  return now;
}
TRT_SPECIAL double LaguerreL(double x, double degree) {
  const double n = trunc(degree);
  if (IsNoDegree(n)) return 0;
  if (n == 0 || x == 0) return 1;
  double before = 1;
  double now = 1 - x;
  for (double k = 1; k < n && !IsNan(now); k += 1) {
    const double next = ((k + k + 1 - x) * now - k * before) / (k + 1);
    before = now;
    now = next;
  }
  return now;
}
TRT_SPECIAL double LegendreP(double x, double degree) {
  const double n = trunc(degree);
  if (IsNoDegree(n)) return 0;
  if (fabs(x) == 1) return x > 0 || !IsOdd(n) ? 1 : -1;
  if (n == 0) return 1;
  double before = 1;
  double now = x;
  for (double k = 1; k < n && !IsNan(now); k += 1) {
    const double next = ((k + k + 1) * x * now - k * before) / (k + 1);
    before = now;
    now = next;
  }
  return now;
}

}  // namespace special

#undef TRT_SPECIAL_INF
#undef TRT_SPECIAL_NAN
