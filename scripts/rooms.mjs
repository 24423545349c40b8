#!/usr/bin/env node
/** `npm run rooms`: writes the table of rooms in docs/architecture.md from scripts/lib/rooms.cjs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { withRooms } from './lib/rooms.mjs';

const root = join(import.meta.dirname, '..');
const path = join(root, 'docs/architecture.md');
const text = withRooms(root, readFileSync(path, 'utf8'));
writeFileSync(path, await format(text, { ...(await resolveConfig(path)), parser: 'markdown' }));
console.log(path);
