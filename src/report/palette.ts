/** Colours by role. The page gives each a value for light and one for dark; a file of a chart carries both. */

/** Okabe and Ito's, which most colour-blind readers tell apart; the dark ones lighter. */
const COLOURS: Record<string, [light: string, dark: string]> = {
  paper: ['#ffffff', '#14171a'],
  card: ['#f4f6f5', '#1e2327'],
  ink: ['#1a1f1c', '#e8ece9'],
  soft: ['#535d57', '#a9b4ad'],
  line: ['#d5dbd7', '#3a433e'],
  gain: ['#00694c', '#5fd3a9'],
  loss: ['#a63a00', '#ff9e66'],
  c0: ['#00805c', '#3ecf9d'],
  c1: ['#7a9a12', '#c3dc5a'],
  c2: ['#5b6b64', '#a4b5ad'],
  c3: ['#98a69f', '#6f8078'],
  c4: ['#c65102', '#ff9a52'],
  c5: ['#0067a8', '#5db9f2'],
  c6: ['#a8437f', '#ef9fcb'],
  c7: ['#8a6d00', '#f0d24a'],
  c8: ['#5a3fa0', '#b7a2f2'],
  c9: ['#9b2226', '#f28b8f'],
};

export const colour = (name: string): string => `var(--${name})`;

/** Engines keep their colour over all charts. */
const ENGINES: Record<string, string> = {
  espalier: 'c0',
  'espalier-bind': 'c1',
  'espalier-dense': 'c2',
  'espalier-dense-bind': 'c3',
  'tfjs-node': 'c4',
  onnxruntime: 'c5',
  'tfjs-wasm': 'c6',
  'tfjs-savedmodel': 'c7',
  keras: 'c8',
  litert: 'c9',
  openvino: 'c3',
};
const OTHERS = ['c6', 'c7', 'c8', 'c9', 'c3', 'c1'];

/** The scale of engines for a chart: names as they are shown, in order. */
export function engineScale(engines: readonly { id: string; name: string }[]): {
  domain: string[];
  range: string[];
} {
  let other = 0;
  const range = engines.map(({ id }) => colour(ENGINES[id] ?? OTHERS[other++ % OTHERS.length] ?? 'c2'));
  return { domain: engines.map(({ name }) => name), range };
}

const declarations = (side: 0 | 1): string =>
  Object.entries(COLOURS)
    .map(([name, pair]) => `--${name}:${pair[side]}`)
    .join(';');

/** Rules that define the colours for `selector`; print is always light. */
export function colourRules(selector: string): string {
  return (
    `${selector}{${declarations(0)}}` +
    `@media screen and (prefers-color-scheme:dark){${selector}{${declarations(1)}}}`
  );
}
