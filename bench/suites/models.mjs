/** Whole pruned networks in every engine. See race.mjs for how it is run. */
import { finish, networksOf, race } from './race.mjs';

for (const network of networksOf('models')) await race(network);
await finish('models');
