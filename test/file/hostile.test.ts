import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkProgram } from '../../src/program/check.js';
import type { Program } from '../../src/program/program.js';
import { Model } from '../../src/engine/model.js';
import { addonOptions } from '../../src/engine/options.js';
import type { CodedProgram } from '../../src/program/coded.js';
import { readCodedProgram, readProgram } from '../../src/file/read.js';
import { seal, writeSafetensors } from '../../src/safetensors.js';
import { writeProgram } from '../../src/file/write.js';
import { sharedMatrix, mlp } from '../support/programs.js';

const whole = writeProgram(sharedMatrix());
const OPTIONS = addonOptions({ threads: 1 });
const small = writeProgram(mlp([6, 4, 2], 0.5).program);

/** What comes of making a model that runs. */
function loaded(read: () => Program | CodedProgram): string {
  try {
    new Model(read(), OPTIONS).dispose();
    return 'accepted';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** The same bytes with a checksum that fits them: what was changed is then found by what it means. */
function sealed(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const header = copy.length < 8 ? 0 : Number(new DataView(copy.buffer).getBigUint64(0, true));
  seal(copy, Math.min(copy.length, 8 + header));
  return copy;
}

/**
 * Reads; whatever is accepted must be a program. Loading, where the addon decodes, must come to the same end. The
 * checksum is made to fit first.
 */
function outcome(changed: Uint8Array): string {
  const bytes = sealed(changed);
  const coded = loaded(() => readCodedProgram(bytes));
  try {
    checkProgram(readProgram(bytes));
  } catch (error) {
    const codes = /^(INVALID_MODEL|UNSUPPORTED_FORMAT)$/;
    expect(error).toMatchObject({ name: 'EspalierError', code: expect.stringMatching(codes) });
    // Of two faults either may be found first.
    expect(coded).toMatch(codes);
    const { message } = error as Error;
    expect(message.length).toBeLessThan(600);
    return message;
  }
  expect(coded).toBe(loaded(() => readProgram(bytes)));
  return 'accepted';
}

/** The file again with its header changed as text. */
function withHeader(bytes: Uint8Array, change: (header: string) => string): Uint8Array {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = Buffer.from(change(Buffer.from(bytes.subarray(8, 8 + length)).toString('utf8')));
  const out = new Uint8Array(8 + header.length + bytes.length - 8 - length);
  new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
  out.set(header, 8);
  out.set(bytes.subarray(8 + length), 8 + header.length);
  return out;
}

/** The file again with its program changed as an object. */
function withProgram(change: (program: any) => void): Uint8Array {
  return withHeader(small, (text) => {
    const header = JSON.parse(text);
    const program = JSON.parse(header.__metadata__.program);
    change(program);
    header.__metadata__.program = JSON.stringify(program);
    return JSON.stringify(header);
  });
}

describe('damaged files are refused', () => {
  it('cut anywhere, or with bytes too many', () => {
    for (const bytes of [whole, small]) {
      for (let length = 0; length < bytes.length; length++) {
        expect(outcome(bytes.subarray(0, length)), `${length} bytes`).not.toBe('accepted');
      }
      expect(outcome(Buffer.concat([bytes, Buffer.of(0)]))).toMatch(/the tensors end at/);
    }
  });

  it('without an input, which the first operation would read', () => {
    const changed = withProgram((program) => {
      program.inputs = [];
      for (const operation of program.operations) delete operation.inputs;
    });
    expect(outcome(changed)).toMatch(/inputs: expected one or more/);
  });

  it('with bytes changed, or never a program that is none', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(whole, small),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        (bytes, changes) => {
          const changed = Uint8Array.from(bytes);
          for (const [at, value] of changes) changed[at % changed.length] = value;
          outcome(changed);
        },
      ),
      { numRuns: 4000 },
    );
  });

  it('with numbers of the header changed', () => {
    const numbers = [
      '-1',
      '0',
      '1',
      '7',
      '1e3',
      '0.5',
      '2147483647',
      '4294967296',
      '1e308',
      'null',
      '"1"',
      '[]',
      '{}',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(whole, small),
        fc.nat(),
        fc.constantFrom(...numbers),
        (bytes, which, other) => {
          outcome(
            withHeader(bytes, (text) => {
              const found = [...text.matchAll(/\d+/g)];
              const { index, 0: match } = found[which % found.length] as RegExpExecArray;
              return text.slice(0, index) + other.replaceAll('"', '\\"') + text.slice(index + match.length);
            }),
          );
        },
      ),
      { numRuns: 4000 },
    );
  });

  it('with values that are not finite, or zero', () => {
    for (const value of [NaN, Infinity, 0, -0]) {
      const program = mlp([6, 4, 2], 0.5).program;
      const bytes = writeProgram(program);
      const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
      new DataView(bytes.buffer).setFloat32(8 + header + 4, value, true);
      expect(outcome(bytes)).toMatch(/dense.weight.values: expected (finite values|no zero)/);
    }
  });

  it('with a key given twice, in either JSON', () => {
    expect(outcome(withHeader(small, (text) => text.replace('"runs":', '"runs":1,"runs":')))).toMatch(
      /"runs" twice/,
    );
    expect(
      outcome(withHeader(small, (text) => text.replace('\\"version\\":', '\\"version\\":9,\\"version\\":'))),
    ).toMatch(/the program has the key "version" twice/);
    expect(outcome(withHeader(small, (text) => text.replace('"runs":', '"run\\u0073":1, "runs" :')))).toMatch(
      /twice/,
    );
  });

  it('with a tensor over another, beside a hole, of another length or unknown', () => {
    const tensor = (name: string, dtype: 'F32' | 'U8', bytes: number) =>
      ({ name, dtype, shape: [dtype === 'U8' ? bytes : bytes / 4], data: new Uint8Array(bytes) }) as const;
    const made = (change: (header: string) => string) =>
      outcome(
        withHeader(
          writeSafetensors({ metadata: {}, tensors: [tensor('a', 'F32', 8), tensor('b', 'U8', 4)] }),
          change,
        ),
      );
    expect(made((text) => text.replace('[8,12]', '[4,8]'))).toMatch(/starts at 4, not at 8/);
    expect(made((text) => text.replace('[8,12]', '[9,13]'))).toMatch(/lies at 9 to 13/);
    expect(made((text) => text.replace('[2]', '[3]'))).toMatch(/takes 8 bytes/);
    expect(made((text) => text.replace('"U8"', '"I64"'))).toMatch(/dtype "I64"/);
    expect(made((text) => text.replace('[2]', '[1e300,1e300,0]'))).toMatch(/takes 8 bytes|shape/);
    expect(made((text) => text)).toMatch(/"espalier" \(a file of espalier\)/);
  });

  it('nested deep', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(outcome(withHeader(small, (text) => text.replace('[8]', deep).replace(/\[\d+\]/, deep)))).toMatch(
      /deep/,
    );
  });

  it('of another version, with an unknown operation or setting', () => {
    const cases: [(program: any) => void, RegExp][] = [
      [(p) => (p.version = 2), /version: expected 1 .*received 2/],
      [(p) => (p.version = '1'), /version: expected 1/],
      [(p) => (p.operations[0].op = 'constructor'), /received "constructor"/],
      [(p) => (p.operations[0].stride = 2), /received "stride"/],
      [(p) => (p.operations[0].activation = 'toString'), /dense.activation: expected linear, relu/],
      [
        (p) => (p.operations[0].activation = { kind: 'relu', alpha: 1, beta: 0 }),
        /0 finite settings for relu/,
      ],
      [(p) => p.operations.pop(), /outputs\[0\]: value/],
      [(p) => (p.operations[1].inputs = [2]), /dense_1.inputs: value/],
      [(p) => (p.operations[1].inputs = [0]), /features/],
      [(p) => (p.outputs[0].value = 0), /features/],
      [(p) => (p.outputs = []), /outputs: expected one or more/],
      [(p) => (p.inputs[0].shape = [1, 6]), /null \(the batch\) first/],
      [(p) => (p.inputs[0].shape = [null, 3, 2, 1.5]), /whole number/],
      [(p) => p.outputs.push(p.outputs[0]), /different names/],
      [(p) => (p.matrices[0].rows = 2 ** 31), /whole number/],
      [(p) => (p.matrices[0].rows = 2 ** 30), /in proportion to a file of/],
      [(p) => (p.matrices[0].rows = 1), /at most 6/],
      [(p) => (p.matrices[0].values = [0, 2 ** 40]), /matrices\[0\].values: expected/],
      [(p) => (p.matrices[0].values = [1, 2]), /expected \[0, at most/],
      [(p) => (p.matrices[0].runs = { 0: 0, 1: 1 }), /matrices\[0\].runs/],
      [(p) => (p.matrices[0].bits = 17), /from 0 to 16/],
      [(p) => (p.matrices[0].bits = 0), /damaged/],
      [(p) => (p.matrices[0].dtype = 'U8'), /a palette with U8/],
      [(p) => (p.operations[0].bias = 1), /dense.bias: expected 0/],
      [(p) => (p.operations[1].bias = 0), /dense_1.bias: expected 2 values/],
      [(p) => delete p.operations[1].bias, /tensor vectors: 2 numbers too many/],
      [(p) => (p.operations[0].positions = 2), /positions \* columns = 12/],
    ];
    for (const [change, message] of cases) expect(outcome(withProgram(change))).toMatch(message);
  });
});
