/** What a model answered for a batch, as rows and as columns. */

/** One column of scores: a number of an output. */
export interface ScoreName {
  readonly output: number;
  readonly feature: number;
  readonly name: string;
}

export class Scores {
  readonly #rows: number;
  readonly #outputs: readonly Float32Array[];

  /** `outputs`: rows × its numbers each, row-major; none for no rows. */
  constructor(
    rows: number,
    readonly names: readonly ScoreName[],
    outputs: readonly Float32Array[],
  ) {
    this.#rows = rows;
    this.#outputs = outputs;
  }

  /** Each score on its own. */
  columns(): { readonly name: string; readonly values: Float32Array }[] {
    const rows = this.#rows;
    return this.names.map(({ output, feature, name }) => {
      const all = this.#outputs[output] ?? new Float32Array(0);
      const size = all.length / rows;
      if (rows === 0 || size === 1) return { name, values: all };
      const values = new Float32Array(rows);
      for (let row = 0, at = feature; row < rows; row++, at += size) values[row] = all[at]!;
      return { name, values };
    });
  }

  /** rows × all scores, row-major. */
  interleaved(): Float32Array {
    // One output lies so already.
    if (this.#outputs.length === 1) return this.#outputs[0]!;
    const columns = this.columns();
    const data = new Float32Array(this.#rows * columns.length);
    columns.forEach(({ values }, k) => {
      for (let row = 0; row < this.#rows; row++) data[row * columns.length + k] = values[row]!;
    });
    return data;
  }
}
