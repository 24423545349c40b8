/** The import rules of docs/architecture.md: everything runs one way, along the data. */

const { ROOMS } = require('./scripts/lib/rooms.cjs');

const inside = (room) => `^src/${room}([./]|$)`;

/** Every kind of import counts: of values, of types, `import()` as a call and as a type. */
const rooms = ROOMS.map(({ name, imports }) => ({
  name: `room-${name}`,
  comment: `src/${name} may import ${imports.length === 0 ? 'nothing of ours' : imports.join(', ')}`,
  severity: 'error',
  from: { path: inside(name) },
  to: { path: '^src/', pathNot: [name, ...imports].map(inside) },
}));

module.exports = {
  forbidden: [
    ...rooms,
    {
      name: 'room-unknown',
      comment: 'a new room needs its line in scripts/lib/rooms.cjs',
      severity: 'error',
      from: { path: '^src/', pathNot: ROOMS.map(({ name }) => inside(name)) },
      to: {},
    },
    {
      name: 'no-circular',
      comment: 'modules that need each other, for values or for types, are one module',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
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
