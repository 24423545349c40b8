/**
 * `node native/sources.mjs PART`: the C++ files of a part of the addon, for binding.gyp. CMakeLists.txt goes by the same
 * rule, so that a new file is on no list: a name that ends in _avx2.cc, _avx512.cc or _neon.cc is compiled with the flags of
 * that instruction set (and holds no inline library code that the linker could share with the rest), `common` are the
 * others of the engine, `addon` what meets Node.
 */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const native = dirname(fileURLToPath(import.meta.url));

const ENGINE = ['cpu', 'sparse', 'kernels', 'program'];
const INSTRUCTION_SETS = ['avx2', 'avx512', 'neon'];

/** Paths from the folder above native/. */
export function sources(part) {
  const of = (folder) =>
    readdirSync(join(native, folder), { recursive: true })
      .filter((name) => name.endsWith('.cc'))
      .map((name) => `native/${folder}/${name}`)
      .sort();
  if (part === 'addon') return of('addon');
  const engine = ENGINE.flatMap(of);
  if (INSTRUCTION_SETS.includes(part)) return engine.filter((path) => path.endsWith(`_${part}.cc`));
  if (part !== 'common') throw new Error(`there is no part ${part}`);
  return engine.filter((path) => !INSTRUCTION_SETS.some((isa) => path.endsWith(`_${isa}.cc`)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(sources(process.argv[2]).join(' '));
