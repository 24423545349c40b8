/** A matrix by rows (rows = outputs). Dense while compiling; CSR once stored or handed to the engine. */
export type Matrix =
  | { readonly format: 'dense'; readonly rows: number; readonly cols: number; readonly values: Float32Array }
  | {
      readonly format: 'csr';
      readonly rows: number;
      readonly cols: number;
      /** rows + 1, starts at 0, never decreases, ends at nnz. */
      readonly rowPtr: Int32Array;
      /** nnz, strictly increasing inside a row, each in [0, cols). */
      readonly colIdx: Int32Array;
      /** nnz, finite, not zero. */
      readonly values: Float32Array;
    };
