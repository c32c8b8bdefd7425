// Times SimpleWebAuthn on the specification's vectors, whose file is the argument: see README.md.
import { readFileSync } from "node:fs";
import { verifyAuthenticationResponse, verifyRegistrationResponse } from "@simplewebauthn/server";

const VECTORS = process.argv[2];
const SECTIONS = ["none-es256", "packed-es256", "packed-rs256", "packed-eddsa"];

const base64url = (hex) => Buffer.from(hex, "hex").toString("base64url");

// Processor time, in microseconds.
function processorTime() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function medianMicroseconds(work, turns = 21, calls = 50) {
  const times = [];
  for (let turn = 0; turn < turns; turn++) {
    const start = processorTime();
    for (let call = 0; call < calls; call++) await work();
    times.push((processorTime() - start) / calls);
  }
  return times.sort((a, b) => a - b)[turns >> 1].toFixed(2).padStart(9);
}

const sections = JSON.parse(readFileSync(VECTORS));
for (const name of SECTIONS) {
  const [registration, assertion] = sections.find((s) => s.id === `sctn-test-vectors-${name}`).ceremonies;
  const id = base64url(registration.credential_id);
  const envelope = { id, rawId: id, type: "public-key", clientExtensionResults: {} };
  const expected = (ceremony) => ({
    expectedChallenge: base64url(ceremony.challenge),
    expectedOrigin: "https://example.org",
    expectedRPID: "example.org",
    requireUserVerification: false,
  });
  const register = () =>
    verifyRegistrationResponse({
      ...expected(registration),
      response: {
        ...envelope,
        response: {
          clientDataJSON: base64url(registration.clientDataJSON),
          attestationObject: base64url(registration.attestationObject),
        },
      },
    });
  const { verified, registrationInfo } = await register();
  if (!verified) throw new Error(`${name}: registration refused`);
  const authenticate = () =>
    verifyAuthenticationResponse({
      ...expected(assertion),
      response: {
        ...envelope,
        response: {
          clientDataJSON: base64url(assertion.clientDataJSON),
          authenticatorData: base64url(assertion.authenticatorData),
          signature: base64url(assertion.signature),
        },
      },
      credential: registrationInfo.credential,
    });
  if (!(await authenticate()).verified) throw new Error(`${name}: assertion refused`);
  console.log(
    `vector ${name.padEnd(14)} registration ${await medianMicroseconds(register)} us` +
      `   assertion ${await medianMicroseconds(authenticate)} us`,
  );
}
