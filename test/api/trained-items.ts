import { ExactEngine } from "../../index/vector-engine/exact-engine.js";
import type { Generation, ItemId } from "../../schemas/ids.js";
import type { ItemEngines } from "../../schemas/ports/read-model.js";
import { DIMS, type FoldingIntake, itemVectors } from "./folding-intake.js";
import { type TestServer, testServer } from "./test-server.js";

/** A small made model's output vector: some way from the input vector, and the longer the later its number; none of items of the kind `mute`. */
export function outputVector(item: string): Float32Array | undefined {
  const [input, other] = [itemVectors.vector(item as ItemId), itemVectors.vector(`other ${item}` as ItemId)];
  const number = Number(item.split(":")[1] ?? 0);
  return input === undefined ? undefined : Float32Array.from(input, (x, d) => ((x + 0.5 * other![d]!) * (1 + number / 10)) / 1000);
}

/** A server whose generation has item vectors; `follow` gives them to every item that is known by then. */
export function trainedServer(): TestServer & { readonly items: ItemEngines; follow(): void } {
  const make = (metric: "cosine" | "inner-product") => new ExactEngine({ dims: DIMS, metric, generation: 0 as Generation });
  const items: ItemEngines = { generation: 0 as Generation, outputs: make("inner-product"), alike: make("cosine") };
  const server = testServer({ of: { items } });
  return Object.assign(server, { items, follow: () => follow(server.intake, items) });
}

function follow({ readModel }: FoldingIntake, { outputs, alike }: ItemEngines): void {
  const ordinals = Uint32Array.from({ length: readModel.itemCount() }, (_, i) => i);
  readModel.itemIds(ordinals).forEach((item, ordinal) => {
    const [input, output] = [itemVectors.vector(item), outputVector(item)];
    if (input !== undefined) alike.upsert({ ordinals: Uint32Array.of(ordinal), vectors: Float32Array.from(input) });
    if (output !== undefined) outputs.upsert({ ordinals: Uint32Array.of(ordinal), vectors: output });
  });
}
