#include "core/execution/cuda_graph.h"

#include <algorithm>

namespace torch_tensorrt::core::execution {
namespace {

using device::cuda::Stream;

constexpr size_t kBufferAlignment = 256;

std::string AddressKey(std::span<const TensorView> inputs, std::span<const TensorView> outputs) {
  std::string key;
  key.reserve((inputs.size() + outputs.size()) * sizeof(void*));
  for (const auto& views : {inputs, outputs}) {
    for (const TensorView& view : views) {
      key.append(reinterpret_cast<const char*>(&view.data), sizeof(view.data));
    }
  }
  return key;
}

size_t BytesOf(const TensorView& view) {
  return static_cast<size_t>(view.numel()) * SizeOf(view.dtype);
}

}  // namespace

Status GraphCache::Run(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                       const void* memory, Stream stream, const Submit& submit) {
  if (memory != memory_) {
    last_ = nullptr;
    graphs_.Clear();
    staged_.reset();
    memory_ = memory;
  }
  if (calls_without_launch_ < kPatience) return RunBound(inputs, outputs, stream, submit);
  return RunStaged(inputs, outputs, stream, submit);
}

Status GraphCache::RunBound(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                            Stream stream, const Submit& submit) {
  if (last_ != nullptr && SameAddresses(inputs, outputs)) {
    calls_without_launch_ = 0;
    ++counters_.launched;
    return last_->Launch(stream);
  }
  const std::string key = AddressKey(inputs, outputs);
  GraphPtr* known = graphs_.Get(key);
  if (known != nullptr && *known != nullptr) {
    calls_without_launch_ = 0;
    ++counters_.launched;
    Remember(**known, inputs, outputs);
    return last_->Launch(stream);
  }
  last_ = nullptr;  // what comes may push it out
  ++calls_without_launch_;
  if (known == nullptr) {
    TRT_RETURN_IF_ERROR(submit(inputs, outputs, stream));
    graphs_.Put(key, nullptr);
    ++counters_.direct;
    return Status::Ok();
  }
  TRT_ASSIGN_OR_RETURN(*known,
                       gpu_->Capture([&](Stream own) { return submit(inputs, outputs, own); }));
  ++counters_.recorded;
  return (*known)->Launch(stream);
}

void GraphCache::Remember(const device::cuda::Graph& graph, std::span<const TensorView> inputs,
                          std::span<const TensorView> outputs) {
  last_ = &graph;
  last_addresses_.clear();
  for (const auto& views : {inputs, outputs}) {
    for (const TensorView& view : views) last_addresses_.push_back(view.data);
  }
}

bool GraphCache::SameAddresses(std::span<const TensorView> inputs,
                               std::span<const TensorView> outputs) const {
  const auto same = [](const TensorView& view, const void* address) {
    return view.data == address;
  };
  const auto middle = last_addresses_.begin() + static_cast<int64_t>(inputs.size());
  return last_addresses_.size() == inputs.size() + outputs.size() &&
         std::equal(inputs.begin(), inputs.end(), last_addresses_.begin(), same) &&
         std::equal(outputs.begin(), outputs.end(), middle, same);
}

Status GraphCache::MakeStaged(std::span<const TensorView> inputs,
                              std::span<const TensorView> outputs, const Submit& submit) {
  staged_inputs_.assign(inputs.begin(), inputs.end());
  staged_outputs_.assign(outputs.begin(), outputs.end());
  size_t bytes = 0;
  std::vector<std::pair<TensorView*, size_t>> places;
  for (auto* views : {&staged_inputs_, &staged_outputs_}) {
    for (TensorView& view : *views) {
      places.emplace_back(&view, bytes);
      bytes += (BytesOf(view) + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
    }
  }
  if (buffers_ == nullptr) {
    TRT_ASSIGN_OR_RETURN(buffers_, gpu_->Allocate(bytes));
  }
  for (auto& [view, offset] : places) view->data = static_cast<std::byte*>(buffers_.get()) + offset;
  TRT_ASSIGN_OR_RETURN(staged_, gpu_->Capture([&](Stream own) {
    return submit(staged_inputs_, staged_outputs_, own);
  }));
  last_ = nullptr;
  graphs_.Clear();
  ++counters_.recorded;
  return Status::Ok();
}

Status GraphCache::RunStaged(std::span<const TensorView> inputs,
                             std::span<const TensorView> outputs, Stream stream,
                             const Submit& submit) {
  if (staged_ == nullptr) TRT_RETURN_IF_ERROR(MakeStaged(inputs, outputs, submit));
  for (size_t i = 0; i < inputs.size(); ++i) {
    TRT_RETURN_IF_ERROR(
        gpu_->CopyOnDevice(staged_inputs_[i].data, inputs[i].data, BytesOf(inputs[i]), stream));
  }
  TRT_RETURN_IF_ERROR(staged_->Launch(stream));
  for (size_t i = 0; i < outputs.size(); ++i) {
    TRT_RETURN_IF_ERROR(
        gpu_->CopyOnDevice(outputs[i].data, staged_outputs_[i].data, BytesOf(outputs[i]), stream));
  }
  ++counters_.staged;
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::execution
