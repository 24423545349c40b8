export function layersDocument(registry: {
  layerKinds: readonly { names: readonly string[]; supports: string }[];
  lowerings: Readonly<Record<string, unknown>>;
  tfjsKinds: ReadonlySet<string>;
  writtenKinds: readonly string[];
}): string;
