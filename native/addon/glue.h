// The little JavaScript of the addon: wrappers that V8 inlines where a look through Node-API would
// cost as much as a small network.
#ifndef ESPALIER_NATIVE_ADDON_GLUE_H_
#define ESPALIER_NATIVE_ADDON_GLUE_H_

namespace espalier {

// Evaluates to { bound, runSync }.
//
// bound(call, checked, input, inputLength, output, outputLength): a function that runs `call` while
// both arrays have their lengths. A detached buffer has length 0, and memory does not move while it
// is attached, so `call` needs to look at nothing. Otherwise `checked` says what is wrong. The
// length is read by the intrinsic getter: a property of the same name on the array is not trusted.
//
// runSync(one, many): one(batch, input, output) where there is one of each, else many(...).
inline constexpr char kGlue[] = R"js((() => {
  'use strict';
  const { isArray } = Array;
  const typedArray = Object.getPrototypeOf(Float32Array.prototype);
  const { get } = Object.getOwnPropertyDescriptor(typedArray, 'length');
  const lengthOf = Function.prototype.call.bind(get);
  return {
    bound: (call, checked, input, inputLength, output, outputLength) => () => {
      if (lengthOf(input) !== inputLength || lengthOf(output) !== outputLength) checked();
      else call();
    },
    runSync: (one, many) => (batch, inputs, outputs) => {
      if (isArray(inputs) && inputs.length === 1 && isArray(outputs) && outputs.length === 1) {
        one(batch, inputs[0], outputs[0]);
      } else many(batch, inputs, outputs);
    },
  };
})())js";

}  // namespace espalier

#endif  // ESPALIER_NATIVE_ADDON_GLUE_H_
