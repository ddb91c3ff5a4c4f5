import { useEffect, useState } from 'react';
import type { MachineState } from '../../bridge/machines.ts';
import type { MachineSettings, MachineSettingsView } from '../../bridge/resources.ts';
import { useText } from '../../messages/use-text.ts';
import { isUp as isMachineUp } from '../../stores/machine.ts';
import { restartAt, useMachines } from '../../stores/machines.ts';
import { ask } from '../../stores/question.ts';
import {
  applySettings,
  followFigures,
  loadSettings,
  useResources,
} from '../../stores/resources.ts';
import { Button } from '../../ui/button.tsx';
import { Notice, Skeleton } from '../../ui/page.tsx';
import { MachineFiguresPart } from './resource-figures.tsx';
import { ProxyChoice, RestChoices, SizeSliders } from './resource-sliders.tsx';
import {
  changeOf,
  drop,
  edit,
  isInside,
  planOf,
  settingNames,
  settle,
  useEdits,
} from './settings-draft.ts';
import './resources.css';

/** What the machine may use of this computer, and what it does. */
export function ResourcesCard({ machine }: { machine: MachineState }) {
  const t = useText();
  const { view, error } = useResources();
  const shown = useMachines((state) => state.shown);
  // What waited for a start is in force after it; another machine has settings of its own.
  // biome-ignore lint/correctness/useExhaustiveDependencies: both say that it must be read again.
  useEffect(() => void loadSettings(), [shown, machine.status]);
  return (
    <section className="card machine-part" aria-label={t('resources.title')}>
      <h2>{t('resources.title')}</h2>
      {error === undefined ? null : <Notice>{error}</Notice>}
      {view === undefined && error === undefined ? (
        <Skeleton lines={4} label={t('resources.loading')} />
      ) : null}
      {view === 'none' ? (
        <p className="muted">
          {t(machine.kind === 'remote' ? 'resources.none.remote' : 'resources.none.native')}
        </p>
      ) : null}
      {view === undefined || view === 'none' ? null : (
        <Settings key={shown} id={shown ?? ''} view={view} machine={machine} />
      )}
    </section>
  );
}

function Settings({
  id,
  view,
  machine,
}: {
  id: string;
  view: MachineSettingsView;
  machine: MachineState;
}) {
  const t = useText();
  const { figures, cpusUsed } = useResources();
  const edited = useEdits((state) => state.of[id]);
  const [applying, setApplying] = useState(false);
  const [refusal, setRefusal] = useState<string>();
  useEffect(() => followFigures(), []);
  const isUp = isMachineUp(machine);
  const draft = { ...view.settings, ...edited };
  const change = changeOf(view.settings, draft);
  const isPossible = (['cpus', 'memoryBytes', 'diskBytes'] as const).every(
    (name) => draft[name] === view.settings[name] || isInside(view, name, draft[name]),
  );
  const set = (part: Partial<MachineSettings>) => {
    setRefusal(undefined);
    edit(id, part);
  };
  const apply = async () => {
    if (change === undefined) return;
    setApplying(true);
    const reason = await applySettings(change);
    setApplying(false);
    setRefusal(reason);
    if (reason === undefined) settle(id, edited ?? {});
  };
  const isAllFixed = settingNames.every((name) => view.fixed?.[name] !== undefined);
  const parts = { view, draft, set };
  return (
    <form
      className="machine-resources"
      onSubmit={(event) => {
        event.preventDefault();
        void apply();
      }}
    >
      <p className="muted">{t('resources.about')}</p>
      <SizeSliders {...parts} figures={figures} cpusUsed={isUp ? cpusUsed : undefined} />
      <RestChoices {...parts} />
      <ProxyChoice {...parts} />
      {refusal === undefined ? null : <Notice>{refusal}</Notice>}
      {isAllFixed ? null : (
        <>
          <ul className="machine-plan" role="status">
            {planOf(view, change ?? {}, isUp).map(({ name, when }) => (
              <li key={name}>
                {t('resources.plan', {
                  what: t(`resources.${name}`),
                  when: t(`resources.plan.${when}`),
                })}
              </li>
            ))}
          </ul>
          <div className="machine-buttons">
            <Button kind="main" type="submit" disabled={!change || !isPossible || applying}>
              {t(applying ? 'resources.applying' : 'resources.apply')}
            </Button>
            <Button disabled={!change || applying} onClick={() => drop(id)}>
              {t('resources.reset')}
            </Button>
          </div>
        </>
      )}
      <Waiting view={view} />
      <MachineFiguresPart machine={machine} figures={figures} advice={view.compactAdvice} />
    </form>
  );
}

/** What is set and not in force, and the way to bring it about. */
function Waiting({ view }: { view: MachineSettingsView }) {
  const t = useText();
  const shown = useMachines((state) => state.shown);
  const stopping = useMachines((state) => state.stopping);
  if (view.afterRestart.length === 0 || shown === undefined) return null;
  const restart = async () => {
    const agreed = await ask({
      title: { id: 'resources.restartTitle' },
      body: [{ id: 'resources.restartBody' }],
      confirm: { id: 'resources.restart' },
    });
    if (agreed) await restartAt(shown);
  };
  return (
    <Notice kind="warn">
      <p>
        {t('resources.waiting', {
          names: view.afterRestart.map((name) => t(`resources.${name}`)).join(', '),
        })}
      </p>
      <Button
        icon="restart"
        disabled={stopping[shown] !== undefined}
        onClick={() => void restart()}
      >
        {t('resources.restart')}
      </Button>
    </Notice>
  );
}
