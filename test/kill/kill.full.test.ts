/**
 * `npm run test:full -- kill`: SIGKILL at seeded moments of each command that writes. What was complete before is whole
 * after it, and going on gives the bytes of an unbroken run. ESPALIER_KILLS says how often each, 20 by default.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { importModel, loadModel } from '../../src/index.js';
import { mix } from '../../src/random.js';
import { readPreprocessing } from '../../src/table/dataset.js';
import { readCheckpoint } from '../../src/train/checkpoint.js';
import { temporaryFolder, writeSmallTable } from '../train/tables.js';

const KILLS = Number(process.env.ESPALIER_KILLS ?? 20);
const main = join(import.meta.dirname, '../../dist/cli/main.js');
const folder = temporaryFolder();
const data = writeSmallTable(folder, 2000);
const at = (...names: string[]) => join(folder, ...names);

/** Runs a command; with `kill` it is ended after so many milliseconds. Answers how long it took, and its exit code. */
function run(
  args: readonly string[],
  kill?: number,
): Promise<{ code: number | null; ms: number; text: string }> {
  const began = performance.now();
  const child = spawn(process.execPath, [main, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const timer = kill === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), kill);
  return new Promise((resolve) =>
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, ms: performance.now() - began, text });
    }),
  );
}

async function succeed(args: readonly string[]): Promise<number> {
  const { code, ms, text } = await run(args);
  expect(code, text).toBe(0);
  return ms;
}

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The weights that a run's folder has, by the digest in their file's name. */
function weights(run: string): string {
  const [name, more] = readdirSync(run).filter((file) => /^weights-[0-9a-f]{12}\.bin$/.test(file));
  expect(more).toBeUndefined();
  return name!;
}

/** A folder of a run after a kill: each file under a final name is whole, and the model is a model. */
async function requireWhole(run: string): Promise<void> {
  if (!existsSync(run)) return;
  const checkpoint = join(run, 'checkpoint.safetensors');
  if (existsSync(checkpoint)) expect((await readCheckpoint(checkpoint))!.tensors.size).toBeGreaterThan(0);
  if (!existsSync(join(run, 'model.json'))) return;
  expect((await importModel(join(run, 'model.json'))).layers.length).toBeGreaterThan(0);
  await readPreprocessing(run).catch((error: unknown) => {
    // Between the two writes: told, and mended by going on.
    expect(error).toBeInstanceOf(EspalierError);
    expect((error as Error).message).toContain('of another run');
  });
}

/** When to kill: seeded, and spread over the time that an unbroken run takes. */
const moment = (command: number, kill: number, ms: number) => ((mix(command, kill, 1) % 1000) / 1000) * ms;

const TRAIN = ['--data', data, '--target', 'y', '--epochs', '4', '--seed', '3'];
const PRUNE = ['--data', data, '--target', 'y', '--sparsity', '0.5', '--epochs', '4', '--seed', '3'];

describe('kill -9', () => {
  it('train: what is there is whole, and --resume gives the bytes of an unbroken run', async () => {
    const command = ['train', ...TRAIN, '--network', '16,8'];
    const ms = await succeed([...command, '--output', at('dense')]);
    const whole = weights(at('dense'));
    for (let kill = 0; kill < KILLS; kill++) {
      const output = at('train', String(kill));
      await run([...command, '--output', output], moment(1, kill, ms));
      await requireWhole(output);
      await run([...command, '--output', output, '--resume'], moment(2, kill, ms));
      await requireWhole(output);
      await succeed([...command, '--output', output, '--resume']);
      expect(weights(output)).toBe(whole);
      expect(await readPreprocessing(output)).toBeDefined();
      rmSync(output, { recursive: true });
    }
  });

  it('prune, and prune --resume', async () => {
    const command = ['prune', at('dense'), ...PRUNE];
    const ms = await succeed([...command, '--output', at('sparse')]);
    const whole = weights(at('sparse'));
    for (let kill = 0; kill < KILLS; kill++) {
      const output = at('prune', String(kill));
      await run([...command, '--output', output], moment(3, kill, ms));
      await requireWhole(output);
      await run([...command, '--output', output, '--resume'], moment(4, kill, ms));
      await requireWhole(output);
      await succeed([...command, '--output', output, '--resume']);
      expect(weights(output)).toBe(whole);
      rmSync(output, { recursive: true });
    }
  });

  it('convert and export over a file that is there: the old one or the new one', async () => {
    const [old, esp] = [at('old.esp'), at('new.esp')];
    await succeed(['convert', at('dense'), old]);
    const ms = await succeed(['convert', at('sparse'), esp]);
    const h5 = at('old.h5');
    await succeed(['export', at('dense'), h5]);
    for (let kill = 0; kill < KILLS; kill++) {
      const target = at('target.esp');
      cpSync(old, target);
      await run(['convert', at('sparse'), target], moment(5, kill, ms));
      expect([digest(old), digest(esp)]).toContain(digest(target));
      (await loadModel(target)).dispose();
      const exported = at('target.h5');
      cpSync(h5, exported);
      await run(['export', at('sparse'), exported], moment(6, kill, ms));
      // HDF5 writes the time: the new one is told by being read.
      expect((await importModel(exported)).layers.length).toBeGreaterThan(0);
      const tfjs = at('target-tfjs');
      await run(['export', at('sparse'), tfjs], moment(7, kill, ms));
      if (existsSync(join(tfjs, 'model.json'))) {
        expect((await importModel(tfjs)).layers.length).toBeGreaterThan(0);
      }
      rmSync(tfjs, { recursive: true, force: true });
    }
  });

  it('bench --json and report: a result is whole or not there, an older one stays', async () => {
    const result = at('result.json');
    const few = ['--batch', '1', '--rounds', '2', '--min-time', '0.1', '--against', 'none', '--no-layers'];
    const command = ['bench', at('new.esp'), ...few, '--json', result];
    const ms = await succeed(command);
    const report = at('report.html');
    const reportMs = await succeed(['report', result, '--output', report]);
    for (let kill = 0; kill < KILLS; kill++) {
      await run(command, moment(8, kill, ms));
      expect(JSON.parse(readFileSync(result, 'utf8'))).toHaveProperty('machine');
      await run(['report', result, '--output', report], moment(9, kill, reportMs));
      expect(readFileSync(report, 'utf8').trimEnd().endsWith('</html>')).toBe(true);
      expect(statSync(report).size).toBeGreaterThan(1000);
    }
  });
});
