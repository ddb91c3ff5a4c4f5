/**
 * A line to the agent's SSH server: the standard streams of one wsl.exe, with neither an address nor
 * a port. Windows passes them on byte for byte when they are no console
 * (https://github.com/microsoft/WSL/blob/master/doc/docs/technical-documentation/relay.md).
 */
import { Duplex } from 'node:stream';
import { startWsl, type WslProgram } from './command.ts';
import type { Distribution } from './distribution.ts';

export function dialThrough(wsl: WslProgram, distribution: Distribution) {
  return (): Duplex => {
    const child = startWsl(wsl, distribution.wordsFor(['/usr/lib/corten/wsl-guest', 'line']));
    // Node's types take web streams only here; its documentation takes its own.
    const ends = { readable: child.stdout, writable: child.stdin } as object;
    const line = Duplex.from(ends as Iterable<Buffer>);
    child.once('error', (error) => line.destroy(error));
    child.once('close', () => line.destroy());
    line.once('close', () => child.kill());
    // What it complains of shows as the connection's end; its text is in the agent's run.
    child.stderr.resume();
    return line;
  };
}
