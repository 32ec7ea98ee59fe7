// The Loop IR: one fused loop nest over pointwise operations, row reductions, broadcasts and
// transposed reads.
//
// A Program runs over a domain of `rank` dims (given at run time), row-major. The last domain dim
// is the "row". Instructions are in SSA order; each yields one register. A register is either full
// (one value per domain point) or row-uniform (one value per row: constants, loads that do not
// follow the row dim, results of Reduce, and pointwise results of only such). Reduce folds a full
// register along the row. Store writes a register to a tensor of the domain's dims (a row-uniform
// one is repeated along the row); StoreRow writes a row-uniform one to a tensor of the domain's
// dims without the row (dims[0..rank-1)).
//
// Types: each register has a DataType. Arithmetic on f16/bf16 registers does not occur: Load
// converts them to f32 and Store rounds back, so `type` of computing instructions is f32, f64, an
// integer type or bool. Integer registers wrap as their type does. Executors: core/kernels/cpu/loop
// (tiles in L1), reference (scalar), and the CUDA printer. Programs are immutable once built.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/types/data_type.h"
#include "core/types/pointwise_op.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::loop {

enum class InstrKind : uint8_t {
  kLoad,       // operand index in `index`
  kConst,      // value in `p0` (floats) or `ivalue` (integers, bool)
  kIota,       // position along domain dim `index`, as an integer register
  kPointwise,  // `op` on args
  kReduce,     // `reduce` of args[0] along the row
  kStore,      // args[0] to output `index`
  kStoreRow,   // args[0] (row-uniform) to output `index`
};

enum class ReduceOp : uint8_t { kSum, kMean, kMax, kMin, kProd, kAny, kAll };

// REQUIRES: one of the enum. "sum", "mean", "max", "min", "prod", "any", "all".
std::string_view ReduceOpName(ReduceOp op);

struct Instr {
  InstrKind kind = InstrKind::kConst;
  DataType type = DataType::kFloat32;  // of the result register (stores: of the stored register)
  PointwiseOp op = PointwiseOp::kAdd;
  ReduceOp reduce = ReduceOp::kSum;
  int32_t index = 0;
  int32_t args[3] = {-1, -1, -1};  // registers = positions of earlier instructions
  double p0 = 0;                   // pointwise parameters, or the constant
  double p1 = 0;
  int64_t ivalue = 0;
};

// How an input tensor is read: map[d] is the tensor's dim that domain dim d walks, or -1 (not read
// along d: broadcast). Tensor dims that no domain dim walks must have size 1. Where a walked dim
// has size 1 at run time but the domain's is larger, the read broadcasts.
struct Input {
  DataType dtype = DataType::kFloat32;
  std::vector<int8_t> map;
  // Epilogues only: this input is the producer's f32 accumulator tile, not a tensor. At most one,
  // always input 0.
  bool accumulator = false;
};

struct Output {
  DataType dtype = DataType::kFloat32;
  bool row = false;  // written by StoreRow
};

struct Program {
  int rank = 0;
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  std::vector<Instr> instrs;

  // Structural rules above: indices in range, def before use, arity, types, every output stored
  // once. The reason names the instruction.
  Status Verify() const;
  // Whether register r holds one value per row. REQUIRES: verified.
  std::vector<bool> RowUniform() const;
  bool HasReduce() const;
  // Canonical text, one instruction a line; Parse(ToString()) gives an equal program. Parse
  // verifies.
  std::string ToString() const;
  static Result<Program> Parse(std::string_view text);
};

// `count` tensors of the domain's dims copied at once.
Program CopyProgram(int rank, DataType type, size_t count);

}  // namespace torch_tensorrt::core::loop
