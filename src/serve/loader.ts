/** The engine's own loader, found when a model is first loaded: a server with another loader needs no engine. */
import type { ModelLoader, ServableModel } from './types.js';

export const engineLoader: ModelLoader = async (source, options) => {
  const { loadModel } = (await import('../index.js')) as unknown as {
    loadModel: (source: string, options: { threads?: number }) => Promise<ServableModel>;
  };
  return loadModel(source, options);
};
