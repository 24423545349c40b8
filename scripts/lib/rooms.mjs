/** The tables of rooms in docs/architecture.md, from scripts/lib/rooms.cjs and scripts/lib/includes.mjs. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NATIVE_ROOMS } from './includes.mjs';
import { ROOMS } from './rooms.cjs';

const BEGIN = '<!-- rooms: printed by `npm run rooms` -->';
const END = '<!-- end of rooms -->';

const NATIVE_JOBS = {
  cpu: 'what the machine can do; threads',
  sparse: 'matrices decoded, checked and packed; no kernels',
  kernels: 'one folder a family: what computes, one file an instruction set, and what chooses among them',
  program: 'operations checked, packed and run; memory planned; `ops/`: one file an operation',
  addon: 'Node-API: JavaScript values in and out, models, jobs off the event loop',
  bench: 'programs that measure kernels',
  test: 'GoogleTest and fuzz targets',
};

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

function nativeTable() {
  const rows = Object.entries(NATIVE_ROOMS).map(
    ([name, includes]) =>
      `| \`native/${name}/\` | ${NATIVE_JOBS[name] ?? ''} | ${includes.join(', ') || '–'} |`,
  );
  return ['| room of C++ | job | includes |', '| --- | --- | --- |', ...rows].join('\n');
}

/** The text of docs/architecture.md with its table of rooms written anew. */
export function withRooms(root, text) {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin)
    throw new Error(`docs/architecture.md: expected "${BEGIN}" before "${END}"`);
  return `${text.slice(0, begin)}${BEGIN}\n\n${roomsTable(root)}\n\n${nativeTable()}\n\n${text.slice(end)}`;
}
