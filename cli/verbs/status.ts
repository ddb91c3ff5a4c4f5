/** `corten status` */
import { EngineRefusal } from '../engine/engine.ts';
import { CommandFailure } from '../failure.ts';
import type { Session } from '../session.ts';
import { aligned } from '../table.ts';
import type { Verb } from '../verb.ts';

interface Info {
  ServerVersion: string;
  ContainersRunning: number;
  Containers: number;
  Images: number;
  KernelVersion: string;
  CgroupVersion: string;
}

export const statusVerb: Verb = (program, session) => {
  program
    .command('status')
    .description('tell whether the app and the engine run; ends with 1 if the engine does not')
    .option('--json', 'as JSON')
    .action(async ({ json }) => {
      const app = (await session.runningApp())?.facts;
      const info = await infoOf(session);
      const socket = await session.engineSocket();
      session.exitCode = info === undefined ? 1 : 0;
      if (json) return session.printJson({ app: app ?? null, engine: info ?? null, socket });
      session.print(
        aligned([
          ['App', app === undefined ? 'not running' : `running, process ${app.pid}, ${app.shell}`],
          ['Engine', info === undefined ? 'not running' : `running, version ${info.ServerVersion}`],
          ['Socket', `unix://${socket}`],
          ...(info === undefined
            ? []
            : [
                ['Containers', `${info.ContainersRunning} running of ${info.Containers}`],
                ['Images', String(info.Images)],
                ['Kernel', `${info.KernelVersion}, cgroup v${info.CgroupVersion}`],
              ]),
        ]),
      );
      if (info === undefined) session.remark('Start it with `corten start`.');
    });
};

/** Undefined where no engine answers. Throws EngineRefusal. */
async function infoOf(session: Session): Promise<Info | undefined> {
  try {
    return await (await session.engine()).ask<Info>('GET', '/info');
  } catch (error) {
    if (error instanceof CommandFailure && !(error instanceof EngineRefusal)) return undefined;
    throw error;
  }
}
