import { MessageChannel } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { RemoteCalls } from "../../../cli/wiring/port-calls.js";
import { type NodeCalls, type NodePorts, offerNode, remoteNode } from "../../../cli/wiring/worker-ports.js";
import { KindredError } from "../../../schemas/errors.js";
import type { BehaviourEvent } from "../../../schemas/event.js";
import type { Generation, ItemId, Offset, Partition, UserId } from "../../../schemas/ids.js";
import { NEVER_BEGUN } from "../../../schemas/ports/file-intake.js";
import type { GenerationsStatus } from "../../../schemas/ports/generations.js";
import type { Position } from "../../../schemas/position.js";

const position: Position = new Map([[0 as Partition, 9 as Offset]]);
const event: BehaviourEvent = { user: "u" as UserId, item: "song:1" as ItemId, action: "play", ts: 1 };

const status: GenerationsStatus = { serving: 0 as Generation, previous: null, next: null, generations: [] };

describe("the updater's parts over a port", () => {
  const { port1, port2 } = new MessageChannel();
  const asked: unknown[] = [];
  let release: () => void = () => undefined;
  let stopped = 0;
  const parts: NodePorts = {
    intake: {
      append: (events) => {
        asked.push(events);
        return new Promise((resolve) => {
          release = () => resolve(position);
        });
      },
      putItems: async (items) => void asked.push(items),
      erase: async () => ({ position, payloadKeyDropped: true }),
    },
    owner: {
      profile: async () => undefined,
      summary: async () => ({ hash: "0".repeat(32), rows: 1, position, catalogue: 0, migrating: false }),
      histories: async (after, limit) => ({ histories: [], next: { partition: limit as Partition, user: after?.user ?? ("" as UserId) } }),
      itemInfos: async (items) => items.map((item) => ({ item, type: "song" })),
      verify: async () => ({ rows: 1, storedHash: "", recomputedHash: "", faults: [], faultCount: 0 }),
    },
    deadLetters: {
      list: async ({ limit }) => {
        asked.push(limit);
        return [];
      },
      replay: async (repairs) => {
        asked.push(repairs);
        return { replayed: 1, failed: 0, position };
      },
    },
    files: {
      progress: async (file) => ({ ...NEVER_BEGUN, run: file.length }),
      take: async (slice) => {
        asked.push(slice);
        return { taken: true, progress: NEVER_BEGUN, position };
      },
    },
    generations: {
      list: async () => status,
      publish: async (folder) => {
        asked.push(folder);
        return 1 as Generation;
      },
      activate: async (generation) => {
        asked.push(generation);
        return status;
      },
      retire: async (generation) => {
        throw new KindredError("GENERATION_IN_USE", `generation ${generation} is active`);
      },
    },
  };
  offerNode(port2, parts, async () => void stopped++);
  const calls = new RemoteCalls<NodeCalls>(port1);
  const remote = remoteNode(calls, 3);
  afterEach(() => {
    asked.length = 0;
  });
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

  it("are what they are in their own thread", async () => {
    expect(await remote.intake.erase("u" as UserId, 5)).toEqual({ position, payloadKeyDropped: true });
    expect(await remote.owner.profile("u" as UserId)).toBeUndefined();
    expect((await remote.owner.summary()).position).toEqual(position);
    expect(await remote.deadLetters.list({ limit: 7 })).toEqual([]);
    expect(await remote.deadLetters.replay(new Map([[3, event]]))).toMatchObject({ replayed: 1 });
    await remote.intake.putItems([]);
    const slice = { file: "f", run: 1, after: 0, rows: 1, events: [event], refused: [], done: true };
    expect(await remote.files.take(slice)).toEqual({ taken: true, progress: NEVER_BEGUN, position });
    expect(await remote.files.progress("abc")).toMatchObject({ run: 3 });
    expect(asked).toEqual([7, new Map([[3, event]]), [], slice]);
  });

  it("refuse events while too many are on their way, and take them again afterwards", async () => {
    const first = remote.intake.append([event, event]);
    await expect(remote.intake.append([event, event])).rejects.toMatchObject({ code: "OVERLOADED", retryAfterSeconds: 1 });
    const slice = { file: "f", run: 1, after: 0, rows: 2, events: [event, event], refused: [], done: true };
    await expect(remote.files.take(slice)).rejects.toMatchObject({ code: "OVERLOADED" });
    await turn();
    expect(asked).toEqual([[event, event]]);
    release();
    expect(await first).toEqual(position);
    // More than the limit at once is taken while nothing waits: it could never get in otherwise.
    const large = remote.intake.append([event, event, event, event]);
    await turn();
    release();
    expect(await large).toEqual(position);
  });

  it("stop when they are told to", async () => {
    await calls.call("stop");
    expect(stopped).toBe(1);
    port1.close();
  });
});
