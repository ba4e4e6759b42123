import { LRUCache } from "lru-cache";
import { typeOfId } from "../../schemas/event.js";
import type { ItemId } from "../../schemas/ids.js";

/** What answers show of an item's side information. */
export interface ShownInfo {
  readonly type?: string;
  readonly title?: string;
  readonly creators?: readonly string[];
  readonly tags?: readonly string[];
  readonly tagWeights?: readonly number[];
  readonly scene?: string;
}

const UNKNOWN: ShownInfo = {};

/** Side information comes as JSON text from the read model; the text itself is the key, so a change is seen at once. */
export class ItemInfos {
  readonly #parsed: LRUCache<string, ShownInfo>;

  /** @param maxEntries texts kept parsed */
  constructor(maxEntries: number) {
    this.#parsed = new LRUCache({ max: maxEntries });
  }

  /** What is known; nothing for null, or where the text does not read. */
  of(json: string | null): ShownInfo {
    if (json === null) return UNKNOWN;
    const known = this.#parsed.get(json);
    if (known !== undefined) return known;
    const info = parse(json);
    this.#parsed.set(json, info);
    return info;
  }

  /** As an answer shows it: what is not known is left out. */
  shown(item: ItemId, json: string | null): ShownInfo & { readonly type: string } {
    const { title, creators, tags, tagWeights, scene } = this.of(json);
    return {
      type: this.typeOf(item, json),
      ...(title !== undefined && { title }),
      ...(creators !== undefined && { creators }),
      ...(tags !== undefined && { tags }),
      ...(tagWeights !== undefined && { tagWeights }),
      ...(scene !== undefined && { scene }),
    };
  }

  /** The item's kind: as declared, else the id's prefix, else `item`. */
  typeOf(item: ItemId, json: string | null): string {
    return this.of(json).type ?? typeOfId(item) ?? "item";
  }
}

function parse(json: string): ShownInfo {
  try {
    const info: unknown = JSON.parse(json);
    return typeof info === "object" && info !== null ? (info as ShownInfo) : UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}
