/** What mends a TensorFlow that is missing or does not load: one text for all who find that out. */

/** Puts tfjs-node into node_modules; its own install script fails for everyone, so it is left out. */
export const INSTALL_TENSORFLOW = 'npm install --ignore-scripts @tensorflow/tfjs-node@4.22.0';

/** The whole way: install it, then lay out its library. */
export const TENSORFLOW_REMEDY = `${INSTALL_TENSORFLOW} && npx espalier setup-tensorflow`;
