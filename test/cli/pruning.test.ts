/** All of pruning by the command line: flags and recipes, in this process. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { pruneCommand } from '../../src/cli/commands/prune.js';
import { trainCommand } from '../../src/cli/commands/train.js';
import { loadLayersModel } from '../../src/train/model-files.js';
import { loadTensorFlow } from '../../src/tensorflow/load.js';
import { temporaryFolder, writeSmallTable } from '../train/tables.js';

const folder = temporaryFolder();
const data = writeSmallTable(folder, 600);
const table = ['--data', data, '--target', 'y'];
const dense = join(folder, 'dense');
const at = (name: string) => join(folder, name);

/** What the command prints; throws what it throws. */
async function run(command: 'prune' | 'train', ...args: string[]): Promise<string> {
  const lines: string[] = [];
  const print = (...texts: unknown[]) => void lines.push(texts.map(String).join(' '));
  const spies = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error')];
  spies.forEach((spy) => spy.mockImplementation(print));
  const made = (command === 'prune' ? pruneCommand() : trainCommand()).exitOverride();
  made.configureOutput({ writeErr: print, writeOut: print });
  try {
    await made.parseAsync(args, { from: 'user' });
  } catch (error) {
    throw Object.assign(error as Error, { printed: lines.join('\n') });
  } finally {
    spies.forEach((spy) => spy.mockRestore());
  }
  return lines.join('\n');
}

const short = ['--epochs', '2', '--ramp', '1', '--frequency', '2', '--batch-size', '32'];
const prune = (output: string, ...args: string[]) =>
  run('prune', dense, ...table, ...short, '--output', at(output), ...args);

async function kernels(output: string): Promise<Record<string, Float32Array>> {
  const model = await loadLayersModel(await loadTensorFlow(), at(output));
  const layers = model.layers.filter((layer) => layer.getClassName() === 'Dense');
  return Object.fromEntries(
    layers.map((layer) => [layer.name, layer.getWeights()[0]!.dataSync() as Float32Array]),
  );
}
const zeros = (values: ArrayLike<number>) => Array.from(values).filter((v) => v === 0).length / values.length;

beforeAll(async () => {
  const network = ['--network', '16,8', '--epochs', '6', '--batch-size', '32', '--learning-rate', '0.01'];
  await run('train', ...table, ...network, '--output', dense);
});

describe('espalier prune', () => {
  test('--dry-run draws the schedule, counts parameters and warns, and trains nothing', async () => {
    const text = await run('prune', dense, ...table, ...short, '--sparsity', '0.75', '--dry-run');
    expect(text).toMatch(/polynomial schedule to sparsity 0.75: steps \d+ to \d+ of \d+/);
    expect(text).toContain('█');
    expect(text).toMatch(/layer +weights +sparsity now +then +kept +parameters/);
    expect(text).toMatch(/dense_2 +128 +0.0000 +0.7500 +32 +136/);
    expect(existsSync(at('none'))).toBe(false);
  });

  test('--dry-run shows a plan that is refused, and then refuses it', async () => {
    const args = [dense, ...table, '--sparsity', '0.5', '--epochs', '2', '--ramp', '9', '--dry-run'];
    await expect(run('prune', ...args)).rejects.toMatchObject({
      code: 'UNREACHED_END',
      printed: expect.stringMatching(/warning: the target sparsity is not reached/),
    });
  });

  test.each([
    ['linear', ['--schedule', 'linear']],
    ['one-cycle', ['--schedule', 'one-cycle']],
    ['constant', ['--schedule', 'constant']],
    ['global', ['--scope', 'global', '--exact']],
    ['distilled', ['--distill', '0.7', '--teacher', dense]],
    ['latency', ['--policy', 'PruneForLatency', '--layer', 'output=false']],
  ])('%s reaches the target', async (name, args) => {
    // The engine gains nothing on layers as small as these.
    const refused = name === 'latency';
    const printed = prune(name, '--sparsity', '0.75', ...args);
    if (refused) return expect(printed).rejects.toThrow(/policy/);
    expect(await printed).toMatch(/sparsity 0\.7[45]/);
    const weights = Object.values(await kernels(name)).flatMap((values) => [...values]);
    expect(zeros(weights)).toBeCloseTo(0.75, 2);
  });

  test('blocks, m-by-n and settings by layer in a recipe', async () => {
    const recipe = at('blocks.yaml');
    const lines = [
      'sparsity: 0.5',
      'perLayer:',
      '  output: false',
      '  dense_1: { sparsity: 0.75, blockSize: [2, 2] }',
    ];
    writeFileSync(recipe, lines.join('\n'));
    await prune('blocks', '--recipe', recipe);
    const { dense_1: first, dense_2: second, output } = await kernels('blocks');
    expect([zeros(second!), zeros(output!)]).toEqual([0.5, 0]);
    const rows = first!.length / 16;
    for (let r = 0; r + 1 < rows; r += 2) {
      for (let c = 0; c < 16; c += 2) {
        const block = [r * 16 + c, r * 16 + c + 1, (r + 1) * 16 + c, (r + 1) * 16 + c + 1];
        const bits = block.map((i) => (first![i] === 0 ? 0 : 1));
        expect(new Set(bits).size).toBe(1);
      }
    }

    await prune('pairs', '--sparsity-m-by-n', '2:4', '--layer', 'output=false', '--layer', 'dense_1=false');
    const { dense_2: pairs } = await kernels('pairs');
    for (let out = 0; out < 8; out++) {
      for (let group = 0; group < 16; group += 4) {
        const left = [0, 1, 2, 3].filter((i) => pairs![(group + i) * 8 + out] !== 0);
        expect(left).toHaveLength(2);
      }
    }
  });

  test('distillation follows the teacher, and goes on from a checkpoint to the same weights', async () => {
    const args = ['--sparsity', '0.5', '--distill'];
    await prune('taught', ...args);
    await prune('again', ...args);
    expect(await kernels('again')).toEqual(await kernels('taught'));
    await prune('plain', '--sparsity', '0.5');
    expect(await kernels('plain')).not.toEqual(await kernels('taught'));
    await expect(prune('bad', ...args, '--teacher', at('nobody'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('--scan tells what each layer minds, and --budget gives each its sparsity', async () => {
    const scan = [dense, ...table, '--scan', '--scan-sparsities', '0.5,0.9'];
    const text = await run('prune', ...scan, '--budget', 'sparsity=0.6', '--output', at('scan'));
    expect(text).toMatch(/layer +weights +0\.5 +0\.9 +proposed/);
    const report = JSON.parse(readFileSync(at('scan/sensitivity.json'), 'utf8'));
    const recipe = parse(readFileSync(at('scan/recipe.yaml'), 'utf8'));
    expect(recipe.perLayer).toEqual(report.proposal);
    const sizes = Object.fromEntries(
      report.layers.map((l: { layer: string; size: number }) => [l.layer, l.size]),
    );
    const total = Object.values<number>(sizes).reduce((a, b) => a + b, 0);
    const pruned = Object.entries<number>(report.proposal).reduce(
      (sum, [name, s]) => sum + s * sizes[name],
      0,
    );
    expect(pruned / total).toBeGreaterThanOrEqual(0.6);

    await prune('budget', '--budget', 'error=40%', '--scan-sparsities', '0.5,0.9');
    const reached = await kernels('budget');
    await prune('size', '--budget', `size=${Math.round(total * 3)}`, '--scan-sparsities', '0.5,0.9');
    for (const found of [reached, await kernels('size')]) {
      for (const values of Object.values(found)) expect([0, 0.5, 0.9]).toContain(+zeros(values).toFixed(1));
    }
    await expect(prune('no', '--budget', 'size=1')).rejects.toThrow(/budget.*at best \d+ bytes/);
  });

  test('--one-shot: magnitude without data, activation-aware with rows or files', async () => {
    const shot = (output: string, ...args: string[]) =>
      run('prune', dense, '--one-shot', '--output', at(output), ...args);
    expect(await shot('magnitude', '--sparsity', '0.5')).toMatch(/in one step, magnitude/);
    expect(zeros((await kernels('magnitude'))['dense_2']!)).toBe(0.5);
    const text = await shot('aware', '--sparsity', '0.5', ...table, '--calibration-rows', '100');
    expect(text).toMatch(/activation-aware with 100 samples/);
    expect(text).toMatch(/dense: +RMSE[^]*pruned: +RMSE/);
    const aware = (await kernels('aware'))['dense_2']!;
    for (let out = 0; out < 8; out++) {
      expect(zeros(Array.from({ length: 16 }, (_, i) => aware[i * 8 + out]!))).toBe(0.5);
    }
    const inputs = (await kernels('magnitude'))['dense_1']!.length / 16;
    const file = at('inputs.bin');
    writeFileSync(file, new Uint8Array(new Float32Array(5 * inputs).fill(1).buffer));
    expect(await shot('file', '--sparsity', '0.5', '--calibration', file)).toMatch(/with 5 samples/);
    expect(await shot('pairs1', '--sparsity-m-by-n', '1:2')).toMatch(/sparsity 0\.5/);
    expect(await shot('all', '--sparsity', '0.8', '--scope', 'global')).toMatch(/sparsity 0\.(79|80)/);
    expect(await shot('dry', '--sparsity', '0.5', '--dry-run')).toMatch(/dense_2 +128 +0.0000 +0.5000 +136/);
    writeFileSync(file, new Uint8Array(7));
    await expect(shot('bad', '--sparsity', '0.5', '--calibration', file)).rejects.toThrow(/7 bytes/);
    await expect(shot('bad', '--sparsity', '0.5', '--method', 'activation-aware')).rejects.toThrow(
      /calibration/,
    );
    await expect(shot('bad', '--sparsity', '0.5', '--data', data)).rejects.toThrow(/--target/);
  });

  test.each([
    [['--block-size', '4'], /block-size/],
    [['--sparsity-m-by-n', '4:2'], /sparsityMByN/],
    [['--layer', 'dense_1'], /layer/],
    [['--layer', 'nobody=0.5'], /nobody/],
    [['--layer', 'dense_1=1'], /dense_1/],
    [['--budget', 'money=3'], /budget/],
    [['--budget', 'size=9', '--budget', 'error=2'], /one of sparsity, size, latency, error/],
    [['--method', 'magnitude'], /one-shot/],
    [['--distill', '2'], /distill/],
    [['--scope', 'global', '--layer', 'dense_1=0.5'], /scope/],
  ])('%j is refused by name', async (args, message) => {
    await expect(prune('refused', '--sparsity', '0.5', ...args)).rejects.toThrow(message);
    expect(existsSync(at('refused'))).toBe(false);
  });
});

describe('espalier train', () => {
  const train = (output: string, ...args: string[]) =>
    run('train', ...table, '--network', '16,8', '--batch-size', '32', '--output', at(output), ...args);

  test('prunes while it trains, by flags or a recipe', async () => {
    const text = await train(
      'new',
      '--epochs',
      '3',
      '--sparsity',
      '0.5',
      '--warm-up',
      '1',
      '--frequency',
      '2',
    );
    expect(text).toMatch(/pruning to sparsity 0.5: 1 \+ 3 epochs/);
    expect(zeros((await kernels('new'))['dense_2']!)).toBe(0.5);
    const recipe = at('train.json');
    writeFileSync(recipe, JSON.stringify({ sparsity: 0.75, epochs: 2, frequency: 2 }));
    expect(await train('file', '--recipe', recipe, '--schedule', 'linear')).toMatch(/0 \+ 2 epochs/);
    expect(zeros((await kernels('file'))['dense_2']!)).toBe(0.75);
  });

  test('--dry-run tells what would be trained', async () => {
    expect(await train('dry', '--dry-run')).toMatch(/training \d+-16-8-1[^]*dense_2: 136 parameters/);
    expect(await train('dry', '--dry-run', '--sparsity', '0.5')).toMatch(/schedule to sparsity 0.5/);
    expect(existsSync(at('dry/model.json'))).toBe(false);
  });

  test('what needs a trained model is refused', async () => {
    const recipe = at('shot.json');
    writeFileSync(recipe, JSON.stringify({ sparsity: 0.5, oneShot: true }));
    await expect(train('no', '--recipe', recipe)).rejects.toThrow(/one-shot: expected a trained model/);
    await expect(train('no', '--sparsity', '0.5', '--distill')).rejects.toThrow(/teacher/);
  });
});
