/** What a run holds at a time does not grow with the table. */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test } from 'vitest';
import { predict } from '../../src/predict/predict.js';

// Only what is alive counts, not what waits for the collector.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test.each(['npy', 'csv'])('memory is the same for ten times the rows of %s', async (format) => {
  const at = await mkdtemp(join(tmpdir(), 'espalier-memory-'));
  onTestFinished(() => rm(at, { recursive: true, force: true }));
  const features = 16;
  const table = async (rows: number) => {
    const path = join(at, `${rows}.${format}`);
    const file = createWriteStream(path);
    if (format === 'npy') {
      const header = Buffer.alloc(128, ' ');
      header.write('\x93NUMPY\x01\x00v\x00', 0, 'latin1');
      header.write(
        `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${features}), }`,
        10,
        'latin1',
      );
      file.write(header);
    } else file.write(`${Array.from({ length: features }, (_, i) => `c${i}`).join(',')}\n`);
    const line = `${new Array<string>(features).fill('0.25').join(',')}\n`;
    for (let row = 0; row < rows; row += 1000) {
      const piece = format === 'npy' ? Buffer.alloc(4000 * features) : line.repeat(1000);
      if (!file.write(piece)) await once(file, 'drain');
    }
    file.end();
    await once(file, 'close');
    return path;
  };
  /** Bytes of arrays and of the heap that are alive at a batch: the median, as freeing takes its time. */
  const most = async (rows: number) => {
    const alive: number[] = [];
    let runs = 0;
    const { rows: scored } = await predict({
      model: at,
      input: await table(rows),
      output: join(at, 'out.npy'),
      loader: async () => ({
        inputs: [{ name: 'x', shape: [null, features] }],
        outputs: [{ name: 'y', shape: [null, 1] }],
        async run(inputs) {
          // Some twenty times in a run.
          if (++runs % Math.ceil(rows / 4096 / 20) === 0) {
            collect();
            const { arrayBuffers, heapUsed } = process.memoryUsage();
            alive.push(arrayBuffers + heapUsed);
          }
          return new Float32Array(inputs[0]!.shape[0]!);
        },
        dispose: () => undefined,
      }),
    });
    expect(scored).toBe(rows);
    return alive.sort((a, b) => a - b)[alive.length >> 1]!;
  };
  await most(20_000);
  const few = await most(40_000);
  // Held until the end, the rows more would be 23 MB as float32, half of it at the median; far more as strings.
  expect(few).toBeGreaterThan(0);
  expect(await most(400_000)).toBeLessThan(few + 10e6);
});
