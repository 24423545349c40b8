/** Bearer tokens, compared in a time that tells nothing of them. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { EspalierError } from '../errors.js';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Answers a check of an Authorization header that throws UNAUTHENTICATED; undefined where no token is asked for. */
export function tokenCheck(
  tokens: readonly string[],
): ((authorization: string | undefined) => void) | undefined {
  if (tokens.length === 0) return undefined;
  // Digests are of one length, so that neither the length nor the first difference shows in the time taken.
  const digests = tokens.map(digest);
  return (authorization) => {
    const received = digest(/^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '');
    let found = false;
    // Every token is compared, also after one was found.
    for (const expected of digests) found = timingSafeEqual(expected, received) || found;
    if (!found) {
      throw new EspalierError(
        'UNAUTHENTICATED',
        'Authorization: expected a bearer token that this server knows',
      );
    }
  };
}
