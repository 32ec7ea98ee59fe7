// Special functions against values computed with forty digits.
#include <cmath>
#include <limits>

#include "tests/core/kernels/kernel_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

using Values = std::vector<double>;

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

struct UnaryRow {
  PointwiseOp op;
  Values x;
  Values want;
};
struct BinaryRow {
  PointwiseOp op;
  Values a;
  Values b;
  Values want;
};

Values Compute(PointwiseOp op, const Values& a, const Values& b = {},
               DataType in = DataType::kFloat64, DataType out = DataType::kFloat64) {
  const auto count = static_cast<int64_t>(a.size());
  const TestTensor x(in, {count}, a);
  if (b.empty()) return Output("ref.Unary", {{"op", op}}, {x.view}, out, {count});
  const TestTensor y(in, {count}, b);
  return Output("ref.Elementwise", {{"op", op}}, {x.view, y.view}, out, {count});
}

void ExpectClose(const Values& got, const Values& want, double relative, PointwiseOp op) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const bool same = got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]));
    EXPECT_TRUE(same || std::fabs(got[i] - want[i]) <= relative * std::fabs(want[i]))
        << InfoOf(op).name << " element " << i << ": " << got[i] << ", expected " << want[i];
  }
}

TEST(SpecialFunctions, OfOneNumber) {
  const UnaryRow rows[] = {
      {PointwiseOp::kErfc,
       {-3.0, -0.5, 0.0, 0.1, 2.5, 10.0, 26.0},
       {1.9999779095030015, 1.5204998778130465, 1.0, 0.887537083981715, 0.0004069520174449589,
        2.088487583762545e-45, 5.663192408856143e-296}},
      {PointwiseOp::kErfinv,
       {-0.999999, -0.5, 0.25, 0.75, 0.9999999999},
       {-3.458910737275499, -0.4769362762044699, 0.2253120550121781, 0.8134198475976185,
        4.572824958544925}},
      {PointwiseOp::kErfcx,
       {-5.0, -0.5, 0.5, 5.0, 24.0, 30.0, 1000000.0},
       {144009798674.66104, 1.952360489182557, 0.6156903441929259, 0.11070463773306863,
        0.02348754606368264, 0.01879588886141675, 5.641895835474742e-07}},
      {PointwiseOp::kNdtri,
       {0.001, 0.25, 0.5, 0.9, 1e-20},
       {-3.0902323061678136, -0.6744897501960817, 0.0, 1.2815515655446006, -9.262340089798407}},
      {PointwiseOp::kLgamma,
       {-2.5, 0.5, 3.0, 100.25},
       {-0.056243716497674054, 0.5723649429247001, 0.6931471805599453, 360.28455963776423}},
      {PointwiseOp::kDigamma,
       {-3.25, 0.1, 1.0, 9.5, 1000.0},
       {4.46627587235028, -10.423754940411076, -0.5772156649015329, 2.1977378764029494,
        6.907255195648812}},
      {PointwiseOp::kBesselJ0, {0.0, 1.5, 30.0}, {1.0, 0.5118276717359181, -0.08636798358104021}},
      {PointwiseOp::kBesselY1, {0.5, 30.0}, {-1.471472392670243, 0.08442557066174723}},
      {PointwiseOp::kBesselI0,
       {-3.0, 0.5, 19.5, 21.0, 100.0},
       {4.8807925858650245, 1.0634833707413236, 26760525.339838766, 115513961.92215806,
        1.0737517071310738e+42}},
      {PointwiseOp::kBesselI1,
       {-3.0, 0.5, 19.5, 21.0, 100.0},
       {-3.9533702174026093, 0.2578943053908963, 26065069.264457166, 112729199.13777553,
        1.0683693903381625e+42}},
      {PointwiseOp::kBesselI0e,
       {-30.0, 0.25, 2000.0},
       {0.0731459464822373, 0.7910171621397194, 0.00892117827643967}},
      {PointwiseOp::kBesselI1e,
       {-30.0, 0.25, 2000.0},
       {-0.07191633059864755, 0.09811262869736824, 0.008918947702944238}},
      {PointwiseOp::kBesselK0,
       {1e-10, 0.01, 1.0, 5.0, 50.0},
       {23.14178244559887, 4.721244730161095, 0.42102443824070834, 0.0036910983340425942,
        3.4101677497894956e-23}},
      {PointwiseOp::kBesselK1,
       {1e-10, 0.01, 1.0, 5.0, 50.0},
       {10000000000.0, 99.97389411829624, 0.6019072301972346, 0.004044613445452165,
        3.4441022267175555e-23}},
      {PointwiseOp::kBesselK0e, {0.5, 10000.0}, {1.5241093857739094, 0.012532984717699286}},
      {PointwiseOp::kBesselK1e, {0.5, 10000.0}, {2.731009708211786, 0.012533611351270506}},
      {PointwiseOp::kAiryAi,
       {-50.0, -7.5, -6.5, -1.0, 0.0, 1.5, 2.5, 10.0},
       {-0.1618814236123209, 0.3217757163806479, -0.2380203019971158, 0.5355608832923521,
        0.3550280538878172, 0.07174949700810541, 0.01572592338047049, 1.1047532552898686e-10}},
  };
  for (const UnaryRow& row : rows) ExpectClose(Compute(row.op, row.x), row.want, 1e-12, row.op);
}

TEST(SpecialFunctions, OfTwoNumbers) {
  const BinaryRow rows[] = {
      {PointwiseOp::kIgamma,
       {0.5, 3.0, 200.0, 10000.0},
       {0.1, 10.0, 190.0, 10100.0},
       {0.345279153981423, 0.9972306042844884, 0.2433474271006238, 0.8413487504471796}},
      {PointwiseOp::kIgammac,
       {0.5, 3.0, 200.0},
       {20.0, 1.0, 260.0},
       {2.539628589470865e-10, 0.9196986029286058, 4.750012444300876e-05}},
      {PointwiseOp::kZeta,
       {1.5, 2.0, 30.0, 3.0, 2.0},
       {0.25, 1.0, 3.0, 100.0, -0.5},
       {10.213055360466601, 1.6449340668482264, 4.857804189667247e-15, 5.0502499916675e-05,
        8.934802200544679}},
      {PointwiseOp::kChebyshevT,
       {0.3, 0.3, 1.5},
       {5.0, 31.0, 7.0},
       {0.99888, 0.020692836666995524, 421.5}},
      {PointwiseOp::kChebyshevU,
       {0.3, 0.3, 1.5},
       {5.0, 31.0, 7.0},
       {1.01376, 0.33511095016312054, 987.0}},
      {PointwiseOp::kHermiteH, {0.3, 1.5}, {5.0, 12.0}, {31.757759999999998, 940113.0}},
      {PointwiseOp::kLaguerreL,
       {0.3, 1.5},
       {5.0, 12.0},
       {-0.09333274999999998, 0.02070516350981477}},
      {PointwiseOp::kLegendreP, {0.3, 1.5}, {5.0, 12.0}, {0.34538625, 18151.005744695663}},
  };
  for (const BinaryRow& row : rows)
    ExpectClose(Compute(row.op, row.a, row.b), row.want, 1e-11, row.op);
}

TEST(SpecialFunctions, AtAndBeyondTheirBorders) {
  const UnaryRow rows[] = {
      {PointwiseOp::kErfinv, {-1, 1, 1.5, kNan}, {-kInf, kInf, kNan, kNan}},
      {PointwiseOp::kNdtri, {0, 1, -0.5}, {-kInf, kInf, kNan}},
      {PointwiseOp::kDigamma, {0.0, -0.0, -3, kInf}, {-kInf, kInf, kNan, kInf}},
      {PointwiseOp::kErfcx, {-30, kInf}, {kInf, 0}},
      {PointwiseOp::kBesselY0, {0, -1}, {-kInf, kNan}},
      {PointwiseOp::kBesselK0, {0, -1, kInf}, {kInf, kNan, 0}},
      {PointwiseOp::kBesselI1, {-kInf, kInf, kNan}, {-kInf, kInf, kNan}},
      {PointwiseOp::kAiryAi, {200, kInf}, {0, kNan}},
  };
  for (const UnaryRow& row : rows) ExpectClose(Compute(row.op, row.x), row.want, 0, row.op);
  const BinaryRow pairs[] = {
      {PointwiseOp::kIgamma, {0, 0, 2, -1, kInf}, {0, 1, 0, 1, 1}, {kNan, 1, 0, kNan, 0}},
      {PointwiseOp::kIgammac, {0, 0, 2, 2}, {0, 1, 0, kInf}, {kNan, 0, 1, 0}},
      {PointwiseOp::kZeta, {1, 0.5, 2, 2.5}, {3, 3, -2, -0.5}, {kInf, kNan, kInf, kNan}},
      {PointwiseOp::kChebyshevT, {0.5, -1, -1, 0.5}, {-1, 3, 4, 0}, {0, -1, 1, 1}},
  };
  for (const BinaryRow& row : pairs)
    ExpectClose(Compute(row.op, row.a, row.b), row.want, 0, row.op);
}

TEST(SpecialFunctions, SignsAndNeighbours) {
  const double odd[] = {0.0, -0.0, -kNan, kInf};
  const Values signs(std::begin(odd), std::end(odd));
  ExpectNear(Compute(PointwiseOp::kSignBit, signs, {}, DataType::kFloat32, DataType::kBool),
             {0, 1, std::signbit(-kNan) ? 1.0 : 0.0, 0}, 0);
  ExpectNear(Compute(PointwiseOp::kCopySign, {3, -3}, {-0.0, 2}), {-3, 3}, 0);
  // The step is that of the type.
  const auto f32 = DataType::kFloat32;
  ExpectNear(Compute(PointwiseOp::kNextAfter, {1, 0}, {2, -1}, f32, f32),
             {1 + std::ldexp(1.0, -23), -std::ldexp(1.0, -149)}, 0);
  ExpectNear(Compute(PointwiseOp::kNextAfter, {1}, {2}), {1 + std::ldexp(1.0, -52)}, 0);
  const auto i64 = DataType::kInt64;
  ExpectNear(Compute(PointwiseOp::kGcd, {12, -12, 0, 7}, {18, 18, 0, 0}, i64, i64), {6, 6, 0, 7},
             0);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
