// The one list of operations: each is a file of this folder that defines k<Name>Type.
#include "program/operation.h"

#define ESPALIER_OPERATIONS(X) \
  X(Linear)                    \
  X(Affine)                    \
  X(Activate)                  \
  X(Softmax)                   \
  X(LogSoftmax)                \
  X(Add)                       \
  X(Concat)                    \
  X(Combine)                   \
  X(Gather)                    \
  X(Normalize)                 \
  X(Embedding)                 \
  X(Recurrent)                 \
  X(Matmul)                    \
  X(StepMask)                  \
  X(MaskScores)                \
  X(ToPlanes)                  \
  X(ToPixels)                  \
  X(Frame)                     \
  X(Conv)                      \
  X(Depthwise)                 \
  X(Pool)                      \
  X(GlobalPool)                \
  X(ChannelAffine)             \
  X(ChannelScale)

namespace espalier {

#define ESPALIER_DECLARE(name) extern const OperationType k##name##Type;
ESPALIER_OPERATIONS(ESPALIER_DECLARE)

const std::vector<const OperationType*>& operation_types() {
#define ESPALIER_ADDRESS(name) &k##name##Type,
  static const std::vector<const OperationType*> types = {ESPALIER_OPERATIONS(ESPALIER_ADDRESS)};
  return types;
}

const OperationType* find_operation_type(const std::string& name) {
  for (const OperationType* type : operation_types()) {
    if (name == type->name) return type;
  }
  return nullptr;
}

}  // namespace espalier
