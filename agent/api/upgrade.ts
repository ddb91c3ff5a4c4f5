/**
 * POST with `Upgrade: tcp`, as attach and exec start use it, or `Upgrade: h2c`, as BuildKit's clients do. Node answers such a request with an
 * 'upgrade' event instead of a route: here it is given to the ordinary routes all the same, so that
 * versions, errors and handlers are one, with and without an upgrade.
 *
 * Since Node 26 the request's JSON body remains a body, and the stream of the event begins after it. (Older versions
 * leave the body in the stream, where it would be read as stdin.)
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { withoutVersion } from './version.ts';

const hijackedPaths = /^\/(containers\/[^/]+\/attach(\/ws)?|exec\/[^/]+\/start|grpc|session)(\?|$)/;

/** Whether the request may leave HTTP; an upgrade of another request is ignored, which declines it. */
export function isHijackRequest(request: IncomingMessage): boolean {
  return hijackedPaths.test(withoutVersion(request.url ?? ''));
}

const upgraded = new WeakMap<IncomingMessage, Duplex>();

/** Stream after an upgraded request; `undefined` when the request had no upgrade. */
export function upgradeStream(request: IncomingMessage): Duplex | undefined {
  return upgraded.get(request);
}

type Route = (request: IncomingMessage, response: ServerResponse) => void;

export function routeUpgrade(
  request: IncomingMessage,
  stream: Duplex,
  head: Buffer,
  route: Route,
): void {
  // Without a listener an 'error' (the peer went away) would end the whole agent.
  for (const side of [request.socket, stream]) side.on('error', () => side.destroy());
  if (head.length > 0) stream.unshift(head);
  const response = new ServerResponse(request);
  response.assignSocket(request.socket);
  // An error reply closes the connection, because no second request is parsed on this socket.
  response.shouldKeepAlive = false;
  response.once('finish', () => request.socket.end());
  upgraded.set(request, stream);
  route(request, response);
}
