import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pythonCommand } from '../../install/tools.mjs';
import { EspalierError } from '../../src/errors.js';
import { inspectLibrary, provideLibrary } from '../../src/setup/library.js';
import { HEADERS, WHEELS, wheelFor, type Wheel } from '../../src/setup/wheels.js';

/** A wheel of a few bytes with the same layout, from a folder that pip takes for an index: nothing is downloaded. */
function makeWheel(folder: string): Wheel {
  const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;
  const platform = 'manylinux_2_27_x86_64';
  const path = join(folder, `espalier_fake-1.0.0-cp311-cp311-${platform}.whl`);
  const members = {
    ...Object.fromEntries(libraries.map((name) => [`tensorflow/${name}`, `library ${name}`])),
    ...Object.fromEntries(HEADERS.map((name) => [`tensorflow/include/${name}`, `// ${name}`])),
    'tensorflow/python/unwanted.so': 'not to be unpacked',
    'espalier_fake-1.0.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: espalier-fake\nVersion: 1.0.0\n',
    'espalier_fake-1.0.0.dist-info/WHEEL': `Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-${platform}\n`,
    'espalier_fake-1.0.0.dist-info/RECORD': '',
  };
  const script = `import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in json.loads(sys.argv[2]).items():
        wheel.writestr(name, text)`;
  spawnSync(pythonCommand() ?? 'python3', ['-c', script, path, JSON.stringify(members)], {
    stdio: 'inherit',
  });
  const bytes = readFileSync(path);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return {
    project: 'espalier-fake',
    version: '1.0.0',
    platform,
    sha256,
    bytes: bytes.length,
    libraries,
    links: {},
  };
}

describe('the TensorFlow library in the cache', () => {
  let folder: string;
  let wheel: Wheel;
  let said: string[];
  const progress = { say: (text: string) => void said.push(text) };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'espalier-library-'));
    wheel = makeWheel(folder);
    said = [];
    vi.stubEnv('ESPALIER_CACHE', join(folder, 'cache'));
    vi.stubEnv('PIP_NO_INDEX', '1');
    vi.stubEnv('PIP_FIND_LINKS', folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is fetched once and unpacked in part', async () => {
    const library = await provideLibrary(wheel, progress);
    expect(readdirSync(join(library, 'lib')).sort()).toEqual([...wheel.libraries].sort());
    expect(readFileSync(join(library, 'include/tensorflow/c/c_api.h'), 'utf8')).toBe(
      '// tensorflow/c/c_api.h',
    );
    expect((await inspectLibrary(wheel)).state).toBe('whole');
    said = [];
    await provideLibrary(wheel, progress);
    expect(said).toEqual([]);
  });

  it('is unpacked again when a file changed, without fetching', async () => {
    const library = await provideLibrary(wheel, progress);
    const file = join(library, 'lib/libtensorflow_cc.so.2');
    const whole = readFileSync(file, 'utf8');
    chmodSync(file, 0o644);
    writeFileSync(file, whole.replace('l', 'L'));
    utimesSync(file, 1, 1);
    expect((await inspectLibrary(wheel)).state).toBe('damaged');
    said = [];
    await provideLibrary(wheel, progress);
    expect(readFileSync(file, 'utf8')).toBe(whole);
    expect(said.join('\n')).toMatch(/damaged.*unpacking/s);
    expect(said.join('\n')).not.toMatch(/fetching/);
  });

  it('takes a touched but unchanged file for whole', async () => {
    const library = await provideLibrary(wheel, progress);
    utimesSync(join(library, 'lib/libtensorflow_cc.so.2'), 1, 1);
    expect((await inspectLibrary(wheel)).state).toBe('whole');
  });

  it('is fetched again when the kept wheel is damaged', async () => {
    const library = await provideLibrary(wheel, progress);
    const [name] = readdirSync(join(folder, 'cache/downloads'));
    const kept = join(folder, 'cache/downloads', name ?? '');
    writeFileSync(kept, readFileSync(kept).subarray(0, 100));
    rmSync(library, { recursive: true });
    await provideLibrary(wheel, progress);
    expect(statSync(kept).size).toBe(wheel.bytes);
    expect(said.join('\n')).toMatch(/is damaged: fetching it again/);
  });

  it('clears what an interrupted fetch left, and leaves a running one alone', async () => {
    const downloads = join(folder, 'cache/downloads');
    // Above the largest process id that Linux gives; and this process's parent, which runs.
    const [dead, alive] = ['other.whl.4194305.tmp', `other.whl.${process.ppid}.tmp`];
    for (const name of [dead, alive]) mkdirSync(join(downloads, name), { recursive: true });
    await provideLibrary(wheel, progress);
    expect(readdirSync(downloads)).toContain(alive);
    expect(readdirSync(downloads)).not.toContain(dead);
  });

  it('refuses a file whose hash is another, and leaves nothing behind', async () => {
    const other = { ...wheel, sha256: '0'.repeat(64) };
    const error = await provideLibrary(other, progress).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(EspalierError);
    expect(error).toMatchObject({ code: 'TENSORFLOW_MISSING', exitCode: 1 });
    expect(readdirSync(join(folder, 'cache/downloads'))).toEqual([]);
  });
});

describe('the table of wheels', () => {
  it('pins each by a SHA-256 of its own', () => {
    const hashes = Object.values(WHEELS).map(({ sha256 }) => sha256);
    for (const hash of hashes) expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('names the platforms it has where it is asked for another', () => {
    expect(() => wheelFor('sunos', 'x64')).toThrow(/expected one of linux-x64.*received sunos-x64/);
  });
});
