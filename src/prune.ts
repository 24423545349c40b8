export { EspalierError } from './errors.js';
