/** The one event stream of the window: it feeds every store. */
import { watchEvents } from '../bridge/system.ts';
import { applyActivity } from './activity.ts';
import { applyContainerEvent, loadContainers } from './containers.ts';
import { applyImageEvent, loadImages } from './images.ts';
import { loadInfo } from './machine.ts';

const retryMs = 1000;
/** As many as the engine keeps, and so can tell a second time. */
const rememberedEvents = 1000;

/**
 * Reads what there is, then follows the events. They are asked for from a moment before the reading,
 * so that nothing falls between the two; an event that the reading already shows changes nothing.
 */
export async function followEvents(signal: AbortSignal): Promise<void> {
  const seen = new Set<string>();
  while (!signal.aborted) {
    const since = Math.floor(Date.now() / 1000) - 1;
    try {
      const events = watchEvents(since, signal);
      void loadContainers();
      void loadImages();
      void loadInfo().catch(() => undefined); // Without it, sliders have a default range.
      for await (const event of events) {
        const mark = `${event.timeNano}${event.Action}${event.Actor?.ID}`;
        if (seen.has(mark)) continue;
        seen.add(mark);
        if (seen.size > rememberedEvents) seen.delete(seen.values().next().value ?? '');
        applyActivity(event);
        if (event.Type === 'container') applyContainerEvent(event);
        if (event.Type === 'image') applyImageEvent();
      }
    } catch {
      // The engine went away; the machine store says so. The next round reads everything again.
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}
