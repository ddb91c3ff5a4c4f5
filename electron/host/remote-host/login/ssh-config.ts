/** What `~/.ssh/config` says of a host, by ssh_config(5); the parts that a connection needs. */
import { globSync, readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import SSHConfig from 'ssh-config';
import type { RemoteAddress } from '../../../contract/machines.ts';

export interface HostPlan {
  /** As the person wrote it. */
  alias: string;
  hostName: string;
  port: number;
  user: string;
  /** In the order in which they are tried. `isNamed`: by the person or the file, not by default. */
  keyFiles: { path: string; isNamed: boolean }[];
  /** The SSH agent's socket; undefined where none is to be asked. */
  agent: string | undefined;
  /** Of the agent's keys only those of `keyFiles`. */
  onlyNamedKeys: boolean;
  knownHostsFiles: string[];
  /** The name that host keys are known by, where it is not the host's own. */
  hostKeyAlias?: string;
  /** Hosts to go through, the first one first. */
  jumps: RemoteAddress[];
  /** A program that makes the line, in the place of a connection; its tokens not expanded. */
  proxyCommand?: string;
}

/** What the file asks for and this app does not do. */
export class UnsupportedSshConfig extends Error {
  readonly nextStep: string;

  constructor(message: string, nextStep: string) {
    super(message);
    this.name = 'UnsupportedSshConfig';
    this.nextStep = nextStep;
  }
}

const defaultKeys = ['id_ed25519', 'id_ecdsa', 'id_rsa', 'id_ed25519_sk', 'id_ecdsa_sk'];
/** A file that includes itself, however it does. */
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
  // The file's first word of the two would win in ssh; whoever writes both means the way through hosts.
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

/** IdentityAgent, else the environment's, else Windows' own. */
function agentOf(said: string | undefined, toPath: (path: string) => string): string | undefined {
  if (said?.toLowerCase() === 'none') return undefined;
  if (said !== undefined && said !== 'SSH_AUTH_SOCK')
    return said.startsWith('$') ? process.env[said.replace(/[${}]/g, '')] : toPath(said);
  if (process.env.SSH_AUTH_SOCK) return process.env.SSH_AUTH_SOCK;
  return process.platform === 'win32' ? '\\\\.\\pipe\\openssh-ssh-agent' : undefined;
}

/** `none`, or `user@host:port,…` in the order of the way. */
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
  // `Match exec` would run commands whenever a machine is looked at.
  return SSHConfig.parse(text).compute(host, { ignoreCase: true, matchExec: false });
}

/** The parser leaves `Include` alone; here its files' lines take its place, as ssh does it. */
function withIncludes(path: string, directory: string, depth: number): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // No such file, or one that ssh could not read either: then nothing is said.
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

/** ssh_config's TOKENS; one that is not known stays as it is. */
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
