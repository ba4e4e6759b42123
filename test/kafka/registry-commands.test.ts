import { describe, expect, it } from "vitest";
import { registryCodec } from "../../streams/registry/event-codec.js";
import { type CommandEnd, runCommand } from "../harness/run-command.js";
import { ask, newTopic, registryUrl } from "./registry-fixtures.js";

const SECRET = "s3cret-of-the-registry";

interface Row {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly type: string;
}

describe("kindred schemas", () => {
  const topics = (): { events: string; items: string; env: Record<string, string> } => {
    const [events, items] = [newTopic(), newTopic()];
    const env = {
      KINDRED_SOURCE__KIND: "kafka",
      KINDRED_KAFKA__BROKERS: "127.0.0.1:1",
      KINDRED_KAFKA__TOPICS__EVENTS: events,
      KINDRED_KAFKA__TOPICS__ITEMS: items,
      KINDRED_REGISTRY__URL: registryUrl(),
    };
    return { events, items, env };
  };

  const call = (args: readonly string[], env: Record<string, string>): Promise<CommandEnd> => runCommand(["schemas", ...args], env);
  const rows = async (args: readonly string[], env: Record<string, string>): Promise<Row[]> => {
    const { code, out, err } = await call([...args, "--json"], env);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    return (JSON.parse(out) as { schemas: Row[] }).schemas;
  };

  it.each(["avro", "json", "protobuf"])("registers ours for both topics, once however often it is called: %s", async (type) => {
    const { events, items, env } = topics();
    expect(await rows(["list"], env)).toEqual([]);
    const registered = await rows(["register", "--type", type], env);
    expect(registered).toEqual([
      { subject: `${events}-value`, type: type.toUpperCase(), version: 1, id: expect.any(Number) },
      { subject: `${items}-value`, type: type.toUpperCase(), version: 1, id: expect.any(Number) },
    ]);
    expect(await rows(["register", "--type", type], env)).toEqual(registered);
    expect(await rows(["list"], env)).toEqual(registered.map((row) => expect.objectContaining(row)));
    const { out } = await call(["list", "--topic", "items"], env);
    expect(out).toBe(`${items}-value  version 1  ${type.toUpperCase()}  id ${registered[1]?.id}\n`);
  });

  it("registers what the server would, so that both have one id", async () => {
    const { events, env } = topics();
    const [row] = await rows(["register", "--type", "avro", "--topic", "events"], env);
    const codec = registryCodec({ url: registryUrl(), log: { warn: () => undefined } });
    const write = await codec.eventEncoder(events);
    expect(write({ user: "u", item: "i", action: "a", ts: 1 } as never).readUInt32BE(1)).toBe(row?.id);
    await codec.close();
  });

  it("is refused with 1 where the topic's schemas do not go with ours, and says what the registry said", async () => {
    const { events, env } = topics();
    const schema = JSON.stringify({
      type: "record",
      name: "BehaviourEvent",
      namespace: "kindred",
      fields: [{ name: "user", type: "int" }],
    });
    await ask("POST", `/subjects/${events}-value/versions`, { schema });
    const { code, out, err } = await call(["register", "--type", "avro"], env);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(
      new RegExp(`^error SCHEMA_INCOMPATIBLE: the registry refuses it: .*ncompatible.* \\(subject ${events}-value\\)\\n$`),
    );
  });

  it("fails with 1 where the registry is away, without its password, and where there is none", async () => {
    const { env } = topics();
    const away = {
      ...env,
      KINDRED_REGISTRY__URL: "http://127.0.0.1:1",
      KINDRED_REGISTRY__USERNAME: "me",
      KINDRED_REGISTRY__PASSWORD: SECRET,
    };
    const { code, err } = await call(["list"], away);
    expect(code).toBe(1);
    expect(err).toMatch(/^error REGISTRY_FAILED: the schema registry at http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/);
    expect(err).not.toContain(SECRET);
    for (const other of [{}, { ...env, KINDRED_KAFKA__FORMAT: "json" }])
      expect(await call(["list"], other)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^error CONFIG_INVALID: there is a schema registry only/),
      });
  });

  it.each([[["register"]], [["register", "--type", "thrift"]], [["list", "--topic", "files"]], [[]]])(
    "%j is wrong usage: 2",
    async (args) => {
      expect((await call(args, {})).code).toBe(2);
    },
  );
});
