/** The table of operations in docs/format.md, made from the registry. */

const [START, END] = ['<!-- operations: node scripts/operations.mjs -->', '<!-- end of operations -->'];

/** The document with its table made anew. */
export function withOperations(document, operations) {
  const [start, end] = [document.indexOf(START), document.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`docs/format.md: expected ${START} and ${END}`);
  return document.slice(0, start + START.length) + '\n\n' + table(operations) + '\n' + document.slice(end);
}

function table(operations) {
  const key = ([name, note]) =>
    `\`${name}\`${note === '' ? '' : note.startsWith('[') ? ` ${note}` : ` (${note})`}`;
  const rows = operations.map(({ op, keys, computes }) => {
    return `| \`${op}\` | ${Object.entries(keys).map(key).join(', ')} | ${computes} |`;
  });
  return ['| `op` | settings | computes |', '| --- | --- | --- |', ...rows, ''].join('\n');
}
