import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { which } from '../../install/tools.mjs';
import { Stamps, filesUnder, fingerprint } from '../../scripts/lib/stamp.mjs';
import { countGoogleTest, countVitest } from '../../scripts/lib/suites.mjs';
import { Tally } from '../../scripts/lib/tally.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-scripts-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

describe('set-up', () => {
  it('names each missing tool with the command that installs it', () => {
    symlinkSync(process.execPath, join(folder, 'node'));
    // With apt-get there, the command is Debian's; it is not run.
    writeFileSync(join(folder, 'apt-get'), '', { mode: 0o755 });
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(root, 'scripts/setup.mjs'), '--only', 'tools'],
      {
        encoding: 'utf8',
        env: { PATH: folder },
      },
    );
    expect(status).toBe(1);
    for (const [tool, command] of [
      ['cmake', 'apt-get install -y cmake'],
      ['c\\+\\+', 'apt-get install -y g\\+\\+'],
      ['python3', 'apt-get install -y python3'],
      ['pip', 'apt-get install -y python3-pip'],
    ]) {
      expect(stderr).toMatch(new RegExp(`^${tool}.* not found;.*${command}$`, 'm'));
    }
  });

  it.each([
    ['test-full.mjs', /expected suites among ci, package, .*received nonsense/],
    ['test-unit.mjs', /expected a part of the name of a test .*received nonsense/],
  ])('%s refuses what it does not know, before it sets up anything', (script, message) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, 'scripts', script), 'nonsense'],
      {
        encoding: 'utf8',
      },
    );
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([2, '']);
  });

  it('finds programs by name on PATH', () => {
    vi.stubEnv('PATH', folder);
    expect(which('nothing', 'tool')).toBeUndefined();
    writeFileSync(join(folder, 'nothing'), 'not a program', { mode: 0o644 });
    writeFileSync(join(folder, 'tool'), '', { mode: 0o755 });
    expect(which('nothing', 'tool')).toBe(join(folder, 'tool'));
    vi.unstubAllEnvs();
  });
});

describe('a stamp', () => {
  it('changes with the content and the names of the files, and outlives the process', () => {
    mkdirSync(join(folder, 'src'));
    writeFileSync(join(folder, 'src/a'), 'one');
    const before = fingerprint(folder, filesUnder(folder, ['src', 'missing']));
    expect(fingerprint(folder, filesUnder(folder, ['src']))).toBe(before);
    writeFileSync(join(folder, 'src/b'), '');
    const after = fingerprint(folder, filesUnder(folder, ['src']));
    expect(after).not.toBe(before);

    const path = join(folder, 'build/stamps.json');
    new Stamps(path).set('step', after);
    expect(new Stamps(path).matches('step', after)).toBe(true);
    expect(new Stamps(path).matches('step', before)).toBe(false);
    expect(new Stamps(path).matches('other', after)).toBe(false);
  });
});

describe('the closing line', () => {
  function close(suites: Parameters<Tally['add']>[1][], ci = false): { code: number; last: string } {
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
    const tally = new Tally();
    for (const suite of suites) tally.add('suite', suite);
    return { code: tally.close({ ci }), last: lines.at(-1) ?? '' };
  }

  it('counts all suites', () => {
    expect(close([{ passed: 3 }, { passed: 4, failures: [] }])).toEqual({
      code: 0,
      last: '7 passed, 0 failed',
    });
    expect(close([{ passed: 3, failures: ['x'] }])).toEqual({ code: 1, last: '3 passed, 1 failed' });
  });

  it('counts a skip, which in CI is a failure', () => {
    expect(close([{ passed: 3, skips: ['x'] }])).toEqual({ code: 0, last: '3 passed, 0 failed, 1 skipped' });
    expect(close([{ passed: 3, skips: ['x'] }], true)).toEqual({ code: 1, last: '3 passed, 1 failed' });
  });

  it('fails where no test ran', () => {
    expect(close([])).toEqual({ code: 1, last: '0 passed, 1 failed' });
  });
});

describe('counting', () => {
  it('takes a vitest file that does not load for one failure', () => {
    const outcome = countVitest('/r', {
      testResults: [
        {
          name: '/r/test/a.test.ts',
          status: 'failed',
          assertionResults: [
            { status: 'passed', fullName: 'works' },
            { status: 'failed', fullName: 'breaks' },
            { status: 'pending', fullName: 'waits' },
          ],
        },
        {
          name: '/r/test/b.test.ts',
          status: 'failed',
          message: 'no such module\nat x',
          assertionResults: [],
        },
      ],
    });
    expect(outcome).toEqual({
      passed: 1,
      failures: ['test/a.test.ts: breaks', 'test/b.test.ts: no such module'],
      skips: ['test/a.test.ts: waits'],
    });
  });

  it('reads GoogleTest reports', () => {
    const testsuite = [
      { name: 'Good', status: 'RUN', result: 'COMPLETED' },
      { name: 'Bad', status: 'RUN', result: 'COMPLETED', failures: [{}] },
      { name: 'Skipped', status: 'RUN', result: 'SKIPPED' },
    ];
    expect(countGoogleTest([{ testsuites: [{ name: 'Csr', testsuite }] }])).toEqual({
      passed: 1,
      failures: ['Csr.Bad'],
      skips: ['Csr.Skipped'],
    });
  });
});
