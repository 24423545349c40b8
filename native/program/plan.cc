#include "program/plan.h"

#include <algorithm>
#include <map>

namespace espalier {
namespace {

// The free stretches of the arena, by offset.
class FreeList {
 public:
  size_t take(size_t size) {
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second < size) continue;
      const size_t offset = it->first, left = it->second - size;
      free_.erase(it);
      if (left > 0) free_[offset + size] = left;
      return offset;
    }
    // The last stretch grows, if it ends at the end.
    size_t offset = end_;
    if (!free_.empty()) {
      const auto last = std::prev(free_.end());
      if (last->first + last->second == end_) {
        offset = last->first;
        free_.erase(last);
      }
    }
    end_ = offset + size;
    return offset;
  }

  void give(size_t offset, size_t size) {
    auto next = free_.lower_bound(offset);
    if (next != free_.end() && offset + size == next->first) {
      size += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        before->second += size;
        return;
      }
    }
    free_[offset] = size;
  }

  size_t end() const { return end_; }

 private:
  std::map<size_t, size_t> free_;
  size_t end_ = 0;
};

}  // namespace

Plan make_plan(const std::vector<size_t>& features, const std::vector<uint32_t>& inputs,
               const std::vector<uint32_t>& outputs, const std::vector<Step>& steps, int columns,
               int threads) {
  const bool samples = columns <= kSampleMajorMax;
  Plan plan;
  plan.columns = columns;
  plan.offsets.assign(features.size(), 0);
  plan.strides.resize(features.size());
  std::vector<size_t> sizes(features.size());
  for (size_t v = 0; v < features.size(); ++v) {
    plan.strides[v] = samples ? aligned_values(features[v]) : columns;
    sizes[v] = (samples ? aligned_values(features[v]) : features[v]) * columns;
  }
  // The step after which a value is no longer wanted.
  constexpr size_t kAlways = SIZE_MAX;
  std::vector<size_t> last(features.size(), 0);
  for (size_t i = 0; i < steps.size(); ++i) {
    for (uint32_t v : steps[i].inputs) last[v] = i;
    last[steps[i].output] = i;
  }
  for (uint32_t v : outputs) last[v] = kAlways;
  if (samples) {
    for (const auto* ports : {&inputs, &outputs}) {
      for (uint32_t v : *ports) {
        plan.offsets[v] = Plan::kExternal;
        plan.strides[v] = features[v];
      }
    }
  }
  FreeList arena;
  const auto take = [&](uint32_t v) {
    if (plan.offsets[v] != Plan::kExternal) plan.offsets[v] = arena.take(sizes[v]);
  };
  std::vector<bool> taken(features.size(), false);
  for (uint32_t v : inputs) {
    if (!taken[v]) take(v);
    taken[v] = true;
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    take(steps[i].output);
    std::vector<uint32_t> done = steps[i].inputs;
    done.push_back(steps[i].output);
    std::sort(done.begin(), done.end());
    done.erase(std::unique(done.begin(), done.end()), done.end());
    for (uint32_t v : done) {
      if (last[v] == i && plan.offsets[v] != Plan::kExternal) arena.give(plan.offsets[v], sizes[v]);
    }
  }
  size_t parts = 1;
  for (const Step& step : steps) {
    const size_t wanted = aligned_values(step.operation->scratch(columns));
    if (wanted == 0) continue;
    plan.part_scratch = std::max(plan.part_scratch, wanted);
    parts = std::max<size_t>(parts, threads);
  }
  plan.scratch = arena.end();
  plan.floats = plan.scratch + plan.part_scratch * parts;
  return plan;
}

}  // namespace espalier
