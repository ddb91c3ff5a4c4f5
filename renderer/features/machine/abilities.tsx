import { useEffect } from 'react';
import { useText } from '../../messages/use-text.ts';
import { loadAbilities, useMachine } from '../../stores/machine.ts';

/** What the machine does not let the engine do, why, and how to get it. Nothing where nothing is missing. */
export function MissingAbilities() {
  const t = useText();
  const abilities = useMachine((state) => state.abilities);
  const isKnown = abilities !== undefined;
  const status = useMachine((state) => state.machine?.status);
  // A request would resume a paused machine.
  useEffect(() => {
    if (status === 'running' && !isKnown) void loadAbilities();
  }, [status, isKnown]);
  const missing = abilities?.abilities.filter((ability) => !ability.available) ?? [];
  if (abilities === undefined || missing.length === 0) return null;
  return (
    <section className="card machine-part" aria-label={t('abilities.title')}>
      <h2>{t('abilities.title')}</h2>
      <p className="machine-lead">
        {t(abilities.root ? 'abilities.missing' : 'abilities.unprivileged')}
      </p>
      <dl className="machine-lacks">
        {missing.map(({ name, cause, nextStep }) => (
          <div key={name}>
            <dt>{t(`abilities.${name}`)}</dt>
            <dd>{cause}</dd>
            <dd className="machine-step">{nextStep}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
