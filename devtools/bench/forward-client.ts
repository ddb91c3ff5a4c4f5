/** The client of `scripts/bench-forward`, which prints one number. Arguments: what to measure, TCP port, UDP port. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const [what = '', tcp = '', udp = ''] = process.argv.slice(2);
const megabytes = 256;
const rounds = 100;

const measurements: Record<string, () => Promise<number>> = {
  async down() {
    const socket = await dial();
    const begin = performance.now();
    socket.write(`d${megabytes}`);
    let bytes = 0;
    for await (const data of socket) bytes += (data as Buffer).length;
    return rate(bytes, begin);
  },
  async up() {
    const socket = await dial();
    const piece = Buffer.alloc(256 * 1024, 'u');
    const begin = performance.now();
    for (let left = megabytes * 4; left > 0; left -= 1)
      if (!socket.write(piece)) await once(socket, 'drain');
    socket.end();
    await once(socket, 'data');
    return rate(megabytes * 1024 * 1024, begin);
  },
  connect: async () => (await connectTimes())[rounds / 2] ?? 0,
  connect99: async () => (await connectTimes())[rounds - 2] ?? 0,
  async echo() {
    const socket = await dial();
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) times.push(await timed(() => byte(socket)));
    socket.destroy();
    return sorted(times)[rounds / 2] ?? 0;
  },
  thousand: () =>
    timed(async () => {
      const sockets = await Promise.all(Array.from({ length: 1000 }, dial));
      await Promise.all(sockets.map(byte));
      for (const socket of sockets) socket.destroy();
    }),
  async udp() {
    const socket = createSocket('udp4');
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1)
      times.push(
        await timed(async () => {
          socket.send('x', Number(udp), '127.0.0.1');
          await once(socket, 'message');
        }),
      );
    socket.close();
    return sorted(times)[rounds / 2] ?? 0;
  },
};

console.log(await measurements[what]?.());

async function connectTimes(): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1)
    times.push(
      await timed(async () => {
        const socket = await dial();
        await byte(socket);
        socket.destroy();
      }),
    );
  return sorted(times);
}

async function dial(): Promise<Socket> {
  const socket = connect({ port: Number(tcp), host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

async function byte(socket: Socket): Promise<void> {
  const answer = once(socket, 'data');
  socket.write('x');
  await answer;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

function sorted(times: number[]): number[] {
  return times.toSorted((a, b) => a - b);
}

function rate(bytes: number, begin: number): number {
  return bytes / (1024 * 1024) / ((performance.now() - begin) / 1000);
}
