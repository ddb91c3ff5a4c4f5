/**
 * Connects a running machine with this computer: `docker.sock` and published ports here, and this
 * computer's DNS, proxies and time zone there. It is the same for every machine that is reached by
 * SSH; this computer's own engine needs only the docker CLI's context.
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
  /** Absent for this computer's own engine. */
  readonly companion: Companion | undefined;
  readonly context: ContextControls;
  /** Yields the ports now, then again at each change; an empty list while the machine is down. */
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
   * True for a virtual machine: its containers' ports belong to this computer, so one that is taken
   * here makes the start fail; and it uses this computer's DNS, proxies and time zone.
   */
  isGuest: boolean;
  /** Whether its published ports are opened on this computer; by default they are. */
  ports?: Toggle;
  environment?: NodeJS.ProcessEnv;
}

const retryMs = 5000;

/** For this computer's own engine, whose socket and ports are on this computer already. */
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

/** These services poll every few seconds, so they use connections that do not resume a paused machine. */
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
  const stopFollowing = settings?.onChange(() => void proxies.check());
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

/** Ports have an SSH connection of their own, so that a flood through one does not delay the app's requests. */
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
        // A failure shows at the app's own connection too; once connected, the link reconnects by itself.
        await sleep(retryMs, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  })();
  return resuming(traffic);
}

/** Retries while another program has the path, since that may end. */
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

/** An agent that may not set its machine's time zone answers 501, which is no failure to report or repeat. */
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

/** Yields the ports of the current start of the machine, across restarts. */
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

/** The address as the docker CLI writes it (docker/cli, opts/hosts.go). */
function hostOf({ apiSocketPath }: { apiSocketPath: string }): string {
  return apiSocketPath.startsWith('\\\\')
    ? `npipe://${apiSocketPath.replaceAll('\\', '/')}`
    : `unix://${apiSocketPath}`;
}
