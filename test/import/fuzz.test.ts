import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { importModel } from '../../src/import/index.js';
import { GOLDEN } from './golden-cases.js';

/** Overwrites, cuts and repeats of a file's bytes. */
const mutations = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('byte' as const), at: fc.nat(), value: fc.nat(255) }),
    fc.record({
      kind: fc.constant('word' as const),
      at: fc.nat(),
      value: fc.constantFrom(0, -1, 2 ** 31 - 1, 255),
    }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), value: fc.nat(64) }),
  ),
  { minLength: 1, maxLength: 8 },
);

function mutate(original: Uint8Array, list: { kind: string; at: number; value: number }[]): Uint8Array {
  let bytes = Uint8Array.from(original);
  for (const { kind, at, value } of list) {
    if (bytes.length < 8) return bytes;
    const position = at % (bytes.length - 4);
    if (kind === 'byte') bytes[position] = value;
    else if (kind === 'word') new DataView(bytes.buffer).setInt32(position, value, true);
    else bytes = Uint8Array.from([...bytes.subarray(0, position), ...bytes.subarray(position + value)]);
  }
  return bytes;
}

/** Either a Network whose weights are finite, or an EspalierError of one line. */
async function expectNoCrash(source: string | Uint8Array): Promise<void> {
  try {
    const network = await importModel(source, { maxMemory: 2 ** 28 });
    for (const { weights } of network.layers) {
      for (const { data } of Object.values(weights)) expect(data.every(Number.isFinite)).toBe(true);
    }
  } catch (error) {
    expect(error).toBeInstanceOf(EspalierError);
    expect((error as EspalierError).code).not.toBe('INTERNAL');
    expect((error as EspalierError).message).not.toContain('\n');
  }
}

describe('a damaged file is refused or read, and never crashes', () => {
  it.each(['models/lstm/model.h5', 'keras3/k3_nested/model.h5', 'models/nested_model/model.keras'])(
    '%s',
    async (name) => {
      const original = new Uint8Array(readFileSync(join(GOLDEN, name)));
      const property = fc.asyncProperty(mutations, async (list) => expectNoCrash(mutate(original, list)));
      await fc.assert(property, { numRuns: 150, seed: 5 });
      // The library still reads what is whole.
      await expect(importModel(original)).resolves.toHaveProperty('name');
    },
  );

  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'espalier-fuzz-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('models/two_inputs/model.json with its shard', async () => {
    const from = join(GOLDEN, 'models', 'two_inputs');
    const shard = 'group1-shard1of1.bin';
    writeFileSync(join(folder, shard), readFileSync(join(from, shard)));
    const original = new Uint8Array(readFileSync(join(from, 'model.json')));
    const path = join(folder, 'model.json');
    const property = fc.asyncProperty(mutations, async (list) => {
      writeFileSync(path, mutate(original, list));
      await expectNoCrash(path);
    });
    await fc.assert(property, { numRuns: 200, seed: 6 });
  });

  it('values of a config replaced by others of any type', async () => {
    const from = join(GOLDEN, 'models', 'two_inputs');
    const text = readFileSync(join(from, 'model.json'), 'utf8');
    const values = [...text.matchAll(/: ?("[^"]*"|-?\d[\d.]*|true|false|null|\[[^[\]]*\])/g)];
    const path = join(folder, 'model.json');
    const property = fc.asyncProperty(
      fc.nat(values.length - 1),
      fc.oneof(
        fc.json({ maxDepth: 2 }),
        fc.constantFrom('-1', '0', '1e999', '1e15', '"toString"', '"__proto__"'),
      ),
      async (at, replacement) => {
        const { index } = values[at]!;
        const colon = text.indexOf(':', index) + 1;
        const length = values[at]![0].length - (colon - index);
        writeFileSync(path, text.slice(0, colon) + replacement + text.slice(colon + length));
        await expectNoCrash(path);
      },
    );
    await fc.assert(property, { numRuns: 300, seed: 7 });
  });
});
