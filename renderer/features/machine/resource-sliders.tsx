import type {
  MachineFigures,
  MachineSettings,
  MachineSettingsView,
} from '../../bridge/resources.ts';
import { formatBytes, parseBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { CheckField } from '../../ui/checkbox.tsx';
import { Select } from '../../ui/select.tsx';
import { SliderField } from '../../ui/slider-field.tsx';
import { boundStops } from '../../ui/stops.ts';
import { isInside, pauseChoices, type SizeName } from './settings-draft.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

interface Part {
  view: MachineSettingsView;
  draft: MachineSettings;
  set: (part: Partial<MachineSettings>) => void;
}

/** How much of this computer the machine may have, with what it takes now. */
export function SizeSliders({
  view,
  draft,
  set,
  figures,
  cpusUsed,
}: Part & { figures: MachineFigures | undefined; cpusUsed: number | undefined }) {
  const t = useText();
  const memory = figures?.hostMemoryBytes;
  const disk = figures?.disk.allocatedBytes;
  return (
    <>
      <SizeSlider
        {...{ view, draft, set }}
        name="cpus"
        use={cpusUsed}
        now={
          cpusUsed === undefined ? undefined : t('resources.cpusNow', { use: cpusUsed.toFixed(2) })
        }
      />
      <SizeSlider
        {...{ view, draft, set }}
        name="memoryBytes"
        use={memory}
        now={
          memory === undefined ? undefined : t('resources.memoryNow', { use: formatBytes(memory) })
        }
      />
      <SizeSlider
        {...{ view, draft, set }}
        name="diskBytes"
        use={disk}
        now={disk === undefined ? undefined : t('resources.diskNow', { use: formatBytes(disk) })}
        about={t('resources.grows')}
      />
    </>
  );
}

function SizeSlider({
  view,
  draft,
  set,
  name,
  use,
  now,
  about,
}: Part & { name: SizeName; use: number | undefined; now?: string; about?: string }) {
  const t = useText();
  const isBytes = name !== 'cpus';
  const { min, max } = view.bounds[name];
  const range = isBytes
    ? { min: formatBytes(min), max: formatBytes(max) }
    : { min: String(min), max: String(max) };
  const fixed = view.fixed?.[name];
  const notes = [
    now,
    fixed ?? (min === max ? undefined : t('resources.bounds', range)),
    fixed === undefined ? about : undefined,
  ];
  return (
    <SliderField
      label={t(`resources.${name}`)}
      unit={isBytes ? 'GiB' : t('resources.unit.cpus')}
      value={draft[name]}
      onChange={(value) => value !== undefined && set({ [name]: value })}
      stops={boundStops(view.bounds[name])}
      format={isBytes ? (bytes) => String(Number((bytes / GiB).toFixed(2))) : String}
      parse={isBytes ? bytesOf : wholeOf}
      wrongLabel={(example) => t('limits.wrong', { example })}
      use={use}
      useLabel={notes.filter((note) => note !== undefined).join(' ')}
      error={
        fixed !== undefined || isInside(view, name, draft[name])
          ? undefined
          : t('resources.outside', range)
      }
      disabled={fixed !== undefined || min === max}
    />
  );
}

/** A bare number counts in GiB; `512m` is understood too. */
function bytesOf(text: string): number | undefined {
  const bare = /^\s*\d+(?:[.,]\d+)?\s*$/.test(text);
  const bytes = parseBytes(bare ? `${text.trim()}g` : text, 'b');
  return bytes === undefined ? undefined : Math.round(bytes / MiB) * MiB;
}

function wholeOf(text: string): number | undefined {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : undefined;
}

/** The idle time after which the machine is paused. */
export function RestChoices({ view, draft, set }: Part) {
  const t = useText();
  const words = (ms: number | null) => {
    if (ms === null) return t('resources.never');
    return ms < 60_000
      ? t('resources.seconds', { count: Math.round(ms / 1000) })
      : t('resources.minutes', { count: Math.round(ms / 60_000) });
  };
  const fixed = view.fixed?.pauseAfterMs;
  return (
    <div className="machine-idle-pause">
      {(['pauseAfterMs', 'pauseOnBatteryAfterMs'] as const).map((name) => (
        <Select
          key={name}
          label={t(`resources.${name}`)}
          value={String(draft[name])}
          disabled={view.fixed?.[name] !== undefined}
          choices={pauseChoices(draft[name]).map((ms) => ({ value: String(ms), label: words(ms) }))}
          onChange={(text) => set({ [name]: text === 'null' ? null : Number(text) })}
        />
      ))}
      <p className="field-note">{fixed ?? t('resources.pauseHelp')}</p>
    </div>
  );
}

/** Whether containers get this computer's proxies. */
export function ProxyChoice({ view, draft, set }: Part) {
  const t = useText();
  const fixed = view.fixed?.proxiesInContainers;
  return (
    <div className="machine-proxies">
      {fixed === undefined ? (
        <CheckField
          label={t('resources.proxiesInContainers')}
          checked={draft.proxiesInContainers}
          onChange={(proxiesInContainers) => set({ proxiesInContainers })}
        />
      ) : null}
      <p className="field-note">{fixed ?? t('resources.proxiesHelp')}</p>
    </div>
  );
}
