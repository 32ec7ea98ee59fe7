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

// Equal for equal work: the text of the result says what is done to it.
std::string KeyOf(const Gpu& gpu, const Product& p, const ResultPlan& result) {
  const ConvShape& c = p.conv;
  const std::string windows =
      p.windows ? StrCat(" ", c.in_h, " ", c.in_w, " ", c.in_c, " ", c.kernel_h, " ", c.kernel_w,
                         " ", c.stride_h, " ", c.stride_w, " ", c.dilation_h, " ", c.dilation_w,
                         " ", c.pad_top, " ", c.pad_left, " ", c.out_h, " ", c.out_w)
                : "";
  return StrCat(gpu.info().ordinal, " ", DataTypeName(p.dtype), " ", p.m, " ", p.n, " ", p.k, " ",
                p.batch_count(), " ", p.a.row, " ", p.b.row, windows, " ",
                std::hash<std::string>{}(result.text));
}

constexpr int kOwn = -1, kOther = -2;  // else an offer of the library

// The fastest; nothing when they cannot be timed.
std::optional<int> Choose(const PrepareArgs& args, const ResultStage& stage, MatrixState* own,
                          MatrixState* other,
                          const std::vector<std::unique_ptr<LibraryState>>& offers) {
  const auto capturing = args.gpu->IsCapturing(nullptr);
  if (!capturing.ok() || *capturing) return std::nullopt;
  const auto bench = Bench::Create(args);
  if (!bench.has_value()) return std::nullopt;
  const auto base = bench->Time(own, stage);
  if (!base.has_value()) return std::nullopt;
  int best = kOwn;
  double least = *base;
  if (other != nullptr) {
    const auto time = bench->Time(other, stage);
    if (time.has_value() && *time < least) {
      least = *time;
      best = kOther;
    }
  }
  least /= kLeastGain;
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

Result<std::unique_ptr<MatrixState>> CreateFastest(std::string_view tag, const PrepareArgs& args,
                                                   const Product& product, const ResultStage& stage,
                                                   const ResultPlan& result) {
  TRT_ASSIGN_OR_RETURN(auto own, CreateProduct(tag, args.gpu, product, result));
  if (args.gpu == nullptr || args.outputs[0].numel() == 0 || product.k == 0) return own;
  const std::string key = KeyOf(*args.gpu, product, result);
  std::optional<int> choice = Choices().Find(key);
  if (choice == kOwn) return own;
  std::unique_ptr<MatrixState> other;
  if (!choice.has_value() || *choice == kOther) {
    TRT_ASSIGN_OR_RETURN(other, CreateOtherProduct(tag, args.gpu, product, result));
  }
  auto offers =
      LibraryState::Offers(*args.gpu, product, stage, args.inputs, args.outputs[0], kMostOffers);
  if (!choice.has_value() && (other != nullptr || !offers.empty())) {
    choice = Choose(args, stage, own.get(), other.get(), offers);
    if (choice.has_value()) Choices().Keep(key, *choice);
  }
  if (choice == kOther && other != nullptr) return other;
  if (!choice.has_value() || *choice < 0 || static_cast<size_t>(*choice) >= offers.size()) {
    return own;
  }
  std::unique_ptr<LibraryState>& best = offers[static_cast<size_t>(*choice)];
  if (!best->Reserve(*args.gpu).ok()) return own;
  return std::unique_ptr<MatrixState>(std::move(best));
}

}  // namespace torch_tensorrt::core::kernels::cuda
