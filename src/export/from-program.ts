/**
 * Program → a Network that computes the same: what an .esp file can be exported as, and what rivals get. Values of
 * images are [height, width, channels] here; operations that no Keras layer is (gathers) are refused.
 */
import type { Operation, Program } from '../program/program.js';
import type { Network } from '../network/types.js';
import { Builder, images, refuse, type Write } from './program/builder.js';
import * as elementwise from './program/elementwise.js';
import * as image from './program/images.js';

/** How an operation is written, and how its values lie: in pixels x channels, or in planes (channels x pixels). */
interface Entry<K extends Operation['op']> {
  readonly write: Write<K>;
  /** What planes would be read wrongly as. */
  readonly reads?: 'pixels';
  /** 'planes': always; 'same': as the inputs, which must lie alike. Absent: pixels. */
  readonly gives?: 'planes' | 'same';
}

/** Operations that Keras has layers for; a `frame` is the padding of what follows it. */
const WRITERS: { readonly [K in Operation['op']]?: Entry<K> } = {
  linear: { write: elementwise.linear, reads: 'pixels' },
  affine: { write: elementwise.affine, reads: 'pixels' },
  softmax: { write: elementwise.softmax, reads: 'pixels' },
  activate: { write: elementwise.activate, gives: 'same' },
  add: { write: elementwise.add, gives: 'same' },
  combine: { write: elementwise.combine, gives: 'same' },
  concat: { write: elementwise.concat, gives: 'same' },
  to_planes: { write: elementwise.toPlanes, reads: 'pixels', gives: 'planes' },
  to_pixels: { write: elementwise.toPixels },
  conv: { write: image.conv, gives: 'planes' },
  depthwise: { write: image.depthwise, gives: 'planes' },
  pool: { write: image.pool, gives: 'planes' },
  global_pool: { write: image.globalPool },
  channel_affine: { write: image.channelAffine, gives: 'planes' },
  channel_scale: { write: image.channelScale, gives: 'planes' },
};

/** Follows the layout of values; what would read planes as pixels x channels is refused. */
function checkLayout(b: Builder, operation: Operation, { reads, gives }: Omit<Entry<never>, 'write'>): void {
  const inputs = 'inputs' in operation ? operation.inputs : [operation.input];
  const planes = inputs.filter((input) => b.planes.has(input)).length;
  const mixed = gives === 'same' && planes > 0 && planes < inputs.length;
  const inside = operation.op === 'concat' && operation.outer !== 1;
  if (planes > 0 && (reads === 'pixels' || mixed || inside)) {
    throw refuse(operation, 'an operation on channels x pixels');
  }
  if (gives === 'planes' || (gives === 'same' && planes > 0)) b.planes.add(operation.output);
}

function write(b: Builder, operation: Operation): number {
  // The entry of its own kind: the table's type says so, but not to an operation of any kind.
  const entry = WRITERS[operation.op] as Entry<Operation['op']> | undefined;
  if (entry === undefined) throw refuse(operation, 'it');
  checkLayout(b, operation, entry);
  return entry.write(b, operation);
}

/** @throws UNSUPPORTED_LAYER for an operation that no Keras layer is, by its name. */
export function networkOfProgram(program: Program): Network {
  const b = new Builder(program);
  const extents = (shape: readonly (number | null)[]): number[] =>
    shape.slice(1).map((extent) => extent ?? 1);
  const inputs = program.inputs.map(({ name, shape, value }) => ({
    name,
    value: (b.map[value] = b.add(extents(shape))),
  }));
  for (const operation of program.operations) {
    if (operation.op === 'frame') {
      const value = images(b, operation, operation.input, operation.height, operation.width);
      b.frames.set(operation.output, { frame: operation, value });
      continue;
    }
    b.map[operation.output] = write(b, operation);
  }
  const outputs = program.outputs.map(({ name, shape, value }) => {
    const last = b.map[value]!;
    const own = extents(shape);
    return {
      name,
      value:
        b.shapeOf(last).join() === own.join()
          ? last
          : b.call(`${name}_out`, 'Reshape', { targetShape: own }, [last]),
    };
  });
  return { name: program.name, layers: b.layers, values: b.values, nodes: b.nodes, inputs, outputs };
}
