/** Takes its process down. */
export default {
  name: 'crash',
  load() {
    process.abort();
  },
  run: () => [],
  dispose() {},
};
