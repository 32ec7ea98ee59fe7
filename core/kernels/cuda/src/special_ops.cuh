// Pointwise operations that are special functions: included by the kernels that use one.
#pragma once

#include "math.cuh"

#include "special.cuh"

#define TRT_SPECIAL_1(name)                                         \
  TRT_DEVICE double Pw##name(double a) { return special::name(a); } \
  TRT_DEVICE float Pw##name(float a) { return static_cast<float>(special::name(double(a))); }
TRT_SPECIAL_1(Erfc)
TRT_SPECIAL_1(Erfinv)
TRT_SPECIAL_1(Erfcx)
TRT_SPECIAL_1(Ndtri)
TRT_SPECIAL_1(Lgamma)
TRT_SPECIAL_1(Digamma)
TRT_SPECIAL_1(BesselJ0)
TRT_SPECIAL_1(BesselJ1)
TRT_SPECIAL_1(BesselY0)
TRT_SPECIAL_1(BesselY1)
TRT_SPECIAL_1(BesselI0)
TRT_SPECIAL_1(BesselI0e)
TRT_SPECIAL_1(BesselI1)
TRT_SPECIAL_1(BesselI1e)
TRT_SPECIAL_1(BesselK0)
TRT_SPECIAL_1(BesselK0e)
TRT_SPECIAL_1(BesselK1)
TRT_SPECIAL_1(BesselK1e)
TRT_SPECIAL_1(AiryAi)
#undef TRT_SPECIAL_1

#define TRT_SPECIAL_2(name)                                                      \
  TRT_DEVICE double Pw##name(double a, double b) { return special::name(a, b); } \
  TRT_DEVICE float Pw##name(float a, float b) {                                  \
    return static_cast<float>(special::name(double(a), double(b)));              \
  }
TRT_SPECIAL_2(Igamma)
TRT_SPECIAL_2(Igammac)
TRT_SPECIAL_2(Zeta)
TRT_SPECIAL_2(ChebyshevT)
TRT_SPECIAL_2(ChebyshevU)
TRT_SPECIAL_2(ChebyshevV)
TRT_SPECIAL_2(ChebyshevW)
TRT_SPECIAL_2(ShiftedChebyshevT)
TRT_SPECIAL_2(ShiftedChebyshevU)
TRT_SPECIAL_2(ShiftedChebyshevV)
TRT_SPECIAL_2(ShiftedChebyshevW)
TRT_SPECIAL_2(HermiteH)
TRT_SPECIAL_2(HermiteHe)
TRT_SPECIAL_2(LaguerreL)
TRT_SPECIAL_2(LegendreP)
#undef TRT_SPECIAL_2
