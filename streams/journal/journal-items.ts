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
    return (await this.getMany([item]))[0];
  }

  /** In the order of `items`. */
  async getMany(items: readonly ItemId[]): Promise<(ItemInfo | undefined)[]> {
    const values = await this.#store.getMany(items.map((item) => textKey("i", item)));
    return values.map((value) => (value === undefined ? undefined : infoOf(value)));
  }

  /** All of them, ascending by the bytes of the id. */
  async *all(): AsyncGenerator<ItemInfo> {
    for await (const [, value] of this.#store.iterate(allOf("i"))) yield infoOf(value);
  }
}

const infoOf = (value: Uint8Array): ItemInfo => JSON.parse(Buffer.from(value).toString()) as ItemInfo;
