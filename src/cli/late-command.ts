/** A command whose options are made when it is the one that runs: from a schema, whose library takes long to load. */
import { Command, type ParseOptions } from 'commander';

export class LateCommand extends Command {
  #addOptions: ((command: Command) => Promise<void>) | undefined;

  /** @param addOptions is asked once, before the command's arguments are read or its help is shown */
  constructor(name: string, addOptions: (command: Command) => Promise<void>) {
    super(name);
    this.#addOptions = addOptions;
  }

  /** Makes the options; a parent asks for it in its hook `preSubcommand`. */
  async complete(): Promise<void> {
    const add = this.#addOptions;
    this.#addOptions = undefined;
    await add?.(this);
  }

  /** As a command by itself, without a parent. */
  override async parseAsync(args?: readonly string[], options?: ParseOptions): Promise<this> {
    await this.complete();
    return super.parseAsync(args, options);
  }
}
