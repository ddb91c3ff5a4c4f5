/** Reads a host's settings from `~/.ssh/config` (ssh_config(5)), as far as a connection needs them. */
import { globSync, readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import SSHConfig from 'ssh-config';
import type { RemoteAddress } from '../../../contract/machines.ts';

export interface HostPlan {
  /** The host as the user wrote it. */
  alias: string;
  hostName: string;
  port: number;
  user: string;
  /** Key files in the order in which they are tried. `isNamed` is false for ssh's default files. */
  keyFiles: { path: string; isNamed: boolean }[];
  /** The SSH agent's socket; undefined when none is used. */
  agent: string | undefined;
  /** Whether only those keys of the agent are used that are among `keyFiles` (IdentitiesOnly). */
  onlyNamedKeys: boolean;
  knownHostsFiles: string[];
  /** The name in known_hosts, where it differs from the host's (HostKeyAlias). */
  hostKeyAlias?: string;
  /** Jump hosts in the order of the connection (ProxyJump). */
  jumps: RemoteAddress[];
  /** A program that connects instead of TCP, with its tokens not yet expanded (ProxyCommand). */
  proxyCommand?: string;
}

/** The file uses an option that this app does not support. */
export class UnsupportedSshConfig extends Error {
  readonly nextStep: string;

  constructor(message: string, nextStep: string) {
    super(message);
    this.name = 'UnsupportedSshConfig';
    this.nextStep = nextStep;
  }
}

const defaultKeys = ['id_ed25519', 'id_ecdsa', 'id_rsa', 'id_ed25519_sk', 'id_ecdsa_sk'];
/** The limit stops a file that includes itself. */
const deepestInclude = 16;

export function planFor(address: RemoteAddress, home = homedir()): HostPlan {
  const directory = join(home, '.ssh');
  const said = readConfig(join(directory, 'config'), address.host);
  const user = address.user ?? one(said.user) ?? userInfo().username;
  const hostName = expandTokens(one(said.hostname) ?? address.host, { h: address.host });
  const port = address.port ?? Number(one(said.port) ?? 22);
  const words = {
    h: hostName,
    n: address.host,
    p: String(port),
    r: user,
    d: home,
    u: userInfo().username,
  };
  const toPath = (path: string) => {
    const full = expandTokens(path.replace(/^~(?=\/|$)/, home), words);
    return isAbsolute(full) ? full : join(home, full);
  };
  const named = [
    ...(address.keyFile === undefined ? [] : [address.keyFile]),
    ...all(said.identityfile),
  ];
  const jump = one(said.proxyjump);
  // ssh(1) uses whichever comes first in the file; whoever writes both most likely means ProxyJump.
  const command = jump === undefined ? one(said.proxycommand) : undefined;
  if (one(said.proxyusefdpass)?.toLowerCase() === 'yes')
    throw new UnsupportedSshConfig(
      `~/.ssh/config has ProxyUseFdpass for ${address.host}, which the app cannot do.`,
      'Use ProxyJump or a ProxyCommand without it for this host.',
    );
  const keyFiles = (named.length > 0 ? named : defaultKeys.map((name) => join(directory, name)))
    .filter((path) => path !== 'none')
    .map((path) => ({ path: toPath(path), isNamed: named.length > 0 }));
  const alias = one(said.hostkeyalias);
  const knownHosts = all(said.userknownhostsfile).flatMap((files) => files.split(/\s+/));
  return {
    alias: address.host,
    hostName,
    port,
    user,
    keyFiles,
    agent: agentOf(one(said.identityagent), toPath),
    onlyNamedKeys: one(said.identitiesonly)?.toLowerCase() === 'yes',
    knownHostsFiles: (knownHosts.length > 0
      ? knownHosts
      : [join(directory, 'known_hosts'), join(directory, 'known_hosts2')]
    ).map(toPath),
    ...(alias === undefined ? {} : { hostKeyAlias: alias }),
    jumps: jumpsOf(jump, address.host),
    ...(command !== undefined && command.toLowerCase() !== 'none' && { proxyCommand: command }),
  };
}

/** IdentityAgent, else SSH_AUTH_SOCK, else the pipe of Windows' own agent. */
function agentOf(said: string | undefined, toPath: (path: string) => string): string | undefined {
  if (said?.toLowerCase() === 'none') return undefined;
  if (said !== undefined && said !== 'SSH_AUTH_SOCK')
    return said.startsWith('$') ? process.env[said.replace(/[${}]/g, '')] : toPath(said);
  if (process.env.SSH_AUTH_SOCK) return process.env.SSH_AUTH_SOCK;
  return process.platform === 'win32' ? '\\\\.\\pipe\\openssh-ssh-agent' : undefined;
}

/** Parses `none` or `user@host:port,…`. */
function jumpsOf(text: string | undefined, alias: string): RemoteAddress[] {
  if (text === undefined || text.toLowerCase() === 'none') return [];
  return text.split(',').map((jump) => {
    const match = /^(?:ssh:\/\/)?(?:([^@]+)@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(jump.trim());
    if (match === null)
      throw new UnsupportedSshConfig(
        `~/.ssh/config has a ProxyJump for ${alias} that cannot be read: "${text}".`,
        'Write it as user@host:port, several with commas between them.',
      );
    const [, user, host = '', port] = match;
    return {
      host: host.replace(/^\[|\]$/g, ''),
      ...(user === undefined ? {} : { user }),
      ...(port === undefined ? {} : { port: Number(port) }),
    };
  });
}

function readConfig(path: string, host: string): Record<string, string | string[]> {
  const text = withIncludes(path, join(path, '..'), 0);
  // `Match exec` would run commands at each look at a machine, so it is not supported.
  return SSHConfig.parse(text).compute(host, { ignoreCase: true, matchExec: false });
}

/** The parser ignores `Include`, so its lines are replaced by the files' lines here, as in ssh(1). */
function withIncludes(path: string, directory: string, depth: number): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // ssh(1) too ignores a file that is missing.
    return '';
  }
  if (depth >= deepestInclude) return '';
  return text.replace(/^[ \t]*include(?:[ \t]*=[ \t]*|[ \t]+)(.+)$/gim, (_line, patterns: string) =>
    patterns
      .trim()
      .split(/\s+/)
      .map((pattern) => pattern.replace(/^"|"$/g, '').replace(/^~(?=\/)/, join(directory, '..')))
      .flatMap((pattern) =>
        globSync(isAbsolute(pattern) ? pattern : join(directory, pattern)).sort(),
      )
      .map((included) => withIncludes(included, directory, depth + 1))
      .join('\n'),
  );
}

/** Expands the TOKENS of ssh_config(5); an unknown one stays unchanged. */
export function expandTokens(text: string, words: Record<string, string>): string {
  return text.replace(/%(.)/g, (token, letter: string) =>
    letter === '%' ? '%' : (words[letter] ?? token),
  );
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function all(value: string | string[] | undefined): string[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
