#include "core/conversion/registry.h"

#include <map>

#include "core/conversion/families.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Table = std::map<std::string_view, const ConverterEntry*>;

const Table& AllConverters() {
  static const Table table = [] {
    Table out;
    for (ConverterTable family :
         {ActivationConverters(), ArithmeticConverters(),    AttentionConverters(),
          CastConverters(),       ComparisonConverters(),    ConvolutionConverters(),
          CreationConverters(),   EmbeddingBagConverters(),  IndexingConverters(),
          MatrixConverters(),     NormalizationConverters(), PaddingConverters(),
          PoolingConverters(),    ReductionConverters(),     ResizeConverters(),
          ScanConverters(),       ScatterConverters(),       SelectionConverters(),
          ShapeConverters(),      SlicingConverters(),       SpecialConverters(),
          StatisticsConverters(), UnaryConverters()}) {
      for (const ConverterEntry& entry : family) out.emplace(entry.target, &entry);
    }
    return out;
  }();
  return table;
}

std::string DescribeArgs(const ArgMap& args, const ir::Network& network) {
  std::string out = "(";
  for (const auto& [name, value] : args) {
    if (value.is_none()) continue;
    if (out.size() > 1) out += ", ";
    out += name + ": " + Describe(value, network);
  }
  return out + ")";
}

}  // namespace

const ConverterEntry* FindConverter(std::string_view target) {
  auto it = AllConverters().find(target);
  return it == AllConverters().end() ? nullptr : it->second;
}

std::vector<std::string_view> ConverterTargets() {
  std::vector<std::string_view> out;
  for (const auto& [target, entry] : AllConverters()) out.push_back(target);
  return out;
}

Result<Values> Convert(ir::Network* network, std::string_view target, const ArgMap& args,
                       const std::string& name, const std::string& source) {
  const ConverterEntry* entry = FindConverter(target);
  if (entry == nullptr) return Unsupported("[", target, "] no converter for this operator");
  ConversionContext ctx(network, name, source);
  Values values = entry->convert(ctx, Args(&ctx, &args));
  if (!ctx.ok()) {
    return Status(ctx.status().code(), StrCat("[", target, "] ", ctx.status().message(), ": ",
                                              DescribeArgs(args, *network)));
  }
  return values;
}

}  // namespace torch_tensorrt::core::conversion
