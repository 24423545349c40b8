/** The table of rooms in docs/architecture.md, from scripts/lib/rooms.cjs. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOMS } from './rooms.cjs';

const BEGIN = '<!-- rooms: printed by `npm run rooms` -->';
const END = '<!-- end of rooms -->';

/** The files and folders of src that a name stands for. */
const places = (root, name) =>
  [`src/${name}.ts`, `src/${name}/`].filter((path) => existsSync(join(root, path)));

function roomsTable(root) {
  const rows = ROOMS.map(({ name, job, imports }) => {
    const where = places(root, name).map((path) => `\`${path}\``);
    return `| ${where.join(', ')} | ${job} | ${imports.join(', ') || '–'} |`;
  });
  return ['| room | job | imports |', '| --- | --- | --- |', ...rows].join('\n');
}

/** The text of docs/architecture.md with its table of rooms written anew. */
export function withRooms(root, text) {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin)
    throw new Error(`docs/architecture.md: expected "${BEGIN}" before "${END}"`);
  return `${text.slice(0, begin)}${BEGIN}\n\n${roomsTable(root)}\n\n${text.slice(end)}`;
}
