export { EspalierError, ERROR_CODES, type ErrorCode, type ErrorDetails } from './errors.js';
