/** convert, inspect and run as a user types them: the built command in a child process. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { forms, goldenCases, readPort, worstError } from '../import/golden-cases.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'espalier-cli-'));
const cases = [...goldenCases('models'), ...goldenCases('keras3')];
const mlp = cases.find(({ name }) => name.endsWith('mlp_regression'));
const two = cases.find(({ name }) => name.endsWith('k3_two_inputs'));
if (mlp === undefined || two === undefined) throw new Error('reference cases are missing');
expect(forms(mlp)).toContain('model.json');
const source = join(mlp.folder, 'model.json');
const inputOf = (golden: typeof mlp, index: number) => join(golden.folder, golden.inputs[index]?.file ?? '');

function espalier(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    timeout: 50_000,
  });
  return { status, stdout, stderr };
}

it('convert writes the file and tells sizes and sparsity', () => {
  const destination = join(folder, 'deep', 'mlp.esp');
  const { status, stdout } = espalier('convert', source, destination);
  expect(status).toBe(0);
  const size = readFileSync(destination).length;
  expect(stdout).toMatch(/weights, sparsity \d+\.\d %/);
  expect(stdout).toContain(`${size.toLocaleString('en-US')} bytes`);
  const again = espalier('convert', mlp.folder, join(folder, 'again.esp'), '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ esp: { raw: size } });
  expect(readFileSync(join(folder, 'again.esp'))).toEqual(readFileSync(destination));
});

it('export writes a Keras .h5 file and a TFJS model, and tells their bytes', () => {
  const h5 = join(folder, 'mlp.h5');
  const { status, stdout } = espalier('export', source, h5);
  expect(status).toBe(0);
  expect(stdout).toContain(`${readFileSync(h5).length.toLocaleString('en-US')} bytes`);
  const json = espalier('export', h5, join(folder, 'tfjs'), '--format', 'tfjs', '--json');
  const exported = JSON.parse(json.stdout) as { format: string; path: string; parameters: number };
  expect(exported).toMatchObject({
    format: 'tfjs',
    path: join(folder, 'tfjs', 'model.json'),
    parameters: 897,
  });
  expect(espalier('inspect', exported.path).status).toBe(0);
  const little = espalier('inspect', h5, '--max-memory', '1K');
  expect(little.status).toBe(2);
  expect(little.stderr).toMatch(/maxMemory/);
});

it('convert --values stores fewer bits, and inspect --tune tells measured times', () => {
  const path = join(folder, 'int8.esp');
  const { stdout } = espalier('convert', source, path, '--values', 'int8', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ values: 'int8', esp: { raw: readFileSync(path).length } });
  const tuned = JSON.parse(espalier('inspect', path, '--tune', '--json').stdout);
  const matrix = tuned.operations.find((o: { rows: number }) => o.rows > 0);
  expect(matrix.measuredNs).toBeGreaterThan(0);
  const wrong = espalier('convert', source, path, '--values', 'int4');
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toMatch(/--values: expected one of float32, bfloat16, float16, int8/);
});

it('inspect shows network and program side by side, as text and as JSON', () => {
  const text = espalier('inspect', source);
  expect(text.status).toBe(0);
  expect(text.stdout).toMatch(
    /The network[^]*Dense[^]*The program, at batch 1[^]*multiply-accumulates a sample/,
  );
  const esp = join(folder, 'inspect.esp');
  espalier('convert', source, esp);
  const network = JSON.parse(espalier('inspect', source, '--json').stdout);
  const file = JSON.parse(espalier('inspect', esp, '--json', '--batch', '64').stdout);
  expect(file).toMatchObject({ format: 'esp', layers: null, batch: 64, fileBytes: readFileSync(esp).length });
  expect(network.layers.length).toBeGreaterThan(1);
  const matrices = ({ operations }: any) =>
    operations.map(({ name, rows, cols, nnz, macs }: any) => [name, rows, cols, nnz, macs]);
  expect(matrices(file)).toEqual(matrices(network));
  expect(network.totals.effectiveMacs).toBe(network.totals.nonZero);
  expect(network.totals.macs).toBe(network.totals.weights);
});

it.each([mlp, two])('run reads raw tensors and writes each output: $name', (golden) => {
  const out = join(folder, golden.name);
  const inputs = golden.inputs.flatMap((_, index) => ['--input', inputOf(golden, index)]);
  const { status, stderr } = espalier('run', golden.folder, ...inputs, '--output-dir', out, '--threads', '1');
  expect([status, stderr]).toEqual([0, '']);
  expect(readdirSync(out).sort()).toEqual(golden.outputs.map((_, index) => `outputs.${index}.bin`));
  golden.outputs.forEach((port, index) => {
    const found = new Float32Array(new Uint8Array(readFileSync(join(out, `outputs.${index}.bin`))).buffer);
    expect(worstError(golden, found, readPort(golden, port).data)).toBeLessThanOrEqual(1);
  });
});

describe('mistakes end with 2 and one clear line, failures with 1', () => {
  const text = join(folder, 'text.esp');
  writeFileSync(text, 'not a model at all');
  const out = join(folder, 'never');
  const cases: [string[], number, RegExp][] = [
    [['inspect', '/nowhere/x.esp'], 2, /^error: source: no model at \/nowhere\/x.esp$/],
    [['inspect', text], 2, /^error: .*JSON/],
    [
      ['inspect', source, '--batch', '0'],
      2,
      /^error: --batch: expected a whole number of 1 or more, received "0"$/,
    ],
    [['inspect'], 2, /missing required argument 'model'/],
    [['inspect', source, '--nonsense'], 2, /unknown option '--nonsense'/],
    [['convert', '/nowhere', join(out, 'x.esp')], 2, /no model at \/nowhere$/],
    [['convert', source, '/proc/none/x.esp'], 1, /^error: cannot write \/proc\/none\/x.esp/m],
    [
      ['run', source, '--input', text, '--output-dir', out],
      2,
      /a multiple of \d+ bytes: float32 \[batch, \d+\]/,
    ],
    [
      ['run', source, '--input', '/nowhere', '--output-dir', out],
      2,
      /^error: --input: no file at \/nowhere$/,
    ],
    [['run', source, '--output-dir', out], 2, /required option '--input <file>' not specified/],
    [['run', two.folder, '--input', inputOf(two, 0), '--output-dir', out], 2, /--input: expected 2 files/],
    [['run', source, '--input', inputOf(mlp, 0), '--output-dir', out, '--threads', 'x'], 2, /--threads/],
  ];
  it.each(cases)('%j', (args, code, message) => {
    const { status, stderr, stdout } = espalier(...args);
    expect(status).toBe(code);
    expect(stderr.trim()).toMatch(message);
    expect(stderr + stdout).not.toMatch(/\n\s+at /);
    expect(existsSync(out)).toBe(false);
  });
});
