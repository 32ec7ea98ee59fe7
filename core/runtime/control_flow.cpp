#include "core/runtime/control_flow.h"

#include <ATen/ATen.h>

#include <iterator>

namespace torch_tensorrt::core::runtime {
namespace {

bool IsTrue(const at::Tensor& predicate, const char* op) {
  TORCH_CHECK_VALUE(predicate.numel() == 1, "[tensorrt::", op,
                    "] the condition must be one element, not a tensor of shape ",
                    predicate.sizes());
  return predicate.item().toBool();
}

TensorList Joined(const TensorList& first, const TensorList& second) {
  TensorList all;
  all.reserve(first.size() + second.size());
  all.insert(all.end(), first.begin(), first.end());
  all.insert(all.end(), second.begin(), second.end());
  return all;
}

void CheckOutputs(const TensorList& outputs, size_t least, const TorchEngine& body) {
  TORCH_CHECK_VALUE(outputs.size() >= least, "[", body.plan().name, "] the body of a loop gives ",
                    outputs.size(), " outputs for ", least, " carried tensors");
}

// REQUIRES: every tensor has at least one axis, checked by RowsOf.
TensorList Row(const TensorList& xs, int64_t index) {
  TensorList rows;
  rows.reserve(xs.size());
  for (const at::Tensor& x : xs) rows.push_back(x.select(0, index));
  return rows;
}

int64_t RowsOf(const TensorList& xs) {
  TORCH_CHECK_VALUE(!xs.empty(), "[tensorrt::run_scan] there is nothing to scan over");
  for (const at::Tensor& x : xs) {
    TORCH_CHECK_VALUE(x.dim() > 0 && x.size(0) == xs[0].size(0),
                      "[tensorrt::run_scan] all tensors to scan over must have as many rows as the "
                      "first; their shapes begin with ",
                      xs[0].sizes(), " and ", x.sizes());
  }
  const int64_t rows = xs[0].size(0);
  TORCH_CHECK_VALUE(rows > 0,
                    "[tensorrt::run_scan] there are no rows to scan over: the sizes of the results "
                    "are those of the first step, in PyTorch too");
  return rows;
}

}  // namespace

TensorList RunCond(const at::Tensor& predicate, const TensorList& then_inputs,
                   const EnginePtr& then_engine, const TensorList& else_inputs,
                   const EnginePtr& else_engine) {
  if (IsTrue(predicate, "run_cond")) return then_engine->Execute(then_inputs);
  return else_engine->Execute(else_inputs);
}

TensorList RunWhile(const TensorList& carried, const TensorList& condition_constants,
                    const TensorList& body_constants, const EnginePtr& condition,
                    const EnginePtr& body) {
  TensorList now = carried;
  bool fresh = false;
  while (true) {
    const TensorList answer = condition->Execute(Joined(now, condition_constants));
    TORCH_CHECK_VALUE(answer.size() == 1, "[", condition->plan().name,
                      "] the condition of a loop gives ", answer.size(), " outputs instead of one");
    if (!IsTrue(answer[0], "run_while")) break;
    now = body->Execute(Joined(now, body_constants));
    CheckOutputs(now, carried.size(), *body);
    fresh = true;
  }
  if (fresh) return now;
  TensorList copies;
  copies.reserve(now.size());
  for (const at::Tensor& tensor : now) {
    copies.push_back(tensor.clone(at::MemoryFormat::Contiguous));
  }
  return copies;
}

TensorList RunScan(const TensorList& carried, const TensorList& xs, const TensorList& constants,
                   const EnginePtr& body) {
  const int64_t rows = RowsOf(xs);
  TensorList now = carried;
  TensorList results;
  for (int64_t i = 0; i < rows; ++i) {
    TensorList outputs = body->Execute(Joined(Joined(now, Row(xs, i)), constants));
    CheckOutputs(outputs, carried.size(), *body);
    const auto split = outputs.begin() + static_cast<std::ptrdiff_t>(carried.size());
    now.assign(std::make_move_iterator(outputs.begin()), std::make_move_iterator(split));
    const TensorList made(std::make_move_iterator(split), std::make_move_iterator(outputs.end()));
    for (size_t k = 0; k < made.size(); ++k) {
      if (i == 0) {
        std::vector<int64_t> sizes = made[k].sizes().vec();
        sizes.insert(sizes.begin(), rows);
        results.push_back(at::empty(sizes, made[k].options()));
      }
      results[k].select(0, i).copy_(made[k]);
    }
  }
  return Joined(now, results);
}

}  // namespace torch_tensorrt::core::runtime
