import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import avsc from "avsc";
import { registryUrl } from "../harness/given-servers.js";

export { registryUrl };

let topics = 0;
/** A name that no other test, and no earlier run, has used. */
export const newTopic = (): string => `registry-${process.pid}-${Date.now().toString(36)}-${topics++}`;

/** Asks the registry without any client of ours or theirs. */
export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`${registryUrl()}${path}`, {
    method,
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** Writes values in the wire format, by an Avro schema that the registry has under `id`. */
export function framed(id: number, schema: object): (value: object) => Buffer {
  const type = avsc.Type.forSchema(structuredClone(schema) as avsc.Schema);
  return (value) => Buffer.concat([Buffer.from([0, id >>> 24, id >>> 16, id >>> 8, id]), type.toBuffer(value)]);
}

/** Writes by an Avro schema that is registered for `topic`, as any producer does. */
export async function avroProducer(topic: string, schema: object): Promise<(value: object) => Buffer> {
  const { id } = await ask<{ id: number }>("POST", `/subjects/${topic}-value/versions`, { schema: JSON.stringify(schema) });
  return framed(id, schema);
}

/** Stands before the registry: it can be taken away and brought back, and counts what is asked. */
export class RegistryDoor {
  #server: Server | undefined;
  #port = 0;
  readonly asked: string[] = [];

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Once opened, always on the same port. */
  async open(): Promise<this> {
    const server = createServer((request, response) => {
      this.asked.push(`${request.method} ${request.url?.split("?")[0]}`);
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", async () => {
        const body = Buffer.concat(chunks);
        const answer = await fetch(`${registryUrl()}${request.url}`, {
          method: request.method ?? "GET",
          headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
          ...(body.length > 0 && { body }),
        });
        response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
      });
    });
    await new Promise<void>((listening) => server.listen(this.#port, "127.0.0.1", listening));
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  async shut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
}
