/**
 * The part mlserver of bench/serve.mjs: espalier serve beside MLServer with a runtime over onnxruntime, both on core 0,
 * rounds in turn. MLServer has no binary tensors over HTTP, so both get the row as JSON. ESPALIER_MLSERVER is a Python
 * that has mlserver and onnxruntime: `python3 -m venv V && V/bin/pip install mlserver onnxruntime`, then V/bin/python.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inTurn } from './load.mjs';

const { fetch } = globalThis;
const free = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

async function start(folder, children) {
  const python = process.env.ESPALIER_MLSERVER;
  if (python === undefined) throw new Error('ESPALIER_MLSERVER: expected a Python that has mlserver');
  const home = join(folder, 'mlserver');
  mkdirSync(home);
  copyFileSync(fileURLToPath(new URL('./mlserver.py', import.meta.url)), join(home, 'runtime.py'));
  const [http_port, grpc_port, metrics_port] = [await free(), await free(), await free()];
  // In the process of the server, without its extra work: the fastest that it has for a single small model.
  const settings = {
    ...{ host: '127.0.0.1', http_port, grpc_port, metrics_port, parallel_workers: 0 },
    ...{ debug: false, gzip_enabled: false, metrics_endpoint: null },
  };
  writeFileSync(join(home, 'settings.json'), JSON.stringify(settings));
  const model = { name: 'm', implementation: 'runtime.OnnxModel' };
  writeFileSync(join(home, 'model-settings.json'), JSON.stringify(model));
  const child = spawn('taskset', ['-c', '0', python, '-m', 'mlserver.cli.main', 'start', home], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: home,
    env: {
      ...process.env,
      PYTHONPATH: home,
      ESPALIER_ONNX: join(folder, 'model.onnx'),
      OMP_NUM_THREADS: '1',
    },
  });
  children.push(child);
  let errors = '';
  child.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-4000)));
  for (let i = 0; i < 300; i++) {
    if (child.exitCode !== null) throw new Error(`MLServer ended with ${child.exitCode}: ${errors}`);
    const answer = await fetch(`http://127.0.0.1:${http_port}/v2/models/m/ready`).catch(() => undefined);
    if (answer?.ok) return { port: http_port, child };
    await sleep(100);
  }
  throw new Error(`MLServer is not ready: ${errors}`);
}

/** `espalier`: a server of the same network, as start of bench/serve.mjs answers. model.onnx is in the folder. */
export async function mlserver({ folder, children, espalier, rounds, seconds }) {
  const servers = { espalier, mlserver: await start(folder, children) };
  const data = Array.from({ length: 784 }, (_, i) => Math.fround(Math.sin(i)));
  const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 784], data }] });
  const answers = await Promise.all(
    Object.values(servers).map(async ({ port }) => {
      const url = `http://127.0.0.1:${port}/v2/models/m/infer`;
      const headers = { 'content-type': 'application/json' };
      return (await (await fetch(url, { method: 'POST', headers, body })).json()).outputs[0].data;
    }),
  );
  const worst = Math.max(...answers[0].map((value, i) => Math.abs(value - answers[1][i])));
  if (!(worst < 1e-4)) throw new Error(`the answers differ by ${worst}`);
  const head = [
    'POST /v2/models/m/infer HTTP/1.1',
    'Host: bench',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ];
  const request = Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
  const found = await inTurn(servers, request, rounds, seconds);
  console.log(`JSON rows; largest difference of the answers ${worst.toExponential(1)}`);
  console.table(
    Object.entries(found).map(([name, { many, one }]) => ({
      server: name,
      'requests/s, 32': Math.round(median(many.map(({ perSecond }) => perSecond))),
      'p50 ms': Number(median(many.map(({ p50 }) => p50)).toFixed(2)),
      'p99 ms': Number(median(many.map(({ p99 }) => p99)).toFixed(2)),
      'one connection, p50 us': Math.round(1000 * median(one.map(({ p50 }) => p50))),
      'RSS MB': Math.round(rss(servers[name].child.pid)),
      failed: [...many, ...one].reduce((sum, { failed, other }) => sum + failed + other, 0),
    })),
  );
}
