import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { handlesOf, OpenedIndex, spaceHandlesOf } from "../../../cli/wiring/opened-index.js";
import { Readers } from "../../../cli/wiring/readers.js";
import { SearchIndex } from "../../../cli/wiring/search-index.js";
import { RandomIndexing } from "../../../models/item-vectors/random-indexing.js";
import type { Config } from "../../../schemas/config.js";
import { buildConfig } from "../../../schemas/config-validation.js";
import type { Generation, ItemId } from "../../../schemas/ids.js";
import { generationZero } from "../../../state/catalogue-builder.js";

const ZERO = generationZero(16);
const ONE = { ...generationZero(8, 2), generation: 1 as Generation };
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const spaceOf = (ref: typeof ZERO) => ({ ref, itemVectors: RandomIndexing.of(ref) });

describe.each(["embedded", "faiss-node"] as const)("OpenedIndex over %s", (engine) => {
  let config: Config;
  let index: SearchIndex;
  let opened: OpenedIndex;
  beforeEach(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "kindred-opened-"));
    config = buildConfig([{ values: { dataDir, index: { engine } }, where: () => "test" }]);
    index = await SearchIndex.open({ config, live: [spaceOf(ZERO)], serving: ZERO.generation, sources: [], log: quiet });
    await index.add(spaceOf(ONE));
    for (const generation of [0, 1] as Generation[]) {
      const users = index.space(generation)?.users;
      users?.upsert({ ordinals: Uint32Array.of(3 + generation), vectors: new Float32Array(users.dims).fill(1) });
    }
    opened = await OpenedIndex.attach(handlesOf(index), config, quiet);
  });
  afterEach(async () => {
    await opened.close();
    await index.close();
    await rm(config.dataDir, { recursive: true, force: true });
  });
  const found = async (): Promise<unknown> => {
    const { users, itemVectors } = opened.space;
    const { ordinals } = await users.search(new Float32Array(users.dims).fill(1), { k: 5 });
    return [users.generation, itemVectors?.dims, [...ordinals]];
  };

  it("answers with all of another generation, and leaves the one before when who came before has left", async () => {
    expect(await found()).toEqual([0, 16, [3]]);
    const readers = new Readers();
    const leave = readers.enter();
    const before = opened.space;
    await opened.serve(spaceHandlesOf(index.serve(1 as Generation)), () => readers.left());
    expect(await found()).toEqual([1, 8, [4]]);
    expect(opened.space.itemVectors?.vector("song:1" as ItemId)).toEqual(RandomIndexing.of(ONE).vector("song:1" as ItemId));
    // The writer gives it up; who is in it goes on.
    await index.drop(0 as Generation);
    expect(before.users.vector(3)).toBeDefined();
    leave();
    await expect.poll(() => isLeft(() => before.users.vector(3))).toBe(true);
    expect(await found()).toEqual([1, 8, [4]]);
  });

  it("is told who moved while it goes over, and searches them where they are", async () => {
    const serving = opened.serve(spaceHandlesOf(index.serve(1 as Generation)), async () => undefined);
    index.serving.users.upsert({ ordinals: Uint32Array.of(9), vectors: new Float32Array(8).fill(2) });
    opened.moved(Uint32Array.of(9));
    await serving;
    expect(await found()).toEqual([1, 8, [4, 9]]);
  });

  it("keeps what answers where the next cannot be reached", async () => {
    const handles = spaceHandlesOf(index.space(1 as Generation) ?? expect.fail("no space"));
    await index.drop(1 as Generation);
    await expect(opened.serve(handles, async () => undefined)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await found()).toEqual([0, 16, [3]]);
  });
});

function isLeft(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch {
    return true;
  }
}
