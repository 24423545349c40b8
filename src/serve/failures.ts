/** What a client is told of a failure: the protocol's error form, and nothing of the file system or the inside. */
import { EspalierError, type ErrorCode } from '../errors.js';

export interface Failure {
  readonly status: number;
  /** gRPC status codes: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
  readonly grpc: number;
  readonly message: string;
  /** Seconds, where trying again makes sense. */
  readonly retryAfter: number | undefined;
}

/** Codes whose messages speak of the request only. */
const TOLD: Partial<Record<ErrorCode, { grpc: number; retryAfter?: number }>> = {
  INVALID_ARGUMENT: { grpc: 3 },
  INVALID_INPUT: { grpc: 3 },
  INVALID_MODEL: { grpc: 3 },
  NOT_FOUND: { grpc: 5 },
  LIMIT_EXCEEDED: { grpc: 8 },
  UNAUTHENTICATED: { grpc: 16 },
  OVERLOADED: { grpc: 8, retryAfter: 1 },
  UNAVAILABLE: { grpc: 14, retryAfter: 1 },
  DEADLINE_EXCEEDED: { grpc: 4, retryAfter: 1 },
  CANCELLED: { grpc: 1 },
};

/** Fastify's own errors carry a status; those below 500 speak of the request. */
function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof EspalierError) {
    const told = TOLD[error.code];
    if (told !== undefined) {
      return {
        status: error.httpStatus,
        grpc: told.grpc,
        message: error.message,
        retryAfter: told.retryAfter,
      };
    }
  } else {
    const status = statusOf(error);
    if (status !== undefined) {
      return { status, grpc: 3, message: (error as Error).message, retryAfter: undefined };
    }
  }
  return { status: 500, grpc: 13, message: 'internal error', retryAfter: undefined };
}
