/**
 * Connects to the agent's SSH server through the standard streams of a wsl.exe, without address or
 * port. Windows passes them on unchanged when they are no console
 * (https://github.com/microsoft/WSL/blob/master/doc/docs/technical-documentation/relay.md).
 */
import { Duplex } from 'node:stream';
import { startWsl, type WslProgram } from './command.ts';
import type { Distribution } from './distribution.ts';

export function dialThrough(wsl: WslProgram, distribution: Distribution) {
  return (): Duplex => {
    const child = startWsl(wsl, distribution.wordsFor(['/usr/lib/corten/wsl-guest', 'line']));
    // Node's types accept only web streams here, while its documentation also permits node streams.
    const ends = { readable: child.stdout, writable: child.stdin } as object;
    const line = Duplex.from(ends as Iterable<Buffer>);
    child.once('error', (error) => line.destroy(error));
    child.once('close', () => line.destroy());
    line.once('close', () => child.kill());
    // An error of wsl.exe shows as the end of the connection.
    child.stderr.resume();
    return line;
  };
}
