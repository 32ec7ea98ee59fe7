// The one check of a step before it is prepared: a plan file is data that anybody may have written,
// and kernels read and write memory by what it says.
//
// A step's outputs must have exactly the dtypes and dims that the layer table's rule (core/layers)
// gives for its inputs and attributes. So kernels may trust axes, windows, groups, index types,
// programs and sizes to fit each other; what remains theirs is to refuse the dtypes, strides and
// packed weights that they can't take.
#pragma once

#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels {

// InvalidArgument unless the attributes are the layer's, of the table's types and of sizes that
// arithmetic can't overflow with, or the kernel's own. Once per step, before it is created.
Status CheckStepAttributes(const KernelEntry& entry, const Attributes& attributes);

// InvalidArgument unless the tensors of a step of this kernel fit its attributes. All dims are
// known; a view's elements are known to lie inside its storage. Once per set of shapes.
Status CheckStep(const KernelEntry& entry, const PrepareArgs& args);

// Weights [k, n] of a matrix product, by the attributes `n` and `k`. These two also refuse packed
// weights that are no dense constant.
Result<layers::TensorType> UnpackedMatrix(const Attributes& attributes, const TensorView& packed);
// Weights [out_channels, kernel..., in_channels / groups] of a channels-last convolution, by the
// attributes of these names.
Result<layers::TensorType> UnpackedFilter(const Attributes& attributes, const TensorView& packed);
// The same for cpu.convolution_transposed, whose input channels come first.
Result<layers::TensorType> UnpackedTransposedFilter(const Attributes& attributes,
                                                    const TensorView& packed);

}  // namespace torch_tensorrt::core::kernels
