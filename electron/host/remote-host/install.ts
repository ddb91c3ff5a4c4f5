/** Installs the engine on the host: uploads one archive, checks its digest, and switches to it in one step. */
import { createReadStream } from 'node:fs';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client, SFTPWrapper } from 'ssh2';
import { type BringUpContext, StageFailure } from '../machine/machine.ts';
import { ownMark, programDirectory } from './paths.ts';
import { quoted, type RemoteShell } from './remote-shell.ts';

/** The archive that `scripts/remote-bundle` makes for one architecture. */
export interface Bundle {
  /** Derived from the content, so that two bundles of one version are equal. */
  version: string;
  /** The path of a tar.gz file. */
  path: string;
  sizeBytes: number;
  sha256: string;
}

const archiveName = 'bundle.tar.gz';

/** `$1` is the version, `$2` the archive's directory, `$3` its digest. Exits with 11 for a wrong digest, 12 for no space, 13 when Node does not run. */
export const unpackScript = `
set -e
umask 022
base=${programDirectory} version=$1 archive=$2/${archiveName}
new=$base/.new-$version
trap 'rm -rf "$2" "$new"' EXIT
[ "$(sha256sum "$archive" | cut -d' ' -f1)" = "$3" ] || exit 11
mkdir -p "$base"
: >"$base/${ownMark}"
rm -rf "$new"
mkdir "$new"
tar -xzf "$archive" -C "$new" --no-same-owner || exit 12
"$new/bin/node" --version >/dev/null || exit 13
rm -rf "$base/$version"
mv "$new" "$base/$version"
`;

/** `$1` is the version. rename(2) replaces the link, so that it always leads to a complete engine. */
export const switchScript = `
set -e
cd ${programDirectory}
[ -x "$1/bin/corten-agent" ]
ln -sfn "$1" .current.new
mv -Tf .current.new current
`;

/** Removes every version but `$1`. */
export const sweepScript = `
cd ${programDirectory} || exit 0
for each in * .new-*; do
  case $each in "$1" | current) ;; *) rm -rf -- "$each" ;; esac
done
`;

export async function bringBundle(
  shell: RemoteShell,
  bundle: Bundle,
  host: string,
  { signal, note }: Pick<BringUpContext, 'signal'> & { note(text: string): void },
): Promise<void> {
  const directory = await upload(shell, bundle, host, { signal, sent: percents(bundle, note) });
  note(`${bundle.version} is unpacked`);
  const { code, err } = await shell.runAsRoot(
    unpackScript,
    bundle.version,
    directory,
    bundle.sha256,
  );
  if (code === 0) return;
  if (code === 11)
    throw new StageFailure(
      `What arrived on ${host} is not what was sent: the digests differ.`,
      'Try again. If it happens again, that computer’s disk or memory may be broken.',
    );
  if (code === 13)
    throw new StageFailure(
      `The engine’s Node does not run on ${host}: ${err}`,
      'See that /opt is not mounted with noexec, and that the system is complete.',
    );
  throw new StageFailure(
    `The engine could not be unpacked into ${programDirectory} on ${host}: ${err || `status ${code}`}`,
    /space/i.test(err)
      ? 'Free some space there, and connect again.'
      : 'See that /opt can be written there, and connect again.',
  );
}

/** An upload takes minutes over a slow connection, so its progress is shown. */
function percents({ sizeBytes, version }: Bundle, note: (text: string) => void): Sent {
  let told = -1;
  return (bytes) => {
    const percent = Math.floor((bytes / sizeBytes) * 100);
    if (percent === told) return;
    told = percent;
    note(`${version}: ${percent} % of ${Math.ceil(sizeBytes / 1e6)} MB sent`);
  };
}

/** Called with the number of bytes that were sent so far. */
type Sent = (bytes: number) => void;

/** Uploads by SFTP, or through `cat` where the host's sshd has no SFTP. Resolves with the archive's directory. */
async function upload(
  shell: RemoteShell,
  bundle: Bundle,
  host: string,
  { signal, sent }: { signal: AbortSignal; sent: Sent },
): Promise<string> {
  const made = await shell.run('umask 077; mktemp -d /tmp/corten.XXXXXX');
  const directory = made.out;
  if (made.code !== 0 || !directory.startsWith('/'))
    throw new StageFailure(
      `${host} has no free space for the engine’s archive: ${made.err || made.out}`,
      'See that /tmp can be written there and has space.',
    );
  const path = `${directory}/${archiveName}`;
  try {
    const sftp = await openSftp(shell.client);
    if (sftp !== undefined) await put(sftp, [bundle.path, path], signal, sent);
    else {
      const command = `umask 077; exec cat >${quoted(path)}`;
      const { code, err } = await shell.feedAsRoot(command, counted(bundle.path, sent));
      if (code !== 0) throw new Error(err);
    }
    return directory;
  } catch (error) {
    await shell.runAsRoot('rm -rf -- "$1"', directory).catch(() => undefined);
    if (signal.aborted)
      throw new StageFailure('The start was cancelled.', 'Connect again when you want to.');
    throw new StageFailure(
      `The engine’s archive could not be brought to ${host}: ${(error as Error).message}`,
      'See that /tmp has 100 MiB left there, and that the network holds; then connect again.',
      { cause: error },
    );
  }
}

function counted(path: string, sent: Sent): Readable {
  let bytes = 0;
  const counter = new Transform({
    transform(piece: Buffer, _encoding, done) {
      bytes += piece.length;
      sent(bytes);
      done(null, piece);
    },
  });
  // The counter emits the same error to whoever reads it.
  pipeline(createReadStream(path), counter).catch(() => {});
  return counter;
}

/** Undefined where sshd has no SFTP subsystem. */
function openSftp(client: Client): Promise<SFTPWrapper | undefined> {
  return new Promise((resolve) => {
    client.sftp((error, sftp) => resolve(error ? undefined : sftp));
  });
}

function put(
  sftp: SFTPWrapper,
  [from, to]: readonly [string, string],
  signal: AbortSignal,
  sent: Sent,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => sftp.end();
    signal.addEventListener('abort', onAbort);
    sftp.once('close', () => reject(new Error('The connection ended.')));
    sftp.fastPut(from, to, { mode: 0o600, step: (bytes) => sent(bytes) }, (error) => {
      signal.removeEventListener('abort', onAbort);
      sftp.end();
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Removes a first installation that failed; an older engine stays unchanged. */
export const undoScript = `
cd ${programDirectory} 2>/dev/null || exit 0
[ -e ${ownMark} ] || exit 0
[ -e current ] || rm -rf ${programDirectory}
`;
