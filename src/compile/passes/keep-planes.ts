/**
 * Images stay channels x pixels between operations: what works on single numbers or channels moves from the pixels
 * behind `to_pixels` to the planes before it, and a `to_planes` that follows is then nothing. Paddings join the frame
 * of what reads them.
 */
import { ruleOf } from '../../program/check.js';
import { planeFloats, type ToPixels } from '../../program/operations/images.js';
import type { Operation, Program, ProgramValue } from '../../program/program.js';
import { withInputs } from './uses.js';

type Image = Pick<ToPixels, 'channels' | 'pixels'>;

export function keepPlanes(program: Program): Program {
  const values: ProgramValue[] = [...program.values];
  const makers = new Map<number, Operation>();
  const operations: Operation[] = [];
  /** Value → the one that takes its place. */
  const instead = new Map<number, number>();
  const emit = (operation: Operation): void => {
    makers.set(operation.output, operation);
    operations.push(operation);
  };
  const pixelsOf = (value: number): ToPixels | null => {
    const maker = makers.get(value);
    return maker?.op === 'to_pixels' ? maker : null;
  };

  for (const original of program.operations) {
    const operation = withInputs(original, (value) => instead.get(value) ?? value);
    const inputs = ruleOf(operation).inputs(operation);
    const from = inputs.map(pixelsOf);
    const [first] = from;
    if (operation.op === 'to_planes' && first != null && sameImage(first, operation)) {
      instead.set(operation.output, first.input);
      continue;
    }
    if (operation.op === 'frame') {
      emit(joinFrames(operation, makers) ?? operation);
      continue;
    }
    const moved = from.every((image) => image !== null) ? onPlanes(operation, from) : null;
    if (moved === null) {
      emit(operation);
      continue;
    }
    const plane = values.length;
    const floats = moved.image.channels * planeFloats(moved.image.pixels);
    values.push({ features: floats });
    emit({ ...moved.operation, output: plane });
    const { name, output } = operation;
    emit({ op: 'to_pixels', name, input: plane, output, ...moved.image });
  }
  const outputs = program.outputs.map((port) => ({ ...port, value: instead.get(port.value) ?? port.value }));
  return { ...program, values, operations, outputs };
}

const sameImage = (a: Image, b: Image): boolean => a.channels === b.channels && a.pixels === b.pixels;

/** The same operation on the planes that its inputs come of, or null where it has no such form. */
function onPlanes(
  operation: Operation,
  from: readonly ToPixels[],
): { readonly operation: Operation; readonly image: Image } | null {
  const { channels, pixels } = from[0] as ToPixels;
  const image = { channels, pixels };
  const inputs = from.map((source) => source.input);
  const input = inputs[0] as number;
  switch (operation.op) {
    case 'activate':
      return { operation: { ...operation, input }, image };
    case 'add':
    case 'combine':
      return from.every((source) => sameImage(source, image))
        ? { operation: { ...operation, inputs }, image }
        : null;
    case 'affine': {
      const { scale, offset, activation, name, output } = operation;
      if (scale.length === 1) return { operation: { ...operation, input }, image };
      if (scale.length !== channels) return null;
      return {
        operation: { op: 'channel_affine', name, input, output, ...image, scale, offset, activation },
        image,
      };
    }
    case 'concat': {
      if (operation.outer !== pixels || from.some((source) => source.pixels !== pixels)) return null;
      const all = from.reduce((sum, source) => sum + source.channels, 0);
      return { operation: { ...operation, inputs, outer: 1 }, image: { channels: all, pixels } };
    }
    default:
      return null;
  }
}

/** frame(all pixels of a frame) reads the first frame's image at once, where both fill with zeros. */
function joinFrames(
  frame: Extract<Operation, { op: 'frame' }>,
  makers: ReadonlyMap<number, Operation>,
): Operation | null {
  const padded = makers.get(frame.input);
  if (padded?.op !== 'pool' || padded.scale !== null || !padded.framed) return null;
  const whole =
    padded.kernelHeight === 1 &&
    padded.kernelWidth === 1 &&
    padded.strideY === 1 &&
    padded.strideX === 1 &&
    padded.outHeight === padded.frameHeight &&
    padded.outWidth === padded.frameWidth;
  const inner = makers.get(padded.input);
  if (!whole || inner?.op !== 'frame' || inner.fill !== 'zero' || frame.fill !== 'zero') return null;
  if (frame.upY !== 1 || frame.upX !== 1 || inner.strideY !== 1 || inner.strideX !== 1) return null;
  const { input, height, width, upY, upX } = inner;
  return {
    ...frame,
    ...{ input, height, width, upY, upX },
    top: frame.top + inner.top,
    left: frame.left + inner.left,
  };
}
