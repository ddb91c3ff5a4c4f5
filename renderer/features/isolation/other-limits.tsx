import type { OtherLimitFact } from '../../../agent/contract/isolation.ts';
import { useMeaning, useText } from '../../messages/use-text.ts';
import { Section } from './section.tsx';

/** Of the disk and of each network, as the kernel has them. */
export function OtherLimits({ facts }: { facts: OtherLimitFact[] }) {
  const t = useText();
  if (facts.length === 0) return null;
  return (
    <Section title={t('isolation.otherLimits')}>
      <div className="controllers">
        {facts.map((fact) => (
          <OtherLimit key={`${fact.name} ${fact.subject}`} fact={fact} />
        ))}
      </div>
    </Section>
  );
}

function OtherLimit({ fact }: { fact: OtherLimitFact }) {
  const t = useText();
  const say = useMeaning();
  const title = t(`isolation.otherLimit.${fact.name}`, { subject: fact.subject ?? '' });
  return (
    <section className="controller" aria-label={title}>
      <h3>{title}</h3>
      <p className="muted">{say(fact)}</p>
      <dl>
        {fact.values.map(({ what, value }) => (
          <div key={what}>
            <dt className="mono">{what}</dt>
            <dd className={value === null ? 'muted' : 'mono'}>{value ?? t('limits.none')}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
