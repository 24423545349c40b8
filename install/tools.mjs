/**
 * The tools that set-up, the install script and `espalier doctor` look for, and how each is installed.
 * Plain JavaScript without dependencies: it runs before `npm ci` and inside the packed package.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const PACKAGES = {
  node: { apt: 'nodejs', dnf: 'nodejs', apk: 'nodejs', pacman: 'nodejs', brew: 'node' },
  npm: { apt: 'npm', dnf: 'npm', apk: 'npm', pacman: 'npm', brew: 'node' },
  python3: { apt: 'python3', dnf: 'python3', apk: 'python3', pacman: 'python', brew: 'python3' },
  pip: { apt: 'python3-pip', dnf: 'python3-pip', apk: 'py3-pip', pacman: 'python-pip', brew: 'python3' },
  cmake: { apt: 'cmake', dnf: 'cmake', apk: 'cmake', pacman: 'cmake', brew: 'cmake' },
  'c++': { apt: 'g++', dnf: 'gcc-c++', apk: 'g++', pacman: 'gcc', brew: 'gcc' },
  make: { apt: 'make', dnf: 'make', apk: 'make', pacman: 'make', brew: 'make' },
  gtest: { apt: 'libgtest-dev', dnf: 'gtest-devel', apk: 'gtest-dev', pacman: 'gtest', brew: 'googletest' },
  'clang++': { apt: 'clang', dnf: 'clang', apk: 'clang', pacman: 'clang', brew: 'llvm' },
};

const MANAGERS = [
  ['apt', 'apt-get', 'apt-get install -y'],
  ['dnf', 'dnf', 'dnf install -y'],
  ['apk', 'apk', 'apk add'],
  ['pacman', 'pacman', 'pacman -S --noconfirm'],
  ['brew', 'brew', 'brew install'],
];

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first of `names` found on PATH, as an absolute path; undefined if none is there. */
export function which(...names) {
  for (const name of names) {
    if (name.includes('/')) {
      if (isExecutable(name)) return name;
      continue;
    }
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name);
    }
  }
  return undefined;
}

/** The command that installs a tool on this machine. */
export function remedy(tool) {
  const packages = PACKAGES[tool];
  if (process.platform === 'darwin' && (tool === 'c++' || tool === 'make' || tool === 'clang++')) {
    return 'xcode-select --install';
  }
  for (const [key, command, install] of MANAGERS) {
    if (which(command) === undefined) continue;
    const sudo = key === 'brew' || process.getuid?.() === 0 ? '' : 'sudo ';
    return `${sudo}${install} ${packages[key]}`;
  }
  return `apt-get install -y ${packages.apt}`;
}

/** [2, 7, 1] for "cmake version 2.7.1". */
function parseVersion(text) {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

function atLeast(version, wanted) {
  for (let i = 0; i < 3; i++) {
    if (version[i] !== wanted[i]) return version[i] > wanted[i];
  }
  return true;
}

function probe(tool, wanted, command, args, why) {
  const base = { tool, wanted: wanted.slice(0, 2).join('.'), why, path: command };
  if (command === undefined) return { ...base, ok: false, problem: 'not found', remedy: remedy(tool) };
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
  const output = `${stdout ?? ''}\n${stderr ?? ''}`;
  if (error !== undefined || status !== 0) {
    const reason = error?.message ?? output.trim().split('\n').pop() ?? '';
    return { ...base, ok: false, problem: `does not run: ${reason}`, remedy: remedy(tool) };
  }
  const version = parseVersion(output);
  if (version === undefined) return { ...base, ok: true, version: 'unknown' };
  const text = version.join('.');
  if (!atLeast(version, wanted)) {
    return { ...base, ok: false, version: text, problem: `${text} is too old`, remedy: remedy(tool) };
  }
  return { ...base, ok: true, version: text };
}

/** The Python that is used: ESPALIER_PYTHON, PYTHON or python3. */
export function pythonCommand() {
  return which(...[process.env.ESPALIER_PYTHON, process.env.PYTHON, 'python3', 'python'].filter(Boolean));
}

const CHECKS = {
  node: () => {
    const version = parseVersion(process.version);
    const ok = atLeast(version, [20, 17, 0]);
    const base = {
      tool: 'node',
      wanted: '20.17',
      why: 'everything',
      path: process.execPath,
      version: version.join('.'),
    };
    return ok
      ? { ...base, ok }
      : { ...base, ok, problem: `${base.version} is too old`, remedy: remedy('node') };
  },
  npm: () => probe('npm', [9, 0, 0], which('npm'), ['--version'], 'installing packages'),
  python3: () =>
    probe(
      'python3',
      [3, 9, 0],
      pythonCommand(),
      ['--version'],
      'fetching TensorFlow; node-gyp; checks in tests',
    ),
  pip: () =>
    probe(
      'pip',
      [20, 3, 0],
      pythonCommand(),
      ['-m', 'pip', '--version'],
      'fetching TensorFlow and test helpers',
    ),
  cmake: () => probe('cmake', [3, 18, 0], which('cmake'), ['--version'], 'building the native engine'),
  'c++': () =>
    probe(
      'c++',
      [0, 0, 0],
      process.env.CXX !== undefined && process.env.CXX !== ''
        ? which(process.env.CXX)
        : which('c++', 'g++', 'clang++'),
      ['--version'],
      'building the native engine and the TensorFlow binding',
    ),
  make: () => probe('make', [3, 0, 0], which('make', 'gmake'), ['--version'], 'building native code'),
};

/**
 * Looks for tools by name ("node", "npm", "python3", "pip", "cmake", "c++", "make").
 * Each answer: { tool, ok, version?, wanted, why, path?, problem?, remedy? }.
 */
export function checkTools(names) {
  return names.map((name) => CHECKS[name]());
}

/** One line for each missing tool: what is wrong and the command that mends it. */
export function describeMissing(results) {
  return results
    .filter((result) => !result.ok)
    .map(({ tool, problem, wanted, why, remedy: command }) => {
      const version = wanted === '0.0' ? '' : ` (>= ${wanted})`;
      return `${tool}${version} ${problem}; it is needed for ${why}. Install it with: ${command}`;
    });
}
