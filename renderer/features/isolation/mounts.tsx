import type { MountFact } from '../../../agent/contract/isolation.ts';
import { visibleText } from '../../messages/format.ts';
import { useMeaning, useText } from '../../messages/use-text.ts';
import { Facts, More, Section } from './section.tsx';

/** First what somebody asked for or the container made; what every container has is a click away. */
export function Mounts({ facts, unlisted }: { facts: MountFact[]; unlisted: number }) {
  const t = useText();
  const isOwn = ({ origin }: MountFact) => origin !== 'engine' && origin !== 'guard';
  const own = facts
    .filter(isOwn)
    .toSorted((a, b) => Number(b.origin === 'root') - Number(a.origin === 'root'));
  const made = facts.filter((fact) => !isOwn(fact));
  return (
    <Section
      title={t('isolation.mounts')}
      summary={t('isolation.mountsCount', { count: facts.length + unlisted })}
    >
      <MountTable label={t('isolation.mounts')} facts={own} />
      {unlisted > 0 ? (
        <p className="isolation-says muted">{t('isolation.mountsUnlisted', { count: unlisted })}</p>
      ) : null}
      <More label={t('isolation.mountsMade', { count: made.length })}>
        <MountTable label={t('isolation.mountsMade', { count: made.length })} facts={made} />
      </More>
    </Section>
  );
}

function MountTable({ label, facts }: { label: string; facts: MountFact[] }) {
  const t = useText();
  const say = useMeaning();
  return (
    <Facts
      label={label}
      columns={[
        t('isolation.target'),
        t('isolation.mountSource'),
        t('isolation.flags'),
        t('isolation.meaning'),
      ]}
      widths={['24%', '22%', '160px', 'auto']}
    >
      {facts.map((fact, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a place can be mounted on many times.
        <tr key={`${index} ${fact.target}`}>
          <th scope="row" className="mono">
            {visibleText(fact.target)}
          </th>
          <td className="mono">
            <span className="muted">{fact.type}</span> {visibleText(fact.source)}
          </td>
          <td className="mono">{flagsOf(fact).join(', ')}</td>
          <td>{say(fact)}</td>
        </tr>
      ))}
    </Facts>
  );
}

/** As mount(8) says them. */
function flagsOf({ readOnly, noSuid, noDev, noExec }: MountFact): string[] {
  return [
    readOnly ? 'ro' : 'rw',
    ...(noSuid ? ['nosuid'] : []),
    ...(noDev ? ['nodev'] : []),
    ...(noExec ? ['noexec'] : []),
  ];
}
