import { connect, type Socket } from "node:net";
import { Kafka } from "kafkajs";
import { type KafkaSettings, PATIENT } from "../../streams/kafka/client.js";

/** Nobody listens there. */
const NOWHERE = { host: "127.0.0.1", port: 1 };

/** A client whose way to the brokers can be cut. */
export class GatedKafka {
  readonly kafka: Kafka;
  private readonly sockets = new Set<Socket>();
  private cut = false;

  constructor({ brokers }: KafkaSettings) {
    this.kafka = new Kafka({
      brokers: brokers.split(","),
      retry: PATIENT,
      logLevel: 0,
      socketFactory: ({ host, port, onConnect }) => {
        const socket = connect(this.cut ? NOWHERE : { host, port }, onConnect);
        this.sockets.add(socket);
        socket.on("close", () => this.sockets.delete(socket));
        return socket;
      },
    });
  }

  /** The brokers are gone: connections end, new ones are refused. */
  close(): void {
    this.cut = true;
    for (const socket of this.sockets) socket.destroy(new Error("connection reset"));
  }

  open(): void {
    this.cut = false;
  }

  /** What is sent arrives, but answers are lost with their connections. */
  loseAnswers(): void {
    for (const socket of this.sockets) {
      socket.pause();
      setTimeout(() => socket.destroy(new Error("connection reset")), 300);
    }
  }
}
