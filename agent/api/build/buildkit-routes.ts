/**
 * BuildKit's two connections, which clients make when `/_ping` says `Builder-Version: 2`: `/grpc` is a gRPC server of
 * ours, on `/session` the client serves and we call (moby's routers `grpc` and `session`).
 */
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { invalid } from '../../errors.ts';
import { bareSocket } from '../hijack.ts';
import { upgradeStream } from '../upgrade.ts';
import type { BuildBackend, SessionHeaders } from './backend.ts';

export function buildKitRoutes(app: FastifyInstance, build: BuildBackend): void {
  app.post('/grpc', async (request, reply) => {
    build.serveControl(upgrade(request, reply));
  });
  app.post('/session', async (request, reply) => {
    const session = sessionHeaders(request);
    build.serveSession(upgrade(request, reply), session);
  });
}

/** Answers 101; what follows on the connection is HTTP/2. Throws invalid without the offer of h2c. */
function upgrade(request: FastifyRequest, reply: FastifyReply): Duplex {
  const protocol = request.headers.upgrade ?? '';
  if (upgradeStream(request.raw) === undefined || protocol === '')
    throw invalid('no upgrade proto in request');
  if (protocol.toLowerCase() !== 'h2c') throw invalid(`protocol ${protocol} not supported`);
  const connection = bareSocket(request, reply);
  connection.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  );
  return connection;
}

function sessionHeaders(request: FastifyRequest): SessionHeaders {
  const first = (name: string) =>
    request.raw.headersDistinct[`x-docker-expose-session-${name}`]?.[0] ?? '';
  const id = first('uuid');
  if (id === '') throw invalid('the session has no X-Docker-Expose-Session-Uuid');
  return {
    id,
    name: first('name'),
    sharedKey: first('sharedkey'),
    methods: request.raw.headersDistinct['x-docker-expose-session-grpc-method'] ?? [],
  };
}
