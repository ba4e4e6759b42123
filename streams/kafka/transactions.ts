import { type Kafka, Partitioners, type Producer, type RetryOptions } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { Offset } from "../../schemas/ids.js";
import { PATIENT } from "./client.js";
import { asKindredError, isFenced } from "./kafka-errors.js";
import { withKnownCoordinator } from "./kafkajs-cluster.js";
import { type OutRecord, sendInPieces, type TopicLimits } from "./out-records.js";

/**
 * Who is killed in the middle leaves a transaction open, and nobody reads on behind it until it is ended: by the next who takes the id, or by the
 * broker after so long.
 */
const TIMEOUT_MS = 20_000;

/** Sends records within a transaction, and says where each of them lies. */
export type Send = (records: readonly OutRecord[]) => Promise<Offset[]>;

/** The broker is still busy with the last transaction when the next begins: a matter of milliseconds. */
const RETRY = { ...PATIENT, initialRetryTime: 20 };

/**
 * A producer that has taken a transactional id: whoever had it can commit nothing any more, and a transaction that it left open is gone when this
 * resolves.
 * @throws KindredError BROKER_FAILED
 */
export async function takeId(kafka: Kafka, id: string, transactionTimeout: number, retry: RetryOptions = RETRY): Promise<Producer> {
  const producer = withKnownCoordinator(kafka).producer({
    transactionalId: id,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    transactionTimeout,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry,
  });
  try {
    await producer.connect();
    // kafkajs takes the id with the first transaction; an empty one is not even told to the broker.
    await (await producer.transaction()).abort();
    return producer;
  } catch (error) {
    await disconnect(producer);
    throw asKindredError(error, `the transactional id ${id} could not be taken`);
  }
}

/**
 * Transactions of one transactional id, one at a time. Who opens an id fences whoever had it before; so what is read from the topics
 * after that is what holds, and stays so until the first commit that fails as fenced.
 */
export class Transactions {
  private producer: Producer | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly kafka: Kafka,
    private readonly id: string,
    private readonly limits: TopicLimits,
  ) {}

  get isOpen(): boolean {
    return this.producer !== undefined;
  }

  /** Takes the id: a transaction that its last owner left open is gone when this resolves. @throws KindredError BROKER_FAILED */
  async open(): Promise<void> {
    await this.close();
    this.producer = await takeId(this.kafka, this.id, TIMEOUT_MS);
  }

  /**
   * All that `work` sends holds when this resolves, or nothing of it does when it rejects (with BROKER_FAILED at the commit itself: one or
   * the other, which is known after `open`). It is closed then.
   * @throws KindredError OWNERSHIP_LOST (another process has taken the id, or this is not open), BROKER_FAILED, what `work` throws
   */
  run<T>(work: (send: Send) => Promise<T>): Promise<T> {
    const done = this.turn.then(() => this.runNow(work));
    this.turn = done.catch(() => undefined);
    return done;
  }

  /** Waits for the transaction that is under way. */
  async close(): Promise<void> {
    await this.turn;
    const { producer } = this;
    this.producer = undefined;
    if (producer !== undefined) await disconnect(producer);
  }

  private async runNow<T>(work: (send: Send) => Promise<T>): Promise<T> {
    const { producer } = this;
    if (producer === undefined) throw new KindredError("OWNERSHIP_LOST", `the transactional id ${this.id} is not held`);
    try {
      const transaction = await producer.transaction();
      try {
        const result = await work((records) => sendInPieces(transaction, records, this.limits));
        await transaction.commit();
        return result;
      } catch (error) {
        if (transaction.isActive()) await transaction.abort().catch(() => undefined);
        throw error;
      }
    } catch (error) {
      // What kafkajs counts of its records is not what the broker has: the next transaction begins with a new epoch.
      if (this.producer === producer) this.producer = undefined;
      await disconnect(producer);
      if (isFenced(error))
        throw new KindredError("OWNERSHIP_LOST", `another process has taken the transactional id ${this.id}`, undefined, { cause: error });
      throw asKindredError(error, `a transaction of ${this.id} failed`);
    }
  }
}

const disconnect = (producer: Producer): Promise<void> => producer.disconnect().catch(() => undefined);
