/** Policies: which layers of a model are pruned. */
/** Extend or implement it for a policy of your own. */
export interface PruningPolicy {
  /** The names of the layers to prune ("outer/inner" in nested models); throws where the model does not serve. */
  select(model: unknown): string[];
}
