/** Computes something else. */
export default {
  name: 'wrong',
  load() {},
  run: (inputs) => [new Float32Array(inputs[0].shape[0]).fill(12345)],
  dispose() {},
};
