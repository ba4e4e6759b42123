import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HashSum } from "../../state/state-hash.js";
import { startBroker, type TestBroker } from "../harness/kafka-broker.js";
import { KindredCluster } from "../harness/kafka-cluster.js";
import { fire } from "../harness/kafka-fire.js";

describe("a group under fire", () => {
  let broker: TestBroker;
  let cluster: KindredCluster;
  beforeAll(async () => {
    broker = await startBroker();
    cluster = new KindredCluster(broker, "fire", { KINDRED_KAFKA__PARTITIONS: "4", KINDRED_KAFKA__SESSION_TIMEOUT_MS: "6000" });
  });
  afterAll(async () => {
    await cluster?.close();
    await broker?.stop();
  });

  it("has every event once and the rows of a clean replay, after members were killed, frozen, added and removed and the broker was restarted", async () => {
    const report = await fire(cluster, broker, {
      // The long run is `bench -- kafka-fire`.
      faults: 6,
      seed: 1,
      users: 200,
      eventsPerSecond: 500,
      pauseMs: 1_500,
      freezeMs: 8_000,
    });
    expect(report.wrong).toEqual([]);
    expect(report.replay.rejected).toBe(0);
    expect(report.live.hash).toBe(report.replay.hash);
    expect(report.live.rows).toBe(report.replay.rows);
    expect(HashSum.total(report.members.map(({ hash }) => hash))).toBe(report.replay.hash);
  }, 300_000);
});
