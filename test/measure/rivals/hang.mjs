/** Never answers. */
export default {
  name: 'hang',
  load() {
    for (;;);
  },
  run: () => [],
  dispose() {},
};
