/**
 * Figures of a whole process, each measured in a fresh one: `node --expose-gc bench/probes.mjs PROBE JSON` prints what
 * came out as JSON. figures.mjs asks for them.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadModel } from '../dist/index.js';

const product = (shape) => shape.slice(1).reduce((all, extent) => all * extent, 1);

/** RSS before, after and at each tenth of so many calls, in bytes. Garbage is no leak: it is collected before each look. */
async function memory({ file, way, warmUp, calls }) {
  const model = await loadModel(file, { threads: 1 });
  const inputs = new Float32Array(product(model.inputs[0].shape)).fill(0.5);
  const outputs = new Float32Array(product(model.outputs[0].shape));
  const call = {
    bind: model.bind({ inputs, outputs }),
    'runSync into outputs': () => model.runSync(inputs, { outputs }),
    runSync: () => model.runSync(inputs),
  }[way];
  const times = (count) => {
    for (let i = 0; i < count; i++) call();
  };
  const rss = () => {
    globalThis.gc();
    return process.memoryUsage.rss();
  };
  times(warmUp);
  const before = rss();
  const after = [];
  for (let tenth = 0; tenth < 10; tenth++) {
    times(calls / 10);
    after.push(rss());
  }
  return { before, after };
}

/**
 * The delay of the event loop in milliseconds while it is idle, while `run` computes on its thread, and, to see that
 * the measure sees it, while runSync blocks it.
 */
async function eventLoop({ file, batch, seconds }) {
  const model = await loadModel(file, { threads: 1 });
  const inputs = new Float32Array(batch * product(model.inputs[0].shape)).fill(0.5);
  const outputs = new Float32Array(batch * product(model.outputs[0].shape));
  for (let i = 0; i < 5; i++) await model.run(inputs, { outputs });
  const watch = async (work) => {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    let calls = 0;
    const begin = performance.now();
    while (calls < 3 || performance.now() - begin < seconds * 1000) {
      await work();
      calls++;
    }
    const callMs = (performance.now() - begin) / calls;
    histogram.disable();
    const ms = (nanoseconds) => nanoseconds / 1e6;
    return {
      p50: ms(histogram.percentile(50)),
      p99: ms(histogram.percentile(99)),
      max: ms(histogram.max),
      callMs,
    };
  };
  return {
    idle: await watch(() => sleep(50)),
    run: await watch(() => model.run(inputs, { outputs })),
    // A turn between calls, as a server would have one.
    runSync: await watch(async () => {
      model.runSync(inputs, { outputs });
      await sleep(1);
    }),
  };
}

const [probe, settings] = process.argv.slice(2);
const answer = await { memory, eventLoop }[probe](JSON.parse(settings));
console.log(JSON.stringify(answer));
