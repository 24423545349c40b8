// What the operations without a matrix share.
#ifndef ESPALIER_NATIVE_PROGRAM_OPS_ELEMENTWISE_OPERATION_H_
#define ESPALIER_NATIVE_PROGRAM_OPS_ELEMENTWISE_OPERATION_H_

#include <algorithm>
#include <cmath>

#include "program/operation.h"
#include "program/refused.h"

namespace espalier {

// Features [begin, end) are a part's. Parts start at multiples of `unit`.
struct FeatureRange {
  size_t begin;
  size_t end;
};
inline FeatureRange feature_range(size_t features, size_t unit, int part, int parts) {
  const size_t units = (features + unit - 1) / unit;
  return {std::min(features, units * part / parts * unit),
          std::min(features, units * (part + 1) / parts * unit)};
}

class ElementwiseOperation : public Operation {
 public:
  // `unit`: features that one part must keep together.
  ElementwiseOperation(size_t features, size_t unit, double ns_per_value, Isa isa)
      : kernels_(elementwise_kernels(isa)),
        features_(features),
        unit_(unit),
        ns_per_value_(ns_per_value),
        isa_(isa) {}

  int parts(int n, int max_parts) const override {
    constexpr double kPartNs = 8000;  // a thread is worth waking for this much
    const size_t units = std::max<size_t>(1, features_ / unit_);
    const double worth = std::min<double>(predicted_ns(n) / kPartNs, static_cast<double>(units));
    return std::max(1, std::min(max_parts, static_cast<int>(worth)));
  }
  double predicted_ns(int n) const override {
    const double columns = n <= kSampleMajorMax ? n : static_cast<double>(aligned_values(n));
    return 5 + ns_per_value_ * features_ * columns;
  }
  OperationInfo info(int n) const override {
    OperationInfo info;
    info.layout = "none";
    info.kernel = std::string("elementwise_f32_") + isa_name(isa_);
    info.reason = "no matrix";
    info.predicted_ns = info.dense_ns = predicted_ns(n);
    info.bytes = bytes();
    return info;
  }

 protected:
  FeatureRange range(int part, int parts) const {
    return feature_range(features_, unit_, part, parts);
  }

  const ElementwiseKernels& kernels_;
  size_t features_;
  size_t unit_;

 private:
  double ns_per_value_;
  Isa isa_;
};

// A rough price of an activation, in ns a value.
inline double activation_ns(ActivationKind kind) {
  return kind == ActivationKind::kLinear        ? 0
         : kind <= ActivationKind::kLeakyRelu   ? 0.1
         : kind == ActivationKind::kHardSigmoid ? 0.15
                                                : 0.8;
}

inline void require_same_features(const OperationContext& context) {
  for (uint64_t features : context.input_features) {
    if (features != context.output_features) {
      refuse_model("has inputs of " + std::to_string(features) + " features and an output of " +
                   std::to_string(context.output_features));
    }
  }
}

inline void require_finite(const FloatsSpec& floats, const char* name) {
  for (size_t i = 0; i < floats.length; ++i) {
    if (!std::isfinite(floats.data[i])) {
      refuse_model(std::string(name) + " must be finite; it holds " +
                   std::to_string(floats.data[i]) + " at " + std::to_string(i));
    }
  }
}

// The field "group", the first of sizes: runs of so many consecutive features.
inline void require_groups(const OperationSpec& spec, const OperationContext& context) {
  require_same_features(context);
  const uint64_t group = spec.sizes[0];
  if (group == 0 || context.output_features % group != 0) {
    refuse_model("the group of " + std::to_string(group) + " does not divide the " +
                 std::to_string(context.output_features) + " features");
  }
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_PROGRAM_OPS_ELEMENTWISE_OPERATION_H_
