import { NativeReadModel } from "../../index/read-model/native-read-model.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import type { GenerationRef } from "../../schemas/catalogue.js";
import type { Config } from "../../schemas/config.js";
import type { ItemId, Offset } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { IndexShardRows } from "../../schemas/ports/admin.js";
import type { FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { PartitionState } from "../../state/partition-state.js";
import type { PublishedRows } from "../../state/publish-rows.js";
import type { RowPublisher } from "../../streams/operators/publish-rows.js";

/** Side information handed to the read model in one call. */
const INFOS_A_CALL = 4_096;

/** What recall searches: the read model and the vectors of one generation, in the addon's memory. One thread writes it. */
export class SearchIndex implements RowPublisher {
  private constructor(
    readonly model: NativeReadModel,
    readonly engine: EmbeddedEngine,
  ) {}

  /** Filled with every row of the state. */
  static async open(config: Config, ref: GenerationRef, state: PartitionState): Promise<SearchIndex> {
    const { ef, shards, driftCosine } = config.index;
    const model = NativeReadModel.create();
    const engine = EmbeddedEngine.create({ dims: ref.dims, metric: "cosine", generation: ref.generation, ef, shards, driftCosine });
    const index = new SearchIndex(model, engine);
    await index.take(state.scanRows(), state);
    model.setApplied(state.partition, state.appliedOffset, state.eventTime);
    return index;
  }

  /** Makes a committed micro-batch recallable. */
  publish(folded: FoldedBatch): void {
    this.apply(folded, folded);
    this.model.setApplied(folded.partition, folded.endOffset, folded.eventTime);
  }

  async putItems(items: AsyncIterable<ItemInfo> | Iterable<ItemInfo>): Promise<void> {
    let ids: ItemId[] = [];
    let json: string[] = [];
    const flush = (): void => {
      if (ids.length > 0) this.model.putItemInfo(ids, json);
      [ids, json] = [[], []];
    };
    for await (const info of items) {
      ids.push(info.item);
      json.push(JSON.stringify(info));
      if (ids.length >= INFOS_A_CALL) flush();
    }
    flush();
  }

  /** Rows by shard, for metrics. */
  shards(): IndexShardRows[] {
    const { users, fingerprints } = this.model.stats();
    return [
      { shard: "users", rows: users },
      { shard: "fingerprints", rows: fingerprints },
      { shard: `user-vectors-${this.engine.generation}`, rows: this.engine.size },
    ];
  }

  async close(): Promise<void> {
    await this.engine.close();
    this.model.close();
  }

  private async take(batches: AsyncIterable<PublishedRows>, state: PartitionState): Promise<void> {
    for await (const rows of batches)
      this.apply(rows, { partition: state.partition, endOffset: state.appliedOffset, eventTime: state.eventTime });
  }

  private apply({ rows, erased, vectors }: PublishedRows, at: Pick<FoldedBatch, "partition" | "endOffset" | "eventTime">): void {
    // The ordinals go with the ids: an erased user's must be known before the read model forgets them.
    const gone = erased.flatMap((user) => this.model.userOrdinal(user) ?? []);
    const ordinals = this.model.apply({ partition: at.partition, offset: at.endOffset as Offset, eventTime: at.eventTime, rows, erased });
    if (gone.length > 0) this.engine.remove(Uint32Array.from(gone));
    const own = vectors.find(({ generation, dims }) => generation === this.engine.generation && dims === this.engine.dims);
    if (own && rows.length > 0) this.engine.upsert({ ordinals, vectors: own.values });
  }
}
