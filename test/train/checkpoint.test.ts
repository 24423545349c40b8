import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint, writeCheckpoint } from '../../src/train/checkpoint.js';
import { writeSafetensors } from '../../src/safetensors.js';

let folder: string;
let path: string;
const checkpoint = {
  state: { epoch: 3, history: [{ loss: 0.5 }] },
  tensors: new Map([
    ['weights/a', { shape: [2, 2], values: Float32Array.of(1, -2, 0, 4) }],
    ['mask/0', { shape: [0], values: new Float32Array() }],
  ]),
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-checkpoint-'));
  path = join(folder, 'checkpoint.safetensors');
  await writeCheckpoint(path, checkpoint);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a checkpoint', () => {
  it('is read as it was written; where there is none, nothing', async () => {
    expect(await readCheckpoint(path)).toEqual(checkpoint);
    expect(await readCheckpoint(join(folder, 'other'))).toBeUndefined();
  });

  it('is refused with any bit changed, or cut anywhere', async () => {
    const whole = await readFile(path);
    const other = join(folder, 'changed');
    const refused = async (bytes: Uint8Array) => {
      await writeFile(other, bytes);
      return readCheckpoint(other).then(
        (found) => found,
        (error: unknown) => error,
      );
    };
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 1 << (at % 8);
      const outcome = await refused(changed);
      // Only the name of the checksum may change without a word; what the file says is then the same.
      if (!(outcome instanceof Error)) expect(outcome).toEqual(checkpoint);
      else expect(outcome).toMatchObject({ code: 'INVALID_DATA', details: { parameter: other } });
      expect(await refused(whole.subarray(0, at))).toMatchObject({ code: 'INVALID_DATA' });
    }
  });

  it('is not what another file is', async () => {
    const other = join(folder, 'other.esp');
    await writeFile(
      other,
      writeSafetensors({ metadata: { format: 'espalier', program: '{}' }, tensors: [] }),
    );
    await expect(readCheckpoint(other)).rejects.toThrow(
      /other\.esp: expected a whole checkpoint of espalier; this is another kind of file/,
    );
  });
});
