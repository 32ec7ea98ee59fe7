// The text of a program's instructions, shared by loop kernels and epilogues (internal).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/loop/program.h"

namespace torch_tensorrt::core::kernels::cuda {

// A value of a register type, exactly.
std::string Literal(DataType type, double value, int64_t ivalue);

// The include lines that a text of the program needs.
std::string IncludesOf(const loop::Program& program);

// Which registers have one value for all neighbouring elements, given which inputs do and which
// Iota dims are `fixed`.
std::vector<bool> UniformRegisters(const loop::Program& program,
                                   const std::vector<bool>& input_is_same,
                                   const std::vector<bool>& dim_is_fixed);

// How many rounds of reductions come before a register: 0 before any.
std::vector<int> Levels(const loop::Program& program);

// Registers that the `targets` need, themselves included, in order. Registers for which `stop` is
// true are neither listed nor followed.
std::vector<size_t> Needed(const loop::Program& program, const std::vector<size_t>& targets,
                           const std::vector<bool>& stop);

// Names the register an instruction reads.
using RegisterNamer = std::function<std::string(size_t)>;

// The right-hand side of a Pointwise or Const instruction.
std::string ExpressionOf(const loop::Instr& instr, const loop::Program& program,
                         const RegisterNamer& name);

// "SumFold{}" and the value a fold starts from.
std::string FoldName(loop::ReduceOp op);
std::string FoldStart(loop::ReduceOp op, DataType type);

// A copy of `text` with `by` spaces before each line.
std::string Indented(const std::string& text, int by);

}  // namespace torch_tensorrt::core::kernels::cuda
