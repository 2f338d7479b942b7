#include "runtime/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

using Tensors = std::vector<PlanTensor>;

bool live_together(const PlanTensor& a, const PlanTensor& b) { return a.first <= b.last && b.first <= a.last; }

std::size_t align_up(std::size_t bytes, std::size_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

Tensors random_tensors(std::mt19937& random, int count, int steps) {
  Tensors tensors;
  for (int i = 0; i < count; ++i) {
    const int first = static_cast<int>(random() % static_cast<unsigned>(steps));
    const int length = static_cast<int>(random() % 4 == 0 ? random() % static_cast<unsigned>(steps) : random() % 3);
    const std::size_t bytes = random() % 10 == 0 ? 0 : 1 + random() % 5000;
    tensors.push_back({"t" + std::to_string(i), bytes, first, std::min(first + length, steps - 1)});
  }
  return tensors;
}

void expect_valid(const Tensors& tensors, const MemoryPlan& plan, std::size_t alignment) {
  ASSERT_EQ(plan.offsets.size(), tensors.size());
  std::size_t end = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % alignment, 0u);
    end = std::max(end, plan.offsets[i] + align_up(tensors[i].bytes, alignment));
    for (std::size_t j = 0; j < i; ++j) {
      if (!live_together(tensors[i], tensors[j]) || tensors[i].bytes == 0 || tensors[j].bytes == 0) continue;
      const bool apart = plan.offsets[i] + tensors[i].bytes <= plan.offsets[j] ||
                         plan.offsets[j] + tensors[j].bytes <= plan.offsets[i];
      EXPECT_TRUE(apart) << tensors[i].name << " overlaps " << tensors[j].name;
    }
  }
  EXPECT_EQ(plan.arena_bytes, end);
}

// The three textbook heuristics, written anew and as plainly as can be: offsets are tried one alignment step at a time.
class Heuristics {
 public:
  explicit Heuristics(const Tensors& tensors) : tensors_(tensors) {}

  std::size_t by_size() const {
    std::vector<std::size_t> order = indices();
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return units(tensors_[a]) > units(tensors_[b]); });
    return peak(order, false);
  }

  std::size_t by_breadth() const {
    std::vector<std::pair<std::size_t, int>> steps;
    for (const PlanTensor& tensor : tensors_) steps.emplace_back(breadth(tensor.first), tensor.first);
    std::stable_sort(steps.begin(), steps.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::vector<std::size_t> by_size = indices();
    std::stable_sort(by_size.begin(), by_size.end(),
                     [&](auto a, auto b) { return units(tensors_[a]) > units(tensors_[b]); });
    std::vector<std::size_t> order;
    for (const auto& [bytes, step] : steps) {
      for (std::size_t i : by_size) {
        const bool alive = tensors_[i].first <= step && step <= tensors_[i].last;
        if (alive && std::find(order.begin(), order.end(), i) == order.end()) order.push_back(i);
      }
    }
    return peak(order, false);
  }

  std::size_t best_fit() const {
    std::vector<std::size_t> order = indices();
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return tensors_[a].first < tensors_[b].first; });
    return peak(order, true);
  }

 private:
  std::vector<std::size_t> indices() const {
    std::vector<std::size_t> order(tensors_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    return order;
  }

  std::size_t breadth(int step) const {
    std::size_t bytes = 0;
    for (const PlanTensor& t : tensors_) bytes += t.first <= step && step <= t.last ? units(t) : 0;
    return bytes;
  }

  static std::size_t units(const PlanTensor& tensor) { return align_up(tensor.bytes, kArenaAlignment) / kArenaAlignment; }

  // A map of used cells, one a unit, for each tensor anew.
  std::size_t peak(const std::vector<std::size_t>& order, bool tightest) const {
    std::vector<std::size_t> offsets(tensors_.size(), 0);
    std::vector<std::size_t> placed;
    std::size_t top = 0;
    for (std::size_t index : order) {
      const std::size_t size = units(tensors_[index]);
      if (size == 0) continue;
      std::vector<bool> used(top, false);
      std::size_t end = 0;
      for (std::size_t other : placed) {
        if (!live_together(tensors_[other], tensors_[index])) continue;
        std::fill_n(used.begin() + static_cast<std::ptrdiff_t>(offsets[other]), units(tensors_[other]), true);
        end = std::max(end, offsets[other] + units(tensors_[other]));
      }
      std::size_t best = end;
      std::size_t best_gap = std::numeric_limits<std::size_t>::max();
      for (std::size_t at = 0; at < end;) {
        std::size_t stop = at;
        while (stop < end && !used[stop]) ++stop;
        const std::size_t gap = stop - at;
        const bool first_fit_done = !tightest && best_gap != std::numeric_limits<std::size_t>::max();
        if (gap >= size && gap < best_gap && !first_fit_done) {
          best = at;
          best_gap = gap;
        }
        at = stop + 1;
      }
      offsets[index] = best;
      placed.push_back(index);
      top = std::max(top, best + size);
    }
    return top * kArenaAlignment;
  }

  const Tensors& tensors_;
};

// Whether the tensors fit into `limit` units: every offset of every tensor is tried.
bool fits(const Tensors& tensors, std::size_t limit, std::vector<std::size_t>* offsets) {
  const std::size_t index = offsets->size();
  if (index == tensors.size()) return true;
  const std::size_t size = tensors[index].bytes / kArenaAlignment;
  for (std::size_t at = 0; at + size <= limit; ++at) {
    bool free = true;
    for (std::size_t i = 0; i < index && free; ++i) {
      const std::size_t other = tensors[i].bytes / kArenaAlignment;
      free = !live_together(tensors[i], tensors[index]) || at + size <= (*offsets)[i] || (*offsets)[i] + other <= at;
    }
    if (!free) continue;
    offsets->push_back(at);
    if (fits(tensors, limit, offsets)) return true;
    offsets->pop_back();
  }
  return false;
}

TEST(MemoryPlan, NoTwoLiveTensorsOverlapAndEveryOffsetIsAligned) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const std::size_t alignment = std::size_t{1} << (random() % 9);
    const Tensors tensors = random_tensors(random, static_cast<int>(random() % 40), 12);
    expect_valid(tensors, plan_memory(tensors, alignment), alignment);
  }
}

TEST(MemoryPlan, IsNeverWorseThanAnyHeuristicAndNeverBelowTheBound) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    const Tensors tensors = random_tensors(random, 2 + static_cast<int>(random() % 40), 15);
    const Heuristics heuristics(tensors);
    const std::size_t peak = plan_memory(tensors).arena_bytes;
    EXPECT_LE(peak, heuristics.by_size());
    EXPECT_LE(peak, heuristics.by_breadth());
    EXPECT_LE(peak, heuristics.best_fit());
    EXPECT_GE(peak, liveness_bound(tensors));
  }
}

TEST(MemoryPlan, ReachesTheBoundWhereBruteForceProvesItReachable) {
  std::mt19937 random(3);
  int reachable = 0;
  int beyond_heuristics = 0;
  for (int round = 0; round < 400; ++round) {
    Tensors tensors;
    const int count = 4 + static_cast<int>(random() % 5);  // up to 8
    for (int i = 0; i < count; ++i) {
      const int first = static_cast<int>(random() % 7);
      const int last = std::min(6, first + static_cast<int>(random() % 4));
      tensors.push_back({"t" + std::to_string(i), (1 + random() % 4) * kArenaAlignment, first, last});
    }
    const std::size_t bound = liveness_bound(tensors);
    std::vector<std::size_t> offsets;
    if (!fits(tensors, bound / kArenaAlignment, &offsets)) continue;
    ++reachable;
    const Heuristics heuristics(tensors);
    beyond_heuristics += std::min({heuristics.by_size(), heuristics.by_breadth(), heuristics.best_fit()}) > bound;
    EXPECT_EQ(plan_memory(tensors).arena_bytes, bound);
  }
  EXPECT_GT(reachable, 300);
  EXPECT_GT(beyond_heuristics, 3);  // else this test would prove nothing beyond the previous one
}

TEST(MemoryPlan, SearchCutsTheGapOfTheHeuristicsOnLargerSets) {
  std::mt19937 random(4);
  double heuristic_gap = 0.0;
  double gap = 0.0;
  for (int round = 0; round < 60; ++round) {
    const Tensors tensors = random_tensors(random, 30, 12);
    const Heuristics heuristics(tensors);
    const double bound = static_cast<double>(liveness_bound(tensors));
    const std::size_t best = std::min({heuristics.by_size(), heuristics.by_breadth(), heuristics.best_fit()});
    heuristic_gap += static_cast<double>(best) / bound - 1.0;
    gap += static_cast<double>(plan_memory(tensors).arena_bytes) / bound - 1.0;
  }
  EXPECT_LT(gap, 0.6 * heuristic_gap);
}

TEST(MemoryPlan, TensorsThatFollowEachOtherShareTheirPlace) {
  const MemoryPlan plan = plan_memory({{"a", 1000, 0, 0}, {"b", 1000, 1, 1}, {"c", 1024, 2, 5}});
  EXPECT_EQ(plan.arena_bytes, 1024u);
}

TEST(MemoryPlan, BothEndsOfALifetimeAreInclusive) {
  EXPECT_EQ(plan_memory({{"a", 64, 0, 1}, {"b", 64, 1, 2}}, 64).arena_bytes, 128u);
  EXPECT_EQ(liveness_bound({{"a", 64, 0, 1}, {"b", 64, 1, 2}}, 64), 128u);
}

TEST(MemoryPlan, NothingToPlaceNeedsNothing) {
  EXPECT_EQ(plan_memory({}).arena_bytes, 0u);
  EXPECT_EQ(plan_memory({{"empty", 0, 0, 3}}).arena_bytes, 0u);
  EXPECT_EQ(liveness_bound({}), 0u);
}

TEST(MemoryPlan, TheSameTensorsGiveTheSamePlan) {
  std::mt19937 random(5);
  const Tensors tensors = random_tensors(random, 50, 20);
  EXPECT_EQ(plan_memory(tensors).offsets, plan_memory(tensors).offsets);
}

TEST(MemoryPlan, RefusesALifetimeThatEndsBeforeItBegins) {
  EXPECT_THROW(plan_memory({{"a", 64, 2, 1}}), InvalidArgument);
}

TEST(MemoryPlan, RefusesSizesThatOverflow) {
  const std::size_t huge = std::numeric_limits<std::size_t>::max();
  EXPECT_THROW(plan_memory({{"a", huge, 0, 0}}), InvalidArgument);
  EXPECT_THROW(plan_memory({{"a", huge / 2, 0, 0}, {"b", huge / 2, 0, 0}, {"c", huge / 2, 0, 0}}), InvalidArgument);
  EXPECT_THROW(liveness_bound({{"a", huge - 3, 0, 0}}), InvalidArgument);
}

TEST(MemoryPlan, RefusesAnAlignmentThatIsNoPowerOfTwo) {
  EXPECT_THROW(plan_memory({{"a", 64, 0, 0}}, 0), InvalidArgument);
  EXPECT_THROW(plan_memory({{"a", 64, 0, 0}}, 48), InvalidArgument);
}

}  // namespace
}  // namespace vidrt
