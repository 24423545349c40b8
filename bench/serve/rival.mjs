/**
 * A server for bench/serve.mjs: `rival.mjs ENGINE FOLDER`, prints the port. It takes the same bodies as espalier serve
 * (a JSON header, then float32) and answers in the same form. `direct` calls this engine and does nothing else, `echo`
 * only receives and returns; `run` is no server: it prints the microseconds of model.run alone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Fastify from 'fastify';

const [engine, folder] = process.argv.slice(2);
const WIDTH = 784;

const engines = {
  echo: () => async (input) => new Float32Array(input.buffer, input.byteOffset, 10),
  async onnxruntime() {
    const ort = await import('onnxruntime-node');
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 };
    const session = await ort.InferenceSession.create(readFileSync(join(folder, 'model.onnx')), options);
    const [name, out] = [session.inputNames[0], session.outputNames[0]];
    return async (input) => {
      const answer = await session.run({ [name]: new ort.Tensor('float32', input, [1, WIDTH]) });
      return answer[out].data;
    };
  },
  async direct() {
    const { loadModel } = await import('../../dist/index.js');
    const model = await loadModel(join(folder, 'm/1/model.esp'), { threads: 1 });
    return async (input) => (await model.run([{ data: input, shape: [1, WIDTH] }])).data;
  },
  async tfjs() {
    const tf = await import('@tensorflow/tfjs-node');
    const { toTfjs } = await import('../../dist/export/tfjs-of-program.js');
    const { networkOf } = await import('../networks.mjs');
    const { manifest, weights } = toTfjs(networkOf([784, 1024, 1024, 10], 0.75));
    writeFileSync(join(folder, 'weights.bin'), weights);
    writeFileSync(join(folder, 'model.json'), JSON.stringify(manifest));
    const model = await tf.loadLayersModel(`file://${join(folder, 'model.json')}`);
    return async (input) => {
      const x = tf.tensor2d(input, [1, WIDTH]);
      const y = model.predict(x);
      const data = await y.data();
      x.dispose();
      y.dispose();
      return data;
    };
  },
};

if (engine === 'run') {
  const { loadModel } = await import('../../dist/index.js');
  const model = await loadModel(join(folder, 'm/1/model.esp'), { threads: 1 });
  const input = new Float32Array(WIDTH).fill(0.5);
  const times = [];
  const until = performance.now() + 2000;
  while (performance.now() < until) {
    const began = performance.now();
    await model.run([{ data: input, shape: [1, WIDTH] }]);
    times.push(performance.now() - began);
  }
  console.log(1000 * times.sort((a, b) => a - b)[times.length >> 1]);
} else {
  const run = await engines[engine]();
  const app = Fastify({ logger: false });
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post('/v2/models/m/infer', async (request, reply) => {
    const at = Number(request.headers['inference-header-content-length']);
    const header = JSON.parse(request.body.latin1Slice(0, at));
    const bytes = Uint8Array.prototype.slice.call(
      request.body,
      at,
      at + header.inputs[0].parameters.binary_data_size,
    );
    const data = await run(new Float32Array(bytes.buffer));
    const answer = Buffer.from(
      JSON.stringify({
        model_name: 'm',
        outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 10], parameters: { binary_data_size: 40 } }],
      }),
    );
    reply.header('inference-header-content-length', answer.length).type('application/octet-stream');
    return Buffer.concat([answer, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  console.log(`serving on http://127.0.0.1:${app.server.address().port}`);
}
