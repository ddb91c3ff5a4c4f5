/** Who answers at ports of this computer. */
import { once } from 'node:events';
import { connect } from 'node:net';

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
