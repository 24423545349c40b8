/** The small native programs of bench:kernels, compiled when first needed. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Path of native/bench/NAME.cc, compiled; throws what the compiler says. */
function compiled(name, flags, libraries = []) {
  const folder = join(root, 'build', 'peaks');
  mkdirSync(folder, { recursive: true });
  const binary = join(folder, name);
  const source = join(root, 'native', 'bench', `${name}.cc`);
  if (!existsSync(binary) || statSync(binary).mtimeMs < statSync(source).mtimeMs) {
    const args = ['-O3', '-std=c++17', ...flags, source, '-o', binary, ...libraries];
    execFileSync(process.env.CXX ?? 'c++', args, { stdio: 'pipe' });
  }
  return binary;
}

/** Flags for the widest vectors that are there: -march=native does not know some virtual machines. */
export function peaks(isa) {
  const flags = isa.includes('avx512f')
    ? ['-mavx512f', '-mprefer-vector-width=512', '-mfma']
    : isa.includes('avx2')
      ? ['-mavx2', '-mfma']
      : [];
  try {
    const binary = compiled('machine_peaks', [...flags, '-ffast-math']);
    return JSON.parse(execFileSync(binary, { encoding: 'utf8' }));
  } catch (error) {
    console.log(`the machine's peaks are not known: ${String(error.message).split('\n')[0]}`);
    return undefined;
  }
}

/**
 * oneDNN's Dense layer with pre-packed weights, one thread, in a process of its own that takes its turns with the other
 * candidates and waits between them. Throws where Debian's libdnnl-dev, or its like, is not installed.
 */
export async function onednn(rows, cols, batch, copies = 1) {
  let binary;
  try {
    binary = compiled('onednn_matmul', [], ['-ldnnl']);
  } catch (error) {
    const missing = /dnnl\.hpp|-ldnnl/.test(String(error.stderr ?? error));
    throw missing ? new Error('dnnl.hpp or libdnnl is not there (Debian: libdnnl-dev)') : error;
  }
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const child = spawn(binary, [rows, cols, batch, copies].map(String), {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('onednn_matmul ended');
    return value;
  };
  const implementation = (await answer()).replace(/^ready /, '');
  return {
    name: 'oneDNN',
    implementation,
    cold: copies > 1,
    async microseconds(calls) {
      child.stdin.write(`${calls}\n`);
      return Number(await answer()) / 1e3 / calls;
    },
    release: () => void child.stdin.end(),
  };
}
