/** Asks for more memory than there is. */
export default {
  name: 'memory',
  load() {
    new ArrayBuffer(2 ** 46);
  },
  run: () => [],
  dispose() {},
};
