import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "./run-program.js";

/** Who may come in by the secured listener, by PLAIN and by both SCRAMs: name and password. */
export type BrokerUsers = Readonly<Record<string, string>>;

/** Files in PEM, made anew for each broker; `stranger` is an authority that signed nothing here. */
export interface Certificates {
  readonly caFile: string;
  readonly strangerCaFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  /** Key and certificates of the broker in one file, as Java reads them. */
  readonly brokerFile: string;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
const LISTENER = "listener.name.secure";
const SCRAMS = ["SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

const openssl = (...args: string[]): Promise<unknown> => runProgram("openssl", args);

async function makeAuthority(directory: string, name: string): Promise<string> {
  const file = join(directory, `${name}.pem`);
  await openssl("req", "-x509", ...NEW_KEY, "-subj", `/CN=kindred ${name}`, "-keyout", join(directory, `${name}.key`), "-out", file);
  return file;
}

async function sign(directory: string, name: string, extension: string): Promise<{ cert: string; key: string }> {
  const [cert, key, request, extensions] = ["pem", "key", "csr", "ext"].map((kind) => join(directory, `${name}.${kind}`)) as [
    string,
    string,
    string,
    string,
  ];
  await writeFile(extensions, extension);
  await openssl("req", "-new", ...NEW_KEY.slice(0, -2), "-subj", `/CN=kindred-${name}`, "-keyout", key, "-out", request);
  const authority = ["-CA", join(directory, "ca.pem"), "-CAkey", join(directory, "ca.key"), "-CAcreateserial"];
  await openssl("x509", "-req", "-in", request, ...authority, "-days", "2", "-extfile", extensions, "-out", cert);
  return { cert, key };
}

/** An authority of its own, and what it signed for a broker on loopback and for a client. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  await mkdir(directory, { recursive: true });
  const caFile = await makeAuthority(directory, "ca");
  const strangerCaFile = await makeAuthority(directory, "stranger");
  const broker = await sign(directory, "broker", "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const client = await sign(directory, "client", "extendedKeyUsage=clientAuth\n");
  const brokerFile = join(directory, "broker-with-key.pem");
  await writeFile(brokerFile, (await Promise.all([broker.key, broker.cert, caFile].map((file) => readFile(file)))).join(""));
  return { caFile, strangerCaFile, clientCertFile: client.cert, clientKeyFile: client.key, brokerFile };
}

/** A listener SECURE: TLS, and a name with a password; with `clientCertificates` also a certificate that the authority signed. */
export function securityProperties(files: Certificates, users: BrokerUsers, clientCertificates: boolean): Record<string, string> {
  const plain = Object.entries(users).map(([name, password]) => ` user_${name}="${password}"`);
  const login = "org.apache.kafka.common.security";
  const scram = SCRAMS.map((name) => [`${LISTENER}.${name.toLowerCase()}.sasl.jaas.config`, `${login}.scram.ScramLoginModule required;`]);
  return {
    [`${LISTENER}.sasl.enabled.mechanisms`]: ["PLAIN", ...SCRAMS].join(","),
    [`${LISTENER}.plain.sasl.jaas.config`]: `${login}.plain.PlainLoginModule required${plain.join("")};`,
    ...Object.fromEntries(scram),
    [`${LISTENER}.ssl.keystore.type`]: "PEM",
    [`${LISTENER}.ssl.keystore.location`]: files.brokerFile,
    [`${LISTENER}.ssl.truststore.type`]: "PEM",
    [`${LISTENER}.ssl.truststore.location`]: files.caFile,
    [`${LISTENER}.ssl.client.auth`]: clientCertificates ? "required" : "none",
  };
}

/** Arguments for Kafka's format command, which is where SCRAM users come from. */
export const scramArguments = (users: BrokerUsers): string[] =>
  Object.entries(users).flatMap(([name, password]) =>
    SCRAMS.flatMap((mechanism) => ["--add-scram", `${mechanism}=[name=${name},password=${password}]`]),
  );
