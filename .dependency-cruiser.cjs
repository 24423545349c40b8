/** The import rules of docs/architecture.md: everything runs one way, along the data. */

/** A room of src and the only rooms of src it may import besides itself. */
const ROOMS = {
  errors: [],
  files: ['errors'],
  network: ['errors'],
  import: ['errors', 'files', 'network'],
  export: ['errors', 'files', 'network', 'import', 'compile', 'file', 'engine'],
  reference: ['errors', 'network'],
  compile: ['errors', 'network'],
  file: ['errors', 'files', 'network', 'compile'],
  engine: ['errors', 'files', 'network', 'compile', 'file', 'convert'],
  convert: ['errors', 'files', 'network', 'import', 'export', 'compile', 'engine', 'file'],
  train: ['errors', 'files', 'network', 'import', 'export'],
  prune: ['errors', 'files', 'network', 'import', 'train', 'reference', 'compile', 'engine'],
  measure: [
    ...[
      'errors',
      'files',
      'network',
      'import',
      'export',
      'reference',
      'compile',
      'file',
      'engine',
      'convert',
      'train',
      'prune',
    ],
  ],
  report: ['errors', 'files', 'measure'],
  sweep: ['errors', 'files', 'convert', 'train', 'prune', 'measure', 'report'],
  serve: ['errors', 'files', 'engine'],
  // Of train only the encoder and its file, which need no TensorFlow.
  predict: ['errors', 'files', 'engine', 'train'],
  setup: ['errors', 'files', 'engine'],
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
      from: { path: '^src/', pathNot: '^src/(train|prune|measure)/' },
      to: { path: '@tensorflow/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'inference-without-training',
      comment: 'the door "." reaches nothing of training, measuring, serving or the command line',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: { path: '^src/(train|prune|measure|report|sweep|setup|serve|predict|cli)/', reachable: true },
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
      from: { path: '^src/', pathNot: '^src/measure/' },
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
