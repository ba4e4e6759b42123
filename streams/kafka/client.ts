import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { Kafka, type KafkaConfig, type LogEntry, logLevel, type SASLOptions } from "kafkajs";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { Log } from "../../schemas/ports/log.js";
import "./extend-kafkajs.js";

export type KafkaSettings = Config["kafka"];
/** What connections are made of. */
export type KafkaClient = Kafka;

/** How often something is tried again while the brokers do not answer: for about a minute, then the caller decides. */
export const PATIENT = { initialRetryTime: 50, maxRetryTime: 2_000, multiplier: 2, factor: 0.2, retries: 40 } as const;

/** A client of the brokers that the configuration names. Nothing is connected before it is used. @throws KindredError CONFIG_INVALID (a PEM file cannot be read, or is none) */
export function kafkaClient(settings: KafkaSettings, log: Log): Kafka {
  const sasl = saslOf(settings);
  const config: KafkaConfig = {
    clientId: settings.clientId,
    brokers: settings.brokers.split(","),
    connectionTimeout: 5_000,
    requestTimeout: 30_000,
    retry: PATIENT,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => forward(log, entry),
    ssl: tlsOf(settings),
    ...(sasl && { sasl }),
  };
  return new Kafka(config);
}

/** What kafkajs says: also of what it tries again by itself, and of errors that reach us besides. It never holds a password. */
function forward(log: Log, { namespace, log: entry }: LogEntry): void {
  const { message, timestamp: _, logger: __, stack: ___, ...fields } = entry;
  log.debug(fields, `kafkajs ${namespace}: ${message}`);
}

function saslOf({ sasl }: KafkaSettings): SASLOptions | undefined {
  const { mechanism, username, password } = sasl;
  return mechanism === "none" ? undefined : { mechanism, username, password };
}

function tlsOf({ ssl }: KafkaSettings): boolean | ConnectionOptions {
  if (!ssl.enabled) return false;
  const certificate = (path: string, key: string): string => pem(path, key, (text) => new X509Certificate(text));
  return {
    ...(ssl.caFile !== "" && { ca: [certificate(ssl.caFile, "kafka.ssl.caFile")] }),
    ...(ssl.certFile !== "" && {
      cert: certificate(ssl.certFile, "kafka.ssl.certFile"),
      key: pem(ssl.keyFile, "kafka.ssl.keyFile", createPrivateKey),
    }),
  };
}

/** @param read throws where it is not what it should be: connections would only fail, again and again, and not say why */
function pem(path: string, key: string, read: (text: string) => unknown): string {
  try {
    const text = readFileSync(path, "utf8");
    read(text);
    return text;
  } catch (cause) {
    const message = `${key}: the file ${path} cannot be used: ${(cause as Error).message}`;
    throw new KindredError("CONFIG_INVALID", message, undefined, { cause });
  }
}
