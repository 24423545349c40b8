/** `espalier bench` end to end, as built: what befalls one rival does not touch the others. Nothing timed is asserted. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareOutputs } from '../../src/measure/race/runner.js';
import { resultJsonSchema, resultSchema, type BenchResult } from '../../src/measure/result.js';
import { runTool } from '../../src/setup/commands.js';

const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist/cli/main.js');
const MODEL = join(ROOT, 'test/golden/models/mlp_regression/model.json');
const QUICK = ['--rounds', '3', '--min-time', '0.03'];
const rivalFile = (name: string) => join(import.meta.dirname, 'rivals', `${name}.mjs`);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-bench-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function bench(
  args: string[],
): Promise<{ code: number | string; output: string; result: BenchResult }> {
  const json = join(folder, 'result.json');
  await rm(json, { force: true });
  const { code, output } = await runTool(process.execPath, [MAIN, 'bench', MODEL, '--json', json, ...args]);
  const text = await readFile(json, 'utf8').catch(() => 'null');
  return { code, output, result: JSON.parse(text) as BenchResult };
}

describe('bench', () => {
  it('measures every engine, at each sparsity and batch, and writes what the schema says', async () => {
    const { code, output, result } = await bench([...QUICK, '--sparsity', '0.5,0.9', '--batch', '1,3']);
    expect(output).toContain('samples/s');
    expect(code).toBe(0);
    const parsed = resultSchema.parse(result);
    expect(parsed.networks.map(({ imposed }) => imposed)).toEqual([0.5, 0.9]);
    for (const { rivals, sparsity, imposed, sizes } of parsed.networks) {
      expect(sparsity).toBeGreaterThanOrEqual((imposed ?? 1) - 0.01);
      expect(sizes.esp.raw).toBeGreaterThan(0);
      for (const { id, status, timings, message } of rivals) {
        expect([id, status, message]).toEqual([id, 'ok', null]);
        expect(timings.map(({ batch }) => batch)).toEqual([1, 3]);
        for (const timing of timings) {
          expect(timing.roundMedians.length).toBe(3);
          expect(timing.p50).toBeLessThanOrEqual(timing.p99);
          expect(timing.quantiles[50]).toBe(timing.p50);
        }
      }
    }
  });

  it('looks into layers, serves and goes offline, against wasm too', async () => {
    const { code, result } = await bench([
      ...[...QUICK, '--batch', '1,3', '--scenario', 'server,offline', '--against', 'dense,tfjs-wasm'],
      '--cold',
    ]);
    expect(code).toBe(0);
    const { networks, roofs, settings } = resultSchema.parse(result);
    expect(settings).toMatchObject({ cold: true, scenarios: ['single-stream', 'server', 'offline'] });
    expect(roofs?.memoryGBs).toBeGreaterThan(0);
    const [network] = networks;
    for (const { id, status, message, server, offline, timings } of network!.rivals) {
      expect([id, status, message]).toEqual([id, 'ok', null]);
      expect(server?.boundMs).toBe(10);
      expect(offline?.samplesPerSecond).toBeGreaterThan(0);
      // Flushed between calls: no loops.
      expect(timings.map(({ callsPerSample }) => callsPerSample)).toEqual([1, 1]);
    }
    expect(network?.layers?.map(({ batch }) => batch)).toEqual([1, 3]);
    for (const { batch, operations, totalUs } of network!.layers!) {
      expect(operations.map(({ name }) => name)).toEqual(['dense', 'dense_1', 'dense_2']);
      for (const { rows, cols, nnz, flops, denseFlops, us, gflops, share, attainableGflops } of operations) {
        expect(flops).toBe(2 * nnz * batch);
        expect(denseFlops).toBe(2 * rows * cols * batch);
        expect(gflops).toBeCloseTo(flops / us / 1000, 6);
        expect(share).toBeCloseTo(us / totalUs, 6);
        expect(attainableGflops).toBeGreaterThan(0);
      }
    }
    expect(network?.breakEven?.length).toBe(6);
  });

  it('tells of a Python that is not there, and goes on', async () => {
    const { code, result } = await bench([
      ...[...QUICK, '--batch', '1', '--no-layers', '--against', 'openvino,litert'],
      ...['--python', join(folder, 'no-python')],
    ]);
    expect(code).toBe(0);
    const [network] = result.networks;
    expect(network?.rivals.map(({ status }) => status)).toEqual(['ok', 'ok', 'absent', 'absent']);
    expect(network?.rivals[2]?.message).toContain('Install it with: python3 -m pip install openvino');
    expect(network).not.toHaveProperty('layers');
  });

  it('catches what computes something else, crashes, hangs, runs out of memory or is none', async () => {
    const broken = ['wrong', 'crash', 'hang', 'memory', 'no-rival', 'espalier-again'];
    const flags = broken.flatMap((name) => ['--rival', rivalFile(name)]);
    const { code, output, result } = await bench([
      ...[...QUICK, '--against', 'none', '--batch', '2', '--timeout', '8'],
      ...flags,
    ]);
    expect(code).toBe(0);
    const rivals = result.networks[0]?.rivals ?? [];
    expect(rivals.map(({ status }) => status)).toEqual([
      ...['ok', 'ok', 'differs', 'crashed', 'timeout', 'out-of-memory', 'failed', 'ok'],
    ]);
    for (const rival of rivals) {
      expect(rival.timings.length).toBe(rival.status === 'ok' ? 1 : 0);
      if (rival.status !== 'ok') expect(output).toContain(`${rival.name}: ${rival.status}`);
    }
    expect(rivals[6]?.message).toContain('rival.run: expected a function');
    expect(rivals.at(-1)).toMatchObject({ name: 'my own', versions: { mine: '1.2.3' } });
  });

  it.each([
    [['--batch', '0'], '--batch: expected a whole number'],
    [['--sparsity', '1'], '--sparsity: expected numbers in [0, 1)'],
    [['--against', 'pytorch'], '--against: expected some of tfjs-node'],
    [['--rival', 'nowhere.mjs'], '--rival: expected a file'],
    [['--pin', 'all'], '--pin: expected cores'],
    [['--scenario', 'multi-stream'], '--scenario: expected some of single-stream'],
    [['--target', 'y'], '--data: expected a table'],
    [['--rounds', 'many'], 'expected a number'],
  ])('refuses %j with exit code 2', async (args, message) => {
    const { code, output, result } = await bench(args);
    expect(code).toBe(2);
    expect(output).toContain(message);
    expect(result).toBeNull();
  });

  it.skipIf(process.platform === 'win32')('keeps the finished rounds on Ctrl-C', async () => {
    const json = join(folder, 'interrupted.json');
    const args = [MAIN, 'bench', MODEL, '--against', 'none', '--batch', '1'];
    const child = spawn(
      process.execPath,
      [...args, '--rounds', '1000', '--min-time', '200', '--json', json],
      {
        stdio: 'ignore',
        detached: true,
      },
    );
    await new Promise((done) => setTimeout(done, 8000));
    // As a terminal does: to the whole group.
    process.kill(-(child.pid ?? 0), 'SIGINT');
    const code = await new Promise((done) => child.on('close', done));
    expect(code).toBe(130);
    const result = resultSchema.parse(JSON.parse(await readFile(json, 'utf8')));
    expect(result.complete).toBe(false);
    expect(result.networks[0]?.rivals[0]?.timings[0]?.roundMedians.length).toBeGreaterThan(0);
  });
});

describe('compareOutputs', () => {
  const f = (...values: number[]) => Float32Array.from(values);
  it('accepts rounding and nothing else', () => {
    expect(compareOutputs([f(1000)], [f(1000.05)]).problem).toBeUndefined();
    expect(compareOutputs([f(1)], [f(1.01)]).problem).toContain('output 0 at 0');
    expect(compareOutputs([f(Number.NaN)], [f(0)]).problem).toBeDefined();
    expect(compareOutputs([f(Number.NaN)], [f(Number.NaN)]).problem).toBeUndefined();
    expect(compareOutputs([f(1, 2)], [f(1)]).problem).toContain('2 numbers');
    expect(compareOutputs([], [f(1)]).problem).toContain('0 outputs');
  });
});

describe('the published schema', () => {
  it('is the one of the code (node scripts/schemas.mjs writes it)', async () => {
    const published = JSON.parse(
      await readFile(join(ROOT, 'schemas/bench-result-1.json'), 'utf8'),
    ) as unknown;
    expect(published).toEqual(JSON.parse(JSON.stringify(resultJsonSchema())));
  });

  it('refuses other versions', () => {
    const { success, error } = resultSchema.safeParse({ format: 'espalier-bench', version: 2 });
    expect(success).toBe(false);
    expect(JSON.stringify(error?.issues)).toContain('version');
  });
});
