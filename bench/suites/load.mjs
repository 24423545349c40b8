/** From the bytes of a file to a model that has answered once, beside onnxruntime-node. See race.mjs for how it is run. */
import { loadModel } from '../../dist/index.js';
import { toOnnx } from '../../dist/export/onnx/index.js';
import { espBytes } from '../../dist/measure/source.js';
import { networkOf } from '../networks.mjs';
import { finish, networksOf, report, timeAll } from './race.mjs';

const ort = await import('onnxruntime-node').catch(() => undefined);

for (const network of networksOf('models')) {
  const { units, sparsity } = network;
  const program = networkOf(units, sparsity);
  const esp = await espBytes(program);
  const input = new Float32Array(units[0]).fill(0.5);
  const candidates = [
    {
      id: 'espalier',
      name: 'loadModel and runSync',
      call: async () => {
        const model = await loadModel(esp, { threads: 1 });
        model.runSync(input);
        model.dispose();
      },
    },
  ];
  if (ort !== undefined) {
    const onnx = await toOnnx(program);
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 };
    candidates.push({
      id: 'onnxruntime',
      name: 'onnxruntime-node create and run',
      call: async () => {
        const session = await ort.InferenceSession.create(onnx, options);
        await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', input, [1, units[0]]) });
        await session.release();
      },
    });
  }
  report(network, 1, await timeAll(`${network.name}, load`, candidates), ['espalier']);
}
await finish('load');
