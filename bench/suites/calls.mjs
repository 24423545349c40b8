/**
 * What a call costs by each way of calling: a network of one weight, where nothing else is left, and a small real one.
 * See race.mjs for how it is run.
 */
import { loadModel } from '../../dist/index.js';
import { espBytes } from '../../dist/measure/source.js';
import { networkOf } from '../networks.mjs';
import { finish, networksOf, report, timeAll } from './race.mjs';

for (const network of networksOf('calls')) {
  const { units, sparsity, batches } = network;
  const model = await loadModel(await espBytes(networkOf(units, sparsity)), { threads: 1 });
  for (const batch of batches) {
    const inputs = new Float32Array(batch * units[0]).fill(0.5);
    const outputs = new Float32Array(batch * units.at(-1));
    const candidates = [
      { id: 'bind', name: 'bind', call: model.bind({ inputs, outputs }) },
      { id: 'runSync-outputs', name: 'runSync into outputs', call: () => model.runSync(inputs, { outputs }) },
      { id: 'runSync', name: 'runSync', call: () => model.runSync(inputs) },
      { id: 'run-outputs', name: 'run into outputs', call: () => model.run(inputs, { outputs }) },
    ];
    report(network, batch, await timeAll(`${network.name}, batch ${batch}`, candidates), ['bind']);
  }
  model.dispose();
}
await finish('calls');
