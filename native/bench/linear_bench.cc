// How fast the layouts of Linear are beside our own dense:
//
//   linear_bench [ROWSxCOLS,...] [N,...] [SPARSITY,...] [ISA] [hot|cold] [LAYOUT,...] [VALUES]
//   linear_bench grid [ISA]   how much slower the cost model's choice is than the fastest layout
//   linear_bench pack [ISA]   what packing takes, in time and memory
//   linear_bench threads [ISA]   what a second thread brings
//
// One thread, random masks. A candidate is called six times to warm up, then timed in short rounds
// that alternate with the others; the lower decile is told, since whatever else a shared machine
// does only makes rounds longer. "cold" cycles through copies that together exceed the third-level
// cache.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cpu/features.h"
#include "cpu/thread_pool.h"
#include "kernels/linear/choice.h"
#include "kernels/linear/linear.h"
#include "sparse/aligned.h"
#include "sparse/csr.h"

namespace espalier {
namespace {

double now_ns() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The least magnitudes of a Gaussian matrix are zero.
Csr pruned_gaussian(uint32_t rows, uint32_t cols, double sparsity) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> dense(static_cast<size_t>(rows) * cols);
  for (float& weight : dense) weight = normal(random);
  std::vector<float> magnitudes(dense.size());
  for (size_t i = 0; i < dense.size(); ++i) magnitudes[i] = std::abs(dense[i]);
  const size_t zeros = static_cast<size_t>(sparsity * dense.size());
  std::nth_element(magnitudes.begin(), magnitudes.begin() + zeros, magnitudes.end());
  for (float& weight : dense) {
    if (std::abs(weight) < magnitudes[zeros]) weight = 0;
  }
  return csr_from_dense(dense.data(), rows, cols);
}

struct Racer {
  std::string name;
  std::vector<std::unique_ptr<Linear>> copies;
  size_t next = 0;
  int calls = 1;
  std::vector<double> rounds;
  double ns = 0;
};

constexpr int kRounds = 40;

void time_candidates(std::vector<Racer>& candidates,
                     const std::function<void(const Linear&)>& run) {
  for (Racer& candidate : candidates) {
    for (int i = 0; i < 6; ++i) run(*candidate.copies[i % candidate.copies.size()]);
    const double start = now_ns();
    for (int i = 0; i < 3; ++i) run(*candidate.copies[i % candidate.copies.size()]);
    candidate.calls = std::clamp(static_cast<int>(1e5 / ((now_ns() - start) / 3)), 1, 20000);
  }
  for (int round = 0; round < kRounds; ++round) {
    for (Racer& candidate : candidates) {
      if (candidate.copies.size() == 1) {
        for (int i = 0; i < 3; ++i) run(*candidate.copies[0]);
      }
      const double start = now_ns();
      for (int i = 0; i < candidate.calls; ++i) {
        run(*candidate.copies[candidate.next]);
        candidate.next = (candidate.next + 1) % candidate.copies.size();
      }
      candidate.rounds.push_back((now_ns() - start) / candidate.calls);
    }
  }
  for (Racer& candidate : candidates) {
    std::sort(candidate.rounds.begin(), candidate.rounds.end());
    candidate.ns = candidate.rounds[candidate.rounds.size() / 10];
  }
}

// Inputs and outputs of one shape and batch.
struct Buffers {
  Buffers(uint32_t rows, uint32_t cols, int n)
      : n(n),
        columns((n + 15) / 16 * 16),
        x_stride((cols + 15) / 16 * 16),
        y_stride((rows + 15) / 16 * 16),
        x(std::max(columns * cols, 4 * x_stride)),
        y(std::max(columns * rows, 4 * y_stride)) {
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    for (float& value : x) value = normal(random);
  }
  void run(const Linear& linear, int part = 0, int parts = 1) {
    if (n <= kSampleMajorMax) {
      linear.run_samples(x.data(), x_stride, y.data(), y_stride, n, part, parts);
    } else {
      linear.run_panel(x.data(), columns, y.data(), columns, n, part, parts);
    }
  }
  int n;
  size_t columns, x_stride, y_stride;
  AlignedVector<float> x, y;
};

// Every layout that has a kernel for n, the dense one first, and "chosen:" what the cost model
// takes.
std::vector<Racer> candidates_for(const Csr& csr, int n, const LinearOptions& base,
                                  const std::vector<std::string>& only) {
  std::vector<Racer> candidates;
  std::vector<std::string> layouts = linear_layouts(base.isa);
  layouts.push_back("");
  std::sort(layouts.begin(), layouts.end(),
            [](const auto& a, const auto& b) { return (a == "dense") > (b == "dense"); });
  for (const std::string& layout : layouts) {
    const bool wanted =
        only[0].empty() || std::find(only.begin(), only.end(), layout) != only.end();
    if (!wanted && layout != "dense" && !layout.empty()) continue;
    LinearOptions options = base;
    options.layout = layout;
    Racer candidate;
    candidate.name = layout;
    size_t bytes = 0;
    do {
      candidate.copies.push_back(
          Linear::make(csr.view(), nullptr, {ActivationKind::kRelu, 0, 0}, options));
      candidate.copies.back()->prepare(n);
      bytes += candidate.copies.back()->info(n).bytes;
    } while (base.cold && bytes < 100u << 20);
    // A layout that has no kernel for n gives way to another.
    const std::string used = candidate.copies[0]->info(n).layout;
    if (used.compare(0, layout.size(), layout) != 0) continue;
    if (layout.empty()) candidate.name = "chosen:" + used;
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

void bench(uint32_t rows, uint32_t cols, int n, double sparsity, const LinearOptions& options,
           const std::vector<std::string>& only) {
  const Csr csr = pruned_gaussian(rows, cols, sparsity);
  Buffers buffers(rows, cols, n);
  std::vector<Racer> candidates = candidates_for(csr, n, options, only);
  time_candidates(candidates, [&](const Linear& linear) { buffers.run(linear); });
  std::printf("%ux%u n=%d %.2f:", rows, cols, n, sparsity);
  for (const Racer& candidate : candidates) {
    const LinearInfo info = candidate.copies[0]->info(n);
    std::printf("  %s %.2f x%.2f", candidate.name.c_str(), candidate.ns / 1e3,
                candidates[0].ns / candidate.ns);
    if (candidate.name == "dense") {
      std::printf(" (%.0f GF)", 2.0 * rows * cols * n / candidate.ns);
    } else if (info.bytes > 0) {
      std::printf(" (%.1f B/nz)", static_cast<double>(info.bytes) / csr.values.size());
    }
    if (info.predicted_ns > 0) std::printf(" [%.2f]", info.predicted_ns / 1e3);
  }
  std::printf("\n");
  std::fflush(stdout);
}

// 200 cells from a small layer to one beyond the second-level cache.
void grid(const LinearOptions& options) {
  constexpr uint32_t kShapes[][2] = {{64, 128}, {300, 784}, {512, 512}, {1024, 1024}, {1280, 320}};
  constexpr int kBatches[] = {1, 2, 4, 5, 8, 16, 24, 64};
  constexpr double kSparsities[] = {0.3, 0.5, 0.75, 0.9, 0.97};
  int cells = 0, bad = 0;
  double worst = 0, sum = 0;
  for (const auto& shape : kShapes) {
    for (double sparsity : kSparsities) {
      const Csr csr = pruned_gaussian(shape[0], shape[1], sparsity);
      for (int n : kBatches) {
        Buffers buffers(shape[0], shape[1], n);
        std::vector<Racer> candidates = candidates_for(csr, n, options, {""});
        time_candidates(candidates, [&](const Linear& linear) { buffers.run(linear); });
        const Racer* best = &candidates.front();
        const Racer* chosen = best;
        for (const Racer& candidate : candidates) {
          if (candidate.ns < best->ns) best = &candidate;
          if (candidate.name.compare(0, 6, "chosen") == 0) chosen = &candidate;
        }
        const double regret = chosen->ns / best->ns - 1;
        ++cells;
        sum += regret;
        worst = std::max(worst, regret);
        bad += regret > 0.15;
        std::printf("%ux%u n=%d %.2f: %s %.2f us, best %s %.2f us, %+.1f %%%s\n", shape[0],
                    shape[1], n, sparsity, chosen->name.c_str(), chosen->ns / 1e3,
                    best->name.c_str(), best->ns / 1e3, 100 * regret, regret > 0.15 ? " *" : "");
      }
    }
  }
  std::printf(
      "%d cells: %.1f %% slower than the best on the mean, %.1f %% at worst, %d above 15 %%\n",
      cells, 100 * sum / cells, 100 * worst, bad);
}

// The shortest of five packings of each layout, with its own plan; and of planning them all for one
// sample, which is what choosing takes, without packing.
void pack(const LinearOptions& base) {
  for (double sparsity : {0.5, 0.75, 0.9, 0.95}) {
    const Csr csr = pruned_gaussian(1024, 1024, sparsity);
    std::printf("1024x1024 %.2f:", sparsity);
    for (const std::string& layout : linear_layouts(base.isa)) {
      if (layout == "csr") continue;
      const int n = layout == "tiles" ? 64 : 1;
      LinearOptions options = base;
      options.layout = layout;
      double least = HUGE_VAL;
      size_t bytes = 0;
      for (int i = 0; i < 5; ++i) {
        const auto linear = Linear::make(csr.view(), nullptr, {}, options);
        const double start = now_ns();
        linear->prepare(n);
        least = std::min(least, now_ns() - start);
        bytes = linear->info(n).bytes;
      }
      std::printf("  %s %.1f ms a million non-zeros, %.1f B/nz", layout.c_str(),
                  least / csr.values.size(), static_cast<double>(bytes) / csr.values.size());
    }
    double least = HUGE_VAL;
    const std::vector<float> bias(csr.rows);
    for (int i = 0; i < 5; ++i) {
      const double start = now_ns();
      candidates(csr.view(), bias.data(), base.isa, 1, base.cold, ValueFormat::kFloat32, "");
      least = std::min(least, now_ns() - start);
    }
    std::printf("  choosing among all %.1f ms a million non-zeros\n", least / csr.values.size());
  }
}

void threads(const LinearOptions& options) {
  ThreadPool pool(1);
  for (const auto& [rows, cols] :
       {std::pair{64u, 64u}, {512u, 784u}, {1024u, 1024u}, {4096u, 1024u}}) {
    for (double sparsity : {0.75, 0.9}) {
      const Csr csr = pruned_gaussian(rows, cols, sparsity);
      for (int n : {1, 16, 64}) {
        Buffers buffers(rows, cols, n);
        std::vector<Racer> both(2);
        for (Racer& candidate : both) {
          candidate.copies.push_back(
              Linear::make(csr.view(), nullptr, {ActivationKind::kRelu, 0, 0}, options));
          candidate.copies[0]->prepare(n);
        }
        const Linear* two = both[1].copies[0].get();
        const int parts = two->parts(n, 2);
        time_candidates(both, [&](const Linear& linear) {
          if (&linear != two || parts == 1) return buffers.run(linear);
          pool.run(parts, 2, [&](int part) { buffers.run(linear, part, parts); });
        });
        std::printf("%ux%u n=%d %.2f: %.2f us, with two threads %.2f us, x%.2f (%d parts)\n", rows,
                    cols, n, sparsity, both[0].ns / 1e3, both[1].ns / 1e3, both[0].ns / both[1].ns,
                    parts);
      }
    }
  }
}

std::vector<std::string> split(const char* list) {
  std::vector<std::string> items{""};
  for (; *list != '\0'; ++list) {
    if (*list == ',') {
      items.emplace_back();
    } else {
      items.back() += *list;
    }
  }
  return items;
}

}  // namespace
}  // namespace espalier

int main(int argc, char** argv) {
  using namespace espalier;
  const auto argument = [&](int i, const char* fallback) { return argc > i ? argv[i] : fallback; };
  const std::string mode = argument(1, "");
  const bool listed = mode != "grid" && mode != "pack" && mode != "threads";
  const std::optional<Isa> isa = isa_from_name(argument(listed ? 4 : 2, isa_name(best_isa())));
  if (!isa || !isa_available(*isa)) {
    std::fprintf(stderr, "This machine has no instruction set of that name.\n");
    return 2;
  }
  LinearOptions options;
  options.isa = *isa;
  if (mode == "grid") return grid(options), 0;
  if (mode == "pack") return pack(options), 0;
  if (mode == "threads") return threads(options), 0;
  options.cold = std::strcmp(argument(5, "hot"), "cold") == 0;
  const std::string values = argument(7, "");
  for (int i = 0; i < kValueFormats; ++i) {
    if (values == kValueFormatNames[i]) options.values = static_cast<ValueFormat>(i);
  }
  for (const std::string& shape : split(argument(1, "512x784,1024x1024,4096x1024,4096x4096"))) {
    unsigned rows = 0, cols = 0;
    if (std::sscanf(shape.c_str(), "%ux%u", &rows, &cols) != 2) return 2;
    for (const std::string& n : split(argument(2, "1,4,8,16,64"))) {
      for (const std::string& sparsity : split(argument(3, "0.5,0.75,0.9,0.95"))) {
        bench(rows, cols, std::atoi(n.c_str()), std::atof(sparsity.c_str()), options,
              split(argument(6, "")));
      }
    }
  }
  return 0;
}
