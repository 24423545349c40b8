/** CSV as batches: pieces of whole lines, each read by papaparse. */
import type Papa from 'papaparse';
import { invalid } from '../../errors.js';
import type { Cells } from './cells.js';
import { Gatherer, type Batch, type SourceOptions } from './gather.js';

const [LF, CR, QUOTE] = [10, 13, 34];
const MOST_BYTES = 1 << 26;

interface Piece {
  readonly bytes: Buffer;
  readonly done: number;
}

/** Bytes in pieces that end with a whole line; with its quotes even. */
async function* pieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<Piece> {
  let rest: Buffer = Buffer.alloc(0);
  let done = 0;
  for await (const chunk of chunks) {
    done += chunk.length;
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const cut = lastLineEnd(bytes) + 1;
    // The chunk's memory is that of the next one, too.
    rest = Buffer.from(bytes.subarray(cut));
    if (rest.length > MOST_BYTES) {
      throw invalid('INVALID_DATA', '--input', 'lines of at most 64 MB', rest.length);
    }
    if (cut > 0) yield { bytes: bytes.subarray(0, cut), done };
  }
  if (rest.length > 0) {
    const line = rest[rest.length - 1] === CR ? rest : Buffer.concat([rest, Buffer.from('\n')]);
    yield { bytes: line, done };
  }
}

/** The last line end that is not inside quotes; -1 where there is none. */
function lastLineEnd(bytes: Buffer): number {
  let last = -1;
  for (let from = 0; ;) {
    const quote = bytes.indexOf(QUOTE, from);
    const found = bytes.lastIndexOf(LF, quote < 0 ? bytes.length : quote);
    if (found >= from) last = found;
    if (quote < 0) return last;
    const closing = bytes.indexOf(QUOTE, quote + 1);
    if (closing < 0) return last;
    from = closing + 1;
  }
}

/** The first one that is not inside quotes, or that of a file whose lines end otherwise. */
function firstLineEnd(bytes: Buffer, from: number): number {
  const old = bytes.indexOf(CR, from);
  for (let at = from, inside = false; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) inside = !inside;
    else if (!inside && (bytes[at] === LF || (at === old && bytes[at + 1] !== LF))) return at;
  }
  return bytes.length - 1;
}

function lineEnds(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

/** What becomes of a field of a line. */
interface Field {
  /** Its places among the features; one column may be named twice. */
  readonly cells: readonly Cells[];
  /** Its places among the kept columns. */
  readonly kept: readonly number[];
}

export async function* csv(chunks: AsyncIterable<Buffer>, options: SourceOptions): AsyncGenerator<Batch> {
  const { default: papa } = await import('papaparse');
  const gatherer = new Gatherer(options);
  let reader: Reader | undefined;
  /** Lines before the one of names. */
  let blank = 0;
  for await (const { bytes, done } of pieces(chunks)) {
    let from = 0;
    if (reader === undefined) {
      const head = /^(?:\r?\n)*/.exec(bytes.toString('latin1', 0, 1024))![0].length;
      if (head === bytes.length) {
        blank += lineEnds(bytes.toString('latin1'));
        continue;
      }
      from = firstLineEnd(bytes, head) + 1;
      const text = bytes.toString('utf8', head, from);
      const { data } = papa.parse<string[]>(text, { delimiter: ',' });
      const names = (data[0] ?? []).map((name) => name.replace(/^\uFEFF/, '').trim());
      reader = new Reader(papa, gatherer, options, names);
      reader.line += blank + lineEnds(bytes.toString('latin1', 0, from));
    }
    yield* reader.read(bytes.toString('utf8', from), done);
  }
  if (gatherer.rows > 0) yield gatherer.take(0);
}

class Reader {
  /** Of the next row, from 1. */
  line = 1;
  readonly #papa: typeof Papa;
  readonly #gatherer: Gatherer;
  readonly #fields: readonly Field[];

  constructor(papa: typeof Papa, gatherer: Gatherer, options: SourceOptions, names: readonly string[]) {
    this.#papa = papa;
    this.#gatherer = gatherer;
    gatherer.header(names);
    gatherer.where = () => `line ${this.line}, `;
    this.#fields = names.map((name, i) => {
      const own = names.indexOf(name) === i;
      return {
        cells: own ? gatherer.cells.filter((cells) => cells.name === name) : [],
        kept: own ? options.keep.flatMap((kept, k) => (kept === name ? [k] : [])) : [],
      };
    });
  }

  /** The batches that these lines fill. */
  *read(text: string, done: number): Generator<Batch> {
    const settings = { delimiter: ',', skipEmptyLines: true } as const;
    const { data, errors } = this.#papa.parse<string[]>(text, settings);
    const before = this.line;
    let record = 0;
    // Where a record begins is only asked for an error: papaparse tells it where it goes step by step.
    const line = () => {
      let [seen, begin] = [0, 0];
      this.#papa.parse<string[]>(text, {
        ...settings,
        step: ({ meta }, parser) => {
          if (seen++ === record) parser.abort();
          else begin = meta.cursor;
        },
      });
      const blank = /^(?:\r?\n)*/.exec(text.slice(begin))![0].length;
      return before + lineEnds(text.slice(0, begin + blank));
    };
    this.#gatherer.where = () => `line ${line()}, `;
    const [wrong] = errors;
    if (wrong !== undefined) {
      record = wrong.row ?? 0;
      throw invalid('INVALID_DATA', `--input, line ${line()}`, 'CSV', wrong.message);
    }
    for (const values of data) {
      if (values.length !== this.#fields.length) {
        throw invalid('INVALID_DATA', this.#gatherer.place(), `${this.#fields.length} fields`, values.length);
      }
      this.#fields.forEach(({ cells, kept }, f) => {
        for (const cell of cells) this.#gatherer.set(cell, values[f]!);
        for (const k of kept) this.#gatherer.kept[k]!.push(values[f]!);
      });
      record += 1;
      if (this.#gatherer.added()) yield this.#gatherer.take(done);
    }
    this.line = before + lineEnds(text);
    this.#gatherer.where = () => `line ${this.line}, `;
  }
}
