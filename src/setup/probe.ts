/** Trying tfjs-node where a crash does no harm: in a child process. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../files.js';
import { runTool, tail } from './commands.js';

/** Loads tfjs-node from the folder in argv[1], trains a step and checks that the weights moved to finite numbers. */
const PROBE = `
(async () => {
  const tf = require(process.argv[1]);
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
  model.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
  const before = model.getWeights()[0].dataSync().slice();
  await model.fit(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5], [6]]), { epochs: 1, verbose: 0 });
  const after = model.getWeights()[0].dataSync();
  if (!after.every(Number.isFinite) || after.every((v, i) => v === before[i])) throw new Error('training changed nothing');
  if (tf.getBackend() !== 'tensorflow') throw new Error('the backend is ' + tf.getBackend());
  console.log('espalier-probe-ok');
})().catch((error) => { console.error('espalier-probe-failed ' + error.message); process.exit(1); });
`;

/** Whether tfjs-node in this folder trains. `problem` holds the end of what it printed otherwise. */
export async function probeTensorFlow(folder: string): Promise<{ ok: boolean; problem: string }> {
  if (!existsSync(join(folder, 'package.json'))) return { ok: false, problem: `${folder} is not there` };
  const { code, output } = await runTool(process.execPath, ['-e', PROBE, folder], {
    cwd: folder,
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
    timeout: 120_000,
  });
  const ok = code === 0 && output.includes('espalier-probe-ok');
  if (ok) return { ok, problem: '' };
  const reason = output.split('espalier-probe-failed ')[1] ?? tail(output, 10);
  return { ok, problem: reason.trim() || `ended with ${code}` };
}

const RESTORE = `"use strict";
// Written by espalier setup-tensorflow. Node 23 removed these from util; tfjs-node 4.22.0 calls them (tfjs issue 8609).
const util = require("util");
const removed = {
  isNullOrUndefined: (value) => value === null || value === undefined,
  isArray: Array.isArray,
  isString: (value) => typeof value === "string",
  isObject: (value) => value !== null && typeof value === "object",
};
for (const [name, test] of Object.entries(removed)) {
  if (util[name] === undefined) util[name] = test;
}
`;
const REQUIRE = 'require("./espalier-node-util");';

/** Lets tfjs-node itself put back what Node >= 23 removed from `util`, so that it works in any program. */
export async function restoreNodeUtil(folder: string): Promise<void> {
  const entry = join(folder, 'dist/index.js');
  const source = await readFile(entry, 'utf8');
  if (source.includes(REQUIRE)) return;
  await writeFileAtomic(join(folder, 'dist/espalier-node-util.js'), RESTORE);
  await writeFileAtomic(entry, source.replace(/^("use strict";\n)?/, `$1${REQUIRE}\n`));
}
