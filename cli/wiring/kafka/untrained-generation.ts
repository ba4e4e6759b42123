import type { GenerationRef } from "../../../schemas/catalogue.js";
import { KindredError } from "../../../schemas/errors.js";
import type { Generations } from "../../../schemas/ports/generations.js";
import type { SearchIndex } from "../search-index.js";

/** The one generation there is where Kafka is the log. */
export function untrainedOnly(ref: GenerationRef, index: () => SearchIndex | undefined): Generations {
  const { generation } = ref;
  const list: Generations["list"] = async () => {
    const rows = index()?.serving.users.size ?? 0;
    const status = { ref: { ...ref, publishedAt: null }, state: "active", pooled: 1, rows, items: 0 } as const;
    return { serving: generation, previous: null, next: null, generations: [status] };
  };
  const refuse = async (): Promise<never> => {
    throw new KindredError("WRONG_ROLE", "models are published where the journal is the log, not over Kafka yet");
  };
  return {
    list,
    publish: refuse,
    activate: async (wanted) => {
      if (wanted === generation) return list();
      throw new KindredError("UNKNOWN_GENERATION", `no live generation has the number ${wanted}`);
    },
    retire: refuse,
  };
}
