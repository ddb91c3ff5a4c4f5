import { useEffect, useState } from 'react';
import { getShellFacts, type ShellFacts } from '../../bridge/system.ts';
import { formatBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { useMachine } from '../../stores/machine.ts';
import { MissingAbilities } from './abilities.tsx';
import { DockerContextCard } from './docker-context.tsx';
import { FoldersCard } from './folders.tsx';
import { RemoteChoicesCard } from './remote-choices.tsx';
import { ResourcesCard } from './resources.tsx';
import { StageList } from './start-screen.tsx';

/** What the machine that runs the containers is, and how it started. */
export function MachineFacts() {
  const t = useText();
  const { machine, info } = useMachine();
  const facts = useFacts();
  if (!machine) return null;
  const pairs: [string, string | undefined][] = [
    [t('machine.kind'), t(`machine.kind.${machine.kind}`)],
    [t('machine.system'), info?.OperatingSystem],
    [t('machine.kernel'), info?.KernelVersion],
    [t('machine.architecture'), info?.Architecture],
    [t('machine.cpus'), info?.NCPU?.toString()],
    [t('machine.memory'), info?.MemTotal ? formatBytes(info.MemTotal) : undefined],
    [t('machine.cgroups'), info?.CgroupVersion ? `v${info.CgroupVersion}` : undefined],
    [t('machine.root'), info?.DockerRootDir],
    [t('machine.engine'), info?.ServerVersion],
    [t('machine.shell'), facts && `${facts.shell}, ${facts.platform}, ${facts.version}`],
  ];
  return (
    <div className="page-body machine">
      <section className="card machine-part" aria-label={t('machine.facts')}>
        <h2>{t('machine.facts')}</h2>
        <dl className="machine-pairs">
          {pairs.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value ?? '–'}</dd>
            </div>
          ))}
        </dl>
      </section>
      <ResourcesCard machine={machine} />
      <RemoteChoicesCard />
      <FoldersCard kind={machine.kind} />
      <DockerContextCard />
      <MissingAbilities />
      <section className="card machine-part" aria-label={t('machine.lastStart')}>
        <h2>{t('machine.lastStart')}</h2>
        <StageList machine={machine} />
      </section>
    </div>
  );
}

function useFacts(): ShellFacts | undefined {
  const [facts, setFacts] = useState<ShellFacts>();
  useEffect(() => {
    let current = true;
    // Without the shell's facts the page says "–" for them.
    getShellFacts().then(
      (found) => current && setFacts(found),
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, []);
  return facts;
}
