/** The engine's own loader, found when a model is first loaded: a server with another loader needs no engine. */
import type { ModelLoader } from './types.js';

export const engineLoader: ModelLoader = async (source, options) => {
  const { loadModel } = await import('../load.js');
  // Tensors go in with a shape, so the answers are in a form that the batcher reads.
  return await loadModel(source, options);
};
