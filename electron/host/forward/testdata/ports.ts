/** Ports of this computer, and who answers at them. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Tries while the program in the container begins to listen. */
export async function say(port: number, word: string, host = '127.0.0.1'): Promise<string> {
  for (;;) {
    const socket = connect({ port, host });
    await once(socket, 'connect');
    try {
      socket.end(word);
      let text = '';
      for await (const piece of socket) text += piece;
      if (text !== '') return text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
    }
  }
}

/** Free at every address. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}
