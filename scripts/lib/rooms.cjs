/**
 * The rooms of src, from the ground up: what each is for and the only other rooms it imports, by whatever kind of import.
 * `.dependency-cruiser.cjs` makes its rules of this, `npm run rooms` the table in docs/architecture.md, and
 * test/setup/rooms.test.ts holds all three to what the code does: a room that no longer imports another loses it here.
 *
 * The order is that of the floors: a room imports only rooms above it in this list.
 *
 * A name is a file or a folder of src, or both (`serve` is the folder and its door `serve.ts`).
 */
const ROOMS = [
  ['errors', 'the one error, its codes, and how messages describe what came', ''],
  ['yaml', 'YAML of settings and recipes, whose warnings are errors', ''],
  ['arrays', 'typed arrays of callers, of any realm; detached ones refused', 'errors'],
  ['limits', 'the largest sizes that are taken, for all rooms', ''],
  ['package', 'the folder and version of this package', ''],
  ['door', 'what leaves a public door: any failure as an EspalierError', 'errors'],
  ['bounded', 'untrusted work in a thread of its own, within time and memory', 'errors door'],
  ['random', 'seeded random numbers', ''],
  ['progress', 'what a long run tells of its progress', ''],
  ['metrics', 'how well predictions meet what is true: losses, accuracy', ''],
  ['safetensors', 'safetensors files with a checksum: what `.esp` files and checkpoints are', 'errors'],
  ['files', 'files written whole or not at all; reading what may be missing', 'errors'],
  ['network', 'what a network is, as plain data; shapes; `layers/`: one file a layer kind', 'errors limits'],
  [
    'program',
    'what the engine does, as plain data: the contract, its checks and its value formats',
    'errors limits',
  ],
  ['file', 'Program or Network ↔ `.esp`', 'errors arrays safetensors network program'],
  [
    'keras',
    "Keras's and tfjs's configs ↔ settings of layer kinds; names of classes and activations",
    'errors network',
  ],
  ['import', 'model files of each source format → Network', 'errors arrays bounded network keras'],
  ['reference', 'plain executor of a Network: the oracle of the tests', 'errors network'],
  [
    'compile',
    'Network → Program: a lowering for each layer kind, then passes that make fewer operations',
    'errors limits network program',
  ],
  [
    'export',
    'Network or Program → Keras 2, tfjs and ONNX, read again and compared before anyone else reads it',
    'errors files network program file keras import',
  ],
  ['engine', 'the addon, finding it, `Model`', 'errors arrays package network program'],
  [
    'convert',
    'source → `.esp`: import, compile, CSR by the addon, file',
    'errors door files network program file import compile export engine',
  ],
  ['load', '`loadModel`: source or `.esp` → Model', 'errors door file import engine convert'],
  [
    'index',
    'the door `espalier`: all of inference',
    'errors network program import export engine convert load',
  ],
  ['table', 'CSV, Arrow and Parquet as streams of rows; encoders; the split', 'errors random files'],
  [
    'inspect',
    '`inspect` and `analyze`: what a model holds and where its bytes are',
    'errors random metrics network program file import engine convert table',
  ],
  ['tensorflow', 'finding and loading TensorFlow, and the one remedy where it is missing', 'errors'],
  [
    'train',
    'the fit loop, checkpoints, and tfjs models from and to files',
    'errors random progress metrics safetensors files network import export table tensorflow',
  ],
  [
    'prune',
    'the library of `espalier/prune`: schedules, masks, which layers, the training loop, one-shot',
    'errors network program reference engine tensorflow train',
  ],
  [
    'recipe',
    'the command `prune`: a recipe over data, its plan, its traps, its runs',
    'errors yaml random progress metrics files table tensorflow train prune',
  ],
  [
    'measure',
    '`bench`: engines side by side in interleaved rounds, and the machine they ran on',
    'errors package metrics program file export engine convert load table inspect tensorflow',
  ],
  ['report', 'results of bench → HTML, Markdown, CSV; comparing two; charts by Vega', 'errors files measure'],
  [
    'sweep',
    'a recipe → trained, pruned, converted, measured, reported; resumable',
    'errors progress files convert table train recipe measure report',
  ],
  [
    'serve',
    'model repository, batching, REST and gRPC over one core, workers',
    'errors yaml package door import load',
  ],
  ['predict', 'batch scoring of tables as a stream', 'errors door files load table'],
  ['setup', '`doctor` and `setup-tensorflow`', 'errors package files tensorflow'],
  [
    'cli',
    'the commands; what trains or measures by dynamic import',
    'errors package door progress metrics files program import export engine convert load table inspect train prune recipe measure report sweep serve predict setup',
  ],
].map(([name, job, imports]) => ({ name, job, imports: imports.split(' ').filter(Boolean) }));

module.exports = { ROOMS };
