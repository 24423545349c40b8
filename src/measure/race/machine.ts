/** What a figure depends on besides the code: the machine, what runs on it, and the versions of everything. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { PACKAGE_FOLDER, packageFile, packageVersion } from '../../package.js';

export interface Machine {
  cpu: string;
  architecture: string;
  /** Cores that this process may run on. */
  cores: number;
  /** Instruction sets that matter here, as the operating system names them. */
  isa: string[];
  /** Bytes; of one core (L1d, L2) or shared (L3). Null where the system does not tell. */
  caches: { l1d: number | null; l2: number | null; l3: number | null };
  memoryBytes: number;
  /** The frequency governor; null where there is none, as in virtual machines. */
  governor: string | null;
  virtual: boolean;
  system: string;
  node: string;
  espalier: string;
  /** The commit of the clone that espalier runs from, with "+" where files differ from it; null outside a clone. */
  commit: string | null;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** "64K" → 65536. */
function parseSize(text: string | undefined): number | null {
  const match = /^(\d+)([KM]?)$/.exec(text ?? '');
  if (match === null) return null;
  return Number(match[1]) * { '': 1, K: 1024, M: 1024 ** 2 }[match[2] as '' | 'K' | 'M'];
}

function caches(): Machine['caches'] {
  const found: Machine['caches'] = { l1d: null, l2: null, l3: null };
  const folder = '/sys/devices/system/cpu/cpu0/cache';
  const entries = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('index')) : [];
  for (const name of entries) {
    const level = read(join(folder, name, 'level'));
    const type = read(join(folder, name, 'type'));
    const size = parseSize(read(join(folder, name, 'size')));
    if (level === '1' && type === 'Data') found.l1d = size;
    if (level === '2') found.l2 = size;
    if (level === '3') found.l3 = size;
  }
  return found;
}

/** Of the largest cache, 32 MB where the system does not tell. */
export function cacheBytes(): number {
  const { l1d, l2, l3 } = caches();
  return l3 ?? l2 ?? l1d ?? 32 * 1024 ** 2;
}

const ISA_FLAGS = [
  'sse4_2',
  'avx',
  'avx2',
  'fma',
  'f16c',
  'avx512f',
  'avx512vl',
  'avx512_vnni',
  'amx_tile',
  'asimd',
];

function cpuFlags(): string[] {
  const info = read('/proc/cpuinfo') ?? '';
  const flags = new Set((/^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1] ?? '').split(/\s+/));
  return ISA_FLAGS.filter((flag) => flags.has(flag));
}

/** The cores that this process may run on, as numbers; empty where the system does not tell. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read('/proc/self/status') ?? '')?.[1] ?? '';
  return list
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

function git(args: string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('git', ['-C', PACKAGE_FOLDER, ...args], { timeout: 5000 }, (error, stdout) =>
      resolve(error === null ? stdout.trim() : undefined),
    );
  });
}

async function commit(): Promise<string | null> {
  if (!existsSync(packageFile('.git'))) return null;
  const [hash, changes] = await Promise.all([
    git(['rev-parse', '--short=12', 'HEAD']),
    git(['status', '--porcelain', '--untracked-files=no']),
  ]);
  if (hash === undefined) return null;
  return changes === undefined || changes === '' ? hash : `${hash}+`;
}

export async function describeMachine(): Promise<Machine> {
  const cpus = os.cpus();
  const info = read('/proc/cpuinfo') ?? '';
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    architecture: process.arch,
    cores: os.availableParallelism(),
    isa: cpuFlags(),
    caches: caches(),
    memoryBytes: os.totalmem(),
    governor: read('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor') ?? null,
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(info),
    system: `${os.type()} ${os.release()}`,
    node: process.version,
    espalier: packageVersion(),
    commit: await commit(),
  };
}

/** Time that all cores spent since the start of the system: computing, and in all. Undefined outside Linux. */
function ticks(): { busy: number; all: number } {
  let busy = 0;
  let all = 0;
  for (const { times } of os.cpus()) {
    const sum = times.user + times.nice + times.sys + times.irq + times.idle;
    all += sum;
    busy += sum - times.idle;
  }
  return { busy, all };
}

/** Watches how busy the machine is from now on: the answer is the mean number of busy cores since then. */
export function watchLoad(): () => number {
  const before = ticks();
  return () => {
    const after = ticks();
    const share = after.all === before.all ? 0 : (after.busy - before.busy) / (after.all - before.all);
    return share * os.cpus().length;
  };
}
