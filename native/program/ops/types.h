// The types of operations, one a file.
#ifndef ESPALIER_NATIVE_PROGRAM_OPS_TYPES_H_
#define ESPALIER_NATIVE_PROGRAM_OPS_TYPES_H_

#include "program/operation.h"

namespace espalier {

extern const OperationType kLinearType;
extern const OperationType kAffineType;
extern const OperationType kActivateType;
extern const OperationType kSoftmaxType;
extern const OperationType kAddType;
extern const OperationType kConcatType;
extern const OperationType kCombineType;
extern const OperationType kGatherType;

// Normalisations and sequences.
extern const OperationType kLogSoftmaxType;
extern const OperationType kNormalizeType;
extern const OperationType kEmbeddingType;
extern const OperationType kRecurrentType;
extern const OperationType kMatmulType;
extern const OperationType kStepMaskType;
extern const OperationType kMaskScoresType;

// Images.
extern const OperationType kToPlanesType;
extern const OperationType kToPixelsType;
extern const OperationType kFrameType;
extern const OperationType kConvType;
extern const OperationType kDepthwiseType;
extern const OperationType kPoolType;
extern const OperationType kGlobalPoolType;
extern const OperationType kChannelAffineType;
extern const OperationType kChannelScaleType;

}  // namespace espalier

#endif  // ESPALIER_NATIVE_PROGRAM_OPS_TYPES_H_
