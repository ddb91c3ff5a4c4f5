/** What a client offers over its session, as calls of the services that it serves (moby/buildkit, session/). */
import type { Duplex, Readable, Writable } from 'node:stream';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import type { SessionHeaders } from '../../api/build/backend.ts';
import { notFound } from '../../errors.ts';
import { Auth } from '../protocol/github.com/moby/buildkit/session/auth/auth_pb.js';
import { Secrets } from '../protocol/github.com/moby/buildkit/session/secrets/secrets_pb.js';
import { SSH } from '../protocol/github.com/moby/buildkit/session/sshforward/ssh_pb.js';
import type { BuildClient, LocalDirectory, LocalDirectoryRequest } from '../solver/job.ts';
import type { CallMetadata, ClientConnection } from './client-connection.ts';
import { duplexOf, readableOf, writableOf } from './client-streams.ts';
import { receiveTree } from './fsutil/receive.ts';
import { sendTree } from './fsutil/send.ts';
import type { LocalCopies } from './local-copies.ts';
import { encodeMetadata } from './metadata.ts';

const Path = {
  directory: '/moby.filesync.v1.FileSync/DiffCopy',
  save: '/moby.filesync.v1.FileSend/DiffCopy',
  sshAgent: '/moby.sshforward.v1.SSH/ForwardAgent',
  credentials: '/moby.filesync.v1.Auth/Credentials',
  secret: '/moby.buildkit.secrets.v1.Secrets/GetSecret',
  upload: '/moby.upload.v1.Upload/Pull',
} as const;

export class Session implements BuildClient {
  readonly id: string;
  readonly #headers: SessionHeaders;
  readonly #connection: ClientConnection;
  readonly #copies: LocalCopies;
  readonly #methods: ReadonlySet<string>;

  constructor(headers: SessionHeaders, connection: ClientConnection, copies: LocalCopies) {
    this.id = headers.id;
    this.#headers = headers;
    this.#connection = connection;
    this.#copies = copies;
    // Go's names of the same method differ in case (`diffcopy`).
    this.#methods = new Set(headers.methods.map((path) => path.toLowerCase()));
  }

  /** Aborts when the client has gone away. */
  get closed(): AbortSignal {
    return this.#connection.closed;
  }

  async localDirectory(request: LocalDirectoryRequest): Promise<LocalDirectory> {
    const { name, includePatterns, excludePatterns, followPaths, sharedKeyHint, signal } = request;
    if (!this.#serves(Path.directory)) throw notFound('the client offers no local directories');
    const sharedKey = this.#headers.sharedKey || this.id;
    const copy = await this.#copies.use(JSON.stringify([name, sharedKeyHint, sharedKey]));
    try {
      const metadata = encodeMetadata({
        'dir-name': [name],
        'include-patterns': includePatterns,
        'exclude-patterns': excludePatterns,
        followpaths: followPaths,
      });
      const stream = this.#connection.stream(Path.directory, metadata, signal);
      await receiveTree(stream, copy.path, { progress: request.progress });
      return copy;
    } catch (error) {
      copy.release();
      throw inWords(error, `the client's directory ${name}`);
    }
  }

  async secret(id: string): Promise<Buffer | undefined> {
    if (!this.#serves(Path.secret)) return undefined;
    const client = createClient(Secrets, this.#connection.transport);
    const answer = await unlessMissing(client.getSecret({ ID: id }));
    return answer && Buffer.from(answer.data);
  }

  async sshAgent(id: string): Promise<Duplex> {
    if (!this.#serves(Path.sshAgent)) throw notFound('the client offers no ssh agent (--ssh)');
    try {
      await createClient(SSH, this.#connection.transport).checkAgent({ ID: id });
    } catch (error) {
      throw notFound(`the client offers no ssh agent ${id}`, error);
    }
    return duplexOf(this.#connection.stream(Path.sshAgent, { 'buildkit.ssh.id': id }));
  }

  /** Clients also offer to fetch tokens themselves, but all of them give the credentials when asked for those. */
  async credentials(domain: string): Promise<{ username: string; password: string } | undefined> {
    if (!this.#serves(Path.credentials)) return undefined;
    const client = createClient(Auth, this.#connection.transport);
    // Clients know Docker Hub by the name of its registry.
    const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
    const answer = await unlessMissing(client.credentials({ Host: host }));
    if (answer === undefined || answer.Secret === '') return undefined;
    // Without a user it is an identity token, which Docker's own files spell like this.
    return { username: answer.Username || '<token>', password: answer.Secret };
  }

  async saveFile(target: number, metadata: Readonly<Record<string, string>>): Promise<Writable> {
    return writableOf(this.#connection.stream(Path.save, this.#targetOf(target, metadata)));
  }

  async saveDirectory(
    target: number,
    path: string,
    metadata: Readonly<Record<string, string>>,
  ): Promise<void> {
    await sendTree(this.#connection.stream(Path.save, this.#targetOf(target, metadata)), path);
  }

  async upload(url: URL): Promise<Readable> {
    if (!this.#serves(Path.upload)) throw notFound('the client offers nothing to be uploaded');
    const metadata = { urlpath: url.pathname, urlhost: url.host };
    return readableOf(this.#connection.stream(Path.upload, metadata));
  }

  #targetOf(target: number, metadata: Readonly<Record<string, string>>): CallMetadata {
    if (!this.#serves(Path.save)) throw notFound('the client takes no output');
    const exporter = Object.entries(metadata).map(([name, value]) => [
      `exporter-md-${name}`,
      value,
    ]);
    return { ...Object.fromEntries(exporter), 'buildkit-attachable-exporter-id': String(target) };
  }

  #serves(path: string): boolean {
    return this.#methods.has(path.toLowerCase());
  }
}

/** Undefined when the client has nothing of that name, or does not know the question. */
async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    const { code } = ConnectError.from(error);
    if (code === Code.NotFound || code === Code.Unimplemented) return undefined;
    throw error;
  }
}

function inWords(error: unknown, subject: string): unknown {
  if (!(error instanceof ConnectError)) return error;
  const message = `${subject}: ${error.rawMessage}`;
  return error.code === Code.NotFound || / not enabled|no access allowed/.test(error.rawMessage)
    ? notFound(message, error)
    : new Error(message, { cause: error });
}
