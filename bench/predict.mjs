#!/usr/bin/env node
/**
 * `espalier predict` beside tfjs-node on a table of random numbers, npy to npy, csv to csv or arrow to arrow, 4096 rows at
 * a time, each in a process of its own on one core: `node bench/predict.mjs [--rows 1000000] [--formats npy,csv,arrow]`. The
 * rival reads the same file in the same pieces, CSV with papaparse and Arrow with apache-arrow, and writes the same
 * scores; both are timed from the start of the process to its end.
 */
import { spawn } from 'node:child_process';
import {
  createReadStream,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { espBytes } from '../dist/measure/source.js';
import { toTfjs } from '../dist/export/tfjs-of-program.js';
import { networkOf } from './networks.mjs';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    formats: { type: 'string', default: 'npy' },
    rival: { type: 'string' },
    units: { type: 'string', default: '16,64,32,32,5' },
    'no-tfjs': { type: 'boolean', default: false },
  },
});
const units = options.units.split(',').map(Number);
const rows = Number(options.rows);
const BATCH = 4096;

/** The header of an npy file of float32. */
function npyHeader(columns) {
  const header = Buffer.alloc(128, ' ');
  header.write('\x93NUMPY\x01\x00v\x00', 0, 'latin1');
  header.write(`{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`, 10, 'latin1');
  header[127] = 10;
  return header;
}

/** Batches of a file as float32, row-major, the way one writes it by hand with the usual libraries. */
const readers = {
  async *npy(path) {
    const size = BATCH * units[0] * 4;
    const floats = (bytes) =>
      new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    let rest = Buffer.alloc(0);
    for await (const chunk of createReadStream(path, { start: 128, highWaterMark: 1 << 20 })) {
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= size; rest = rest.subarray(size)) yield floats(rest.subarray(0, size));
    }
    if (rest.length > 0) yield floats(rest);
  },
  async *csv(path) {
    const { default: papa } = await import('papaparse');
    let data = new Float32Array(BATCH * units[0]);
    let at = 0;
    let rest = '';
    let head = true;
    // Piece by piece: as a stream of rows papaparse is ten times slower.
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, encoding: 'latin1' })) {
      const text = rest + chunk;
      const cut = text.lastIndexOf('\n') + 1;
      rest = text.slice(cut);
      for (const fields of papa.parse(text.slice(0, cut), { delimiter: ',', skipEmptyLines: true }).data) {
        if (!head) for (let i = 0; i < units[0]; i++) data[at++] = Number(fields[i]);
        head = false;
        if (at < data.length) continue;
        yield data;
        data = new Float32Array(data.length);
        at = 0;
      }
    }
    if (at > 0) yield data.subarray(0, at);
  },
  async *arrow(path) {
    const { RecordBatchReader } = await import('apache-arrow');
    for await (const batch of await RecordBatchReader.from(createReadStream(path))) {
      const data = new Float32Array(batch.numRows * units[0]);
      for (let c = 0; c < units[0]; c++) {
        const values = batch.getChildAt(c).toArray();
        for (let row = 0; row < batch.numRows; row++) data[row * units[0] + c] = values[row];
      }
      yield data;
    }
  },
};

/** tfjs-node over the file in options.rival. */
async function rival(folder, format) {
  const tf = await import('@tensorflow/tfjs-node');
  const model = await tf.loadLayersModel(`file://${join(folder, 'model.json')}`);
  const out = openSync(join(folder, `rival.${format}`), 'w');
  const outputs = units.at(-1);
  if (format === 'npy') writeSync(out, npyHeader(outputs));
  const arrow = format === 'arrow' ? await import('apache-arrow') : undefined;
  const all = new Float32Array(arrow === undefined ? 0 : rows * outputs);
  let done = 0;
  for await (const data of readers[format](join(folder, `in.${format}`))) {
    const x = tf.tensor2d(data, [data.length / units[0], units[0]]);
    const y = model.predict(x, { batchSize: BATCH });
    const scores = y.dataSync();
    if (format === 'npy') writeSync(out, scores);
    else if (format === 'csv') {
      let text = '';
      for (let at = 0; at < scores.length; at += outputs)
        text += `${scores.subarray(at, at + outputs).join(',')}\n`;
      writeSync(out, text);
    } else {
      all.set(scores, done);
      done += scores.length;
    }
    x.dispose();
    y.dispose();
  }
  if (arrow === undefined) return;
  // All at once: it is the shortest way.
  const column = (c) => Float32Array.from({ length: rows }, (_, row) => all[row * outputs + c]);
  const columns = Object.fromEntries(Array.from({ length: outputs }, (_, c) => [`y_${c}`, column(c)]));
  writeSync(out, arrow.tableToIPC(arrow.tableFromArrays(columns), 'stream'));
}

/** Seconds of a process, those of the processor that it took, and the most memory that it had, in MB. */
function timeOf(args) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let [peak, cpu, errors] = [0, 0, ''];
    child.stderr.on('data', (chunk) => (errors += chunk.toString()));
    const watch = setInterval(() => {
      try {
        const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
        peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
        // Hundredths of a second in user and system, after the name in brackets.
        const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
        if (fields[0] !== 'Z') cpu = (Number(fields[11]) + Number(fields[12])) / 100;
      } catch {
        // It has just ended.
      }
    }, 50);
    child.on('exit', (code) => {
      clearInterval(watch);
      if (code !== 0) reject(new Error(errors));
      else resolve({ seconds: (performance.now() - began) / 1000, cpu, peak });
    });
  });
}

if (options.rival !== undefined) {
  await rival(options.rival, options.formats);
} else {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-predict-'));
  try {
    const program = networkOf(units, 0.75);
    writeFileSync(join(folder, 'model.esp'), await espBytes(program));
    const { manifest, weights } = toTfjs(program);
    writeFileSync(join(folder, 'weights.bin'), weights);
    writeFileSync(join(folder, 'model.json'), JSON.stringify(manifest));
    const formats = options.formats.split(',');
    const files = Object.fromEntries(
      formats.map((format) => [format, openSync(join(folder, `in.${format}`), 'w')]),
    );
    if (files.npy !== undefined) writeSync(files.npy, npyHeader(units[0]));
    const names = Array.from({ length: units[0] }, (_, i) => `c${i}`);
    if (files.csv !== undefined) writeSync(files.csv, `${names.join(',')}\n`);
    for (let row = 0; row < rows; row += 10_000) {
      const count = Math.min(10_000, rows - row);
      const data = Float32Array.from({ length: count * units[0] }, () => Math.random() - 0.5);
      if (files.npy !== undefined) writeSync(files.npy, data);
      if (files.arrow !== undefined) {
        const columns = names.map((name, c) => [
          name,
          Float32Array.from({ length: count }, (_, i) => data[i * units[0] + c]),
        ]);
        // A stream of its own each, joined: all but the first without its schema, all but the last without its end.
        const bytes = Buffer.from(tableToIPC(tableFromArrays(Object.fromEntries(columns)), 'stream'));
        const from = row === 0 ? 0 : 8 + bytes.readInt32LE(4);
        writeSync(files.arrow, bytes.subarray(from, row + count < rows ? -8 : undefined));
      }
      if (files.csv === undefined) continue;
      const lines = Array.from({ length: count }, (_, i) =>
        data.subarray(i * units[0], (i + 1) * units[0]).join(','),
      );
      writeSync(files.csv, `${lines.join('\n')}\n`);
    }
    const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
    const table = [];
    const tell = (name, { seconds, cpu, peak }) =>
      table.push({
        name,
        'rows/s': Math.round(rows / seconds),
        seconds: Number(seconds.toFixed(2)),
        'CPU s': cpu,
        'peak RSS MB': Math.round(peak),
      });
    for (const format of formats) {
      const io = ['--input', join(folder, `in.${format}`), '--output', join(folder, `out.${format}`)];
      tell(
        `espalier predict, ${format}`,
        await timeOf([main, 'predict', join(folder, 'model.esp'), ...io, '--threads', '1']),
      );
    }
    for (const format of options['no-tfjs'] ? [] : formats) {
      const own = [fileURLToPath(import.meta.url), '--rows', options.rows, '--units', options.units];
      tell(`tfjs-node, ${format}`, await timeOf([...own, '--rival', folder, '--formats', format]));
    }
    if (!options['no-tfjs'] && formats.includes('npy')) {
      const read = (name) => {
        const bytes = readFileSync(join(folder, name)).subarray(128);
        return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
      };
      const [ours, theirs] = [read('out.npy'), read('rival.npy')];
      const worst = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i])), 0);
      console.log(`${rows} rows, ${units.join('-')} at 0.75; largest difference ${worst.toExponential(1)}`);
      if (!(worst < 1e-3) || ours.length !== theirs.length) throw new Error('the scores differ');
    }
    console.table(table);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
