/** Whatever JavaScript passes: an Error with a code, or an answer; never the end of the process. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.js';
import type { NativeModel } from '../../src/engine/addon.js';
import { addon } from '../../src/engine/find.js';
import { mlp, noise, OPTIONS, twoByTwo } from './addon-support.js';

/** Runs `call`; what it throws must be an Error with one of our codes. */
function refusal(call: () => unknown): string | undefined {
  try {
    const answer = call();
    if (answer instanceof Promise) answer.catch(() => undefined);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    const { code, message } = error as Error & { code: string };
    expect(Object.keys(ERROR_CODES)).toContain(code);
    expect(message.length).toBeGreaterThan(10);
    return code;
  }
}

const strange = fc.oneof(
  fc.anything({ withBigInt: true, withTypedArray: true, withSparseArray: true, withNullPrototype: true }),
  fc.constantFrom<unknown>(
    Symbol('x'),
    () => 1,
    new Proxy([], {}),
    new Float32Array(16),
    new Float32Array(5),
    [new Float32Array(16)],
    [new Float64Array(16)],
    [new Proxy(new Float32Array(16), {})],
    { length: 1, 0: new Float32Array(16) },
    -0,
    1.5,
    2 ** 31,
    2 ** 53,
    Infinity,
  ),
);

describe('any arguments', () => {
  it('of the functions', () => {
    fc.assert(
      fc.property(fc.array(strange, { maxLength: 4 }), (args) => {
        const functions = addon() as unknown as Record<string, (...args: unknown[]) => unknown>;
        for (const name of ['csrFromDense', 'kthLargestMagnitude', 'load']) {
          refusal(() => functions[name]!(...args));
        }
        expect(refusal(() => functions['load']!(args[0], OPTIONS))).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });

  it('of the methods, on any object', () => {
    const model = addon().load(mlp([16, 8, 5]).program, OPTIONS) as unknown as Record<
      string,
      (...args: unknown[]) => unknown
    >;
    fc.assert(
      fc.property(strange, fc.array(strange, { maxLength: 4 }), (self, args) => {
        for (const name of ['runSync', 'run', 'bind', 'explain', 'memory']) {
          refusal(() => Reflect.apply(model[name]!, self, args));
        }
        refusal(() => model['runSync']!(1, ...args));
        refusal(() => model['bind']!(1, ...args));
      }),
      { numRuns: 500 },
    );
    expect(model['memory']!()).toBeGreaterThan(0);
  });

  /** A program with one value somewhere replaced by anything. */
  it('anywhere in a program', () => {
    const paths: (string | number)[][] = [];
    const walk = (value: unknown, path: (string | number)[]) => {
      paths.push(path);
      if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return;
      for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key]);
    };
    const base = () => mlp([6, 4, 3], 0.3).program;
    walk(base(), []);
    fc.assert(
      fc.property(
        fc.constantFrom(...paths.slice(1)),
        fc.oneof(
          strange,
          fc.int32Array({ maxLength: 12 }),
          fc.float32Array({ maxLength: 12 }),
          fc.integer({ min: -2, max: 40 }),
        ),
        (path, value) => {
          const program = base() as unknown as Record<string | number, unknown>;
          let target = program;
          for (const key of path.slice(0, -1)) target = target[key] as typeof program;
          target[path.at(-1)!] = value;
          let model: NativeModel | undefined;
          refusal(() => (model = addon().load(program as never, OPTIONS)));
          for (const batch of [1, 5]) {
            refusal(() => {
              model?.runSync(batch, [noise(6 * batch)], [new Float32Array(3 * batch)]);
            });
          }
          model?.dispose();
          expect(true).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
  });
});

describe('buffers', () => {
  const model = addon().load(mlp([16, 8, 5]).program, OPTIONS);
  const detach = (array: Float32Array) => structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });

  it('of a wrong length or type are named', () => {
    const call = (batch: unknown, inputs: unknown, outputs: unknown) => () => {
      model.runSync(batch as never, inputs as never, outputs as never);
    };
    expect(call(1, [noise(15)], [noise(5)])).toThrow(
      'inputs[0]: expected a Float32Array of length 16, received Float32Array of length 15',
    );
    expect(call(1, [noise(16)], [new Float64Array(5)])).toThrow(
      'outputs[0]: expected a Float32Array of length 5, received Float64Array of length 5',
    );
    expect(call(0, [noise(16)], [noise(5)])).toThrow('batch: expected an integer from 1');
    expect(call(1.5, [noise(16)], [noise(5)])).toThrow('batch: expected an integer from 1');
    expect(call(2 ** 31, [noise(16)], [noise(5)])).toThrow(/inputs\[0\]: expected a Float32Array of length/);
    expect(call(1, [], [noise(5)])).toThrow('inputs: expected an array of 1');
    expect(call(1, [noise(16)], null)).toThrow('outputs: expected an array of 1');
  });

  it('that are detached are refused, bound ones too', () => {
    for (const which of [0, 1]) {
      const [x, y] = [noise(16), new Float32Array(5)];
      const bound = model.bind(1, [x], [y]);
      bound();
      detach(which === 0 ? x : y);
      const invalid = expect.objectContaining({ code: 'INVALID_INPUT' }) as Error;
      expect(bound).toThrow(invalid);
      // The instance's own property does not deceive.
      Object.defineProperty(which === 0 ? x : y, 'length', { value: which === 0 ? 16 : 5 });
      expect(bound).toThrow(invalid);
      expect(() => {
        model.runSync(1, [x], [y]);
      }).toThrow(invalid);
      expect(() => model.bind(1, [x], [y])).toThrow(invalid);
    }
  });

  it('of several ports that are detached are refused', () => {
    const two = addon().load(twoByTwo(), OPTIONS);
    const arrays = [noise(4), noise(4), noise(4), noise(8)];
    const bound = two.bind(1, arrays.slice(0, 2), arrays.slice(2));
    bound();
    detach(arrays[3]!);
    expect(bound).toThrow(
      'outputs[1]: expected a Float32Array of length 8, received Float32Array of length 0',
    );
  });

  it('that shrink are refused; that grow back are taken', () => {
    const Resizable = ArrayBuffer as unknown as new (
      length: number,
      options: { maxByteLength: number },
    ) => ArrayBuffer & { resize(length: number): void };
    const memory = new Resizable(64, { maxByteLength: 128 });
    const x = new Float32Array(memory);
    const y = new Float32Array(5);
    const bound = model.bind(1, [x], [y]);
    bound();
    for (const length of [128, 60, 0]) {
      memory.resize(length);
      expect(bound).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    }
    memory.resize(64);
    x.set(noise(16));
    bound();
    const expected = new Float32Array(5);
    model.runSync(1, [noise(16)], [expected]);
    expect(y).toEqual(expected);
  });

  it('that a getter detaches while the arguments are read are refused', () => {
    const two = addon().load(twoByTwo(), OPTIONS);
    const first = noise(4);
    const inputs = [first, noise(4)];
    Object.defineProperty(inputs, 1, {
      get() {
        detach(first);
        return noise(4);
      },
    });
    expect(() => {
      two.runSync(1, inputs, [noise(4), noise(8)]);
    }).toThrow('inputs[0]: expected a Float32Array of length 4, received Float32Array of length 0');
  });

  it('of a program that a getter detaches are refused', () => {
    const { program } = mlp([6, 4, 3], 0.3);
    const [first, second] = program.operations as unknown as {
      weight: { values: Float32Array };
      bias: Float32Array;
    }[];
    const { bias } = second!;
    Object.defineProperty(second, 'bias', {
      get() {
        if (first!.weight.values.length > 0) detach(first!.weight.values);
        return bias;
      },
    });
    expect(() => addon().load(program, OPTIONS)).toThrow(/weight: values must have/);
  });

  it('that the model borrowed at load may change or go', () => {
    const { program } = mlp([6, 4, 3], 0.3);
    const loaded = addon().load(program, OPTIONS);
    const expected = new Float32Array(3);
    loaded.runSync(1, [noise(6)], [expected]);
    for (const operation of program.operations) {
      if (operation.op !== 'linear' || operation.weight.format !== 'csr') continue;
      operation.weight.colIdx.fill(99999);
      detach(operation.weight.values);
    }
    const y = new Float32Array(3);
    loaded.explain(64);
    loaded.runSync(1, [noise(6)], [y]);
    expect(y).toEqual(expected);
  });

  it('over shared memory are not taken for weights', () => {
    const { program } = mlp([6, 4, 3], 0.3);
    const operation = program.operations[0] as { bias: Float32Array };
    operation.bias = new Float32Array(new SharedArrayBuffer(16));
    expect(() => addon().load(program, OPTIONS)).toThrow(/SharedArrayBuffer/);
  });
});

describe('errors of a getter', () => {
  it('come through as they are', () => {
    const program = { ...mlp([6, 4]).program };
    Object.defineProperty(program, 'values', {
      get() {
        throw new RangeError('mine');
      },
    });
    expect(() => addon().load(program, OPTIONS)).toThrow(RangeError);
  });
});

describe('weights', () => {
  it('that are not finite are refused at load', () => {
    for (const value of [NaN, Infinity]) {
      const { program } = mlp([6, 4, 3], 0.3);
      const operation = program.operations[0] as { weight: { values: Float32Array } };
      operation.weight.values[2] = value;
      expect(() => addon().load(program, OPTIONS)).toThrow(
        expect.objectContaining({
          code: 'INVALID_MODEL',
          message: expect.stringMatching(/dense_1.*finite/) as string,
        }),
      );
    }
  });
});
