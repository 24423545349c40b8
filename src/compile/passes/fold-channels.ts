/**
 * A channel_affine after a convolution becomes part of its weights: s (W x + b) + o = (s W) x + (s b + o). Computed in
 * float64 and rounded once; not where a weight would overflow or vanish, nor in a matrix that others share.
 */
import type { Operation, Program } from '../../program/program.js';
import { Sweep, usesOf, type Uses } from './uses.js';

type Affine = Extract<Operation, { op: 'channel_affine' }>;

export function foldChannels(program: Program): Program {
  const uses = usesOf(program);
  const sweep = new Sweep();
  for (const operation of program.operations) {
    const before = operation.op === 'channel_affine' ? sweep.maker(operation.input) : undefined;
    const folded =
      operation.op === 'channel_affine' && before !== undefined && uses.count(before.output) === 1
        ? fold(before, operation, uses)
        : null;
    if (before !== undefined && folded !== null) sweep.replace(before.output, folded);
    else sweep.push(operation);
  }
  return { ...program, operations: sweep.operations() };
}

function fold(before: Operation, affine: Affine, uses: Uses): Operation | null {
  if ((before.op !== 'conv' && before.op !== 'depthwise') || before.activation.kind !== 'linear') return null;
  const { scale, offset, output, activation } = affine;
  const old = before.op === 'conv' ? before.weight.values : before.weights;
  if (before.op === 'conv' && (before.weight.format !== 'dense' || uses.matrixUses(before.weight) > 1))
    return null;
  const each = old.length / scale.length;
  const values = new Float32Array(old.length);
  for (let channel = 0; channel < scale.length; channel++) {
    const s = scale[channel] as number;
    for (let at = channel * each; at < (channel + 1) * each; at++) {
      const weight = s * (old[at] as number);
      values[at] = weight;
      if (!Number.isFinite(values[at]) || (values[at] === 0 && old[at] !== 0 && s !== 0)) return null;
    }
  }
  const bias = Float32Array.from(
    scale,
    (s, channel) => s * (before.bias?.[channel] ?? 0) + (offset[channel] as number),
  );
  if (!bias.every(Number.isFinite)) return null;
  if (before.op === 'depthwise') return { ...before, output, weights: values, bias, activation };
  const { rows, cols } = before.weight;
  return { ...before, output, weight: { format: 'dense', rows, cols, values }, bias, activation };
}
