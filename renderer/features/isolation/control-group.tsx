import type { ControlGroupFact, ControllerFact } from '../../../agent/contract/isolation.ts';
import { useMeaning, useText } from '../../messages/use-text.ts';
import { readControl } from './control-value.ts';
import { More, Section } from './section.tsx';

/** The group's limits, file by file, as the kernel has them. Devices have a section of their own. */
export function ControlGroup({ fact }: { fact: ControlGroupFact }) {
  const t = useText();
  const say = useMeaning();
  const places = [...new Set(fact.controllers.flatMap(({ membership }) => membership ?? []))];
  // v2 has one for all.
  const directories = [...new Set(fact.controllers.map(({ directory }) => directory))];
  const shown = fact.controllers.filter(({ controller }) => controller !== 'devices');
  return (
    <Section
      title={t('isolation.controlGroup')}
      summary={t('isolation.controlGroupVersion', { version: fact.version })}
    >
      <p className="isolation-says">{say(fact)}</p>
      <p className="isolation-says mono">{places.join('  ')}</p>
      {shown.length === 0 ? <p className="muted">{t('isolation.controlGroupLater')}</p> : null}
      <div className="controllers">
        {shown.map((controller) => (
          <Controller key={controller.controller} fact={controller} />
        ))}
      </div>
      {shown.length === 0 ? null : (
        <More label={t('isolation.directories')}>
          <ul className="isolation-says mono">
            {directories.map((directory) => (
              <li key={directory}>{directory}</li>
            ))}
          </ul>
        </More>
      )}
    </Section>
  );
}

function Controller({ fact }: { fact: ControllerFact }) {
  const t = useText();
  const say = useMeaning();
  const set = fact.values.filter(({ value }) => value !== '');
  return (
    <section className="controller" aria-label={fact.controller}>
      <h3>{fact.controller}</h3>
      <p className="muted">{say(fact)}</p>
      {set.length === 0 ? <p className="muted">{t('isolation.nothingSet')}</p> : null}
      <dl>
        {set.map(({ file, value }) => {
          const note = readControl(file, value);
          return (
            <div key={file}>
              <dt className="mono">{file}</dt>
              <dd>
                <span className="mono">{value}</span>
                {note ? (
                  <span className="muted"> {'none' in note ? t('limits.none') : note.text}</span>
                ) : null}
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}
