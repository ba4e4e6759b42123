import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startBroker, type TestBroker } from "../harness/kafka-broker.js";
import { getJson, KindredCluster, type RowsAnswer, send } from "../harness/kafka-cluster.js";
import { kindred, kindredJson } from "../harness/kindred-process.js";
import { canStart } from "../harness/server-files.js";
import { eventually } from "./kafka-fixture.js";

type Node = Awaited<ReturnType<KindredCluster["start"]>>;

const PASSWORD = "pass-of-ada-42";
const WRONG = "wrong-word-of-ada";

describe.skipIf(!canStart("kafka"))("over TLS, with certificates and passwords", () => {
  let broker: TestBroker;
  let cluster: KindredCluster;
  let updater: Node;
  let recall: Node;
  const login = (mechanism: string, password = PASSWORD) => ({
    KINDRED_KAFKA__SASL__MECHANISM: mechanism,
    KINDRED_KAFKA__SASL__USERNAME: "ada",
    KINDRED_KAFKA__SASL__PASSWORD: password,
  });
  beforeAll(async () => {
    broker = await startBroker({ scramUsers: { ada: PASSWORD }, clientCertificates: true });
    const secure = broker.secure ?? expect.fail("there is no secured listener");
    cluster = new KindredCluster({ brokers: secure.secureBrokers }, "secured", {
      KINDRED_KAFKA__PARTITIONS: "2",
      KINDRED_KAFKA__SSL__ENABLED: "true",
      KINDRED_KAFKA__SSL__CA_FILE: secure.caFile,
      KINDRED_KAFKA__SSL__CERT_FILE: secure.clientCertFile,
      KINDRED_KAFKA__SSL__KEY_FILE: secure.clientKeyFile,
      KINDRED_LOGGING__LEVEL: "trace",
    });
    [updater, recall] = await Promise.all([
      cluster.start("updater", undefined, login("scram-sha-512")),
      cluster.start("recall", undefined, login("plain")),
    ]);
  });
  afterAll(async () => {
    await cluster?.close();
    await broker?.stop();
  });

  const eventsOf = (from: number) =>
    Array.from({ length: 10 }, (_, i) => ({
      user: `u${i}`,
      item: `song:${from}`,
      action: "play",
      ts: 1_700_000_000_000 + from,
      id: `${from}-${i}`,
    }));
  const post = (from: number) => send<{ position: string; code?: string }>("POST", `${updater.url}/v1/events`, { events: eventsOf(from) });
  const counted = async (): Promise<number> => (await send<{ events?: number }>("GET", `${recall.url}/v1/users/u3`)).body.events ?? 0;
  /** How `serve` ends that does not get that far. */
  const serve = async (env: Record<string, string>) => {
    const data = await cluster.directory("refused");
    return kindred(["serve", "--role", "updater", "--port", "0", "--data-dir", data], { env: { ...cluster.env, ...env } });
  };

  it("an updater by SCRAM and a recall node by PLAIN serve as without", async () => {
    expect((await post(1)).status).toBe(202);
    await eventually(async () => (await counted()) === 1);
  });

  it("a password that is wrong is said, and shown nowhere", async () => {
    for (const mechanism of ["plain", "scram-sha-256"]) {
      const { code, stderr, stdout } = await serve(login(mechanism, WRONG));
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^error BROKER_FAILED: .*authentication/im)]);
      expect(stdout + stderr).not.toContain(WRONG);
    }
    const metrics = await (await fetch(`${updater.url}/metrics`)).text();
    for (const text of [metrics, updater.logText, recall.logText]) {
      expect(text.length).toBeGreaterThan(100);
      expect(text).not.toContain(PASSWORD);
      expect(text).not.toContain(Buffer.from(PASSWORD).toString("base64"));
    }
  });

  it("a PEM file that is not there, or is none, is named", async () => {
    const none = join(await cluster.directory("pem"), "none.pem");
    const missing = await serve({ ...login("plain"), KINDRED_KAFKA__SSL__CA_FILE: none });
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringMatching(/error CONFIG_INVALID: kafka\.ssl\.caFile.*none\.pem/)]);
    await writeFile(none, "this is no certificate");
    for (const [variable, key] of [
      ["KINDRED_KAFKA__SSL__CA_FILE", "kafka.ssl.caFile"],
      ["KINDRED_KAFKA__SSL__KEY_FILE", "kafka.ssl.keyFile"],
    ] as const) {
      const { code, stderr } = await serve({ ...login("plain"), [variable]: none });
      expect([code, stderr]).toEqual([1, expect.stringContaining(`error CONFIG_INVALID: ${key}`)]);
    }
  });

  it("while the broker stands still appends are refused after a time, with when to come again; none that was acknowledged is lost", async () => {
    broker.pause();
    const answer = await fetch(`${updater.url}/v1/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ events: eventsOf(2) }),
    });
    broker.resume();
    expect([answer.status, await answer.json()]).toEqual([503, expect.objectContaining({ code: "BROKER_FAILED" })]);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    let acknowledged = 0;
    await eventually(async () => {
      // The same again is harmless, whether it was taken or not: each event has its id.
      const again = await Promise.all([post(2), post(3)]);
      acknowledged = again.filter(({ status }) => status === 202).length;
      return acknowledged === 2;
    }, 40_000);
    await eventually(async () => (await counted()) === 3, 40_000);
    const replay = ["replay", "--from", "kafka", "--into", "shadow", "--data-dir", await cluster.directory("replay")];
    const { hash } = await kindredJson<RowsAnswer>(replay, { ...cluster.env, ...login("scram-sha-256") });
    await eventually(async () => (await getJson<RowsAnswer>(`${recall.url}/v1/state/hash`)).hash === hash);
  });
});
