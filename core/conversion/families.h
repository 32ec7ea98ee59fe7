// Private to core/conversion: the converter tables, one a family.
#pragma once

#include <span>

#include "core/conversion/registry.h"

namespace torch_tensorrt::core::conversion {

using ConverterTable = std::span<const ConverterEntry>;

ConverterTable ActivationConverters();
ConverterTable ArithmeticConverters();
ConverterTable AttentionConverters();
ConverterTable CastConverters();
ConverterTable ComparisonConverters();
ConverterTable ConvolutionConverters();
ConverterTable CreationConverters();
ConverterTable EmbeddingBagConverters();
ConverterTable IndexingConverters();
ConverterTable MatrixConverters();
ConverterTable NormalizationConverters();
ConverterTable PaddingConverters();
ConverterTable PoolingConverters();
ConverterTable ReductionConverters();
ConverterTable ResizeConverters();
ConverterTable ScanConverters();
ConverterTable ScatterConverters();
ConverterTable SelectionConverters();
ConverterTable ShapeConverters();
ConverterTable SlicingConverters();
ConverterTable SpecialConverters();
ConverterTable StatisticsConverters();
ConverterTable UnaryConverters();

}  // namespace torch_tensorrt::core::conversion
