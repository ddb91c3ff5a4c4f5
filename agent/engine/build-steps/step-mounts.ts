/** The mounts of a step as the runtime takes them, and what has to be open for them. */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lchownSync,
  mkdirSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join, posix } from 'node:path';
import type { StepMount } from '../../builder/steps/step-runner.ts';
import type { OciMount } from '../../contract/oci-runtime.ts';
import { invalid } from '../../errors.ts';
import {
  lchownat,
  O_PATH,
  oneName,
  openat2,
  openDirectory,
  openInRoot,
  withFd,
} from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { MountAttribute, newFilesystem } from '../../kernel/mount.ts';
import type { Tree } from '../../runtime/runtime.ts';
import type { IdBlock } from '../containers/id-range.ts';
import { openImageRoot } from '../files/container-root.ts';
import type { MountPoint } from './mount-points.ts';

export class StepMounts {
  readonly mounts: OciMount[] = [];
  readonly trees: Tree[] = [];
  readonly points: MountPoint[] = [];
  /** Layers in which nothing is. */
  readonly #emptyLayers: string[];
  readonly #place: string;
  readonly #ids: IdBlock | undefined;
  readonly #fds: number[] = [];
  readonly #servers: { server: Server; connections: Set<Socket> }[] = [];
  /** A file system in memory with the secrets and sockets, mounted nowhere. */
  #privateFd: number | undefined;

  private constructor(directory: string, ids: IdBlock | undefined) {
    this.#emptyLayers = [join(directory, 'empty'), join(directory, 'as-empty')];
    this.#place = join(directory, 'place');
    this.#ids = ids;
  }

  /**
   * `directory` is the step's own; `ids` are those of its user namespace. Throws invalid for a selector that names
   * nothing.
   */
  static async open(
    asked: readonly StepMount[],
    directory: string,
    ids: IdBlock | undefined,
  ): Promise<StepMounts> {
    const opened = new StepMounts(directory, ids);
    if (asked.length > 0)
      for (const path of [...opened.#emptyLayers, opened.#place]) mkdirSync(path, { mode: 0o755 });
    try {
      for (const mount of asked) await opened.#add(mount);
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  /** The step has ended, or never began. */
  close(): void {
    for (const { server, connections } of this.#servers.splice(0)) {
      server.close();
      for (const connection of connections) connection.destroy();
    }
    for (const fd of this.#fds.splice(0)) closeSync(fd);
  }

  async #add(mount: StepMount): Promise<void> {
    const target = posix.resolve('/', mount.target);
    const options = mount.readOnly ? ['ro'] : [];
    const note = (kind: MountPoint['kind'], oci: Omit<OciMount, 'destination'>) => {
      this.points.push({ path: target, kind });
      this.mounts.push({ destination: target, ...oci });
    };
    if (mount.kind === 'tmpfs') {
      const size = mount.sizeBytes ? [`size=${mount.sizeBytes}`] : [];
      note('directory', {
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', ...options, ...size],
      });
    } else if (mount.kind === 'directory') {
      const fd = this.#openDirectory(mount);
      note(kindOf(fd), {
        type: 'bind',
        source: `/proc/self/fd/${fd}`,
        options: ['bind', 'idmap', ...options],
      });
    } else if (mount.kind === 'tree') {
      const [tree, kind] = this.#tree(mount);
      note(kind, { type: 'tree', source: String(this.trees.push(tree) - 1), options });
    } else {
      const name = String(this.trees.length);
      if (mount.kind === 'file') this.#writeFile(name, mount);
      else await this.#listen(name, mount);
      const fd = this.#privateFiles();
      const tree: Tree = {
        kind: 'mount',
        fd,
        place: this.#place,
        selector: name,
      };
      note('file', { type: 'tree', source: String(this.trees.push(tree) - 1), options });
    }
  }

  #openDirectory({ path, selector }: Extract<StepMount, { kind: 'directory' }>): number {
    const fd = withFd(openDirectory(path), (root) => openSelected(root, selector));
    this.#fds.push(fd);
    return fd;
  }

  #tree({
    snapshot,
    selector,
    writable,
  }: Extract<StepMount, { kind: 'tree' }>): [Tree, MountPoint['kind']] {
    const layers = snapshot.layers.map(({ directory }) => directory).reverse();
    // Overlayfs needs one layer to write upon, and two to read alone.
    const lowers = [...layers, ...this.#emptyLayers.slice(Math.min(2, layers.length))];
    const tree: Tree = { kind: 'layers', lowers, selector, place: this.#place, ...writable };
    if (posix.resolve('/', selector) === '/') return [tree, 'directory'];
    const kind = withFd(openImageRoot({ lowers }), (root) =>
      withFd(openSelected(root, selector), kindOf),
    );
    return [tree, kind];
  }

  #privateFiles(): number {
    if (this.#privateFd === undefined) {
      const { noSuid, noDev, noExec } = MountAttribute;
      const attributes = noSuid | noDev | noExec;
      // Names are found by who may search the directory; no path of the step leads to it.
      this.#privateFd = newFilesystem('tmpfs', [['mode', '0755']], attributes, 'tmpfs');
      this.#fds.push(this.#privateFd);
    }
    return this.#privateFd;
  }

  #writeFile(name: string, file: Extract<StepMount, { kind: 'file' }>): void {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const directory = this.#privateFiles();
    withFd(openat2(directory, name, flags, oneName, 0o600), (fd) => {
      for (let at = 0; at < file.content.length; ) at += writeSync(fd, file.content, at);
      // Changing the owner clears the set-user-id bits, so the mode comes after (chown(2)).
      lchownat(fd, '', this.#outside(file.uid), this.#outside(file.gid));
      fchmodSync(fd, file.mode & 0o7777);
    });
  }

  async #listen(name: string, socket: Extract<StepMount, { kind: 'socket' }>): Promise<void> {
    // By descriptor, since the address of a socket is at most 107 bytes long.
    const path = `/proc/self/fd/${this.#privateFiles()}/${name}`;
    const connections = new Set<Socket>();
    const server = createServer((connection) => {
      connections.add(connection);
      connection.on('close', () => connections.delete(connection));
      void relay(connection, socket);
    });
    this.#servers.push({ server, connections });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    server.on('error', () => {});
    lchownSync(path, this.#outside(socket.uid), this.#outside(socket.gid));
    chmodSync(path, socket.mode & 0o7777);
  }

  #outside(id: number): number {
    if (this.#ids === undefined) return id;
    if (id >= this.#ids.length) throw invalid(`there is no id ${id} in the step's user namespace`);
    return this.#ids.first + id;
  }
}

async function relay(
  connection: Socket,
  { connect }: Extract<StepMount, { kind: 'socket' }>,
): Promise<void> {
  connection.on('error', () => connection.destroy());
  try {
    const other = await connect();
    other.on('error', () => connection.destroy());
    // What it sent last may still be on its way.
    other.on('close', () => connection.end());
    connection.on('close', () => other.destroy());
    connection.pipe(other).pipe(connection);
  } catch {
    // The client is gone; to the step that is an agent which hangs up.
    connection.destroy();
  }
}

function openSelected(root: number, selector: string): number {
  try {
    return openInRoot(root, selector || '/', O_PATH);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
      throw invalid(`failed to mount ${selector}: no such file or directory`, error);
    throw error;
  }
}

const kindOf = (fd: number): MountPoint['kind'] =>
  fstatSync(fd).isDirectory() ? 'directory' : 'file';
