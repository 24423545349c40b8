/** Sound files of every format, made here, and what a number makes of them. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '../..');
const golden = join(root, 'test/golden/models');
const dist = (file) => import(pathToFileURL(join(root, 'dist', file)).href);

export const FORMATS = [
  ...['esp', 'h5', 'keras', 'tfjs', 'checkpoint', 'yaml', 'table'],
  ...['arrow', 'parquet', 'csv', 'jsonl', 'npy'],
];

const COLUMNS = ['a', 'b'];
const ROWS = 40;
const value = (row, column) => Math.fround(Math.sin(row * 2 + column));

/** An array of NumPy, version 1. */
function npy() {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${ROWS}, ${COLUMNS.length}), }`;
  const header = Buffer.from(`${text.padEnd(117)}\n`);
  const numbers = Float32Array.from({ length: ROWS * COLUMNS.length }, (_, i) => value(i >> 1, i & 1));
  return Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]),
    header,
    Buffer.from(numbers.buffer),
  ]);
}

/** By format: `files`, one of which a number picks, their extension, and for TFJS the folder that they lie in. */
export async function seedFiles(folder) {
  const { convertModel } = await dist('index.js');
  const { writeCheckpoint } = await dist('train/checkpoint.js');
  const { seal } = await dist('safetensors.js');
  const { tableFromArrays, tableToIPC } = await import('apache-arrow');
  const models = [
    'activations_core',
    'lstm',
    'cnn_odd_geometry',
    'nested_model',
    'mlp_regression',
    'upsample_bilinear',
  ];
  const existing = (name, file) => {
    try {
      return readFileSync(join(golden, name, file));
    } catch {
      return undefined;
    }
  };
  const all = (file) => models.map((name) => existing(name, file)).filter((bytes) => bytes !== undefined);
  const esp = [];
  for (const name of models) {
    if (existing(name, 'model.h5') !== undefined)
      esp.push(Buffer.from(await convertModel(join(golden, name, 'model.h5'))));
  }
  // The model that tables are scored by: two inputs.
  const { writeProgram } = await dist('file/write.js');
  const linear = {
    ...{ op: 'linear', name: 'l', input: 0, output: 1, positions: 1, bias: null },
    weight: { format: 'dense', rows: 1, cols: 2, values: Float32Array.of(1, -2) },
    activation: { kind: 'linear', alpha: 0, beta: 0 },
  };
  const port = (name, features, index) => ({ name, shape: [null, features], dtype: 'float32', value: index });
  const { withCsr } = await dist('engine/csr.js');
  writeFileSync(
    join(folder, 'model.esp'),
    writeProgram(
      withCsr({
        ...{ version: 1, name: 'scorer', values: [{ features: 2 }, { features: 1 }], operations: [linear] },
        ...{ inputs: [port('x', 2, 0)], outputs: [port('y', 1, 1)] },
      }),
    ),
  );
  const table = tableFromArrays(
    Object.fromEntries(
      COLUMNS.map((name, column) => [
        name,
        Float32Array.from({ length: ROWS }, (_, row) => value(row, column)),
      ]),
    ),
  );
  const rows = Array.from({ length: ROWS }, (_, row) => COLUMNS.map((_, column) => value(row, column)));
  const csv = Buffer.from([COLUMNS, ...rows].map((cells) => cells.join(',')).join('\n'));
  const jsonl = rows.map((cells) =>
    JSON.stringify(Object.fromEntries(cells.map((cell, i) => [COLUMNS[i], cell]))),
  );
  const checkpoint = join(folder, 'seed.safetensors');
  const tensors = new Map([['weights/a', { shape: [4, 4], values: new Float32Array(16).fill(0.5) }]]);
  await writeCheckpoint(checkpoint, { state: { epochsDone: 3, history: [{ loss: 0.5 }] }, tensors });
  const yaml =
    'sparsity: 0.75\nepochs: 3\nperLayer:\n  a: 0.5\n  b: false\nscan: { budget: { size: 1000 } }\n';
  const tfjs = join(folder, 'tfjs');
  mkdirSync(tfjs);
  cpSync(join(golden, 'mlp_regression'), tfjs, { recursive: true });
  const parquet = join(root, 'test/golden/predict/table.parquet');
  const seal8 = (bytes) => {
    const header = bytes.length < 8 ? 0 : Number(bytes.readBigUInt64LE());
    seal(bytes, Math.min(bytes.length, 8 + header));
    return bytes;
  };
  return {
    esp: { files: esp, extension: '.esp', mend: seal8 },
    h5: { files: all('model.h5'), extension: '.h5' },
    keras: { files: all('model.keras'), extension: '.keras' },
    tfjs: { files: [readFileSync(join(tfjs, 'model.json'))], extension: '.json', inside: tfjs },
    checkpoint: { files: [readFileSync(checkpoint)], extension: '.safetensors', mend: seal8 },
    yaml: { files: [Buffer.from(yaml)], extension: '.yaml' },
    table: { files: [csv], extension: '.csv' },
    arrow: {
      files: ['file', 'stream'].map((form) => Buffer.from(tableToIPC(table, form))),
      extension: '.arrow',
    },
    parquet: { files: [readFileSync(parquet)], extension: '.parquet' },
    csv: { files: [csv], extension: '.csv' },
    jsonl: { files: [Buffer.from(jsonl.join('\n'))], extension: '.jsonl' },
    npy: { files: [npy()], extension: '.npy' },
  };
}

/** mulberry32: the same numbers for the same seed. */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ODD = [0, 1, -1, 127, 255, 0x7fffffff, -0x80000000, 0x00ffffff, 65536];

/** Writes one of the files with one to four changes: bytes, words, cuts, repeats, digits of text. */
export function mutated({ files, extension, inside, mend }, number, folder) {
  const random = seeded(number * 2654435761);
  const below = (n) => Math.floor(random() * n);
  let bytes = Buffer.from(files[below(files.length)]);
  for (let change = 1 + below(4); change > 0 && bytes.length > 8; change--) {
    const at = below(bytes.length - 8);
    const kind = below(6);
    if (kind === 0) bytes[at] = below(256);
    else if (kind === 1) bytes[at] ^= 1 << below(8);
    else if (kind === 2) bytes.writeInt32LE(ODD[below(ODD.length)], at);
    else if (kind === 3) bytes.writeBigInt64LE(BigInt(ODD[below(ODD.length)]) << BigInt(below(31)), at);
    else if (kind === 4) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + below(64))]);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - below(64)))]);
  }
  if (mend !== undefined && random() < 0.8) bytes = mend(bytes);
  const path = join(inside ?? folder, inside === undefined ? `input${extension}` : 'model.json');
  writeFileSync(path, bytes);
  return { path, bytes };
}
