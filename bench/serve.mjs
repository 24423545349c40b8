#!/usr/bin/env node
/**
 * `espalier serve` under load, 784-1024-1024-10 at 0.75, binary tensors over loopback: servers pinned to core 0, the load
 * to core 1 (`taskset -c 1 node bench/serve.mjs PART`). Parts: rivals (rounds in turn, 32 connections and one), steady
 * (80 % of the highest load for --seconds, then 200 % for 10), reload (100 reloads and SIGTERM under load), mixed (a
 * MobileNet, --mobilenet FILE, at full load alone, at twice that, and beside the small network), mlserver (see
 * serve/mlserver.mjs).
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { toOnnx } from '../dist/export/onnx/index.js';
import { espBytes } from '../dist/measure/source.js';
import { networkOf } from './networks.mjs';
import { closedLoop, inTurn, openLoop, requestOf } from './serve/load.mjs';
import { mlserver } from './serve/mlserver.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string' },
    mobilenet: { type: 'string', default: 'runs/networks/mobilenetv1-0.75.h5' },
  },
});
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { fetch } = globalThis;
const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-serve-'));
const children = [];
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const program = networkOf([784, 1024, 1024, 10], 0.75);
mkdirSync(join(folder, 'm/1'), { recursive: true });
writeFileSync(join(folder, 'm/1/model.esp'), await espBytes(program));

/** A request for one row of a model. */
function askFor(model, name, shape) {
  const length = shape.reduce((a, b) => a * b, 1);
  const tensor = Buffer.from(Float32Array.from({ length }, (_, i) => Math.sin(i)).buffer);
  const header = Buffer.from(
    JSON.stringify({
      inputs: [{ name, datatype: 'FP32', shape, parameters: { binary_data_size: tensor.length } }],
      parameters: { binary_data_output: true },
    }),
  );
  return requestOf(`/v2/models/${model}/infer`, Buffer.concat([header, tensor]), header.length);
}
const request = askFor('m', 'x', [1, 784]);

function start(...args) {
  const child = spawn('taskset', ['-c', '0', process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      const found = /serving on \S+:(\d+)/.exec(chunk.toString());
      if (found !== null) resolve({ port: Number(found[1]), child });
    });
    child.on('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}`)));
  });
}
const espalier = (...more) =>
  start(
    '--import',
    here('serve/loop-delay.mjs'),
    here('../dist/cli/main.js'),
    'serve',
    folder,
    '--http-port',
    '0',
    '--no-grpc',
    '--threads',
    '1',
    '--log-level',
    'error',
    ...more,
  );
/** How late the event loop of a server was since the last time. */
const loopDelay = (child) =>
  new Promise((resolve) => {
    const read = (chunk) => {
      const found = /loop (\{.*\})/.exec(chunk.toString());
      if (found === null) return;
      child.stdout.off('data', read);
      resolve(JSON.parse(found[1]));
    };
    child.stdout.on('data', read);
    child.kill('SIGUSR2');
  });
const rss = ({ pid }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const round = (value, digits = 2) => Number(value?.toFixed(digits));

async function rivals() {
  writeFileSync(join(folder, 'model.onnx'), await toOnnx(program));
  const servers = { espalier: await espalier() };
  for (const name of ['onnxruntime', 'tfjs', 'direct', 'echo'])
    servers[name] = await start(here('serve/rival.mjs'), name, folder);
  const seconds = Number(options.seconds ?? 2);
  const found = await inTurn(servers, request, Number(options.rounds), seconds);
  const rows = Object.entries(found).map(([name, { many, one }]) => ({
    server: name,
    'requests/s, 32': round(median(many.map(({ perSecond }) => perSecond)), 0),
    'p50 ms': round(median(many.map(({ p50 }) => p50))),
    'p99 ms': round(median(many.map(({ p99 }) => p99))),
    'one connection, p50 us': round(1000 * median(one.map(({ p50 }) => p50)), 0),
    'RSS MB': round(rss(servers[name].child), 0),
    failed: [...many, ...one].reduce((sum, { failed, other }) => sum + failed + other, 0),
  }));
  console.table(rows);
  const alone = execFileSync(
    'taskset',
    ['-c', '0', process.execPath, here('serve/rival.mjs'), 'run', folder],
    {
      encoding: 'utf8',
    },
  );
  console.log(`model.run alone: ${round(Number(alone), 0)} us`);
}

async function steady() {
  const { port, child } = await espalier();
  const { perSecond } = await closedLoop(port, request, { connections: 32, seconds: 4 });
  const seconds = Number(options.seconds ?? 30);
  console.log(`highest load: ${round(perSecond, 0)} requests/s`);
  await openLoop(port, request, { perSecond: 0.8 * perSecond, seconds: seconds / 10 });
  await loopDelay(child);
  const memory = [];
  const looking = setInterval(() => memory.push(rss(child)), 1000);
  const eighty = await openLoop(port, request, { perSecond: 0.8 * perSecond, seconds });
  clearInterval(looking);
  const [least, most] = [Math.min(...memory), Math.max(...memory)];
  console.log('80 %', eighty, 'event loop late by ms', await loopDelay(child));
  console.log(
    `RSS ${round(memory[0], 1)} -> ${round(memory.at(-1), 1)} MB, ${round(least, 1)} to ${round(most, 1)}`,
  );
  console.log('200 %', await openLoop(port, request, { perSecond: 2 * perSecond, seconds: 10 }));
  console.log('event loop late by ms', await loopDelay(child));
}

async function mixed() {
  mkdirSync(join(folder, 'mobilenet/1'), { recursive: true });
  const converted = join(folder, 'mobilenet/1/model.esp');
  execFileSync(process.execPath, [here('../dist/cli/main.js'), 'convert', options.mobilenet, converted], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const config = join(folder, 'config.yaml');
  writeFileSync(config, 'modelSettings: { mobilenet: { maxBatch: 4, maxQueue: 8 } }\n');
  const { port, child } = await espalier('--config', config);
  const answer = await fetch(`http://127.0.0.1:${port}/v2/models/mobilenet`);
  const [input] = (await answer.json()).inputs;
  const large = askFor('mobilenet', input.name, [1, ...input.shape.slice(1)]);
  const seconds = Number(options.seconds ?? 10);
  const show = async (what, loads) => {
    await loopDelay(child);
    const found = await Promise.all(
      Object.entries(loads).map(async ([name, [sent, connections]]) => [
        name,
        await closedLoop(port, sent, { connections, seconds }),
      ]),
    );
    for (const [name, { perSecond, p50, p99, failed, refused }] of found) {
      console.log(what, name, {
        perSecond: round(perSecond, 1),
        p50: round(p50),
        p99: round(p99),
        failed,
        refused,
      });
    }
    console.log(what, 'event loop late by ms', await loopDelay(child));
  };
  await show('alone:', { small: [request, 1] });
  await show('alone:', { mobilenet: [large, 4] });
  const { perSecond } = await closedLoop(port, large, { connections: 8, seconds });
  const twice = await openLoop(port, large, { perSecond: 2 * perSecond, seconds, most: 64 });
  console.log(`200 % of ${round(perSecond, 1)} requests/s: mobilenet`, twice);
  await show('beside:', { small: [request, 1], mobilenet: [large, 4] });
  await show('beside:', { small: [request, 32], mobilenet: [large, 8] });
}

async function reload() {
  const { port, child } = await espalier();
  const ended = new Promise((resolve) => child.on('exit', resolve));
  let over = false;
  const load = closedLoop(port, request, { connections: 32, seconds: 120, stop: () => over });
  for (let i = 0; i < 100; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/repository/models/m/load`, { method: 'POST' });
    if (!answer.ok) throw new Error(`reload ${i}: ${answer.status}`);
  }
  child.kill('SIGTERM');
  const code = await ended;
  over = true;
  console.log('100 reloads and SIGTERM', await load, `ended with ${code}`);
}

async function beside() {
  writeFileSync(join(folder, 'model.onnx'), await toOnnx(program));
  const [rounds, seconds] = [Number(options.rounds), Number(options.seconds ?? 2)];
  await mlserver({ folder, children, espalier: await espalier(), rounds, seconds });
}

const parts = { rivals, steady, reload, mixed, ...(process.env.ESPALIER_MLSERVER && { mlserver: beside }) };
for (const part of positionals.length > 0 ? positionals : Object.keys(parts)) await parts[part]();
process.exit(0);
