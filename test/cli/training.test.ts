import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCheckpoint } from '../../src/train/checkpoint.js';
import type { FitState } from '../../src/train/fit.js';
import { temporaryFolder, writeSmallTable } from '../train/tables.js';

const folder = temporaryFolder();
const data = writeSmallTable(folder, 2000);
const main = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const table = ['--data', data, '--target', 'y'];
const small = ['--network', '16,8', '--batch-size', '64', '--learning-rate', '0.01', '--threads', '1'];

function espalier(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
}

/** Starts a run and kills it, without any warning, soon after `line` was printed. */
function killedRun(line: RegExp, args: string[]): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (line.test(output)) setTimeout(() => child.kill('SIGKILL'), 30);
    });
    child.on('close', () => resolve());
  });
}

/** [step, value] by run and tag, as TensorBoard's own reader finds them. */
function readLogs(logs: string): Record<string, Record<string, [number, number][]>> {
  const program = `
import json, os, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray
out = {}
for run in sorted(os.listdir(sys.argv[1])):
    events = EventAccumulator(os.path.join(sys.argv[1], run), size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    out[run] = {tag: [[e.step, float(make_ndarray(e.tensor_proto))] for e in events.Tensors(tag)] for tag in tags["tensors"]}
    for tag in tags["scalars"]:
        out[run][tag] = [[e.step, e.value] for e in events.Scalars(tag)]
print(json.dumps(out))`;
  const { stdout, stderr } = spawnSync(process.env.ESPALIER_PYTHON ?? 'python3', ['-c', program, logs], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: process.env.ESPALIER_PYTHONPATH },
  });
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout) as ReturnType<typeof readLogs>;
}

describe('espalier train, prune and analyze', () => {
  test('the whole way, TensorBoard logs with the sparsity at every step', () => {
    const [dense, sparse, logs] = ['dense', 'sparse', 'logs'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const trained = espalier('train', ...table, ...small, '--epochs', '3', '--output', dense);
    expect(trained.stderr).not.toMatch(/^(error|warning):/m);
    expect(trained.status).toBe(0);
    expect(trained.stdout).toMatch(/epoch 3\/3 {2}loss [\d.]+ {2}validation RMSE [\d.]+/);
    const pruned = espalier(
      ...[
        'prune',
        dense,
        ...table,
        '--sparsity',
        '0.75',
        '--epochs',
        '3',
        '--warm-up',
        '1',
        '--threads',
        '1',
      ],
      ...['--tensorboard', logs, '--output', sparse],
    );
    expect(pruned.status).toBe(0);
    expect(pruned.stdout).toMatch(/\nsparsity 0\.75\d\d\n/);

    const read = readLogs(logs);
    const [layer] = Object.keys(read.train!).filter((tag) => tag.startsWith('sparsity/dense_1'));
    const sparsity = read.train![layer!]!;
    expect(sparsity.map(([step]) => step)).toEqual(Array.from({ length: sparsity.length }, (_, i) => i + 1));
    expect(sparsity[0]![1]).toBe(0);
    expect(sparsity.at(-1)![1]).toBeCloseTo(0.75, 2);
    expect(read.validation!.epoch_rmse).toHaveLength(4);

    const json = join(folder, 'analysis.json');
    const analyzed = espalier('analyze', dense, sparse, ...table, '--samples', '100', '--json', json);
    expect(analyzed.status).toBe(0);
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({
      format: 'espalier-analysis',
      a: { sparsity: 0, samples: { samples: 100 } },
      b: { samples: { samples: 100 } },
    });
  });

  test('killed inside an epoch, a run has its last checkpoint whole and goes on from it', async () => {
    const args = (output: string) => [
      'train',
      ...table,
      ...small,
      '--epochs',
      '4',
      '--output',
      join(folder, output),
    ];
    await killedRun(/epoch 2\/4/, args('killed'));
    const checkpoint = join(folder, 'killed/checkpoint.safetensors');
    const { state } = (await readCheckpoint<FitState>(checkpoint))!;
    expect(state.epochsDone).toBeGreaterThanOrEqual(2);
    expect(espalier(...args('killed'), '--resume').status).toBe(0);
    expect(espalier(...args('whole')).status).toBe(0);
    const weights = (output: string) => {
      const room = join(folder, output);
      return readFileSync(
        join(
          room,
          readdirSync(room).find((name) => name.startsWith('weights-'))!,
        ),
      );
    };
    expect(weights('killed').equals(weights('whole'))).toBe(true);
  });

  test.each([
    [
      ['train', '--data', data, '--target', 'price', '--output', 'x'],
      2,
      /expected a column "price", found y, a, b, c, day/,
    ],
    [['train', '--data', join(folder, 'none.csv'), '--target', 'y', '--output', 'x'], 2, /no such file/],
    [['train', ...table, '--network', '8,x', '--output', 'x'], 2, /network: expected units/],
    [
      ['train', ...table, '--epochs', '0', '--output', 'x'],
      2,
      /epochs: expected a whole number from 1, received "0"/,
    ],
    [['train', ...table], 2, /--output/],
    [
      ['prune', 'x', ...table, '--sparsity', '1', '--output', 'x'],
      2,
      /sparsity: expected a number in \[0, 1\), received "1"/,
    ],
    [['prune', 'x', ...table, '--sparsity=-0.1', '--output', 'x'], 2, /sparsity: expected a number/],
    [['prune', 'x', ...table, '--output', 'x'], 2, /sparsity/],
    [
      ['prune', join(folder, 'nothing'), ...table, '--sparsity', '0.5', '--output', 'x'],
      2,
      /no such file or folder/,
    ],
    [['analyze', join(folder, 'nothing'), ...table], 2, /no model at/],
    [['analyze', 'x', ...table, '--samples', '-3'], 2, /samples: expected a whole number from 1/],
  ])('%j ends with %i and says why', (args, code, message) => {
    const { status, stderr } = espalier(...args);
    expect(stderr).toMatch(message);
    expect(status).toBe(code);
    expect(existsSync(join(process.cwd(), 'x'))).toBe(false);
  });
});
