/**
 * What it costs to make an event of a topic's value and to check it, by schema type; beside the registry's own deserialisers,
 * which give a value and check nothing. One thread, batches of 4,096 values as a fetch brings them.
 *
 *   npm run -s bench -- decode [--values 500000] [--rounds 5]
 *
 * CPU microseconds a value, the least of all rounds. The registry is an HTTP server in this process: each schema is fetched once.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { AvroDeserializer, JsonDeserializer, SchemaRegistryClient, SerdeType, SubjectNameStrategyType } from "@confluentinc/schemaregistry";
import avsc from "avsc";
import protobuf from "protobufjs";
import { BEHAVIOUR_EVENT_AVRO } from "../schemas/avro.js";
import { type EventCodec, jsonCodec, registryCodec } from "../streams/registry/event-codec.js";
import { projectRoot } from "../test/harness/kindred-process.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: { values: { type: "string", default: "500000" }, rounds: { type: "string", default: "5" } },
});
const BATCH = 4_096;
const LATEST = Date.UTC(2100, 0, 1);
const ever = new AbortController().signal;
const batches = Math.ceil(Number(flags.values) / BATCH);

/** The schema of the topic that the peers' bench fills (shared/peers/kafka-streams): 60 bytes a value with its key's length. */
const PEER = {
  type: "record",
  name: "Seen",
  fields: [
    { name: "user", type: "string" },
    { name: "item", type: "string" },
    { name: "action", type: { type: "enum", name: "Action", symbols: ["click", "play", "like", "skip"] } },
    { name: "ts", type: "long" },
  ],
};
const PROTO = readFileSync(join(projectRoot, "schemas", "behaviour-event.proto"), "utf8");
const SCHEMAS = [
  { schemaType: "AVRO", schema: JSON.stringify(PEER) },
  { schemaType: "AVRO", schema: JSON.stringify(BEHAVIOUR_EVENT_AVRO) },
  { schemaType: "JSON", schema: readFileSync(join(projectRoot, "schemas", "behaviour-event.schema.json"), "utf8") },
  { schemaType: "PROTOBUF", schema: PROTO },
];

interface Sent {
  readonly user: string;
  readonly item: string;
  readonly action: string;
  readonly ts: number;
}
const ACTIONS = ["click", "play", "like", "skip"];
const events: readonly Sent[] = Array.from({ length: BATCH }, (_, i) => ({
  user: `user-${String((i * 7_919) % 100_000).padStart(10, "0")}`,
  item: `item-${String((i * 104_729) % 50_000).padStart(11, "0")}`,
  action: ACTIONS[i % 4] as string,
  ts: 1_764_000_000_000 + i * 10,
}));

const framed = (id: number, payload: Uint8Array): Buffer => Buffer.concat([Buffer.from([0, 0, 0, 0, id]), payload]);
const avro = (schema: object): avsc.Type => avsc.Type.forSchema(structuredClone(schema) as avsc.Schema);
const message = protobuf.parse(PROTO, new protobuf.Root(), { keepCase: true }).root.lookupType("kindred.BehaviourEvent");
const asJson = (event: Sent): Buffer => Buffer.from(JSON.stringify(event));
const [peer, own] = [avro(PEER), avro(BEHAVIOUR_EVENT_AVRO)];
const FORMATS: readonly (readonly [name: string, write: (event: Sent) => Buffer, plain?: boolean])[] = [
  ["Avro, the peers' schema", (event) => framed(1, peer.toBuffer(event))],
  ["Avro, our schema", (event) => framed(2, own.toBuffer(event))],
  ["JSON Schema", (event) => framed(3, asJson(event))],
  ["Protobuf", (event) => framed(4, Buffer.concat([Buffer.from([0]), message.encode(event).finish()]))],
  ["plain JSON", asJson, true],
];

/** CPU microseconds of the cheapest round, a value; `work` goes through one batch. */
async function costOf(work: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < Number(flags.rounds); i++) {
    const before = process.cpuUsage();
    let sum = 0;
    for (let batch = 0; batch < batches; batch++) sum += await work();
    const { user, system } = process.cpuUsage(before);
    if (!(sum > 0)) throw new Error("nothing was decoded");
    least = Math.min(least, (user + system) / (batches * BATCH));
  }
  return least;
}

const ours = (codec: EventCodec, values: readonly Buffer[]) => async (): Promise<number> => {
  await codec.ready(values, ever);
  let sum = 0;
  for (const value of values) sum += codec.event(value, LATEST).ts;
  return sum;
};

const registry = createServer((request, response) => {
  const schema = SCHEMAS[Number(/ids\/(\d+)/.exec(request.url ?? "")?.[1]) - 1];
  response.writeHead(schema ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(schema ?? {}));
});
await new Promise<void>((listening) => registry.listen(0, "127.0.0.1", listening));
const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
const wire = registryCodec({ url, log: { warn: (fields, text) => console.log(text, fields) } });
const results = new Results(
  "decode",
  `A value of a topic made an event and checked: ${BATCH} different events of four fields, ids of 15 and 16 characters.`,
  ["format", "bytes a value", "CPU us a value", "the registry's own deserialiser, CPU us", "times ours"],
);

const client = new SchemaRegistryClient({ baseURLs: [url] });
const conf = { subjectNameStrategyType: SubjectNameStrategyType.TOPIC };
const THEIRS = new Map<string, Pick<AvroDeserializer, "deserialize">>([
  ["Avro, the peers' schema", new AvroDeserializer(client, SerdeType.VALUE, conf)],
  ["Avro, our schema", new AvroDeserializer(client, SerdeType.VALUE, conf)],
  ["JSON Schema", new JsonDeserializer(client, SerdeType.VALUE, conf)],
]);
for (const [name, write, plain = false] of FORMATS) {
  const values = events.map(write);
  const cost = await costOf(ours(plain ? jsonCodec() : wire, values));
  const deserializer = THEIRS.get(name);
  const their =
    deserializer &&
    (await costOf(async () => {
      let sum = 0;
      for (const value of values.slice(0, BATCH / 16)) sum += ((await deserializer.deserialize("t", value)) as Sent).ts;
      return sum;
    })) * 16;
  results.row(
    name,
    values[0]?.length ?? 0,
    round(cost, 2),
    their === undefined ? null : round(their, 1),
    their === undefined ? null : round(their / cost),
  );
}
results.note("The registry's own Protobuf deserialiser reads no schema that was registered as text; it is left out.");
results.note(
  "Ours include the look-up of the schema, all checks and the batch's call of ready(); the registry's give a value and check nothing.",
);
// What reading costs where nobody checks: the schema's look-up, the header and the rules of an event are the rest.
const bare = events.map((event) => framed(1, peer.toBuffer(event)));
const bareCost = await costOf(async () => {
  let sum = 0;
  for (const value of bare) sum += (peer.decode(value, 5).value as Sent).ts;
  return sum;
});
results.row("avsc alone on the peers' schema, nothing checked", bare[0]?.length ?? 0, round(bareCost, 2), null, null);
registry.close();
client.close();
await wire.close();
await results.write();
