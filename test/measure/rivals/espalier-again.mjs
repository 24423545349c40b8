/** A user's own rival that works: espalier by its public door. */
let model;
export const rival = {
  name: 'my own',
  async load({ files, threads }) {
    const { loadModel } = await import('../../../dist/index.js');
    model = await loadModel(files.esp, { threads });
  },
  run: (inputs) => [model.runSync(inputs[0].data)],
  dispose: () => model.dispose(),
  versions: () => ({ mine: '1.2.3' }),
};
