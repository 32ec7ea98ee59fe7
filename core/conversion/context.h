// ConversionContext: what a converter builds with. Its errors are sticky: after the first one every
// method returns a harmless value and adds nothing, so that converters read like formulas and only
// the caller checks. Layers get the name of the operator's node and the user's source line.
//
// Not thread-safe; one object converts one operator into one network, which must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/conversion/value.h"
#include "core/ir/network.h"

namespace torch_tensorrt::core::conversion {

using ir::LayerKind;

class ConversionContext {
 public:
  ConversionContext(ir::Network* network, std::string name, std::string source)
      : network_(*network), name_(std::move(name)), source_(std::move(source)) {}
  ConversionContext(const ConversionContext&) = delete;
  ConversionContext& operator=(const ConversionContext&) = delete;

  // --- errors ------------------------------------------------------------------------------------
  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  // Keeps the first error only.
  void Fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  template <typename... Parts>
  Values Refuse(const Parts&... parts) {
    Fail(Unsupported(parts...));
    return {};
  }
  template <typename... Parts>
  void Require(bool condition, const Parts&... parts) {
    if (!condition) Fail(Unsupported(parts...));
  }

  // --- reading -----------------------------------------------------------------------------------
  const ir::Network& network() const { return network_; }
  DataType Type(TensorId x) const;
  const SymDims& Dims(TensorId x) const;
  int64_t Rank(TensorId x) const { return static_cast<int64_t>(Dims(x).size()); }
  // 0 after an error. axis may be negative.
  SymInt Dim(TensorId x, int64_t axis) const;
  // `axis` of a tensor of `rank` dims, made non-negative; rank 0 counts as 1. Fails when out of
  // range.
  int64_t Axis(int64_t axis, int64_t rank);
  // Axes made non-negative, checked and sorted; an empty list gives all of them.
  core::Dims Axes(const core::Dims& axes, int64_t rank);
  // False: certainly another number. True: equal, or not known before run time.
  bool MayEqual(const SymInt& a, const SymInt& b) const { return ir::MayEqual(a, b); }

  // --- building ---
  TensorId Add(LayerKind kind, std::vector<TensorId> inputs, Attributes attrs = {});
  std::vector<TensorId> AddMulti(LayerKind kind, std::vector<TensorId> inputs,
                                 Attributes attrs = {});
  // x itself when it already has the type.
  TensorId Cast(TensorId x, DataType type);
  TensorId Unary(PointwiseOp op, TensorId x);
  TensorId Unary(PointwiseOp op, TensorId x, double p0, double p1);
  // a and b of one dtype; broadcasts.
  TensorId Binary(PointwiseOp op, TensorId a, TensorId b);
  TensorId Select(TensorId condition, TensorId a, TensorId b);
  // A 0-d constant; integers and bool are taken from the truncated value.
  TensorId Scalar(double value, DataType type);
  TensorId Scalar(const SymInt& value, DataType type);
  // A Python number (double, SymInt, bool) as a 0-d tensor of `type`; fails on other values.
  TensorId Number(const Value& value, DataType type);
  // A 1-d i64 constant.
  TensorId IntConstant(const std::vector<int64_t>& values);
  TensorId Fill(const SymDims& dims, DataType type, const Value& number);
  TensorId Iota(const SymInt& length, const SymInt& start, int64_t step, DataType type);
  // Views. Each returns x itself when nothing changes.
  TensorId Reshape(TensorId x, SymDims dims);
  TensorId Transpose(TensorId x, core::Dims perm);
  TensorId SwapDims(TensorId x, int64_t a, int64_t b);
  TensorId Expand(TensorId x, SymDims dims);
  TensorId Unsqueeze(TensorId x, int64_t axis);
  // Removes a dim of size 1 (REQUIRES it to be 1).
  TensorId Squeeze(TensorId x, int64_t axis);
  // `size` elements of `axis` from `start` with `step`; bounds are already clamped.
  TensorId Slice(TensorId x, int64_t axis, const SymInt& start, const SymInt& size,
                 int64_t step = 1);
  TensorId Concat(std::vector<TensorId> inputs, int64_t axis);
  TensorId Reduce(std::string kind, TensorId x, core::Dims axes, bool keepdim);
  // x of rank 0 as [1]; others unchanged.
  TensorId AtLeast1d(TensorId x);

 private:
  ir::Network& network_;
  std::string name_;
  std::string source_;
  Status status_;
};

// One tensor result.
inline Values Out(TensorId x) { return {Value::Tensor(x)}; }

}  // namespace torch_tensorrt::core::conversion
