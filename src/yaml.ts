/** YAML of settings and recipes: what the parser only warns of is an error here, and is not printed past our messages. */
import { parseDocument } from 'yaml';

/** Aliases that unfold into gigabytes are refused: settings need few. */
const MOST_ALIASES = 100;

/** The value that a text holds. Throws the parser's error, with line and column, of one line. */
export function parseYaml(text: string): unknown {
  const document = parseDocument(text, { prettyErrors: true, logLevel: 'silent' });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw new Error(problem.message.split('\n')[0]!.replace(/:$/, ''));
  return document.toJS({ maxAliasCount: MOST_ALIASES });
}
