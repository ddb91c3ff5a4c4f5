/** Serves the Docker Engine API on a unix socket with one fastify instance over the engine's backends. */
import { chmod, unlink } from 'node:fs/promises';
import type { Server as HttpServer } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { type FastifyInstance, fastify } from 'fastify';
import { CortenError } from '../errors.ts';
import type { BuildBackend, BuildsBackend } from './build/backend.ts';
import { buildKitRoutes } from './build/buildkit-routes.ts';
import { buildsRoutes } from './build/builds-routes.ts';
import { WaitingSecrets } from './build/waiting-secrets.ts';
import type { ContainersBackend } from './containers/backend.ts';
import { containerRoutes } from './containers/routes.ts';
import type { PressureBackend } from './corten/backend.ts';
import { cortenRoutes } from './corten/routes.ts';
import { installErrorReplies, type ReportError } from './errors.ts';
import type { ExecBackend } from './exec/backend.ts';
import { execRoutes } from './exec/routes.ts';
import type { ImagesBackend } from './images/backend.ts';
import { imageRoutes } from './images/routes.ts';
import type { MachineBackend } from './machine/backend.ts';
import { machineRoutes } from './machine/routes.ts';
import type { NetworksBackend } from './networks/backend.ts';
import { networkRoutes } from './networks/routes.ts';
import type { SystemBackend } from './system/backend.ts';
import { systemRoutes, unservedRoutes } from './system/routes.ts';
import { isHijackRequest, routeUpgrade } from './upgrade.ts';
import { installVersions, withoutVersion } from './version.ts';
import type { VolumesBackend } from './volumes/backend.ts';
import { volumeRoutes } from './volumes/routes.ts';

export interface ApiBackends {
  containers: ContainersBackend;
  exec: ExecBackend;
  images: ImagesBackend;
  networks: NetworksBackend;
  volumes: VolumesBackend;
  system: SystemBackend;
  pressure: PressureBackend;
  /** Without a builder, clients are told to use none of the agent's. */
  build?: BuildBackend;
  /** Present with a builder. */
  builds?: BuildsBackend;
  /** Present only when the agent runs in a virtual machine of the app. */
  machine?: MachineBackend;
}

export interface ApiOptions {
  /** Corten's own version, for `docker version` and the Server header. */
  productVersion: string;
  /** Gets unexpected errors; the client gets status 500 and the message. */
  report: ReportError;
}

export interface Api {
  /** The fastify instance, for `inject()` in tests. */
  app: FastifyInstance;
  server: HttpServer;
  /** Listens on a unix socket and replaces a stale one. Throws when another engine answers on it. */
  listen(socketPath: string): Promise<void>;
  /** Closes all connections, including streams and terminals. Containers are not touched. */
  close(): Promise<void>;
}

/**
 * It exceeds the idle timeout of every client's connection pool; a shorter one would close connections that a client
 * is about to use.
 */
const keepAliveTimeoutMs = 120_000;

export function createApi(backends: ApiBackends, options: ApiOptions): Api {
  const app = createServer();
  const connections = trackConnections(app.server);
  installVersions(app, options.productVersion);
  installErrorReplies(app, options.report);
  installBodies(app);
  const sources = {
    ...backends,
    productVersion: options.productVersion,
    hasBuildKit: backends.build !== undefined,
  };
  systemRoutes(app, sources);
  containerRoutes(app, backends);
  execRoutes(app, backends.exec);
  imageRoutes(app, backends.images);
  networkRoutes(app, backends.networks);
  volumeRoutes(app, backends.volumes);
  cortenRoutes(app, sources);
  machineRoutes(app, backends.machine);
  if (backends.build !== undefined) buildKitRoutes(app, backends.build);
  if (backends.builds !== undefined) buildsRoutes(app, backends.builds, new WaitingSecrets());
  unservedRoutes(app);
  app.server.on('upgrade', (request, stream, head) =>
    routeUpgrade(request, stream, head, (raw, response) => app.routing(raw, response)),
  );
  return {
    app,
    server: app.server,
    listen: async (socketPath) => {
      await removeStaleSocket(socketPath);
      await app.listen({ path: socketPath });
      // Root and the socket's group may connect; listening makes the socket writable only for its owner.
      await chmod(socketPath, 0o660);
    },
    close: async () => {
      for (const connection of connections) connection.destroy();
      await app.close();
    },
  };
}

function createServer(): FastifyInstance {
  return fastify({
    logger: false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    // A long build, a load and a terminal are single requests.
    requestTimeout: 0,
    connectionTimeout: 0,
    keepAliveTimeout: keepAliveTimeoutMs,
    // Image names with a digest exceed the router's default of 100 characters.
    routerOptions: { maxParamLength: 4096 },
    // No route has a schema, because handlers read bodies themselves. Fastify would still load ajv, which takes 4 MB
    // and a tenth of the agent's start.
    schemaController: {
      compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas },
    },
    rewriteUrl: (request) => withoutVersion(request.url ?? '/'),
    http: { shouldUpgradeCallback: isHijackRequest },
  });
}

function noSchemas(): never {
  throw new Error('no route has a schema');
}

/** Tracks hijacked connections, which the HTTP server does not know any more. */
function trackConnections(server: HttpServer): Set<Duplex> {
  const connections = new Set<Duplex>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  return connections;
}

/**
 * Leaves bodies to the handlers, which read JSON or a stream. Go's client compares the content type of JSON exactly,
 * so no charset is added.
 */
function installBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.addHook('onSend', (_request, reply, payload, done) => {
    const contentType = reply.getHeader('content-type');
    if (typeof contentType === 'string' && contentType.startsWith('application/json;'))
      reply.header('content-type', 'application/json');
    done(null, payload);
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  const outcome = await tryConnect(path);
  if (outcome === 'ECONNREFUSED') await unlink(path);
  else if (outcome === 'answered')
    throw new CortenError(
      'conflict',
      `another engine already answers on ${path}: stop it, or choose another socket with --socket`,
    );
  // Any other error, such as a missing file, is left to listen.
}

function tryConnect(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve('answered');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
}
