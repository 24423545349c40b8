/** NumPy's .npy files of float32, as far as the tests exchange them with Python. */
export const Npy = {
  encode(data: Float32Array, shape: readonly number[]): Uint8Array {
    const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
    const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${tuple}), }`;
    const header = `${text.padEnd(Math.ceil((11 + text.length) / 64) * 64 - 11)}\n`;
    const start = Buffer.from([
      0x93,
      0x4e,
      0x55,
      0x4d,
      0x50,
      0x59,
      1,
      0,
      header.length & 255,
      header.length >> 8,
    ]);
    return Buffer.concat([
      start,
      Buffer.from(header),
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    ]);
  },

  decode(bytes: Uint8Array): Float32Array {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new Float32Array(Uint8Array.from(bytes.subarray(10 + view.getUint16(8, true))).buffer);
  },
};
