// Network::Parse. The types after ':' may be left out of a layer's line; where given they must be
// what inference finds.
#include <map>

#include "core/ir/network.h"
#include "core/ir/text_lexer.h"
#include "core/types/half.h"
#include "core/util/checked.h"

namespace torch_tensorrt::core::ir {
namespace {

constexpr int64_t kMaxInlineElements = 1 << 20;

Status FillWeights(Lexer* lexer, DataType dtype, int64_t count, void* data) {
  TRT_RETURN_IF_ERROR(lexer->Expect("["));
  for (int64_t i = 0; i < count; ++i) {
    if (i > 0) TRT_RETURN_IF_ERROR(lexer->Expect(","));
    if (IsFloat(dtype)) {
      TRT_ASSIGN_OR_RETURN(const double value, lexer->Double());
      const auto single = static_cast<float>(value);
      if (dtype == DataType::kFloat64) static_cast<double*>(data)[i] = value;
      if (dtype == DataType::kFloat32) static_cast<float*>(data)[i] = single;
      if (dtype == DataType::kFloat16) static_cast<uint16_t*>(data)[i] = FloatToFloat16(single);
      if (dtype == DataType::kBFloat16) static_cast<uint16_t*>(data)[i] = FloatToBFloat16(single);
      continue;
    }
    TRT_ASSIGN_OR_RETURN(const int64_t value, lexer->Integer());
    if (dtype == DataType::kInt64) static_cast<int64_t*>(data)[i] = value;
    if (dtype == DataType::kInt32) static_cast<int32_t*>(data)[i] = static_cast<int32_t>(value);
    if (dtype == DataType::kInt16) static_cast<int16_t*>(data)[i] = static_cast<int16_t>(value);
    if (SizeOf(dtype) == 1) static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(value);
  }
  return lexer->Expect("]");
}

// Everything of a layer's line.
struct LayerLine {
  std::vector<std::string> outputs;
  LayerKind kind = LayerKind::kConstant;
  std::vector<TensorId> inputs;
  Attributes attrs;
  std::vector<TensorType> types;
  std::string name;
  std::string source;
};

class NetworkParser {
 public:
  Result<Network> Run(std::string_view text) {
    size_t pos = 0;
    while (pos < text.size()) {
      const size_t end = std::min(text.find('\n', pos), text.size());
      Lexer lexer(text.substr(pos, end - pos));
      pos = end + 1;
      if (lexer.Done() || lexer.Take("#")) continue;
      TRT_RETURN_IF_ERROR(Line(&lexer));
      if (!lexer.Done()) return lexer.Error("trailing characters");
    }
    TRT_RETURN_IF_ERROR(network_.Verify());
    return std::move(network_);
  }

 private:
  Status Line(Lexer* lexer) {
    if (lexer->Take("symbol ")) return SymbolLine(lexer);
    if (lexer->Take("input ")) return InputLine(lexer);
    if (lexer->Take("output ")) return OutputLine(lexer);
    return ParseLayer(lexer);
  }

  Status SymbolLine(Lexer* lexer) {
    Symbol symbol;
    TRT_ASSIGN_OR_RETURN(symbol.name, lexer->Name());
    TRT_ASSIGN_OR_RETURN(symbol.min, lexer->Integer());
    TRT_ASSIGN_OR_RETURN(symbol.opt, lexer->Integer());
    TRT_ASSIGN_OR_RETURN(symbol.max, lexer->Integer());
    return network_.AddSymbol(std::move(symbol));
  }

  Result<std::string> NewTensorName(Lexer* lexer) {
    TRT_RETURN_IF_ERROR(lexer->Expect("%"));
    TRT_ASSIGN_OR_RETURN(std::string name, lexer->Name());
    if (tensors_.count(name) != 0) return lexer->Error(StrCat("%", name, " is defined twice"));
    return name;
  }

  Result<TensorId> KnownTensor(Lexer* lexer) {
    TRT_RETURN_IF_ERROR(lexer->Expect("%"));
    TRT_ASSIGN_OR_RETURN(const std::string name, lexer->Name());
    auto it = tensors_.find(name);
    if (it == tensors_.end()) return lexer->Error(StrCat("%", name, " is not defined yet"));
    return it->second;
  }

  Result<TensorType> Type(Lexer* lexer) {
    TensorType type;
    TRT_ASSIGN_OR_RETURN(type.dtype, lexer->Type());
    TRT_ASSIGN_OR_RETURN(type.dims, lexer->Dims());
    return type;
  }

  Status InputLine(Lexer* lexer) {
    TRT_ASSIGN_OR_RETURN(std::string name, NewTensorName(lexer));
    TRT_RETURN_IF_ERROR(lexer->Expect(":"));
    TRT_ASSIGN_OR_RETURN(TensorType type, Type(lexer));
    tensors_[name] = network_.AddInput(name, type.dtype, std::move(type.dims));
    return Status::Ok();
  }

  Status OutputLine(Lexer* lexer) {
    TRT_ASSIGN_OR_RETURN(std::string name, lexer->QuotedString());
    TRT_ASSIGN_OR_RETURN(const TensorId tensor, KnownTensor(lexer));
    network_.MarkOutput(tensor, std::move(name));
    return Status::Ok();
  }

  Status Tail(Lexer* lexer, LayerLine* line) {
    if (lexer->Take(":")) {
      do {
        TRT_ASSIGN_OR_RETURN(TensorType type, Type(lexer));
        line->types.push_back(std::move(type));
      } while (lexer->Take(","));
    }
    line->name = line->outputs[0];
    if (lexer->Take("layer ")) {
      TRT_ASSIGN_OR_RETURN(line->name, lexer->QuotedString());
    }
    if (lexer->Take("at ")) {
      TRT_ASSIGN_OR_RETURN(line->source, lexer->QuotedString());
    }
    return Status::Ok();
  }

  Status Head(Lexer* lexer, LayerLine* line) {
    do {
      TRT_ASSIGN_OR_RETURN(std::string name, NewTensorName(lexer));
      line->outputs.push_back(std::move(name));
    } while (lexer->Take(","));
    TRT_RETURN_IF_ERROR(lexer->Expect("="));
    TRT_ASSIGN_OR_RETURN(const std::string kind, lexer->Name());
    const auto known = ParseLayerKind(kind);
    if (!known) return lexer->Error(StrCat("unknown layer kind ", kind));
    line->kind = *known;
    TRT_RETURN_IF_ERROR(lexer->Expect("("));
    if (!lexer->Take(")")) {
      do {
        TRT_ASSIGN_OR_RETURN(const TensorId input, KnownTensor(lexer));
        line->inputs.push_back(input);
      } while (lexer->Take(","));
      TRT_RETURN_IF_ERROR(lexer->Expect(")"));
    }
    if (!lexer->Take("{")) return Status::Ok();
    do {
      TRT_ASSIGN_OR_RETURN(std::string name, lexer->Name());
      TRT_RETURN_IF_ERROR(lexer->Expect("="));
      TRT_ASSIGN_OR_RETURN(AttrValue value, lexer->Value());
      line->attrs.Set(std::move(name), std::move(value));
    } while (lexer->Take(","));
    return lexer->Expect("}");
  }

  // The values come before the type that says how to read them: look ahead with a copy of the
  // lexer.
  Status ParseConstant(Lexer* lexer, LayerLine* line) {
    if (!line->inputs.empty() || !line->attrs.empty() || line->outputs.size() != 1) {
      return lexer->Error("a Constant has one output, no inputs and no attributes");
    }
    if (lexer->Take("digest ")) return lexer->Error("constant data is not part of this text");
    TRT_RETURN_IF_ERROR(lexer->Expect("data "));
    Lexer ahead = *lexer;
    TRT_RETURN_IF_ERROR(ahead.Expect("["));
    while (!ahead.Take("]")) {
      if (ahead.Done()) return ahead.Error("expected ']'");
      TRT_RETURN_IF_ERROR(ahead.Double().status());
      if (!ahead.Take(",")) continue;
    }
    TRT_RETURN_IF_ERROR(Tail(&ahead, line));
    if (line->types.size() != 1 || !IsStatic(line->types[0].dims)) {
      return ahead.Error("a Constant needs a static type");
    }
    const DataType dtype = line->types[0].dtype;
    const core::Dims dims = ToStatic(line->types[0].dims);
    int64_t count = 1;
    for (int64_t dim : dims) {
      const auto next = dim < 0 ? std::nullopt : CheckedMul(count, dim);
      if (!next || *next > kMaxInlineElements) return ahead.Error("the constant is too large");
      count = *next;
    }
    NewWeights fresh = AllocateWeights(dtype, dims);
    TRT_RETURN_IF_ERROR(FillWeights(lexer, dtype, count, fresh.data));
    *lexer = ahead;
    const TensorId id = network_.AddConstant(std::move(fresh.weights), line->outputs[0]);
    Finish(*line, {id});
    return Status::Ok();
  }

  void Finish(const LayerLine& line, const std::vector<TensorId>& outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      tensors_[line.outputs[i]] = outputs[i];
      network_.RenameTensor(outputs[i], line.outputs[i]);
    }
    Layer* layer = network_.mutable_layer(network_.tensor(outputs[0]).producer);
    layer->name = line.name;
    layer->source = line.source;
  }

  Status ParseLayer(Lexer* lexer) {
    LayerLine line;
    TRT_RETURN_IF_ERROR(Head(lexer, &line));
    if (line.kind == LayerKind::kConstant) return ParseConstant(lexer, &line);
    TRT_RETURN_IF_ERROR(Tail(lexer, &line));
    TRT_ASSIGN_OR_RETURN(
        const std::vector<TensorId> outputs,
        network_.AddMultiLayer(line.kind, line.inputs, line.attrs, line.outputs[0], line.source));
    if (outputs.size() != line.outputs.size()) {
      return lexer->Error(StrCat("the layer has ", outputs.size(), " outputs"));
    }
    for (size_t i = 0; i < line.types.size() && i < outputs.size(); ++i) {
      const Tensor& tensor = network_.tensor(outputs[i]);
      if (tensor.dtype != line.types[i].dtype || tensor.dims != line.types[i].dims) {
        return lexer->Error(StrCat("inference finds ",
                                   ToString(TensorType{tensor.dtype, tensor.dims}), " for output ",
                                   i));
      }
    }
    Finish(line, outputs);
    return Status::Ok();
  }

  Network network_;
  std::map<std::string, TensorId> tensors_;
};

}  // namespace

Result<Network> Network::Parse(std::string_view text) { return NetworkParser().Run(text); }

}  // namespace torch_tensorrt::core::ir
