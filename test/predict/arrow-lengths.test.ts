/** Arrow whose messages say more than there is: refused before the library believes it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeProgram } from '../../src/file/write.js';
import { predict } from '../../src/predict/predict.js';
import { checkedMessages } from '../../src/table/stream/arrow-messages.js';
import { mlp } from '../support/programs.js';

const table = tableFromArrays({
  ...Object.fromEntries(
    Array.from({ length: 4 }, (_, i) => [`c${i}`, Float32Array.from({ length: 40 }, (_, row) => row + i)]),
  ),
  name: Array.from({ length: 40 }, (_, row) => (row % 3 === 0 ? 'a' : 'b')),
});
const forms = [tableToIPC(table, 'file'), tableToIPC(table, 'stream')].map((bytes) => Buffer.from(bytes));

let folder: string;
let model: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-arrow-'));
  model = join(folder, 'm.esp');
  await writeFile(model, writeProgram(mlp([4, 3, 1], 0.5).program));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function passed(bytes: Buffer, piece: number): Promise<Buffer> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  }
  const all: Buffer[] = [];
  for await (const part of checkedMessages(pieces())) all.push(part);
  return Buffer.concat(all);
}

describe('the lengths of Arrow messages', () => {
  it.each([1, 7, 64, 1 << 20])('pass what is sound unchanged, in pieces of %i bytes', async (piece) => {
    for (const bytes of forms) expect((await passed(bytes, piece)).equals(bytes)).toBe(true);
  });

  it('are refused where one says more than there is, by name and with nothing written', async () => {
    const bytes = forms[0]!;
    // The count of the buffers of the record batch, as its message has it: 4 columns of 2, a dictionary's 2.
    const input = join(folder, 'x.arrow');
    const output = join(folder, 'y.csv');
    let refused = 0;
    for (let at = 16; at + 4 <= bytes.length; at += 4) {
      if (bytes.readInt32LE(at) !== 10) continue;
      const changed = Buffer.from(bytes);
      changed.writeInt32LE(50_000_000, at);
      await writeFile(input, changed);
      const outcome = await predict({ model, input, output, columns: ['c0', 'c1', 'c2', 'c3'] }).catch(
        (error: unknown) => error,
      );
      if (!(outcome instanceof Error)) continue;
      expect(outcome).toMatchObject({ name: 'EspalierError', code: 'INVALID_DATA' });
      if (/buffers of a batch: expected at most \d+ in a message of \d+ bytes/.test(outcome.message))
        refused++;
      expect(existsSync(output)).toBe(false);
    }
    expect(refused).toBe(1);
  });

  it('never let a changed byte cost much: what is read is bounded by the file', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...forms),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        async (bytes, place, value) => {
          const changed = Buffer.from(bytes);
          changed[place % changed.length] = value;
          const outcome = await passed(changed, 512).catch((error: unknown) => error);
          if (Buffer.isBuffer(outcome)) expect(outcome.length).toBeLessThanOrEqual(changed.length);
          else expect(outcome).toBeInstanceOf(Error);
        },
      ),
      { numRuns: 2000, seed: 1 },
    );
  });
});
