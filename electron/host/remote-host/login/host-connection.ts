/**
 * Makes the SSH connection to a remote host's own sshd: directly or through jump hosts, with the host
 * key checked and the user logged in. After a break it is made again when it is needed.
 */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import ssh2, { type Client } from 'ssh2';
import type { RemoteAddress } from '../../../contract/machines.ts';
import { StageFailure } from '../../machine/machine.ts';
import { ChannelSocket } from '../../ssh/channel-socket.ts';
import { openTcp } from '../../ssh/connection.ts';
import {
  fingerprintOf,
  judgeHostKey,
  knownTypes,
  rememberHostKey,
  toHostKey,
  type Verdict,
} from './known-hosts.ts';
import { loginWays } from './login.ts';
import { openProxyCommand } from './proxy-command.ts';
import type { Ask, Secrets } from './secrets.ts';
import { type HostPlan, planFor, UnsupportedSshConfig } from './ssh-config.ts';

export interface ConnectOptions {
  /** Absent when the user cannot be asked, as during a reconnect. */
  ask?: Ask;
  secrets: Secrets;
  /** The app's own known_hosts file, for hosts that the user confirmed in the app. */
  knownHostsFile: string;
  signal?: AbortSignal;
  timeoutMs?: number;
  home?: string;
}

/** How long a host may take for each answer; time in which the user is asked does not count. */
const defaultTimeoutMs = { reach: 30_000, login: 60_000 };
const keepaliveIntervalMs = 10_000;
const deepestJump = 8;

/** Throws StageFailure for an ssh_config that is not supported. */
export function planOf(address: RemoteAddress, home?: string): HostPlan {
  try {
    return planFor(address, home);
  } catch (error) {
    if (error instanceof UnsupportedSshConfig)
      throw new StageFailure(error.message, error.nextStep, { cause: error });
    throw error;
  }
}

/** Connects to the host's sshd, and logs in to the jump hosts on the way. Rejects with StageFailure. */
export async function reachHost(
  plan: HostPlan,
  options: ConnectOptions,
  depth = 0,
): Promise<Duplex> {
  if (depth > deepestJump)
    throw new StageFailure(
      `The ProxyJump of ${plan.alias} is circular.`,
      'Look at the hosts that ~/.ssh/config names there: none may be reached through itself.',
    );
  // `Host *` matches the jump host too, which must not jump through itself.
  const jumps = plan.jumps.filter(({ host }) => host !== plan.alias);
  const hops = jumps.map((jump) => planOf(jump, options.home));
  const through: Client[] = [];
  const letGo = () => {
    for (const client of through.splice(0).reverse()) client.end();
  };
  try {
    // The first jump host may have jump hosts of its own.
    let line =
      hops[0] === undefined
        ? await dial(plan, options)
        : await reachHost(hops[0], options, depth + 1);
    for (const [index, hop] of hops.entries()) {
      const client = await logIn(hop, line, options);
      through.push(client);
      line = await dialThrough(client, hop, hops[index + 1] ?? plan);
    }
    line.once('close', letGo);
    return line;
  } catch (error) {
    letGo();
    throw error;
  }
}

async function dialThrough(client: Client, hop: HostPlan, next: HostPlan): Promise<Duplex> {
  try {
    return new ChannelSocket(await openTcp(client, next.hostName, next.port));
  } catch (error) {
    throw new StageFailure(
      `${hop.hostName} cannot reach ${next.hostName} port ${next.port}: ${(error as Error).message}`,
      `See that ${hop.hostName} can connect there and allows it (AllowTcpForwarding in its sshd_config).`,
      { cause: error },
    );
  }
}

/** Checks the host's key and logs in. Rejects with StageFailure. */
export async function logIn(
  plan: HostPlan,
  line: Duplex,
  options: ConnectOptions,
): Promise<Client> {
  const { secrets, knownHostsFile, signal, timeoutMs = defaultTimeoutMs.login } = options;
  if (signal?.aborted) {
    line.destroy();
    throw cancelled();
  }
  const client = new ssh2.Client();
  const name = plan.hostKeyAlias ?? plan.hostName;
  const files = [...plan.knownHostsFiles, knownHostsFile];
  const timeout = new AnswerTimeout(timeoutMs, () => client.destroy());
  const ask = options.ask === undefined ? undefined : timeout.outside(options.ask);
  const ways = loginWays(plan, secrets, ask);
  let refusal: StageFailure | undefined;

  async function isRightHost(blob: Buffer): Promise<boolean> {
    const key = toHostKey(blob);
    const verdict = judgeHostKey(files, name, plan.port, key);
    if (verdict.kind === 'known') return true;
    if (verdict.kind === 'unknown') {
      const fingerprint = fingerprintOf(blob);
      const keyType = key.type.replace(/^ssh-/, '');
      const answer = await ask?.({ kind: 'host-key', host: name, keyType, fingerprint });
      if (answer === 'yes') {
        rememberHostKey(knownHostsFile, name, plan.port, key);
        return true;
      }
      refusal = notConfirmed(name, fingerprint);
    } else refusal = wrongKey(name, plan.port, verdict);
    return false;
  }

  const onAbort = () => client.destroy();
  signal?.addEventListener('abort', onAbort);
  try {
    return await new Promise<Client>((resolve, reject) => {
      // Destroying the client shows as an error of the stream.
      const fail = (error: Error) => {
        if (signal?.aborted) reject(cancelled());
        else if (timeout.isOver) reject(tooSlow(plan, timeoutMs));
        else reject(refusal ?? error);
      };
      client.on('error', (error: Error & { level?: string }) => {
        // Without a reachable SSH agent the next authentication method is tried.
        if (error.level === 'agent') return;
        if (error.level === 'client-authentication')
          fail(notLetIn(plan, ways.tried(), ways.isCancelled()));
        else fail(error instanceof StageFailure ? error : brokeOff(plan, error.message));
      });
      client.once('close', () => fail(brokeOff(plan, 'it closed the connection')));
      client.once('ready', () => resolve(client));
      client.connect({
        sock: line,
        username: plan.user,
        authHandler: ways.handler,
        hostVerifier: (blob: Buffer, verify: (isRight: boolean) => void) => {
          void isRightHost(blob).then(verify, () => verify(false));
        },
        algorithms: {
          serverHostKey: { prepend: preferred(files, name, plan.port), append: [], remove: [] },
        },
        // ssh2's own timeout would include the user's time, so AnswerTimeout is used instead.
        readyTimeout: 0,
        keepaliveInterval: keepaliveIntervalMs,
        keepaliveCountMax: 3,
      });
    });
  } catch (error) {
    // ssh2 does not destroy the stream after its own end, so it is destroyed here.
    line.destroy();
    throw error;
  } finally {
    timeout.end();
    signal?.removeEventListener('abort', onAbort);
  }
}

async function dial(plan: HostPlan, options: ConnectOptions): Promise<Duplex> {
  if (plan.proxyCommand !== undefined) return openProxyCommand(plan, plan.proxyCommand);
  const { hostName, port } = plan;
  const { signal, timeoutMs = defaultTimeoutMs.reach } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostName, port, noDelay: true, autoSelectFamily: true });
    const timer = setTimeout(() => socket.destroy(cannotReach(plan, 'ETIMEDOUT')), timeoutMs);
    const onAbort = () => socket.destroy(cancelled());
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    socket.once('connect', () => {
      settle();
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      settle();
      reject(error instanceof StageFailure ? error : cannotReach(plan, error.code ?? '', error));
    });
  });
}

/** A timeout that stands still while the user is asked a question. */
class AnswerTimeout {
  readonly #ms: number;
  readonly #onEnd: () => void;
  #timer: NodeJS.Timeout | undefined;
  isOver = false;

  constructor(ms: number, onEnd: () => void) {
    this.#ms = ms;
    this.#onEnd = onEnd;
    this.#begin();
  }

  outside(ask: Ask): Ask {
    return async (question) => {
      clearTimeout(this.#timer);
      try {
        return await ask(question);
      } finally {
        this.#begin();
      }
    };
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.#onEnd();
    }, this.#ms);
  }
}

/** Requests host keys of the known types, since a key of another type could not be compared. */
function preferred(files: readonly string[], name: string, port: number) {
  return knownTypes(files, name, port).flatMap((type) =>
    type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type],
  ) as 'ssh-ed25519'[];
}

const reachCauses: Record<string, [string, string]> = {
  ENOTFOUND: ['its name is not known', 'Check the name; is the network or VPN up that knows it?'],
  EAI_AGAIN: ['the name server does not answer', 'Check this computer’s network.'],
  ECONNREFUSED: [
    'nothing accepts connections there',
    'Start sshd on that computer (sudo systemctl start ssh), or give the port that it listens on.',
  ],
  ETIMEDOUT: [
    'it does not answer',
    'See that the computer is on and that no firewall stands between; check address and port.',
  ],
  EHOSTUNREACH: ['there is no way to it', 'Check the address, this computer’s network and VPN.'],
  ENETUNREACH: ['there is no way to it', 'Check the address, this computer’s network and VPN.'],
};

function cannotReach({ hostName, port }: HostPlan, code: string, cause?: Error): StageFailure {
  const [why, nextStep] = reachCauses[code] ?? [
    cause?.message ?? code,
    'Check the address, the port and this computer’s network.',
  ];
  return new StageFailure(`${hostName} port ${port} cannot be reached: ${why}.`, nextStep, {
    cause,
  });
}

function cancelled(): StageFailure {
  return new StageFailure('The start was cancelled.', 'Connect again when you want to.');
}

function tooSlow({ hostName }: HostPlan, timeoutMs: number): StageFailure {
  return new StageFailure(
    `${hostName} accepted the connection and then sent nothing for ${timeoutMs / 1000} seconds.`,
    'See that it is sshd that listens there, and how busy that computer is; then try again.',
  );
}

function brokeOff({ hostName }: HostPlan, why: string): StageFailure {
  return new StageFailure(
    `The SSH connection to ${hostName} ended before the login: ${why}.`,
    'See that it is sshd that listens there; its log (journalctl -u ssh) says why it hung up.',
  );
}

function notLetIn(
  { hostName, user, port }: HostPlan,
  tried: readonly string[],
  isCancelled: boolean,
): StageFailure {
  if (isCancelled)
    return new StageFailure('The login was cancelled.', 'Connect again when you want to.');
  const ways = tried.length === 0 ? 'There was no key to try' : `Tried: ${tried.join(', ')}`;
  const option = port === 22 ? '' : `-p ${port} `;
  return new StageFailure(
    `${hostName} does not let "${user}" in. ${ways}.`,
    `Check the user’s name. "ssh-copy-id ${option}${user}@${hostName}" puts your key there.`,
  );
}

function notConfirmed(name: string, fingerprint: string): StageFailure {
  return new StageFailure(
    `${name} is not known, and its key ${fingerprint} was not confirmed.`,
    'Compare the fingerprint with what that computer says, and connect again.',
  );
}

function wrongKey(
  name: string,
  port: number,
  { kind, place }: Extract<Verdict, { place: string }>,
): StageFailure {
  const written = port === 22 ? name : `'[${name}]:${port}'`;
  return kind === 'revoked'
    ? new StageFailure(
        `${name} shows a host key that is marked as revoked in ${place}.`,
        'Do not connect. Ask who runs that computer for its new key.',
      )
    : new StageFailure(
        `${name} shows another host key than the one that is known of it (${place}). Something may stand between you and it.`,
        `Only if that computer was set up anew: remove that line (ssh-keygen -R ${written} -f ${place.replace(/:\d+$/, '')}) and connect again.`,
      );
}
