/** Turns a thrown error into an HTTP reply: dockerd's status and `{"message": …}`. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { CortenError, statusOf } from '../errors.ts';

/** Gets unexpected errors, so that they reach the agent's log. */
export type ReportError = (error: unknown, request: string) => void;

export function installErrorReplies(app: FastifyInstance, report: ReportError): void {
  app.setErrorHandler((error, request, reply) => {
    const status = httpStatusOf(error);
    if (status >= 500) report(error, `${request.method} ${request.originalUrl}`);
    return sendError(reply, status, messageOf(error));
  });
  app.setNotFoundHandler((_request, reply) => sendError(reply, 404, 'page not found'));
}

export function messageOf(error: unknown): string {
  if (error instanceof Error && error.message !== '') return error.message;
  return String(error);
}

function sendError(reply: FastifyReply, status: number, message: string): FastifyReply {
  reply.code(status);
  // Status 304 has no body (RFC 9110 15.4.5), and Go's client logs an error when there is one.
  if (status === 304) return reply.removeHeader('content-type').send();
  return reply.header('content-type', 'application/json').send(JSON.stringify({ message }));
}

/** Errors of Fastify itself, such as a malformed URL, contain their status. */
function httpStatusOf(error: unknown): number {
  if (error instanceof CortenError) return statusOf(error);
  const own = (error as { statusCode?: unknown }).statusCode;
  return typeof own === 'number' && own >= 400 && own < 500 ? own : statusOf(error);
}
