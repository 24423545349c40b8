/** Bytes, which no clock disturbs: the .esp file beside the dense weights, stripped and after gzip -9. */
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../../dist/files.js';
import { sizeOf, weightSize } from '../../dist/inspect/sizes.js';
import { espBytes } from '../../dist/measure/source.js';
import { networkOf } from '../networks.mjs';
import { networksOf } from './race.mjs';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const results = [];
for (const { name, units, sparsity } of [...networksOf('models'), ...networksOf('layers')]) {
  for (const share of new Set([0.5, sparsity, 0.9])) {
    const program = networkOf(units, share);
    const stripped = await weightSize(program);
    const esp = await sizeOf(await espBytes(program));
    const over = { esp: stripped.raw / esp.raw, 'esp-against-gzip': (stripped.gzip ?? 0) / esp.raw };
    results.push({ network: name, sparsity: share, batch: 0, id: 'esp', name: '.esp', stripped, esp, over });
    console.log(
      `${name} at ${share}: dense ${stripped.raw}, stripped gzip -9 ${stripped.gzip}, .esp ${esp.raw}, .esp gzip -9 ${esp.gzip}`,
    );
  }
}
if (options.json !== undefined) {
  const answer = { suite: 'size', quick: options.quick, results, skipped: [] };
  await writeFileAtomic(options.json, `${JSON.stringify(answer, null, 1)}\n`);
}
