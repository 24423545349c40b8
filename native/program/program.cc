#include "program/program.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>

namespace espalier {
namespace {

// Waking a thread for less than this does not pay.
constexpr double kThreadNs = 8000;

bool overlap(const float* a, size_t a_floats, const float* b, size_t b_floats) {
  return reinterpret_cast<uintptr_t>(a) < reinterpret_cast<uintptr_t>(b + b_floats) &&
         reinterpret_cast<uintptr_t>(b) < reinterpret_cast<uintptr_t>(a + a_floats);
}

double now_ns() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

size_t Workspace::bytes() const {
  size_t total = 0;
  for (const Lane& lane : lanes_) {
    total += lane.arena.capacity() * sizeof(float) + lane.operands.capacity() * sizeof(Operand);
  }
  for (const auto& copy : copies_) total += copy.capacity() * sizeof(float);
  return total;
}

bool Program::prepare_plan(size_t batch) {
  const size_t index = plan_for(batch);
  const int columns = plan_columns(index);
  const int n = static_cast<int>(std::min<size_t>(batch, columns));
  gate_.lock();
  bool done = (prepared_.load(std::memory_order_relaxed) & 1u << index) != 0;
  try {
    if (!done) {
      for (Step& step : steps_) {
        if (!step.operation->prepare(n)) throw std::bad_alloc();
      }
      plans_[index] = make_plan(features_, inputs_, outputs_, steps_, columns, threads_);
      prepared_.fetch_or(1u << index, std::memory_order_release);
      done = true;
    }
  } catch (const std::bad_alloc&) {
  }
  gate_.unlock();
  return done;
}

bool Program::reserve(Workspace& workspace, const Plan& plan, size_t lanes) const {
  try {
    if (workspace.lanes_.size() < lanes) workspace.lanes_.resize(lanes);
    if (workspace.fault_ == nullptr) workspace.fault_ = std::make_unique<Fault>();
    for (size_t i = 0; i < lanes; ++i) {
      Workspace::Lane& lane = workspace.lanes_[i];
      lane.fault = workspace.fault_.get();
      if (lane.arena.size() >= plan.floats && lane.operands.size() == features_.size()) continue;
      lane.resolved = nullptr;
      if (lane.arena.size() < plan.floats) {
        lane.arena = {};
        lane.arena.resize(plan.floats);
      }
      lane.operands.resize(features_.size());
    }
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool Program::run(Workspace& workspace, size_t batch, const float* const* inputs,
                  float* const* outputs) {
  gate_.lock_shared();
  if (workspace.fault_ != nullptr) workspace.fault_->clear();
  const Plan& plan = plans_[plan_for(batch)];
  bool done = false;
  try {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      for (size_t o = 0; o < outputs_.size(); ++o) {
        const size_t floats = batch * input_features(i);
        if (!overlap(inputs[i], floats, outputs[o], batch * output_features(o))) continue;
        if (workspace.inputs_.empty()) workspace.inputs_.resize(inputs_.size());
        if (inputs != workspace.inputs_.data()) {
          std::copy(inputs, inputs + inputs_.size(), workspace.inputs_.begin());
          inputs = workspace.inputs_.data();
        }
        workspace.copies_.resize(inputs_.size());
        workspace.copies_[i].assign(inputs[i], inputs[i] + floats);
        workspace.inputs_[i] = workspace.copies_[i].data();
      }
    }
    done = reserve(workspace, plan, lanes_for(batch));
  } catch (const std::bad_alloc&) {
  }
  if (done && plan.columns <= kSampleMajorMax) {
    for (size_t sample = 0; sample < batch; sample += plan.columns) {
      const int n = static_cast<int>(std::min<size_t>(plan.columns, batch - sample));
      run_samples(workspace.lanes_[0], plan, sample, n, inputs, outputs);
    }
  } else if (done) {
    run_panels(workspace, plan, batch, inputs, outputs);
  }
  gate_.unlock_shared();
  return done && !workspace.fault_->seen();
}

bool Program::profile(Workspace& workspace, size_t batch, const float* const* inputs,
                      float* const* outputs, int repeats, double* ns) {
  std::fill(ns, ns + steps_.size(), 0.0);
  gate_.lock_shared();
  bool done = reserve(workspace, plans_[plan_for(batch)], 1);
  gate_.unlock_shared();
  if (!done) return false;
  const Workspace::Profile profile = {ns, repeats};
  workspace.lanes_[0].profile = &profile;
  done = run(workspace, batch, inputs, outputs);
  workspace.lanes_[0].profile = nullptr;
  return done;
}

void Program::resolve(Workspace::Lane& lane, const Plan& plan) const {
  if (lane.resolved == &plan) return;
  for (size_t v = 0; v < features_.size(); ++v) {
    const bool external = plan.offsets[v] == Plan::kExternal;
    lane.operands[v] = {external ? nullptr : lane.arena.data() + plan.offsets[v], plan.strides[v]};
  }
  lane.scratch = lane.arena.data() + plan.scratch;
  lane.resolved = &plan;
}

void Program::run_samples(Workspace::Lane& lane, const Plan& plan, size_t sample, int n,
                          const float* const* inputs, float* const* outputs) const {
  resolve(lane, plan);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    lane.operands[inputs_[i]].data = inputs[i] + sample * input_features(i);
  }
  for (size_t o = 0; o < outputs_.size(); ++o) {
    if (!copied_[o]) lane.operands[outputs_[o]].data = outputs[o] + sample * output_features(o);
  }
  run_operations<false>(lane, plan, n, threads_);
  for (size_t o = 0; o < outputs_.size(); ++o) {
    if (!copied_[o]) continue;
    std::memcpy(outputs[o] + sample * output_features(o), lane.operands[outputs_[o]].data,
                n * output_features(o) * sizeof(float));
  }
}

void Program::run_panel(Workspace::Lane& lane, const Plan& plan, size_t column, int n, int threads,
                        const float* const* inputs, float* const* outputs) const {
  resolve(lane, plan);
  const size_t ld = plan.columns;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const size_t features = input_features(i);
    float* panel = lane.arena.data() + plan.offsets[inputs_[i]];
    kernels_->transpose(inputs[i] + column * features, features, panel, ld, n, features);
    // What lies in the columns after the last sample means nothing, but may be slow to compute
    // with.
    const size_t padding = aligned_values(n) - n;
    if (padding == 0) continue;
    for (size_t f = 0; f < features; ++f) {
      std::memset(panel + f * ld + n, 0, padding * sizeof(float));
    }
  }
  run_operations<true>(lane, plan, n, threads);
  for (size_t o = 0; o < outputs_.size(); ++o) {
    const size_t features = output_features(o);
    kernels_->transpose(lane.operands[outputs_[o]].data, ld, outputs[o] + column * features,
                        features, features, n);
  }
}

double Program::panel_ns(int n) const {
  double ns = 0;
  for (const Step& step : steps_) ns += step.operation->predicted_ns(n);
  return ns;
}

size_t Program::lanes_for(size_t batch) const {
  if (threads_ == 1 || panel_columns_ <= kSampleMajorMax) return 1;
  if (batch <= static_cast<size_t>(panel_columns_)) return 1;
  const size_t panels = batch / panel_columns_;  // the last one, if it is not full, comes alone
  const double worth = panels * panel_ns(panel_columns_) / kThreadNs;
  return std::max<size_t>(1, std::min({panels, static_cast<size_t>(threads_),
                                       static_cast<size_t>(std::min(worth, 1e6))}));
}

void Program::run_panels(Workspace& workspace, const Plan& plan, size_t batch,
                         const float* const* inputs, float* const* outputs) const {
  const size_t width = panel_columns_;
  const size_t lanes = workspace.lanes_[0].profile != nullptr ? 1 : lanes_for(batch);
  // Whole rounds of panels side by side; the rest one after the other, each by all threads.
  const size_t side_by_side = lanes == 1 ? 0 : batch / width / lanes * lanes;
  if (side_by_side > 0) {
    const size_t each = side_by_side / lanes;
    pool_->run(static_cast<int>(lanes), static_cast<int>(lanes), [&](int part) {
      for (size_t i = part * each; i < (part + 1) * each; ++i) {
        run_panel(workspace.lanes_[part], plan, i * width, static_cast<int>(width), 1, inputs,
                  outputs);
      }
    });
  }
  for (size_t column = side_by_side * width; column < batch; column += width) {
    const int n = static_cast<int>(std::min(width, batch - column));
    run_panel(workspace.lanes_[0], plan, column, n, threads_, inputs, outputs);
  }
}

template <bool kPanel>
void Program::run_operations(const Workspace::Lane& lane, const Plan& plan, int n,
                             int threads) const {
  const Workspace::Profile* profile = lane.profile;
  for (const Step& step : steps_) {
    const Operand& output = lane.operands[step.output];
    const OperationCall call = {
        lane.operands.data(), step.inputs.data(), const_cast<float*>(output.data), output.stride, n,
        lane.scratch,         lane.fault};
    if (profile == nullptr) {
      run_step<kPanel>(step, call, plan, threads);
      continue;
    }
    // Inputs and output do not overlap: it can be done again.
    const double start = now_ns();
    for (int i = 0; i < profile->repeats; ++i) run_step<kPanel>(step, call, plan, threads);
    profile->ns[&step - steps_.data()] += (now_ns() - start) / profile->repeats;
  }
}

template <bool kPanel>
void Program::run_step(const Step& step, const OperationCall& call, const Plan& plan,
                       int threads) const {
  const Operation& operation = *step.operation;
  const int parts = threads > 1 ? operation.parts(call.n, threads) : 1;
  if (parts == 1) {
    kPanel ? operation.run_panel(call, 0, 1) : operation.run_samples(call, 0, 1);
    return;
  }
  pool_->run(parts, threads, [&](int part) {
    OperationCall own = call;
    own.scratch = call.scratch + part * plan.part_scratch;
    kPanel ? operation.run_panel(own, part, parts) : operation.run_samples(own, part, parts);
  });
}

double Program::predicted_ns(size_t batch) {
  gate_.lock_shared();
  const size_t width = panel_columns_;
  const size_t full = batch <= width ? 0 : batch / width, left = batch - full * width;
  const double ns = (full > 0 ? full * panel_ns(static_cast<int>(width)) : 0) +
                    (left > 0 ? panel_ns(static_cast<int>(left)) : 0);
  gate_.unlock_shared();
  return ns;
}

std::vector<OperationInfo> Program::explain(size_t batch) {
  const int n = static_cast<int>(std::min<size_t>(batch, panel_columns_));
  const double times = static_cast<double>(batch) / n;
  std::vector<OperationInfo> infos;
  for (const Step& step : steps_) {
    OperationInfo info = step.operation->info(n);
    info.name = step.name;
    info.op = step.type;
    info.predicted_ns *= times;
    info.dense_ns *= times;
    info.measured_ns *= times;
    infos.push_back(std::move(info));
  }
  return infos;
}

size_t Program::bytes() {
  gate_.lock_shared();
  size_t total = 0;
  for (const Step& step : steps_) total += step.operation->bytes();
  gate_.unlock_shared();
  return total;
}

}  // namespace espalier
