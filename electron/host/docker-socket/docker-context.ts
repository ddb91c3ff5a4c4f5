/**
 * Writes a machine's context into the `docker` CLI's own files: contexts/meta/<sha256 of the
 * name>/meta.json and `currentContext` in config.json (docs.docker.com/engine/manage-resources/contexts).
 * Only a context that Corten made is ever changed or removed.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DockerContextState } from '../../contract/forward.ts';

export interface DockerContextOptions {
  name: string;
  /** `unix:///…/docker.sock` or `npipe:////./pipe/…`. */
  host: string;
  /** Where DOCKER_CONFIG, DOCKER_HOST and DOCKER_CONTEXT are read; by default the process's own. */
  environment?: NodeJS.ProcessEnv;
}

interface Meta {
  Name: string;
  /** The CLI keeps fields of Metadata that it does not know, so ours is there. */
  Metadata: { Description: string; Corten?: { previous?: string } };
  Endpoints: { docker?: { Host?: string; SkipTLSVerify?: boolean } };
}

export class DockerContext {
  readonly #options: DockerContextOptions;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #directory: string;

  constructor(options: DockerContextOptions) {
    this.#options = options;
    this.#environment = options.environment ?? process.env;
    this.#directory = this.#environment.DOCKER_CONFIG || join(homedir(), '.docker');
  }

  state(): DockerContextState {
    const { host } = this.#options;
    const name = this.#name();
    const meta = this.#readMeta(name);
    return {
      name,
      host,
      isSetUp: meta?.Metadata.Corten !== undefined && meta.Endpoints.docker?.Host === host,
      isCurrent: this.#current() === name,
      overriddenBy: ['DOCKER_HOST', 'DOCKER_CONTEXT'].find((word) => this.#environment[word]),
    };
  }

  /** `use` makes it the current context too; `remove` makes the one before current again. Throws for a foreign context. */
  setUp({ use }: { use: boolean }): DockerContextState {
    const { host } = this.#options;
    const name = this.#name();
    const known = this.#readMeta(name);
    if (known !== undefined && known.Metadata.Corten === undefined) throw foreign(name);
    const current = this.#current();
    // This is read before anything is written, so that an unreadable config.json changes nothing.
    const previous = use && current !== name ? current : known?.Metadata.Corten?.previous;
    const meta: Meta = {
      Name: name,
      Metadata: { Description: 'Corten', Corten: previous === undefined ? {} : { previous } },
      Endpoints: { docker: { Host: host, SkipTLSVerify: false } },
    };
    writeWhole(this.#metaPath(name), JSON.stringify(meta), 0o644);
    if (use) this.#makeCurrent(name);
    return this.state();
  }

  remove(): DockerContextState {
    const name = this.#name();
    const known = this.#readMeta(name);
    if (known === undefined) return this.state();
    if (known.Metadata.Corten === undefined) throw foreign(name);
    if (this.#current() === name) {
      const { previous } = known.Metadata.Corten;
      const isThere = previous !== undefined && existsSync(this.#metaPath(previous));
      this.#makeCurrent(isThere ? previous : undefined);
    }
    rmSync(dirname(this.#metaPath(name)), { recursive: true });
    return this.state();
  }

  /** Undefined means the context `default`, as in config.json. */
  #current(): string | undefined {
    const { currentContext } = this.#readConfig();
    return typeof currentContext === 'string' && currentContext !== '' ? currentContext : undefined;
  }

  #makeCurrent(name: string | undefined): void {
    const { currentContext: _, ...others } = this.#readConfig();
    const config = name === undefined ? others : { ...others, currentContext: name };
    // The CLI indents with tabs. The file may hold passwords, hence its mode.
    writeWhole(this.#configPath(), JSON.stringify(config, null, '\t'), 0o600);
  }

  #readConfig(): Record<string, unknown> {
    return (readJson(this.#configPath()) ?? {}) as Record<string, unknown>;
  }

  /** A renamed machine keeps the name of its context, because scripts of the user may contain it. */
  #name(): string {
    const { name, host } = this.#options;
    const directory = join(this.#directory, 'contexts', 'meta');
    const ids = existsSync(directory) ? readdirSync(directory) : [];
    const made = ids
      .map((id) => {
        try {
          return readJson(join(directory, id, 'meta.json')) as Partial<Meta> | undefined;
        } catch {
          // An unreadable context is not one of ours.
          return undefined;
        }
      })
      .find((meta) => meta?.Metadata?.Corten && meta.Endpoints?.docker?.Host === host);
    return made?.Name ?? name;
  }

  #readMeta(name: string): Meta | undefined {
    const meta = readJson(this.#metaPath(name)) as Partial<Meta> | undefined;
    return (
      meta && {
        Name: name,
        Metadata: meta.Metadata ?? { Description: '' },
        Endpoints: meta.Endpoints ?? {},
      }
    );
  }

  #configPath(): string {
    return join(this.#directory, 'config.json');
  }

  #metaPath(name: string): string {
    const id = createHash('sha256').update(name).digest('hex');
    return join(this.#directory, 'contexts', 'meta', id, 'meta.json');
  }
}

function foreign(name: string): Error {
  return new Error(
    `There is a Docker context "${name}" that Corten did not make, and it is left alone. ` +
      `Rename or remove it first: docker context rm ${name}`,
  );
}

function readJson(path: string): object | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // The error below covers this and any JSON that is no object.
  }
  throw new Error(
    `${path} is not readable as JSON, and is left as it is. Repair it, then try again.`,
  );
}

/** Replaces the file in one step, and keeps its mode. A symbolic link, such as into a dotfiles folder, is followed. */
function writeWhole(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const real = existsSync(path) ? realpathSync(path) : path;
  const keptMode = existsSync(real) ? statSync(real).mode & 0o777 : mode;
  const fresh = `${real}.corten-${process.pid}`;
  writeFileSync(fresh, text, { mode: keptMode });
  renameSync(fresh, real);
}
