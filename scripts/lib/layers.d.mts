export interface Codec {
  readonly aliases?: readonly string[];
  readonly supports: string;
  readonly tfjs?: true;
  readonly write?: unknown;
}

export function layersDocument(lists: {
  readonly codecs: Readonly<Record<string, Codec>>;
  readonly lowerings: Readonly<Record<string, unknown>>;
  readonly refused: readonly { readonly names: string; readonly instead: string }[];
  readonly activations: readonly string[];
}): string;
