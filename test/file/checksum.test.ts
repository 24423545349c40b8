import { describe, expect, it } from 'vitest';
import { parseEsp } from '../../src/file/esp.js';
import { readSafetensors, writeSafetensors } from '../../src/safetensors.js';
import { writeProgram } from '../../src/file/write.js';
import { loadModel } from '../../src/index.js';
import { mlp } from '../support/programs.js';

const whole = writeProgram(mlp([6, 4, 2], 0.5).program);
const flipped = (bit: number) => {
  const copy = Uint8Array.from(whole);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe('the checksum of an .esp file', () => {
  it('finds every single bit that is changed, or the file says the same without it', () => {
    const program = JSON.stringify(parseEsp(whole).json);
    let found = 0;
    for (let bit = 0; bit < whole.length * 8; bit++) {
      let file;
      try {
        file = parseEsp(flipped(bit));
      } catch (error) {
        expect(error).toMatchObject({ name: 'EspalierError' });
        found++;
        continue;
      }
      // A changed name of the checksum itself: all else must be as it was written.
      expect(JSON.stringify(file.json)).toBe(program);
      file.tensors.forEach(({ data }, i) => expect(data).toEqual(parseEsp(whole).tensors[i]!.data));
    }
    expect(found).toBeGreaterThan(whole.length * 8 - 64);
  });

  it('is verified by loadModel unless it is told not to', async () => {
    // The last bit of a bias, which makes another number and nothing that is checked otherwise.
    const biases = parseEsp(whole).tensors.find(({ dtype }) => dtype === 'F32')!;
    const bit = biases.data.byteOffset * 8;
    await expect(loadModel(flipped(bit))).rejects.toThrow(
      /^not a whole \.esp file: its bytes have the checksum [0-9a-f]{8}, it was written with "[0-9a-f]{8}": it was changed since$/,
    );
    const model = await loadModel(flipped(bit), { checksum: false });
    expect(model.outputs).toHaveLength(1);
    model.dispose();
    await expect(loadModel(whole, { checksum: 1 as never })).rejects.toThrow(
      'checksum: expected true or false, received 1 (number)',
    );
  });

  it('is not asked of files of before, which have none', () => {
    const text = Buffer.from(whole).toString('latin1');
    const at = text.indexOf(',"crc32":"');
    const head = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true));
    const header = text.slice(8, at) + text.slice(at + 19, head) + ' '.repeat(19);
    const before = Buffer.concat([whole.subarray(0, 8), Buffer.from(header, 'latin1'), whole.subarray(head)]);
    expect(parseEsp(before).json).toEqual(parseEsp(whole).json);
  });

  it('is no part of the metadata that a file is read for, and the same content gives the same bytes', () => {
    const file = readSafetensors(whole);
    expect(Object.keys(file.metadata)).toEqual(['format', 'program']);
    expect(writeSafetensors({ metadata: file.metadata, tensors: [...file.tensors] })).toEqual(whole);
  });
});
