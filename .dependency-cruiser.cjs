/** The import rules of docs/architecture.md: everything runs one way, along the data. */

/** A room of src and the only rooms of src it may import besides itself. */
const ROOMS = {
  errors: [],
  arrays: ['errors'],
  package: [],
  random: [],
  progress: [],
  metrics: [],
  files: ['errors'],
  network: ['errors'],
  program: ['errors', 'file'],
  import: ['errors', 'arrays', 'files', 'network'],
  reference: ['errors', 'network'],
  compile: ['errors', 'network', 'program'],
  file: ['errors', 'arrays', 'files', 'network', 'program'],
  export: ['errors', 'files', 'network', 'import', 'program', 'file'],
  engine: ['errors', 'arrays', 'package', 'network', 'program', 'file'],
  convert: ['errors', 'files', 'network', 'import', 'export', 'program', 'compile', 'file', 'engine'],
  load: ['errors', 'program', 'file', 'engine', 'convert'],
  inspect: [
    ...['errors', 'random', 'metrics', 'network', 'import', 'program', 'file', 'engine', 'convert', 'table'],
  ],
  table: ['errors', 'files', 'random'],
  tensorflow: ['errors'],
  train: [
    ...[
      'errors',
      'files',
      'random',
      'progress',
      'metrics',
      'network',
      'import',
      'export',
      'table',
      'tensorflow',
    ],
  ],
  prune: ['errors', 'network', 'import', 'reference', 'program', 'engine', 'tensorflow', 'train'],
  recipe: ['errors', 'files', 'random', 'progress', 'metrics', 'table', 'tensorflow', 'train', 'prune'],
  measure: [
    ...['errors', 'package', 'files', 'network', 'program', 'file', 'engine', 'convert', 'load', 'export'],
    ...['inspect', 'table', 'metrics', 'tensorflow'],
  ],
  report: ['errors', 'files', 'measure'],
  sweep: ['errors', 'files', 'progress', 'convert', 'table', 'train', 'recipe', 'measure', 'report'],
  serve: ['errors', 'package', 'load'],
  predict: ['errors', 'files', 'load', 'table'],
  setup: ['errors', 'files', 'package', 'tensorflow'],
};

const rooms = Object.entries(ROOMS).map(([room, allowed]) => ({
  name: `room-${room}`,
  comment: `src/${room} may import ${allowed.length === 0 ? 'nothing of ours' : allowed.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${room}([./]|$)` },
  to: {
    path: '^src/',
    pathNot: [room, ...allowed].map((name) => `^src/${name}([./]|$)`),
  },
}));

module.exports = {
  forbidden: [
    ...rooms,
    {
      name: 'no-circular',
      comment: 'modules that need each other are one module',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'tfjs-only-where-it-trains',
      comment:
        'nothing of inference needs TensorFlow: only train, the pruner and the rivals of bench touch tfjs',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(tensorflow|train|prune|recipe|measure)/' },
      to: { path: '@tensorflow/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'inference-without-training',
      comment: 'the door "." reaches nothing of training, measuring, serving or the command line',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: {
        path: '^src/(tensorflow|train|prune|recipe|table|measure|report|sweep|setup|serve|predict|cli)/',
        reachable: true,
      },
    },
    {
      name: 'cli-is-the-roof',
      comment: 'nothing imports the command line',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'declared-dependencies',
      comment: 'what src imports at run time is in dependencies, or an optional peer behind a dynamic import',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(measure|export/onnx)/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only', 'npm-peer'],
      },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
