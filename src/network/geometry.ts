/** Sliding windows: extents and padding of convolutions and poolings, as TensorFlow counts them. */
import { wrong } from './untrusted.js';

export type Padding = 'valid' | 'same' | 'causal';

export interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: Padding;
}

/** How far a dilated kernel reaches: dilation * (kernel - 1) + 1. */
export function reach({ kernel, dilation }: Pick<Window, 'kernel' | 'dilation'>): number {
  return dilation * (kernel - 1) + 1;
}

/**
 * The output extent: ceil(n / stride) for same and causal, ceil((n - reach + 1) / stride) for valid.
 * @throws INVALID_MODEL where nothing is left.
 */
export function windowExtent(input: number, window: Window): number {
  const positions = window.padding === 'valid' ? input - reach(window) + 1 : input;
  const output = Math.ceil(positions / window.stride);
  if (output < 1) {
    throw wrong('kernel_size', `a window that fits into the input extent ${input}`, reach(window));
  }
  return output;
}

/** Zeros before the first element: half of what is missing (rounded down) for same, all of it for causal. */
export function padBefore(input: number, window: Window): number {
  switch (window.padding) {
    case 'valid':
      return 0;
    case 'causal':
      return reach(window) - 1;
    case 'same': {
      const total = (windowExtent(input, window) - 1) * window.stride + reach(window) - input;
      return Math.floor(Math.max(total, 0) / 2);
    }
  }
}

/**
 * The output extent of a transposed convolution. Keras: input * stride (same), input * stride + max(reach - stride, 0)
 * (valid); with output_padding (input - 1) * stride + reach - 2 * pad + output_padding, pad = floor(reach / 2) for same.
 */
export function transposedExtent(input: number, window: Window, outputPadding: number | null): number {
  const { stride, padding } = window;
  const size = reach(window);
  if (outputPadding === null)
    return padding === 'same' ? input * stride : input * stride + Math.max(size - stride, 0);
  const pad = padding === 'same' ? Math.floor(size / 2) : 0;
  return (input - 1) * stride + size - 2 * pad + outputPadding;
}

/**
 * What a transposed convolution cuts off before its first output: it is the gradient of the convolution from its
 * output's extent to its input's.
 */
export function transposedCut(input: number, output: number, window: Window): number {
  if (window.padding !== 'same') return 0;
  return Math.floor(Math.max((input - 1) * window.stride + reach(window) - output, 0) / 2);
}
