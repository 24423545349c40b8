/** JSON of untrusted files: bounded depth, no key twice in an object, then JSON.parse. */
import { EspalierError } from '../errors.js';

/** Deep enough for 100 models nested in each other; JSON.parse itself would go deeper than readers of its result. */
const MAX_DEPTH = 1000;

function refuse(what: string, why: string, cause?: unknown): EspalierError {
  return new EspalierError(
    'INVALID_MODEL',
    `${what}: ${why}`,
    { parameter: what, expected: 'valid JSON' },
    cause,
  );
}

/** UTF-8 bytes (a byte order mark is dropped) → text. @throws INVALID_MODEL where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw refuse(what, 'expected UTF-8 text, received bytes that are not', cause);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Parses JSON. Two equal keys in one object are refused, as readers differ in which they take.
 * @throws INVALID_MODEL, naming `what`.
 */
export function parseJson(text: string, what: string): unknown {
  checkStructure(text, what);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw refuse(what, `not valid JSON: ${(cause as Error).message}`, cause);
  }
}

/** One pass over the text without recursion; what else is wrong with it JSON.parse finds. */
function checkStructure(text: string, what: string): void {
  // The keys seen in each open object; null for an array.
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE: {
        const start = i;
        let escaped = false;
        for (i++; i < text.length && text.charCodeAt(i) !== QUOTE; i++) {
          if (text.charCodeAt(i) === BACKSLASH) {
            escaped = true;
            i++;
          }
        }
        const keys = open[open.length - 1];
        if (keys != null && isKey(text, i + 1)) {
          const key = escaped ? unescape(text.slice(start, i + 1), what) : text.slice(start + 1, i);
          if (keys.has(key))
            throw refuse(what, `the key ${JSON.stringify(key.slice(0, 60))} stands twice in an object`);
          keys.add(key);
        }
        break;
      }
      case 0x7b: // {
      case 0x5b: // [
        open.push(text[i] === '{' ? new Set() : null);
        if (open.length > MAX_DEPTH) throw refuse(what, `nested deeper than ${MAX_DEPTH} levels`);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      default:
    }
  }
}

/** Whether a colon follows: the string before it is a key. */
function isKey(text: string, from: number): boolean {
  let i = from;
  while (i < text.length && ' \t\r\n'.includes(text[i]!)) i++;
  return text[i] === ':';
}

function unescape(quoted: string, what: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch (cause) {
    throw refuse(what, 'not valid JSON: a bad escape in a key', cause);
  }
}
