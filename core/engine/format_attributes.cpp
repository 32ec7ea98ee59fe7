#include "core/engine/format.h"
#include "core/util/coding.h"

namespace torch_tensorrt::core::engine {
namespace {

// Field tags of one attribute record; permanent.
enum AttrTag : uint32_t {
  kAttrName = 1,
  kAttrBool = 2,
  kAttrInt = 3,
  kAttrDouble = 4,
  kAttrString = 5,
  kAttrDataType = 6,
  kAttrOp = 7,
  kAttrSym = 8,
  kAttrInts = 9,      // record of repeated field 1
  kAttrSyms = 10,     // record of repeated field 1
  kAttrDoubles = 11,  // record of repeated field 1
  kAttrProgram = 12,
};

struct Encoder {
  RecordWriter* out;
  void operator()(bool v) const { out->Unsigned(kAttrBool, v ? 1 : 0); }
  void operator()(int64_t v) const { out->Signed(kAttrInt, v); }
  void operator()(double v) const { out->Double(kAttrDouble, v); }
  void operator()(const std::string& v) const { out->Bytes(kAttrString, v); }
  void operator()(DataType v) const { out->Unsigned(kAttrDataType, static_cast<uint64_t>(v)); }
  // By name: the numeric value may move as operations are added.
  void operator()(PointwiseOp v) const { out->Bytes(kAttrOp, InfoOf(v).name); }
  void operator()(const SymInt& v) const { out->Bytes(kAttrSym, v.ToString()); }
  void operator()(const Dims& v) const {
    RecordWriter list;
    for (int64_t i : v) list.Signed(1, i);
    out->Record(kAttrInts, list);
  }
  void operator()(const SymDims& v) const {
    RecordWriter list;
    for (const SymInt& s : v) list.Bytes(1, s.ToString());
    out->Record(kAttrSyms, list);
  }
  void operator()(const std::vector<double>& v) const {
    RecordWriter list;
    for (double d : v) list.Double(1, d);
    out->Record(kAttrDoubles, list);
  }
  void operator()(const ProgramText& v) const { out->Bytes(kAttrProgram, v.text); }
};

Result<AttrValue> DecodeList(uint32_t tag, std::string_view bytes) {
  RecordReader reader(bytes);
  Dims ints;
  SymDims syms;
  std::vector<double> doubles;
  while (reader.Next()) {
    if (tag == kAttrInts) {
      ints.push_back(reader.Signed());
    } else if (tag == kAttrSyms) {
      TRT_ASSIGN_OR_RETURN(SymInt sym, SymInt::Parse(reader.Bytes()));
      syms.push_back(std::move(sym));
    } else {
      doubles.push_back(reader.Double());
    }
  }
  TRT_RETURN_IF_ERROR(reader.status());
  if (tag == kAttrInts) return AttrValue(std::move(ints));
  if (tag == kAttrSyms) return AttrValue(std::move(syms));
  return AttrValue(std::move(doubles));
}

Result<AttrValue> DecodeValue(const RecordReader& reader) {
  switch (reader.tag()) {
    case kAttrBool:
      return AttrValue(reader.Unsigned() != 0);
    case kAttrInt:
      return AttrValue(reader.Signed());
    case kAttrDouble:
      return AttrValue(reader.Double());
    case kAttrString:
      return AttrValue(reader.String());
    case kAttrDataType:
      if (reader.Unsigned() >= kDataTypeCount) return DataLoss("[plan] unknown dtype");
      return AttrValue(static_cast<DataType>(reader.Unsigned()));
    case kAttrOp: {
      const auto op = ParsePointwiseOp(reader.Bytes());
      if (!op) return DataLoss("[plan] unknown operation ", reader.Bytes());
      return AttrValue(*op);
    }
    case kAttrSym: {
      TRT_ASSIGN_OR_RETURN(SymInt sym, SymInt::Parse(reader.Bytes()));
      return AttrValue(std::move(sym));
    }
    case kAttrProgram:
      return AttrValue(ProgramText{reader.String()});
    case kAttrInts:
    case kAttrSyms:
    case kAttrDoubles:
      return DecodeList(reader.tag(), reader.Bytes());
    default:  // bytes of a file, not an enum
      return DataLoss("[plan] unknown attribute type ", reader.tag());
  }
}

}  // namespace

std::string EncodeAttributes(const Attributes& attributes) {
  RecordWriter all;
  for (const auto& [name, value] : attributes.map()) {
    RecordWriter one;
    one.Bytes(kAttrName, name);
    std::visit(Encoder{&one}, value);
    all.Record(1, one);
  }
  return all.bytes();
}

Result<Attributes> DecodeAttributes(std::string_view bytes) {
  Attributes attributes;
  RecordReader all(bytes);
  while (all.Next()) {
    RecordReader one(all.Bytes());
    std::string name;
    while (one.Next()) {
      if (one.tag() == kAttrName) {
        name = one.String();
        continue;
      }
      TRT_ASSIGN_OR_RETURN(AttrValue value, DecodeValue(one));
      attributes.Set(name, std::move(value));
    }
    TRT_RETURN_IF_ERROR(one.status());
  }
  TRT_RETURN_IF_ERROR(all.status());
  return attributes;
}

}  // namespace torch_tensorrt::core::engine
