// cpu.softmax: over the last axis.
#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/cpu/isa_table.h"
#include "core/kernels/cpu/softmax_code.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(SoftmaxCode, kSoftmaxCode, SoftmaxCodeFor)

namespace {

class SoftmaxState : public KernelState {
 public:
  explicit SoftmaxState(const SoftmaxArgs& args) : args_(args) {}
  const SoftmaxArgs& args() const { return args_; }

 private:
  SoftmaxArgs args_;
};

class SoftmaxKernel : public Kernel {
 public:
  explicit SoftmaxKernel(bool log) : log_(log), code_(SoftmaxCodeFor(CurrentIsa())) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    TRT_RETURN_IF_ERROR(CheckCounts("Softmax", args, 1, 1));
    TRT_RETURN_IF_ERROR(CheckNarrowFloat("Softmax", args.inputs[0].dtype));
    TRT_ASSIGN_OR_RETURN(const RowView x, ReadAsRows("Softmax", args.inputs[0]));
    TRT_ASSIGN_OR_RETURN(const RowView y, ReadAsRows("Softmax", args.outputs[0]));
    const int rank = args.inputs[0].rank;
    if (args.attributes.Int("axis") != std::max(rank - 1, 0)) {
      return Unsupported("[Softmax] axis ", args.attributes.Int("axis"), " of rank ", rank,
                         ", expected the last");
    }
    Prepared prepared;
    prepared.state = std::make_unique<SoftmaxState>(
        SoftmaxArgs{nullptr, nullptr, x.rows, x.n, x.stride, y.stride, log_});
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    const SoftmaxArgs& whole = static_cast<const SoftmaxState*>(args.state)->args();
    const TensorView& in = args.inputs[0];
    const auto rows = code_.rows[NarrowFloatIndex(in.dtype)];
    if (whole.n == 0) return Status::Ok();
    ParallelFor(whole.rows, GrainOf(whole.n * 2), [&](int64_t begin, int64_t end, int /*thread*/) {
      SoftmaxArgs part = whole;
      part.x = ElementAt(in, begin * whole.x_row);
      part.y = ElementAt(args.outputs[0], begin * whole.y_row);
      part.rows = end - begin;
      rows(part);
    });
    return Status::Ok();
  }

 private:
  bool log_;
  const SoftmaxCode& code_;
};

}  // namespace

KernelResult CreateSoftmax(const Attributes& attributes) {
  return std::unique_ptr<const Kernel>(std::make_unique<SoftmaxKernel>(attributes.Bool("log")));
}

}  // namespace torch_tensorrt::core::kernels
