// Which of a product's states is fastest, by timing.
#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/kernels/cuda/matrix/library.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using device::cuda::Gpu;
using device::cuda::Stream;

constexpr int kMostOffers = 8;
constexpr double kLeastGain = 1.04;  // what the library must be faster by to be taken
constexpr size_t kOutOfCache = size_t{160} << 20;
constexpr int kRuns = 12;
constexpr int kRounds = 5;
constexpr int kPattern = 0x2c;  // bytes of operands: small numbers in both 16-bit types

size_t BytesOf(const TensorView& view) {
  int64_t last = 0;
  for (int d = 0; d < view.rank; ++d) {
    const auto i = static_cast<size_t>(d);
    last += (view.dims[i] - 1) * view.strides[i];
  }
  return static_cast<size_t>(last + 1) * SizeOf(view.dtype);
}

// Tensors of the step's shapes with memory of their own, and copies of the weights.
class Bench {
 public:
  static std::optional<Bench> Create(const PrepareArgs& args) {
    Bench bench(*args.gpu);
    for (const TensorView& view : args.inputs) {
      if (!bench.Add(view, &bench.inputs_)) return std::nullopt;
    }
    if (!bench.Add(args.outputs[0], &bench.outputs_)) return std::nullopt;
    bench.weights_.push_back(bench.inputs_[1].data);
    const size_t weights = BytesOf(args.inputs[1]);
    const size_t others = BytesOf(args.inputs[0]) + BytesOf(args.outputs[0]);
    for (size_t bytes = weights; weights > others && bytes < kOutOfCache; bytes += weights) {
      if (!bench.Add(args.inputs[1], &bench.copies_)) break;
      bench.weights_.push_back(bench.copies_.back().data);
    }
    auto first = args.gpu->NewEvent(true);
    auto last = args.gpu->NewEvent(true);
    if (!first.ok() || !last.ok()) return std::nullopt;
    bench.first_ = *first;
    bench.last_ = *last;
    return bench;
  }

  // Microseconds of one run; nothing when it fails.
  std::optional<double> Time(MatrixState* state, const ResultStage& stage) const {
    const auto graph = gpu_.Capture([&](Stream stream) -> Status {
      for (size_t i = 0; i < kRuns; ++i) {
        RunArgs args{inputs_, outputs_};
        args.gpu = &gpu_;
        args.stream = stream;
        TRT_RETURN_IF_ERROR(
            state->Run(args, stage, inputs_[0].data, weights_[i % weights_.size()]));
      }
      return Status::Ok();
    });
    if (!graph.ok() || !(*graph)->Launch(nullptr).ok()) return std::nullopt;
    std::vector<double> times;
    for (int round = 0; round < kRounds; ++round) {
      if (!gpu_.RecordEvent(first_.get(), nullptr).ok() || !(*graph)->Launch(nullptr).ok() ||
          !gpu_.RecordEvent(last_.get(), nullptr).ok() || !gpu_.Synchronize(nullptr).ok()) {
        return std::nullopt;
      }
      const auto seconds = gpu_.SecondsBetween(first_.get(), last_.get());
      if (!seconds.ok()) return std::nullopt;
      times.push_back(*seconds * 1e6 / kRuns);
    }
    std::sort(times.begin(), times.end());
    return times[kRounds / 2];
  }

 private:
  explicit Bench(const Gpu& gpu) : gpu_(gpu) {}

  bool Add(const TensorView& like, std::vector<TensorView>* to) {
    const size_t bytes = BytesOf(like);
    auto memory = gpu_.Allocate(bytes);
    if (!memory.ok() || !gpu_.FillBytes(memory->get(), kPattern, bytes, nullptr).ok()) return false;
    memory_.push_back(std::move(memory).value());
    to->push_back(like);
    to->back().data = memory_.back().get();
    return true;
  }

  const Gpu& gpu_;
  std::vector<std::shared_ptr<void>> memory_;
  std::vector<TensorView> inputs_, outputs_, copies_;
  std::vector<const void*> weights_;
  std::shared_ptr<void> first_, last_;
};

// What was found out about each problem: the offer that is faster, or -1.
class Memory {
 public:
  std::optional<int> Find(const std::string& key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = choices_.find(key);
    return found == choices_.end() ? std::nullopt : std::optional(found->second);
  }
  void Keep(const std::string& key, int choice) {
    const std::lock_guard<std::mutex> lock(mutex_);
    choices_[key] = choice;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> choices_;
};

Memory& Choices() {
  static Memory memory;
  return memory;
}

std::string KeyOf(const Gpu& gpu, const Product& p, const ResultStage& stage) {
  const auto plain = stage.Plain();
  return StrCat(gpu.info().ordinal, " ", DataTypeName(p.dtype), " ", p.m, " ", p.n, " ", p.k, " ",
                p.a.row, " ", p.b.row, " ", plain->bias >= 0, plain->addend >= 0, plain->relu);
}

// The fastest offer, or -1 for `own`; nothing when they cannot be timed.
std::optional<int> Choose(const PrepareArgs& args, const ResultStage& stage, MatrixState* own,
                          const std::vector<std::unique_ptr<LibraryState>>& offers) {
  const auto capturing = args.gpu->IsCapturing(nullptr);
  if (!capturing.ok() || *capturing) return std::nullopt;
  const auto bench = Bench::Create(args);
  if (!bench.has_value()) return std::nullopt;
  const auto base = bench->Time(own, stage);
  if (!base.has_value()) return std::nullopt;
  int best = -1;
  double least = *base / kLeastGain;
  for (size_t i = 0; i < offers.size(); ++i) {
    if (!offers[i]->Reserve(*args.gpu).ok()) continue;
    const auto time = bench->Time(offers[i].get(), stage);
    if (!time.has_value() || *time >= least) continue;
    least = *time;
    best = static_cast<int>(i);
  }
  return best;
}

}  // namespace

std::unique_ptr<MatrixState> FasterOf(const PrepareArgs& args, const Product& product,
                                      const ResultStage& stage, std::unique_ptr<MatrixState> own) {
  if (args.gpu == nullptr || args.outputs[0].numel() == 0 || product.k == 0) return own;
  auto offers =
      LibraryState::Offers(*args.gpu, product, stage, args.inputs, args.outputs[0], kMostOffers);
  if (offers.empty()) return own;
  const std::string key = KeyOf(*args.gpu, product, stage);
  std::optional<int> choice = Choices().Find(key);
  if (!choice.has_value()) {
    choice = Choose(args, stage, own.get(), offers);
    if (!choice.has_value()) return own;
    Choices().Keep(key, *choice);
  }
  if (*choice < 0 || static_cast<size_t>(*choice) >= offers.size()) return own;
  std::unique_ptr<LibraryState>& best = offers[static_cast<size_t>(*choice)];
  if (!best->Reserve(*args.gpu).ok()) return own;
  return std::move(best);
}

}  // namespace torch_tensorrt::core::kernels::cuda
