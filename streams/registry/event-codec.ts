import type { BehaviourEvent } from "../../schemas/event.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";

/** Values of events and items on topics. */
export interface EventCodec {
  ready(values: readonly (Uint8Array | null)[], signal: AbortSignal): Promise<void>;
  event(value: Uint8Array, latestTs: EpochMs): BehaviourEvent;
  item(value: Uint8Array): ItemInfo;
  eventEncoder(topic: string): Promise<(event: BehaviourEvent) => Buffer>;
  itemEncoder(topic: string): Promise<(item: ItemInfo) => Buffer>;
  stats(): { readonly waiting: number; readonly fetches: number; readonly failures: number };
  close(): Promise<void>;
}
