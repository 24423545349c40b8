/** `espalier predict` as a user starts it, with the engine: pipes, and a process that is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { tableFromArrays, tableFromIPC, tableToIPC } from 'apache-arrow';
import { beforeAll, describe, expect, test } from 'vitest';
import { convertModel, loadModel, type Model } from '../../src/index.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const GOLDEN = fileURLToPath(new URL('../golden/models/mlp_regression/model.json', import.meta.url));
let at = '';
let model: Model;
let width = 0;

beforeAll(async () => {
  at = await mkdtemp(join(tmpdir(), 'espalier-predict-cli-'));
  await convertModel(GOLDEN, join(at, 'model.esp'));
  model = await loadModel(join(at, 'model.esp'));
  width = model.inputs[0]!.shape[1]!;
  return () => rm(at, { recursive: true, force: true });
});

const start = (args: string[]) => spawn(process.execPath, [MAIN, 'predict', join(at, 'model.esp'), ...args]);

/** Runs to its end, from `input` on standard input. */
async function predict(args: string[], input?: Uint8Array) {
  const child = start(args);
  const out: Buffer[] = [];
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  // A process that ends early takes not all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number];
  return { code, out: Buffer.concat(out), errors };
}

/** Rows that the progress of a run tells. */
async function recorded(output: string): Promise<number> {
  const text = await readFile(`${output}.progress.json`, 'utf8').catch(() => '{"rows": 0}');
  return (JSON.parse(text) as { rows: number }).rows;
}

/** rows × width numbers, and the table of them: c0, c1, …, with an id. */
function table(rows: number) {
  const data = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i));
  const column = (c: number) => Float32Array.from({ length: rows }, (_, row) => data[row * width + c]!);
  const columns = Object.fromEntries(Array.from({ length: width }, (_, c) => [`c${c}`, column(c)]));
  return {
    data,
    arrow: tableFromArrays({ id: Array.from({ length: rows }, (_, i) => `row ${i}`), ...columns }),
  };
}

describe('espalier predict', () => {
  test('Arrow IPC from standard input to standard output, in many record batches', async () => {
    const rows = 10_000;
    const { data, arrow } = table(rows);
    const { code, out, errors } = await predict(
      ['--input', '-', '--output', '-', '--keep', 'id', '--batch', '300'],
      tableToIPC(arrow, 'stream'),
    );
    expect(code, errors).toBe(0);
    const scored = tableFromIPC(out);
    expect(scored.batches.length).toBeGreaterThan(30);
    expect(scored.numRows).toBe(rows);
    expect(scored.getChild('id')!.get(rows - 1)).toBe(`row ${rows - 1}`);
    const own = model.runSync(data) as Float32Array;
    const size = own.length / rows;
    const names = scored.schema.fields.map(({ name }) => name).filter((name) => name !== 'id');
    expect(names).toHaveLength(size);
    names.forEach((name, k) => {
      const wanted = Float32Array.from({ length: rows }, (_, row) => own[row * size + k]!);
      expect(scored.getChild(name)!.toArray()).toEqual(wanted);
    });
  });

  test('a stream that breaks off, or is no Arrow, is an error and not an output', async () => {
    const whole = tableToIPC(table(1000).arrow, 'stream');
    for (const input of [
      whole.subarray(0, whole.length >> 1),
      Buffer.from('id,c0\n1,2\n'),
      Buffer.alloc(0),
    ]) {
      const { code, errors } = await predict(['--input', '-', '--output', join(at, 'broken.csv')], input);
      expect(code, errors).toBe(2);
      expect(errors).toMatch(/an Arrow stream or file/);
      expect(errors).not.toMatch(/\n\s+at /);
      await expect(stat(join(at, 'broken.csv'))).rejects.toThrow();
    }
  });

  test('killed with -9, resumed: the bytes of a run that was not', async () => {
    const rows = 20_000;
    const { data } = table(rows);
    const lines = Array.from({ length: rows }, (_, row) =>
      data.subarray(row * width, (row + 1) * width).join(','),
    );
    const names = Array.from({ length: width }, (_, c) => `c${c}`);
    const path = join(at, 'in.csv');
    await writeFile(path, `${names.join(',')}\n${lines.join('\n')}\n`);
    // So many batches that the run takes its time.
    const args = (output: string) => ['--input', path, '--output', output, '--batch', '1'];
    const output = join(at, 'killed.csv');
    let rounds = 0;
    for (; rounds < 2; rounds++) {
      const child = start([...args(output), ...(rounds > 0 ? ['--resume'] : [])]);
      const ended = once(child, 'close');
      const before = rounds === 0 ? 0 : await recorded(output);
      // It has recorded something of its own, and goes on.
      for (;;) {
        await sleep(20);
        if (child.exitCode !== null) break;
        if ((await recorded(output)) > before) break;
      }
      child.kill('SIGKILL');
      await ended;
      if (child.signalCode === null) break;
      await expect(stat(output)).rejects.toThrow();
    }
    expect(rounds).toBeGreaterThan(0);
    const resumed = await predict([...args(output), ...(rounds === 2 ? ['--resume'] : [])]);
    expect(resumed.code, resumed.errors).toBe(0);
    const whole = await predict(args(join(at, 'whole.csv')));
    expect(whole.code, whole.errors).toBe(0);
    expect((await readFile(output)).equals(await readFile(join(at, 'whole.csv')))).toBe(true);
  }, 120_000);
});
