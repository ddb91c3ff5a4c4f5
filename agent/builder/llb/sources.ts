/** Vertices that bring files: images, the client's directories, git repositories and downloads (solver/pb/attr.go). */
import { posix } from 'node:path';
import type { Vertex, VertexDetails } from './graph.ts';
import type { Platform } from './ops.ts';

export type ResolveMode = 'default' | 'pull' | 'local';

export function imageSource(
  reference: string,
  { platform, mode, details }: { platform: Platform; mode: ResolveMode; details: VertexDetails },
): Vertex {
  const attributes: Record<string, string> = {};
  const capabilities = ['source.image'];
  if (mode !== 'default') attributes['image.resolvemode'] = mode;
  if (mode === 'pull') capabilities.push('source.image.resolvemode');
  return source(`docker-image://${reference}`, () => attributes, capabilities, details, platform);
}

export interface LocalSource {
  sessionId: string;
  sharedKeyHint: string;
  /** Called when the graph is written: what is needed is known only then. */
  followPaths?: () => string[];
  excludePatterns?: () => string[];
  /** All is sent anew instead of compared with the last copy. */
  isSentWhole?: boolean;
  details: VertexDetails;
}

export function localSource(name: string, local: LocalSource): Vertex {
  const attributes = () => {
    const follow = local.followPaths?.() ?? [];
    const exclude = local.excludePatterns?.() ?? [];
    return {
      'local.session': local.sessionId,
      ...(follow.length > 0 && { 'local.followpaths': JSON.stringify(follow) }),
      ...(exclude.length > 0 && { 'local.excludepatterns': JSON.stringify(exclude) }),
      'local.sharedkeyhint': local.sharedKeyHint,
      ...(local.isSentWhole === true && { 'local.differ': 'none' }),
    };
  };
  const capabilities = ['source.local', 'source.local.sessionid', 'source.local.sharedkeyhint'];
  return source(`local://${name}`, attributes, capabilities, local.details);
}

export interface GitSource {
  /** As git takes it: `https://github.com/moby/moby.git`, `git@github.com:moby/moby.git`. */
  remote: string;
  ref: string;
  subdirectory: string;
  checksum: string;
  keepsGitDirectory: boolean;
  skipsSubmodules: boolean;
  fetchesByCommit: boolean;
  /** `commit`: files are as old as the commit. */
  mtime: string;
  details: VertexDetails;
}

export function gitSource(git: GitSource): Vertex {
  const { host, path, isSsh } = remoteParts(git.remote);
  const fragment = git.subdirectory === '' ? git.ref : `${git.ref}:${git.subdirectory}`;
  const identifier = `git://${host}${posix.join('/', path)}${fragment === '' ? '' : `#${fragment}`}`;
  const attributes: Record<string, string> = {
    'git.fullurl': git.remote,
    'git.authtokensecret': 'GIT_AUTH_TOKEN',
    'git.authheadersecret': 'GIT_AUTH_HEADER',
    ...(git.keepsGitDirectory && { 'git.keepgitdir': 'true' }),
    ...(isSsh && { 'git.mountsshsock': 'default' }),
    ...(git.checksum !== '' && { 'git.checksum': git.checksum }),
    ...(git.skipsSubmodules && { 'git.skipsubmodules': 'true' }),
    ...(git.mtime !== '' && { 'git.mtime': git.mtime }),
    ...(git.fetchesByCommit && { 'git.fetchbycommit': 'true' }),
  };
  const capabilities = ['source.git', 'source.git.fullurl'];
  if (git.keepsGitDirectory) capabilities.push('source.git.keepgitdir');
  if (isSsh) capabilities.push('source.git.mountsshsock');
  if (git.checksum !== '') capabilities.push('source.git.checksum');
  return source(identifier, () => attributes, capabilities, git.details);
}

/** Host and path, the same for each protocol, so that one repository is one source. */
function remoteParts(remote: string): { host: string; path: string; isSsh: boolean } {
  const [, scheme, address, path = ''] =
    /^([a-z0-9]+):\/\/(?:[^@/]*@)?([^/]*)(.*)$/i.exec(remote) ?? [];
  if (scheme !== undefined) return { host: address!, path, isSsh: scheme.toLowerCase() === 'ssh' };
  const [, host = '', scpPath = remote] = /^(?:[^@/]+@)?([^:/]+):(.*)$/.exec(remote) ?? [];
  return { host, path: scpPath, isSsh: true };
}

export function httpSource(
  address: string,
  { filename, checksum, details }: { filename: string; checksum: string; details: VertexDetails },
): Vertex {
  const attributes = {
    ...(checksum !== '' && { 'http.checksum': checksum }),
    'http.filename': filename,
  };
  const capabilities = ['source.http', ...(checksum === '' ? [] : ['source.http.checksum'])];
  return source(address, () => attributes, capabilities, details);
}

function source(
  identifier: string,
  attributes: () => Record<string, string>,
  capabilities: string[],
  details: VertexDetails,
  platform?: Platform,
): Vertex {
  return {
    details,
    operation: () => {
      // Sorted, so that the same source is the same message.
      const attrs = Object.fromEntries(Object.entries(attributes()).sort(byName));
      return {
        op: { case: 'source', value: { identifier, attrs } },
        ...(platform !== undefined && { platform }),
        capabilities,
      };
    },
  };
}

const byName = ([one]: [string, unknown], [other]: [string, unknown]): number =>
  one < other ? -1 : 1;
