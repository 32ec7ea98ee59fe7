#include "core/builder/tuner.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <numeric>
#include <utility>

#include "core/builder/step_bench.h"
#include "core/device/cpu/isa.h"
#include "core/tactics/variants.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::builder {
namespace {

constexpr double kTie = 1.03;
constexpr double kHopeless = 1.5;  // a variant this much slower than the best is not timed again

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string ChoiceText(const Attributes& attributes) {
  std::string out;
  for (const auto& [name, value] : attributes.map()) {
    out += StrCat(out.empty() ? "" : " ", name, "=", ToString(value));
  }
  return out;
}

// Steps that are the same to time.
struct Problem {
  std::string key;
  std::vector<size_t> steps;
  std::vector<Attributes> variants;  // the table's choice first
  std::vector<size_t> points;        // where the step is not as at an earlier point
  std::vector<double> estimates;     // seconds of the table's choice by point, roughly
  double seconds() const { return std::accumulate(estimates.begin(), estimates.end(), 0.0); }
  double total() const { return seconds() * static_cast<double>(steps.size()); }
};

class Tuner {
 public:
  Tuner(Lowered* lowered, const BuilderConfig& config, BuildReport* report)
      : plan_(lowered->plan),
        constants_(lowered->constants),
        config_(config),
        report_(*report),
        limits_(LimitsOf(config.optimization_level)),
        deadline_(Now() + limits_.budget_seconds) {
    benches_.push_back(std::make_unique<StepBench>(plan_));
    for (const auto& point : config.points) {
      benches_.push_back(std::make_unique<StepBench>(plan_, point));
    }
  }

  Status Run() {
    FindProblems();
    if (problems_.empty()) return Status::Ok();
    if (!config_.timing_cache_path.empty()) cache_ = TimingCache::Load(config_.timing_cache_path);
    std::vector<Problem*> open;
    for (Problem& problem : problems_) {
      if (!ApplyCached(problem)) open.push_back(&problem);
    }
    for (Problem* problem : open) {
      WithConstants(*problem, [&] { Estimate(problem); });
    }
    // The budget goes to what the engine spends most time in.
    std::stable_sort(open.begin(), open.end(),
                     [](const Problem* a, const Problem* b) { return a->total() > b->total(); });
    bool learned = false;
    for (Problem* problem : open) {
      if (problem->seconds() < limits_.least_seconds) continue;
      WithConstants(*problem, [&] { learned = TimeVariants(problem) || learned; });
    }
    // A cache that cannot be kept only costs time in later builds.
    if (learned && !config_.timing_cache_path.empty())
      (void)cache_.Save(config_.timing_cache_path).ok();
    return Status::Ok();
  }

 private:
  void FindProblems() {
    std::map<std::string, size_t> known;
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      const engine::PlanStep& step = plan_.steps[i];
      std::vector<Attributes> variants = tactics::VariantsOf(
          {step.kernel, step.attributes, CurrentIsa(), MaxThreads(), limits_.exhaustive});
      if (variants.empty()) continue;
      std::vector<std::string> texts;
      const std::vector<size_t> points = PointsOf(step, &texts);
      if (points.empty()) continue;
      variants.insert(variants.begin(), Attributes());
      std::string text;
      for (const std::string& one : texts) text += (text.empty() ? "" : " & ") + one;
      const std::string key = TuningKey(text);
      const auto [at, fresh] = known.emplace(key, problems_.size());
      if (fresh) problems_.push_back({key, {}, std::move(variants), points, {}});
      problems_[at->second].steps.push_back(i);
    }
  }

  // The points at which the step is another to time, and what it is there.
  std::vector<size_t> PointsOf(const engine::PlanStep& step, std::vector<std::string>* texts) {
    std::vector<size_t> points;
    for (size_t p = 0; p < benches_.size(); ++p) {
      if (!benches_[p]->Select(step).ok()) continue;
      const std::string& text = benches_[p]->text();
      if (std::find(texts->begin(), texts->end(), text) != texts->end()) continue;
      texts->push_back(text);
      points.push_back(p);
    }
    return points;
  }

  // Runs `body` while the constants of the problem's step exist.
  template <typename Body>
  void WithConstants(const Problem& problem, const Body& body) {
    if (Now() > deadline_) return;
    const engine::PlanStep& step = plan_.steps[problem.steps.front()];
    constants_.Make(&plan_, step);
    body();
    constants_.Drop(&plan_, step);
  }

  // Makes the problem's benches mean its step.
  bool Select(const Problem& problem) {
    return std::all_of(problem.points.begin(), problem.points.end(), [&](size_t point) {
      return benches_[point]->Select(plan_.steps[problem.steps.front()]).ok();
    });
  }

  bool ApplyCached(const Problem& problem) {
    const TimingRecord* record = cache_.Find(problem.key);
    if (record == nullptr) return false;
    for (const Attributes& variant : problem.variants) {
      if (ChoiceText(variant) != record->choice) continue;
      Apply(problem, variant, *record, true);
      return true;
    }
    return false;  // a variant that is no longer offered
  }

  void Apply(const Problem& problem, const Attributes& variant, const TimingRecord& record,
             bool cached) {
    for (const size_t i : problem.steps) {
      engine::PlanStep& step = plan_.steps[i];
      for (const auto& [name, value] : variant.map()) step.attributes.Set(name, value);
      report_.tuned.push_back({step.name, step.kernel, record.choice, record.microseconds,
                               record.table_microseconds, cached});
    }
  }

  // One timing of the table's choice at each point, after one run that touches all memory.
  void Estimate(Problem* problem) {
    if (!Select(*problem)) return;
    for (const size_t point : problem->points) {
      StepBench& bench = *benches_[point];
      if (Now() > deadline_) return;
      const auto candidate = bench.Make(Attributes());
      if (!candidate.ok() || !bench.Time(*candidate).ok()) return;
      const Result<double> seconds = bench.Time(*candidate);
      if (!seconds.ok()) return;
      problem->estimates.push_back(*seconds);
    }
  }

  struct Contender {
    size_t variant = 0;
    std::vector<StepBench::Candidate> candidates;  // by the problem's points
    std::vector<double> seconds;
  };

  // The contenders' timings, interleaved so that a disturbance hits all alike. Empty when time is
  // up before each has all of its timings, or a kernel fails.
  std::vector<Contender> TimeAll(const Problem& problem) {
    std::vector<Contender> all;
    for (size_t i = 0; i < problem.variants.size(); ++i) {
      Contender contender{i, {}, {}};
      for (const size_t point : problem.points) {
        auto candidate = benches_[point]->Make(problem.variants[i]);
        if (candidate.ok()) contender.candidates.push_back(std::move(candidate).value());
      }
      if (contender.candidates.size() == problem.points.size()) all.push_back(std::move(contender));
    }
    for (int round = 0; round < limits_.repeats; ++round) {
      double best = 0;
      for (Contender& contender : all) {
        const double seconds = Average(problem, contender);
        if (seconds < 0) return {};
        contender.seconds.push_back(seconds);
        best = best == 0 ? seconds : std::min(best, seconds);
      }
      if (round > 0) continue;
      std::erase_if(all, [best](const Contender& contender) {
        return contender.variant != 0 && contender.seconds.front() > kHopeless * best;
      });
    }
    return all;
  }

  // Seconds at the first point, where the other points count as if the table's choice took as long
  // there. Of timing_iterations runs; negative when there is no time left or the kernel fails.
  double Average(const Problem& problem, const Contender& contender) {
    double sum = 0;
    for (size_t p = 0; p < problem.points.size(); ++p) {
      const double weight = problem.estimates[0] / std::max(problem.estimates[p], 1e-9);
      for (int i = 0; i < config_.timing_iterations; ++i) {
        const auto seconds = benches_[problem.points[p]]->Time(contender.candidates[p]);
        if (!seconds.ok() || Now() > deadline_) return -1;
        sum += weight * *seconds;
      }
    }
    return sum / config_.timing_iterations / static_cast<double>(problem.points.size());
  }

  // Whether the cache has learned something.
  bool TimeVariants(Problem* problem) {
    if (problem->estimates.size() != problem->points.size() || !Select(*problem)) return false;
    const std::vector<Contender> contenders = TimeAll(*problem);
    if (contenders.empty() || contenders.front().variant != 0) return false;
    std::vector<std::vector<double>> seconds;
    for (const Contender& contender : contenders) seconds.push_back(contender.seconds);
    const size_t picked = PickVariant(seconds);
    const Attributes& variant = problem->variants[contenders[picked].variant];
    const TimingRecord record{ChoiceText(variant), Median(seconds[picked]) * 1e6,
                              Median(seconds.front()) * 1e6};
    cache_.Put(problem->key, record);
    Apply(*problem, variant, record, false);
    return true;
  }

  engine::Plan& plan_;
  const PlanConstants& constants_;
  const BuilderConfig& config_;
  BuildReport& report_;
  const TuneLimits limits_;
  const double deadline_;
  std::vector<std::unique_ptr<StepBench>> benches_;  // at the opt of all symbols, at each point
  TimingCache cache_;
  std::vector<Problem> problems_;
};

}  // namespace

TuneLimits LimitsOf(int optimization_level) {
  if (optimization_level < 3) return {};
  if (optimization_level == 3) return {0.3, 50e-6, 5, false};
  if (optimization_level == 4) return {2.0, 20e-6, 7, true};
  return {10.0, 0, 11, true};
}

size_t PickVariant(const std::vector<std::vector<double>>& seconds) {
  std::vector<size_t> winners;
  double best = 0;
  for (size_t i = 1; i < seconds.size(); ++i) {
    size_t wins = 0;
    for (size_t round = 0; round < seconds[i].size(); ++round) {
      if (seconds[i][round] * kTie < seconds[0][round]) ++wins;
    }
    if (4 * wins < 3 * seconds[i].size()) continue;
    const double median = Median(seconds[i]);
    best = winners.empty() ? median : std::min(best, median);
    winners.push_back(i);
  }
  for (const size_t i : winners) {
    if (Median(seconds[i]) <= kTie * best) return i;
  }
  return 0;
}

std::string TuningKey(const std::string& text) {
  return StrCat("isa ", IsaName(CurrentIsa()), " threads ", MaxThreads(), " cpu ", CpuModel(),
                " | ", text);
}

Status Tune(Lowered* lowered, const BuilderConfig& config, BuildReport* report) {
  const bool wanted = LimitsOf(config.optimization_level).budget_seconds > 0;
  if (!wanted || config.target != Target::kCpu || config.timing_iterations < 1) return Status::Ok();
  return Tuner(lowered, config, report).Run();
}

}  // namespace torch_tensorrt::core::builder
