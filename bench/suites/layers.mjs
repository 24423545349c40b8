/** Single Dense layers at 0.9 in every engine. See race.mjs for how it is run; bench:kernels goes further into them. */
import { finish, networksOf, race } from './race.mjs';

for (const network of networksOf('layers')) await race(network);
await finish('layers');
