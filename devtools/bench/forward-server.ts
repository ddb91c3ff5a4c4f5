/** The server of `scripts/bench-forward`; a connection's first byte chooses the service. Arguments: host, TCP port, UDP port. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const [host = '', tcp = '', udp = ''] = process.argv.slice(2);
const piece = Buffer.alloc(256 * 1024, 'd');

const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.once('data', (first: Buffer) => {
    switch (String.fromCharCode(first[0] ?? 0)) {
      case 'd': {
        // The client sends the number of MiB after the letter.
        let left = Number(first.subarray(1).toString()) * 4;
        const more = () => {
          for (; left > 0; left -= 1)
            if (!socket.write(piece)) {
              left -= 1;
              socket.once('drain', more);
              return;
            }
          socket.end();
        };
        more();
        return;
      }
      case 'u':
        socket.resume();
        socket.once('end', () => socket.end('k'));
        return;
      default:
        socket.write(first);
        socket.on('data', (data) => socket.write(data));
        socket.on('end', () => socket.end());
    }
  });
});
const datagrams = createSocket('udp4');
datagrams.on('message', (payload, from) => datagrams.send(payload, from.port, from.address));
datagrams.bind(Number(udp), host, () =>
  server.listen({ host, port: Number(tcp), backlog: 4096 }, () => console.log('ready')),
);
