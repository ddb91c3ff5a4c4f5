/**
 * What a machine has on this computer while it is up: `docker.sock`, its published ports, this
 * computer's names, proxies and time zone. The same for every machine that is reached by SSH; this
 * computer's own engine needs none of it but the docker CLI's context.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DockerContextState, ForwardedPort } from '../../contract/forward.ts';
import { type ApiSocket, serveApiSocket } from '../docker-socket/api-socket.ts';
import { DockerContext } from '../docker-socket/docker-context.ts';
import type { EngineClient } from '../engine-client.ts';
import { serveHostDns } from '../host-settings/dns.ts';
import { systemProxies, watchProxies } from '../host-settings/proxies.ts';
import { systemTimeZone, type TimeZoneSetter, watchTimeZone } from '../host-settings/time-zone.ts';
import type { Companion, CompanionContext } from '../machine/machine.ts';
import { Toggle, whileOn } from '../machine/toggle.ts';
import { PublishedPorts } from '../port-forwarding/published-ports.ts';
import { createSshLink, type SshLink } from '../ssh/link.ts';

export interface Forwarding {
  /** Absent on this computer's own engine. */
  readonly companion: Companion | undefined;
  readonly context: ContextControls;
  /** The ports now, then again at each change; none while the machine is down. */
  watchPorts(signal: AbortSignal): AsyncIterable<ForwardedPort[]>;
}

export interface ContextControls {
  state(): DockerContextState;
  setUp(options: { use: boolean }): DockerContextState;
  remove(): DockerContextState;
}

export interface ForwardingOptions {
  /** The machine's `docker.sock` on this computer, or `\\.\pipe\NAME` on Windows. */
  apiSocketPath: string;
  contextName: string;
  /**
   * A virtual machine of the app: its ports are this computer's, so one that is taken here makes the
   * start fail; and this computer's names, proxies and time zone are its own.
   */
  isGuest: boolean;
  /** Whether its published ports are here at all; they are when nothing is said. */
  ports?: Toggle;
  environment?: NodeJS.ProcessEnv;
}

const retryMs = 5000;

/** Of this computer's own engine: its socket is here already, and its kernel has the ports. */
export function nativeForwarding(options: {
  apiSocketPath: string;
  contextName: string;
  environment?: NodeJS.ProcessEnv;
}): Forwarding {
  return {
    companion: undefined,
    context: new DockerContext({ ...options, name: options.contextName, host: hostOf(options) }),
    async *watchPorts(signal) {
      yield [];
      await aborted(signal);
    },
  };
}

export function createForwarding(options: ForwardingOptions): Forwarding {
  const context = new DockerContext({
    ...options,
    name: options.contextName,
    host: hostOf(options),
  });
  const ports = new CurrentPorts();
  let socketCause: string | undefined;

  const companion: Companion = (machine) => {
    const over = new AbortController();
    const traffic = trafficLink(machine, over.signal);
    const ready = Promise.withResolvers<void>();
    const socket = keepSocket(options.apiSocketPath, traffic, over.signal, (cause) => {
      socketCause = cause;
      ready.resolve();
      if (cause !== undefined) machine.report('docker.sock', cause);
    });
    const published = whileOn(
      options.ports ?? new Toggle(true),
      () =>
        ports.use(
          new PublishedPorts({
            link: {
              openTcp: (host, port) => traffic.openTcp(host, port),
              openStreamLocal: (name) => machine.link.openStreamLocal(name),
            },
            services: machine.services,
            isOwn: options.isGuest,
            report: machine.report,
          }),
        ),
      (error) => machine.report('ports', error),
    );
    const guest = options.isGuest ? guestParts(machine, options) : [];
    return {
      ready: ready.promise,
      close: async () => {
        over.abort();
        for (const part of guest) part.close();
        await published.close();
        await (await socket)?.close();
        if (traffic !== machine.link) traffic.close();
      },
    };
  };

  return {
    companion,
    context: {
      state: () => ({ ...context.state(), socketCause }),
      setUp: (how) => ({ ...context.setUp(how), socketCause }),
      remove: () => ({ ...context.remove(), socketCause }),
    },
    watchPorts: (signal) => ports.watch(signal),
  };
}

/** What is looked at every few seconds is no use of the machine, and does not wake it. */
function guestParts(
  { link, services, background: engine, settings, onPauseChange, report }: CompanionContext,
  { environment }: ForwardingOptions,
): { close(): void }[] {
  const proxies = watchProxies({
    engine,
    link,
    containers: () => settings?.now().proxiesInContainers ?? false,
    read: () => systemProxies(environment),
    onPauseChange,
    report,
  });
  const stopFollowing = settings?.onChange(() => void proxies.look());
  return [
    serveHostDns({ link: services }),
    proxies,
    { close: () => stopFollowing?.() },
    watchTimeZone({
      setter: zoneThrough(engine),
      read: () => systemTimeZone(environment),
      onPauseChange,
      report,
    }),
  ];
}

/** A connection of its own, so that a flood through a port never stands before the app's questions. */
function trafficLink(
  { link, endpoint, resuming, onPauseChange }: CompanionContext,
  signal: AbortSignal,
): SshLink {
  if (endpoint === undefined) return link;
  const traffic = createSshLink(endpoint);
  const stopFollowing = onPauseChange((isPaused) => traffic.allowSilence(isPaused));
  signal.addEventListener('abort', stopFollowing);
  void (async () => {
    while (!signal.aborted) {
      try {
        await traffic.connect();
        return;
      } catch {
        // The app's own connection shows what is wrong; once up, the link keeps itself up.
        await sleep(retryMs, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  })();
  return resuming(traffic);
}

/** Tried again while another program has the path: it may end. */
async function keepSocket(
  path: string,
  link: SshLink,
  signal: AbortSignal,
  tell: (cause: string | undefined) => void,
): Promise<ApiSocket | undefined> {
  for (let told: string | undefined; !signal.aborted; ) {
    try {
      const socket = await serveApiSocket({ path, openChannel: () => link.openApiChannel() });
      tell(undefined);
      return socket;
    } catch (error) {
      const { message } = error as Error;
      if (message !== told) tell(message);
      told = message;
      await sleep(retryMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }
  return undefined;
}

/** An agent that may not set its machine's clock says so with 501; it is not the app's to set then. */
function zoneThrough(engine: EngineClient): TimeZoneSetter {
  return {
    async setTimeZone(name) {
      const { status, body } = await engine.request({
        method: 'POST',
        path: '/corten/v1/machine/time-zone',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
      });
      if (status >= 300 && status !== 501 && status !== 404)
        throw new Error(`The machine refused the time zone ${name}: ${Buffer.from(body)}`);
    },
  };
}

/** The ports of whichever start of the machine is the current one. */
class CurrentPorts {
  #current: PublishedPorts | undefined;
  #changed = Promise.withResolvers<void>();

  use(ports: PublishedPorts): PublishedPorts {
    this.#current = ports;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    return ports;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ForwardedPort[]> {
    if (this.#current === undefined) yield [];
    while (!signal.aborted) {
      const changed = this.#changed.promise;
      if (this.#current !== undefined) yield* this.#current.watch(signal);
      await Promise.race([changed, aborted(signal)]);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** In the docker CLI's words (docker/cli, opts/hosts.go). */
function hostOf({ apiSocketPath }: { apiSocketPath: string }): string {
  return apiSocketPath.startsWith('\\\\')
    ? `npipe://${apiSocketPath.replaceAll('\\', '/')}`
    : `unix://${apiSocketPath}`;
}
