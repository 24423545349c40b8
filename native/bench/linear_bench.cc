// How fast the layouts of Linear are beside our own dense: linear_bench [ROWSxCOLS,...] [N,...]
// [SPARSITY,...] [ISA] [cold]
//
// One thread, random masks. A candidate is called six times to warm up, then timed in short rounds
// that alternate with the others; the lower decile is told, since whatever else a shared machine
// does only makes rounds longer. "cold" cycles through copies that together exceed the third-level
// cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cpu/features.h"
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

struct Candidate {
  std::string name;
  std::vector<std::unique_ptr<Linear>> copies;
  size_t next = 0;
  int calls = 1;
  std::vector<double> rounds;
  double ns = 0;
};

constexpr int kRounds = 40;

void time_candidates(std::vector<Candidate>& candidates,
                     const std::function<void(const Linear&)>& run) {
  for (Candidate& candidate : candidates) {
    for (int i = 0; i < 6; ++i) run(*candidate.copies[i % candidate.copies.size()]);
    const double start = now_ns();
    for (int i = 0; i < 3; ++i) run(*candidate.copies[i % candidate.copies.size()]);
    candidate.calls = std::clamp(static_cast<int>(1e5 / ((now_ns() - start) / 3)), 1, 20000);
  }
  for (int round = 0; round < kRounds; ++round) {
    for (Candidate& candidate : candidates) {
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
  for (Candidate& candidate : candidates) {
    std::sort(candidate.rounds.begin(), candidate.rounds.end());
    candidate.ns = candidate.rounds[candidate.rounds.size() / 10];
  }
}

void bench(uint32_t rows, uint32_t cols, int n, double sparsity, Isa isa, bool cold,
           const std::vector<std::string>& only) {
  const Csr csr = pruned_gaussian(rows, cols, sparsity);
  const size_t columns = (n + 15) / 16 * 16;
  const size_t x_stride = (cols + 15) / 16 * 16, y_stride = (rows + 15) / 16 * 16;
  AlignedVector<float> x(std::max(columns * cols, 4 * x_stride)),
      y(std::max(columns * rows, 4 * y_stride));
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (float& value : x) value = normal(random);
  const auto run = [&](const Linear& linear) {
    if (n <= kSampleMajorMax) {
      linear.run_samples(x.data(), x_stride, y.data(), y_stride, n, 0, 1);
    } else {
      linear.run_panel(x.data(), columns, y.data(), columns, n, 0, 1);
    }
  };
  std::vector<Candidate> candidates;
  std::vector<std::string> layouts = linear_layouts(isa);
  layouts.push_back("");
  std::sort(layouts.begin(), layouts.end(),
            [](const auto& a, const auto& b) { return (a == "dense") > (b == "dense"); });
  for (const std::string& layout : layouts) {
    const bool wanted =
        only[0].empty() || std::find(only.begin(), only.end(), layout) != only.end();
    if (!wanted && layout != "dense" && !layout.empty()) continue;
    LinearOptions options;
    options.isa = isa;
    options.layout = layout;
    options.cold = cold;
    Candidate candidate;
    candidate.name = layout;
    size_t bytes = 0;
    do {
      candidate.copies.push_back(
          Linear::make(csr.view(), nullptr, {ActivationKind::kRelu, 0, 0}, options));
      candidate.copies.back()->prepare(n);
      bytes += std::max<size_t>(candidate.copies.back()->info(n).bytes, csr.values.size() * 8);
    } while (cold && bytes < 100u << 20);
    // A layout that has no kernel for n gives way to another.
    const std::string used = candidate.copies[0]->info(n).layout;
    if (used.compare(0, layout.size(), layout) != 0) continue;
    if (layout.empty()) candidate.name = "chosen:" + candidate.copies[0]->info(n).layout;
    candidates.push_back(std::move(candidate));
  }
  time_candidates(candidates, run);
  std::printf("%ux%u n=%d %.2f:", rows, cols, n, sparsity);
  for (const Candidate& candidate : candidates) {
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
  const std::optional<Isa> isa = isa_from_name(argument(4, isa_name(best_isa())));
  if (!isa || !isa_available(*isa)) {
    std::fprintf(stderr, "This machine has no instruction set of that name.\n");
    return 2;
  }
  const bool cold = std::strcmp(argument(5, "hot"), "cold") == 0;
  for (const std::string& shape : split(argument(1, "512x784,1024x1024,4096x1024,4096x4096"))) {
    unsigned rows = 0, cols = 0;
    if (std::sscanf(shape.c_str(), "%ux%u", &rows, &cols) != 2) return 2;
    for (const std::string& n : split(argument(2, "1,4,8,16,64"))) {
      for (const std::string& sparsity : split(argument(3, "0.5,0.75,0.9,0.95"))) {
        bench(rows, cols, std::atoi(n.c_str()), std::atof(sparsity.c_str()), *isa, cold,
              split(argument(6, "")));
      }
    }
  }
  return 0;
}
