#include "program/ops/types.h"

namespace espalier {

const std::vector<const OperationType*>& operation_types() {
  static const std::vector<const OperationType*> types = {
      &kLinearType,        &kAffineType,       &kActivateType,   &kSoftmaxType,    &kAddType,
      &kConcatType,        &kCombineType,      &kGatherType,     &kToPlanesType,   &kToPixelsType,
      &kFrameType,         &kConvType,         &kDepthwiseType,  &kPoolType,       &kGlobalPoolType,
      &kChannelAffineType, &kChannelScaleType, &kLogSoftmaxType, &kNormalizeType,  &kEmbeddingType,
      &kRecurrentType,     &kMatmulType,       &kStepMaskType,   &kMaskScoresType,
  };
  return types;
}

const OperationType* find_operation_type(const std::string& name) {
  for (const OperationType* type : operation_types()) {
    if (name == type->name) return type;
  }
  return nullptr;
}

}  // namespace espalier
