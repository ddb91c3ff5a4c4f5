/** Serves `/corten/v1/machine`, which controls the virtual machine that runs this agent. */
import type { FastifyInstance } from 'fastify';
import { CortenError, invalid } from '../../errors.ts';
import { readJson } from '../json-body.ts';
import type { MachineBackend } from './backend.ts';

export function machineRoutes(app: FastifyInstance, given: MachineBackend | undefined): void {
  const machine = (): MachineBackend => {
    if (given === undefined)
      throw new CortenError(
        'not-implemented',
        "this agent does not run in a virtual machine of the app, so it does not control the machine's clock, disks or power",
      );
    return given;
  };

  app.get('/corten/v1/machine/figures', async () => machine().figures());

  app.post('/corten/v1/machine/clock', async (request) => {
    const timeMs = (await readJson(request)).integer('timeMs');
    if (timeMs === undefined || timeMs <= 0)
      throw invalid('timeMs is missing; it is the time in milliseconds since 1970');
    return machine().setClock(timeMs);
  });

  app.post('/corten/v1/machine/time-zone', async (request, reply) => {
    const name = (await readJson(request)).filled('name');
    if (name === undefined) throw invalid('name is missing, such as "Europe/Berlin"');
    machine().setTimeZone(name);
    reply.code(204);
  });

  app.post('/corten/v1/machine/sync', async (_request, reply) => {
    await machine().sync();
    reply.code(204);
  });

  app.post('/corten/v1/machine/trim', () => machine().trim());

  app.post('/corten/v1/machine/grow', () => machine().grow());

  app.post('/corten/v1/machine/free-memory', async (_request, reply) => {
    machine().freeMemory();
    reply.code(204);
  });

  app.post('/corten/v1/machine/reseed', async (_request, reply) => {
    machine().reseed();
    reply.code(204);
  });

  app.post('/corten/v1/machine/power-off', async (_request, reply) => {
    machine().powerOff();
    reply.code(202);
  });
}
