import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { type BrokerUsers, type Certificates, makeCertificates, scramArguments, securityProperties } from "./broker-security.js";
import { runProgram } from "./run-program.js";
import { filesOf } from "./server-files.js";
import { freePorts, ServerProcess } from "./server-process.js";

export interface BrokerOptions {
  /** Properties of the broker, beside or instead of those below. */
  readonly extraProperties?: Readonly<Record<string, string>>;
  /** Adds a listener with TLS and SASL for these users. */
  readonly scramUsers?: BrokerUsers;
  /** Whether that listener also wants a certificate of the client. */
  readonly clientCertificates?: boolean;
  readonly heapMb?: number;
  /** Whether Java compiles for long runs, which takes it half as long again to start: for benches. */
  readonly forLoad?: boolean;
}

export interface TestBroker {
  /** host:port, as clients want it. */
  readonly brokers: string;
  readonly pid: number;
  readonly dataDir: string;
  readonly logText: string;
  /** With `scramUsers`: the other listener, and who and what gets in by it. */
  readonly secure: (Certificates & { readonly secureBrokers: string; readonly users: BrokerUsers }) | undefined;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** On the same data and ports; ends it cleanly first where it runs. */
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
}

/** Any will do: each broker is a cluster of its own. */
const CLUSTER_ID = "AAAAAAAAQACAAAAAAAAAAQ";
const HEAP_MB = 256;
/** Longer than a broker takes to answer at its start, shorter than anybody wants to wait for one that hangs. */
const PATIENCE_MS = 5_000;

function listenerProperties(ports: readonly number[], isSecure: boolean): Record<string, string> {
  const [plain, controller, secure] = ports.map((port) => `127.0.0.1:${port}`);
  const open = [`PLAINTEXT://${plain}`, ...(isSecure ? [`SECURE://${secure}`] : [])];
  return {
    listeners: [...open, `CONTROLLER://${controller}`].join(","),
    "advertised.listeners": open.join(","),
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": `1@${controller}`,
    "inter.broker.listener.name": "PLAINTEXT",
  };
}

/** One node that is broker and controller, small in everything. */
const SMALL: Readonly<Record<string, string>> = {
  "process.roles": "broker,controller",
  "node.id": "1",
  "offsets.topic.replication.factor": "1",
  "offsets.topic.num.partitions": "4",
  "transaction.state.log.replication.factor": "1",
  "transaction.state.log.min.isr": "1",
  "transaction.state.log.num.partitions": "4",
  "group.initial.rebalance.delay.ms": "0",
  // After a kill it is not let in again before its last session is over: 9 s by default.
  "broker.session.timeout.ms": "3000",
  "broker.heartbeat.interval.ms": "500",
  // By default half of the heap.
  "log.cleaner.dedupe.buffer.size": "4194304",
  // So that a test sees a compaction within a second or two of COMPACTS_SOON.
  "log.initial.task.delay.ms": "500",
  "log.cleaner.backoff.ms": "200",
};

/** Configuration of a topic whose old values are gone soon: once a later record has closed the segment that they are in. */
export const COMPACTS_SOON: Readonly<Record<string, string>> = {
  "cleanup.policy": "compact",
  "segment.ms": "100",
  "min.cleanable.dirty.ratio": "0.01",
  "max.compaction.lag.ms": "100",
  "delete.retention.ms": "100",
};

/** Enough that each partition of the groups' topic is asked for one: they are loaded one by one. */
const ANY_GROUPS = Array.from({ length: 24 }, (_, i) => `kindred-harness-ready-${i}`);

/** The port accepts before the coordinators of groups and transactions do; who starts with either would have to retry. */
async function coordinatorsAnswer(brokers: string): Promise<void> {
  const kafka = new Kafka({
    brokers: [brokers],
    clientId: "kindred-harness",
    logLevel: logLevel.NOTHING,
    connectionTimeout: PATIENCE_MS,
    requestTimeout: PATIENCE_MS,
    // One at least, says kafkajs, for an idempotent producer.
    retry: { retries: 1, initialRetryTime: 20 },
  });
  const admin = kafka.admin();
  const producer = kafka.producer({ transactionalId: "kindred-harness-ready", idempotent: true, maxInFlightRequests: 1 });
  try {
    await admin.connect();
    await admin.describeGroups(ANY_GROUPS);
    await producer.connect();
  } finally {
    await Promise.allSettled([admin.disconnect(), producer.disconnect()]);
  }
}

/** A Kafka broker of its own, on free ports of the loopback interface, ready for groups and transactions. */
export async function startBroker(options: BrokerOptions = {}): Promise<TestBroker> {
  const { java, path } = filesOf("kafka");
  const { scramUsers: users, clientCertificates = false } = options;
  const ports = await freePorts(3);
  const brokers = `127.0.0.1:${ports[0]}`;
  let secure: TestBroker["secure"];
  const jvm = ["-XX:+UseSerialGC", ...(options.forLoad ? [] : ["-XX:TieredStopAtLevel=1"])];
  const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
  const classes = ["-cp", join(path, "*")];
  const server = await ServerProcess.start("kafka", async (directory) => {
    const properties = { ...SMALL, ...listenerProperties(ports, users !== undefined), "log.dirs": join(directory, "data") };
    if (users !== undefined) {
      const files = await makeCertificates(join(directory, "certificates"));
      Object.assign(properties, securityProperties(files, users, clientCertificates));
      secure = { ...files, users, secureBrokers: `127.0.0.1:${ports[2]}` };
    }
    const file = join(directory, "server.properties");
    const lines = Object.entries({ ...properties, ...options.extraProperties }).map(([key, value]) => `${key}=${value}\n`);
    await writeFile(file, lines.join(""));
    const format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", file, ...scramArguments(users ?? {})];
    await runProgram(java, ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", quiet, ...classes, ...format]);
    return {
      name: "the Kafka broker",
      program: java,
      args: [`-Xmx${options.heapMb ?? HEAP_MB}m`, ...jvm, quiet, ...classes, "kafka.Kafka", file],
      ready: () => coordinatorsAnswer(brokers),
    };
  });
  return {
    brokers,
    secure,
    dataDir: join(server.directory, "data"),
    get pid() {
      return server.pid;
    },
    get logText() {
      return server.logText;
    },
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => server.restart(),
    pause: () => server.pause(),
    resume: () => server.resume(),
  };
}
