import type { Command } from "commander";
import { BEHAVIOUR_EVENT_AVRO, ITEM_INFO_AVRO } from "../../schemas/avro.js";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { SchemaType } from "../../streams/registry/registered-schema.js";
import { RegistryClient, type SubjectVersion } from "../../streams/registry/registry-client.js";
import type { Terminal } from "../command-frame.js";
import { addCommonOptions, type CommonOptions, choiceFlag, configurationOf, printResult } from "../command-options.js";
import { packageFile } from "../package-root.js";
import { untilStopped } from "../stop-signals.js";

const TYPES = { avro: "AVRO", json: "JSON", protobuf: "PROTOBUF" } as const satisfies Record<string, SchemaType>;
type TypeFlag = keyof typeof TYPES;

/** Our schemas in the three languages, by the topic that they are for. */
const SCHEMAS = {
  events: { file: "behaviour-event", avro: BEHAVIOUR_EVENT_AVRO },
  items: { file: "item-info", avro: ITEM_INFO_AVRO },
} as const;
type Topic = keyof typeof SCHEMAS;
const TOPICS = ["events", "items"] as const satisfies readonly Topic[];

interface SchemasOptions extends CommonOptions {
  readonly topic?: Topic;
  readonly json?: boolean;
}
interface RegisterOptions extends SchemasOptions {
  readonly type: TypeFlag;
}

export function addSchemas(program: Command, terminal: Terminal): void {
  const schemas = program.command("schemas").description("the schemas of events and items in the schema registry");
  const options = (command: Command): Command =>
    addCommonOptions(command)
      .option("--topic <topic>", "only that of events, or of items (default: both)", choiceFlag(...TOPICS))
      .option("--json", "print the result as JSON");
  options(schemas.command("register").description("make ours known, so that producers can write by them"))
    .requiredOption("--type <type>", "avro, json or protobuf", choiceFlag(...(Object.keys(TYPES) as TypeFlag[])))
    .action((flags: RegisterOptions) => register(flags, terminal));
  options(schemas.command("list").description("what the registry has for the topics")).action((flags: SchemasOptions) =>
    list(flags, terminal),
  );
}

/** The very text that the server registers before it produces, so that both have one id. */
function textOf(topic: Topic, type: TypeFlag): string {
  const { file, avro } = SCHEMAS[topic];
  if (type === "avro") return JSON.stringify(avro);
  return packageFile("schemas", `${file}.${type === "json" ? "schema.json" : "proto"}`);
}

interface Subject {
  readonly topic: Topic;
  readonly subject: string;
}

/** Runs `work` for the subject of each topic, one after the other. */
async function withSubjects<T>(
  options: SchemasOptions,
  terminal: Terminal,
  work: (client: RegistryClient, subject: Subject) => Promise<T>,
): Promise<T[]> {
  return untilStopped(async (signal) => {
    const { source, kafka, registry }: Config = configurationOf(options, terminal);
    if (source.kind !== "kafka" || kafka.format !== "registry")
      throw new KindredError("CONFIG_INVALID", "there is a schema registry only where source.kind is kafka and kafka.format is registry");
    const client = new RegistryClient(registry);
    try {
      const results: T[] = [];
      for (const topic of options.topic === undefined ? TOPICS : [options.topic]) {
        signal.throwIfAborted();
        results.push(await work(client, { topic, subject: `${kafka.topics[topic]}-value` }));
      }
      return results;
    } finally {
      await client.close();
    }
  });
}

async function register(options: RegisterOptions, terminal: Terminal): Promise<void> {
  const type = TYPES[options.type];
  const registered = await withSubjects(options, terminal, async (client, { topic, subject }) => ({
    subject,
    type,
    ...(await client.register(subject, { type, schema: textOf(topic, options.type) })),
  }));
  printResult(terminal, options, { schemas: registered }, linesOf(registered));
}

async function list(options: SchemasOptions, terminal: Terminal): Promise<void> {
  const found = await withSubjects(options, terminal, (client, { subject }) => client.versionsOf(subject));
  const schemas = found.flat();
  printResult(terminal, options, { schemas }, schemas.length === 0 ? "no schemas" : linesOf(schemas));
}

const linesOf = (schemas: readonly SubjectVersion[]): string =>
  schemas.map(({ subject, version, type, id }) => `${subject}  version ${version}  ${type}  id ${id}`).join("\n");
