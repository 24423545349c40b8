#!/usr/bin/env node
/** The command line: exit code 0, 2 for the caller's mistakes, 1 for failures of the work itself, 130 for Ctrl-C. */
import { Command, CommanderError } from 'commander';
import { asEspalierError } from '../door.js';
import { packageVersion } from '../package.js';
import { COMMANDS } from './commands.js';
import { LateCommand } from './late-command.js';

function program(): Command {
  const root = new Command('espalier')
    .description('train and prune networks in Node, then run them with a native sparse engine')
    .version(packageVersion())
    .option('--debug', 'print the stack of an error')
    .showHelpAfterError('(--help tells how to use this command)')
    .hook('preSubcommand', async (_root, command) => {
      if (command instanceof LateCommand) await command.complete();
    });
  for (const make of COMMANDS) root.addCommand(make());
  const strict = (command: Command) => {
    command.exitOverride();
    command.commands.forEach(strict);
  };
  strict(root);
  return root;
}

async function main(): Promise<number> {
  const root = program();
  try {
    await root.parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (root.opts<{ debug?: boolean }>().debug === true) console.error(error);
    const ours = asEspalierError(error, `espalier ${process.argv[2] ?? ''}`.trim());
    console.error(`error: ${ours.message}`);
    return ours.code === 'INTERRUPTED' ? 130 : ours.exitCode;
  }
}

process.exitCode = await main();
