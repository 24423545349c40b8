/** Single Dense layers in every layout that the engine has, each forced. See race.mjs for how it is run. */
import { loadModel } from '../../dist/index.js';
import { espBytes } from '../../dist/measure/source.js';
import { networkOf } from '../networks.mjs';
import { finish, networksOf, report, timeAll } from './race.mjs';

/** The names are the engine's: it tells them where one is not known. */
async function layouts(esp) {
  try {
    await loadModel(esp, { layout: 'none such' });
    return [];
  } catch (error) {
    return /expected one of (.*), received/.exec(error.message)?.[1]?.split(', ') ?? [];
  }
}

for (const network of networksOf('layers')) {
  const { units, sparsity, batches } = network;
  const esp = await espBytes(networkOf(units, sparsity));
  for (const batch of batches) {
    const inputs = new Float32Array(batch * units[0]).fill(0.5);
    const outputs = new Float32Array(batch * units.at(-1));
    const models = [];
    const candidates = [];
    for (const layout of await layouts(esp)) {
      const model = await loadModel(esp, { threads: 1, layout, batchSizes: [batch] });
      models.push(model);
      // A layout that has no kernel for this batch gives way to another.
      if (!model.explain(batch)[0].layout.startsWith(layout)) continue;
      candidates.push({ id: layout, name: layout, call: model.bind({ inputs, outputs }) });
    }
    report(network, batch, await timeAll(`${network.name}, batch ${batch}`, candidates), ['dense']);
    for (const model of models) model.dispose();
  }
}
await finish('kernels');
