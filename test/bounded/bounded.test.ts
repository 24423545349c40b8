import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { asEspalierError, door } from '../../src/door.js';
import { EspalierError } from '../../src/errors.js';
import { checkedTimeout, defaultTimeout } from '../../src/bounded/run.js';
import type { Bounds, Job } from '../../src/bounded/run.js';

// Threads start from compiled modules.
const built = (path: string) => pathToFileURL(`${import.meta.dirname}/../../dist/${path}`);
const { runBounded } = (await import(
  built('bounded/run.js').href
)) as typeof import('../../src/bounded/run.js');
const job = (name: string, ...args: unknown[]): Job => ({
  module: new URL('jobs.mjs', import.meta.url),
  name,
  args,
});
const bounds = (more: Partial<Bounds> = {}): Bounds => ({
  what: 'a.h5',
  timeout: 60_000,
  memory: 2 ** 32,
  ...more,
});
const failure = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as EspalierError,
  );

describe('work in a thread of its own', () => {
  test('gives its result, and views of one buffer stay views of one buffer', async () => {
    expect(await runBounded(job('double', [1, 2]), bounds())).toEqual({ numbers: [2, 4] });
    const { a, b } = await runBounded<{ a: Float32Array; b: Float32Array }>(job('views'), bounds());
    expect(a.buffer).toBe(b.buffer);
    expect([a.length, b.length, a[0], b.at(-1)]).toEqual([50_000, 50_000, 1, 1]);
  });

  test('is ended where it never ends, while this thread goes on; the next work gets a new thread', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const error = await failure(runBounded(job('never'), bounds({ timeout: 300 })));
    clearInterval(timer);
    expect(error).toMatchObject({ code: 'INVALID_MODEL', details: { parameter: 'a.h5' } });
    expect(error.message).toMatch(/^a\.h5: expected a file that is read within 0\.3 s/);
    expect(turns).toBeGreaterThan(10);
    expect(await runBounded(job('double', [3]), bounds())).toEqual({ numbers: [6] });
  });

  test('is ended where it takes more memory than it may', async () => {
    const error = await failure(runBounded(job('memory'), bounds({ memory: 200 * 2 ** 20 })));
    expect(error).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { parameter: 'a.h5' } });
  });

  test('fails as it failed: our errors keep code and details, others are internal', async () => {
    const ours = await failure(runBounded(job('ours', built('errors.js').href), bounds()));
    expect(ours).toMatchObject({ code: 'INVALID_MODEL', message: 'layer a: expected b' });
    expect(ours.details.parameter).toBe('a');
    const other = await failure(runBounded(job('typeError'), bounds()));
    expect(other).toMatchObject({ code: 'INTERNAL' });
    expect(other.message).toMatch(/features/);
  });

  test('takes 10 s, 1 s for each 10 MiB, or what is asked for', () => {
    expect(defaultTimeout(0)).toBe(10_000);
    expect(defaultTimeout(95 * 2 ** 20)).toBe(20_000);
    expect(checkedTimeout(undefined, 1)).toBe(11_000);
    expect(checkedTimeout(Infinity, 0)).toBe(Infinity);
    for (const wrong of [0, -1, NaN, '5', null]) {
      expect(() => checkedTimeout(wrong, 0)).toThrow(/^timeout: expected milliseconds above 0/);
    }
  });
});

describe('a public door', () => {
  const thrown = (error: unknown) => failure(door('model.esp', () => Promise.reject(error as Error)));

  test('lets our own errors through as they are', async () => {
    const error = new EspalierError('INVALID_DATA', 'x');
    expect(await thrown(error)).toBe(error);
  });

  test('tells errors of the system with the path and their kind', async () => {
    const system = (code: string, message: string, path?: string) =>
      Object.assign(new Error(message), { code, syscall: 'write', path });
    expect(
      await thrown(system('ENOSPC', 'ENOSPC: no space left on device, write', '/d/out.csv')),
    ).toMatchObject({
      code: 'IO_FAILED',
      message: 'model.esp: ENOSPC: no space left on device, write (/d/out.csv)',
    });
    expect(await thrown(system('ENOENT', "ENOENT: no such file, open '/x'", '/x'))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('calls what is too large a limit, and what nobody expected a bug to be reported', async () => {
    expect(await thrown(new RangeError('Invalid typed array length: 39582418599936'))).toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    const bug = asEspalierError(
      new TypeError("Cannot read properties of undefined (reading 'x')"),
      'loadModel',
    );
    expect(bug).toMatchObject({ code: 'INTERNAL', exitCode: 1 });
    expect(bug.message).toMatch(/^loadModel: Cannot read.*bug of espalier: please report it/);
  });
});
