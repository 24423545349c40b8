/**
 * The one error of this project and the one table of its codes.
 *
 * A message names the parameter, what was expected and what came; `details` carries the same as data.
 */

/** kind: 'usage' is the caller's mistake (CLI exit code 2, HTTP 400); 'work' is a failure of the work itself (exit 1). */
export const ERROR_CODES = {
  INVALID_ARGUMENT: { kind: 'usage', http: 400 },
  INVALID_INPUT: { kind: 'usage', http: 400 },
  INVALID_MODEL: { kind: 'usage', http: 400 },
  INVALID_DATA: { kind: 'usage', http: 400 },
  INVALID_RECIPE: { kind: 'usage', http: 400 },
  UNSUPPORTED_LAYER: { kind: 'usage', http: 400 },
  UNSUPPORTED_FORMAT: { kind: 'usage', http: 400 },
  UNREACHED_END: { kind: 'usage', http: 400 },
  NOT_FOUND: { kind: 'usage', http: 404 },
  LIMIT_EXCEEDED: { kind: 'usage', http: 413 },
  DISPOSED: { kind: 'usage', http: 409 },
  UNAUTHENTICATED: { kind: 'usage', http: 401 },
  OVERLOADED: { kind: 'work', http: 429 },
  UNAVAILABLE: { kind: 'work', http: 503 },
  DEADLINE_EXCEEDED: { kind: 'work', http: 503 },
  CANCELLED: { kind: 'work', http: 499 },
  SPARSITY_NOT_REACHED: { kind: 'work', http: 500 },
  REGRESSION: { kind: 'work', http: 500 },
  TRAINING_FAILED: { kind: 'work', http: 500 },
  TENSORFLOW_MISSING: { kind: 'work', http: 500 },
  ADDON_MISSING: { kind: 'work', http: 500 },
  TOOL_MISSING: { kind: 'work', http: 500 },
  IO_FAILED: { kind: 'work', http: 500 },
  INTERRUPTED: { kind: 'work', http: 503 },
  INTERNAL: { kind: 'work', http: 500 },
} as const satisfies Record<string, { kind: 'usage' | 'work'; http: number }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  /** The parameter, file, layer or column at fault. */
  parameter?: string;
  expected?: unknown;
  received?: unknown;
  [key: string]: unknown;
}

/**
 * The one error of the package. `code` is for programs (see ERROR_CODES: none ever changes its meaning), `message` for
 * people (it names the parameter, what was expected and what came), and `details` holds the same as values.
 */
export class EspalierError extends Error {
  override readonly name = 'EspalierError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  /** The exit code of the CLI: 2 for the caller's mistakes, 1 for failures of the work itself. */
  get exitCode(): 1 | 2 {
    return ERROR_CODES[this.code].kind === 'usage' ? 2 : 1;
  }

  get httpStatus(): number {
    return ERROR_CODES[this.code].http;
  }
}

/** "sparsity: expected a number in [0, 1), received 1.5 (number)". */
export function invalid(
  code: ErrorCode,
  parameter: string,
  expected: string,
  received: unknown,
  more: ErrorDetails = {},
): EspalierError {
  return new EspalierError(code, `${parameter}: expected ${expected}, received ${describe(received)}`, {
    parameter,
    expected,
    received: describe(received),
    ...more,
  });
}

/**
 * Throws INVALID_ARGUMENT that names an option nobody knows: one that is taken and not heeded is wrong in silence.
 * @param known the options' names; as an object with `satisfies Record<keyof Options, true>` none is left out
 */
export function requireKeys(
  parameter: string,
  value: unknown,
  known: readonly string[] | Readonly<Record<string, true>>,
): void {
  const names: readonly string[] = Array.isArray(known) ? (known as readonly string[]) : Object.keys(known);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('INVALID_ARGUMENT', parameter, 'an object', value);
  }
  for (const key of Object.keys(value)) {
    if (!names.includes(key)) {
      throw invalid('INVALID_ARGUMENT', parameter, `keys among ${names.join(', ')}`, key, { option: key });
    }
  }
}

/** A short, safe description of any value for a message: never throws, never long. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'undefined';
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
    case 'number':
    case 'boolean':
    case 'bigint':
      return `${String(value)} (${typeof value})`;
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    default:
  }
  if (ArrayBuffer.isView(value)) {
    const length = 'length' in value ? (value as { length: number }).length : value.byteLength;
    return `${value.constructor.name} of length ${length}`;
  }
  if (Array.isArray(value)) {
    const flat = value.every((v) => typeof v === 'number' || v === null) && value.length <= 8;
    return flat ? `[${value.join(', ')}]` : `an array of length ${value.length}`;
  }
  return `an object${Object.keys(value).length === 0 ? ' without keys' : ` with keys ${Object.keys(value).slice(0, 6).join(', ')}`}`;
}
