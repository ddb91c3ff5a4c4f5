/** One build that a client asked for: what it offers to the steps, who hears of the progress, and its end. */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { ProgressSink } from './progress.ts';

export interface Job {
  /** The build's id, which the client chose (`Ref` in BuildKit's API). */
  ref: string;
  /** Aborts when the client cancels or goes away; every step stops at once. */
  signal: AbortSignal;
  client: BuildClient;
  progress: ProgressSink;
  /** What the client allowed beyond the default: `network.host`, `security.insecure`. */
  entitlements: ReadonlySet<string>;
}

/** What the computer of the person who builds offers: a BuildKit session, or the context of a classic build. */
export interface BuildClient {
  /** A session's id; of a classic build a random one. */
  id: string;
  /**
   * Brings a local directory (a build context, a Dockerfile's folder) here and resolves with where it lies. Throws
   * not-found when the client has no directory of that name, invalid for entries that try to leave it.
   */
  localDirectory(request: LocalDirectoryRequest): Promise<LocalDirectory>;
  /** Undefined when the client has no secret of that id. */
  secret(id: string): Promise<Buffer | undefined>;
  /** A connection to the client's ssh agent; throws not-found when it offers none of that id (`default`). */
  sshAgent(id: string): Promise<Duplex>;
  /** For a registry's domain; undefined: anonymous. */
  credentials(domain: string): Promise<{ username: string; password: string } | undefined>;
  /**
   * A file on the client's side that the client chose (`--output type=tar,dest=…`); ending the stream finishes it. `target` is the
   * index of the exporter whose output it is. Throws not-found when the client takes none.
   */
  saveFile(target: number, metadata: Readonly<Record<string, string>>): Promise<Writable>;
  /**
   * Copies what lies below `path` to the directory that the client chose (`--output type=local`), or below `under`
   * there. More than one call adds to the directory.
   */
  saveDirectory(
    target: number,
    path: string,
    metadata: Readonly<Record<string, string>>,
    under?: string,
  ): Promise<void>;
  /**
   * What the client has under an address `http://buildkit-session/…` (a context or a Dockerfile from standard input).
   * Absent where clients have nothing of the kind.
   */
  upload?(url: URL): Promise<Readable>;
}

export interface LocalDirectoryRequest {
  /** `context`, `dockerfile`, or a named context's. */
  name: string;
  /** Patterns of .dockerignore's kind: only these, when there are any. */
  includePatterns: readonly string[];
  excludePatterns: readonly string[];
  /** Paths that are brought even when links lead to them. */
  followPaths: readonly string[];
  /** Copies of the same key are brought up to date instead of brought anew. */
  sharedKeyHint: string;
  signal: AbortSignal;
  /** Bytes that have arrived. */
  progress?: (bytes: number) => void;
}

export interface LocalDirectory {
  path: string;
  /** Until then nobody changes the files at `path`. */
  release(): void;
}
