import type { ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import { allOf, textKey } from "./journal-keys.js";

/** Side information of items, the latest of each, in the journal's store. */
export class JournalItems {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  /** Durable when it resolves. */
  async put(items: readonly ItemInfo[]): Promise<void> {
    if (items.length === 0) return;
    await this.#store.batch(
      items.map((info) => ({ type: "put", key: textKey("i", info.item), value: Buffer.from(JSON.stringify(info)) })),
      { sync: true },
    );
  }

  async get(item: ItemId): Promise<ItemInfo | undefined> {
    const value = await this.#store.get(textKey("i", item));
    return value === undefined ? undefined : (JSON.parse(Buffer.from(value).toString()) as ItemInfo);
  }

  /** All of them, ascending by the bytes of the id. */
  async *all(): AsyncGenerator<ItemInfo> {
    for await (const [, value] of this.#store.iterate(allOf("i"))) yield JSON.parse(Buffer.from(value).toString()) as ItemInfo;
  }
}
