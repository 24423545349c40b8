/** Whose layers and meanings a config is written for. */

/** TensorFlow.js 4, or Keras 2 (whose files Keras 3 reads too). */
export type Dialect = 'tfjs' | 'keras';

export const LIBRARY: Readonly<Record<Dialect, string>> = { tfjs: 'TensorFlow.js', keras: 'Keras 2' };
