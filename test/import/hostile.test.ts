/** `espalier inspect` of hostile models: refused with one clear line, by the importer or by what comes after it. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { inspectModel } from '../../src/inspect/inspect.js';
import { asH5, asKeras, asTfjs, base, hostileCases, manifestOf, type HostileCase } from './hostile-cases.js';

const folder = mkdtempSync(join(tmpdir(), 'espalier-hostile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cases = await hostileCases();
let count = 0;

function write({ files, entry }: Pick<HostileCase, 'files' | 'entry'>): string {
  const room = join(folder, String(count++));
  mkdirSync(room);
  for (const [name, content] of Object.entries(files)) {
    if (content instanceof Uint8Array) writeFileSync(join(room, name), content);
    else symlinkSync(content.link, join(room, name));
  }
  return join(room, entry);
}

describe('hostile models', () => {
  it('the base they are made from is well in every form', async () => {
    const { model, weights } = base();
    const shape = { model, weights, ...manifestOf(weights) };
    const sources = [
      write({ files: asTfjs(shape), entry: 'model.json' }),
      write({ files: { 'm.h5': await asH5(shape) }, entry: 'm.h5' }),
      write({ files: { 'm.keras': await asKeras(shape) }, entry: 'm.keras' }),
    ];
    for (const source of sources) {
      expect((await inspectModel(source)).totals.weights).toBe(108 + 256 + 32);
    }
  });

  it.each(cases)('$name', async (hostile) => {
    let outcome: unknown = 'accepted';
    try {
      await inspectModel(write(hostile), { maxMemory: 2 ** 28 });
    } catch (error) {
      outcome = error;
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    if (hostile.expect === 'either' && outcome === 'accepted') return;
    expect(outcome).toBeInstanceOf(EspalierError);
    const { code, message } = outcome as EspalierError;
    expect(['INVALID_MODEL', 'UNSUPPORTED_LAYER', 'UNSUPPORTED_FORMAT', 'LIMIT_EXCEEDED'], message).toContain(
      code,
    );
    expect(message).not.toMatch(/[\n\0]|\bat .*\.(ts|js):|undefined \(undefined\)/);
    expect(message.length).toBeLessThan(600);
  });
});
