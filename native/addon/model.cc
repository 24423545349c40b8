#include "addon/model.h"

#include <algorithm>
#include <cstring>

#include "addon/environment.h"
#include "addon/js.h"

namespace espalier {

Program& Model::program() {
  if (program_ == nullptr) js::refuse("DISPOSED", "the model is disposed");
  return *program_;
}

std::unique_ptr<Workspace> Model::take_workspace() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!free_.empty()) {
      std::unique_ptr<Workspace> workspace = std::move(free_.back());
      free_.pop_back();
      return workspace;
    }
  }
  return std::unique_ptr<Workspace>(new (std::nothrow) Workspace());
}

void Model::give_workspace(std::unique_ptr<Workspace> workspace) {
  std::lock_guard<std::mutex> lock(mutex_);
  try {
    free_.push_back(std::move(workspace));
  } catch (const std::bad_alloc&) {
  }
}

void Model::begin() {
  std::lock_guard<std::mutex> lock(mutex_);
  ++running_;
}

void Model::end() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (--running_ == 0) idle_.notify_all();
}

void Model::dispose() {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return running_ == 0; });
  program_.reset();
  free_.clear();
  now_ = Workspace();
}

void Model::report_memory(Napi::Env env) {
  reported_ = static_cast<int64_t>(bytes());
  Napi::MemoryManagement::AdjustExternalMemory(env, reported_);
}

void Model::unreport_memory(Napi::Env env) {
  Napi::MemoryManagement::AdjustExternalMemory(env, -reported_);
  reported_ = 0;
}

size_t Model::bytes() {
  size_t total = program().bytes() + now_.bytes();
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& workspace : free_) total += workspace->bytes();
  return total;
}

}  // namespace espalier
