// An OpenID provider for the journey: it prints its issuer, then reads the client
// and the claims of its people as one line of JSON. Whoever types a name and any
// password is that person.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

let handle = (_, res) => res.writeHead(503).end();
const server = createServer((req, res) => handle(req, res));
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
createInterface({ input: process.stdin }).on('line', (line) => {
  const { client, people } = JSON.parse(line);
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    clients: [client],
    claims: { openid: ['sub', 'mrn', 'fhirUser', 'birthdate', 'name'] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    clientAuthMethods: ['private_key_jwt'],
    enabledJWA: { clientAuthSigningAlgValues: ['ES256'] },
    features: { backchannelLogout: { enabled: true } },
    cookies: { keys: ['only for this test'] },
    // Its own guard keeps it from servers of this machine.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  });
  provider.on('backchannel.error', (_, err, client) => console.error('backchannel', client.clientId, err));
  handle = provider.callback();
  console.log('ready');
}).on('close', () => process.exit(0));
