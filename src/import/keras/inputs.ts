/** Shapes and dtypes that configs tell of inputs. */
import { isRecord, own, unsupported, wrong } from '../../network/untrusted.js';
import { checkValue } from '../../network/shapes.js';
import type { DType, Shape, Value } from '../../network/types.js';

const DTYPES: Readonly<Record<string, DType>> = {
  float16: 'float32',
  bfloat16: 'float32',
  float32: 'float32',
  float64: 'float32',
  int8: 'int32',
  uint8: 'int32',
  int16: 'int32',
  uint16: 'int32',
  int32: 'int32',
  int64: 'int32',
  uint32: 'int32',
  bool: 'bool',
};

/** The shape that a config tells, with a flexible batch whatever batch the model was built for; or undefined. */
export function shapeIn(config: Record<string, unknown>): Shape | undefined {
  const raw =
    own(config, 'batch_shape') ?? own(config, 'batch_input_shape') ?? own(config, 'build_input_shape');
  if (raw === undefined || raw === null) return undefined;
  if (!Array.isArray(raw) || raw.length < 1 || raw.length > 8) throw wrong('batch_shape', 'a shape', raw);
  const valid = raw.every((extent: unknown) => extent === null || Number.isSafeInteger(extent));
  if (!valid) throw wrong('batch_shape', 'a list of positive integers and null', raw);
  const shape: Shape = [null, ...(raw.slice(1) as (number | null)[])];
  return checkValue({ shape, dtype: 'float32' }, 'batch_shape').shape;
}

/** A dtype as text: a name, or a policy object with one. */
function dtypeName(dtype: unknown): unknown {
  if (!isRecord(dtype)) return dtype;
  const policy = own(dtype, 'config');
  return isRecord(policy) ? (own(policy, 'name') ?? own(policy, 'mode')) : own(dtype, 'name');
}

/** What an InputLayer says. */
export function inputValue(config: Record<string, unknown>): Value {
  const shape = shapeIn(config);
  if (shape === undefined) throw wrong('batch_shape', 'the shape of the input', undefined);
  if (own(config, 'sparse') === true || own(config, 'ragged') === true) {
    throw unsupported('sparse or ragged', 'such an input', 'use a dense tensor');
  }
  const dtype = dtypeName(own(config, 'dtype') ?? 'float32');
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPES, dtype)) {
    throw wrong('dtype', `one of ${Object.keys(DTYPES).join(', ')}`, dtype);
  }
  return { shape, dtype: DTYPES[dtype]! };
}

/** Refuses layers whose weights are quantised (their policy is not of floats). */
export function checkPolicy(config: Record<string, unknown>): void {
  const dtype = dtypeName(own(config, 'dtype') ?? 'float32');
  if (typeof dtype !== 'string' || !/^(mixed_)?b?float(16|32|64)$|^policy_/.test(dtype)) {
    const shown = typeof dtype === 'string' ? dtype.slice(0, 60) : 'such a policy';
    throw unsupported('dtype', shown, 'save the model with float32 weights');
  }
  const quantization = own(config, 'quantization_config');
  if (quantization !== undefined && quantization !== null) {
    throw unsupported('quantization_config', 'a quantised layer', 'save the model with float32 weights');
  }
}
