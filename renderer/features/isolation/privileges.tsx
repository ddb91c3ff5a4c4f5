import type { IdentityFact, IdMapping, PrivilegeFact } from '../../../agent/contract/isolation.ts';
import { visibleText } from '../../messages/format.ts';
import { useMeaning, useText } from '../../messages/use-text.ts';
import { Facts, Section } from './section.tsx';

/** Who the first process is: inside, and on the machine. */
export function Identity({ fact }: { fact: IdentityFact }) {
  const t = useText();
  const say = useMeaning();
  const rows: [string, string | number, string | number][] = [
    [t('isolation.user'), fact.uid ?? t('isolation.unmapped'), fact.hostUid],
    [t('isolation.group'), fact.gid ?? t('isolation.unmapped'), fact.hostGid],
  ];
  return (
    <Section
      title={t('isolation.identity')}
      summary={fact.asked === '' ? undefined : t('isolation.askedFor', { what: fact.asked })}
    >
      <p className="isolation-says">{say(fact)}</p>
      <Facts
        label={t('isolation.identity')}
        columns={[t('isolation.kind'), t('isolation.inside'), t('isolation.onMachine')]}
        widths={['100px', '108px', 'auto']}
      >
        {rows.map(([name, inside, outside]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td className="mono">{inside}</td>
            <td className="mono">{outside}</td>
          </tr>
        ))}
        <tr>
          <th scope="row">{t('isolation.groups')}</th>
          <td className="mono" colSpan={2}>
            {fact.groups.length === 0 ? t('isolation.none') : fact.groups.join(', ')}
          </td>
        </tr>
        <tr>
          <th scope="row">{t('isolation.mapping')}</th>
          <td className="mono" colSpan={2}>
            {mappings(fact.uidMap, t('isolation.sameIds'))}
          </td>
        </tr>
      </Facts>
    </Section>
  );
}

/** Without a user namespace every id means itself. */
function mappings(map: IdMapping[], same: string): string {
  const isIdentity = map.every(({ inside, outside }) => inside === outside);
  if (isIdentity) return same;
  return map
    .map(({ inside, outside, count }) => `${inside}…${inside + count - 1} → ${outside}…`)
    .join(', ');
}

export function Privileges({ facts }: { facts: PrivilegeFact[] }) {
  const t = useText();
  const say = useMeaning();
  return (
    <Section title={t('isolation.privileges')}>
      <Facts
        label={t('isolation.privileges')}
        columns={[t('isolation.name'), t('isolation.value'), t('isolation.meaning')]}
        widths={['132px', '128px', 'auto']}
      >
        {facts.map((fact) => (
          <tr key={fact.name}>
            <th scope="row">{fact.name}</th>
            <td className="mono">{visibleText(fact.value)}</td>
            <td>{say(fact)}</td>
          </tr>
        ))}
      </Facts>
    </Section>
  );
}
