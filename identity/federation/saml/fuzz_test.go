package saml

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/internal/clock"
)

// What anybody may post ends in a refusal, never in a panic.
func FuzzAnswers(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		"", "<a/>", `<p:Response xmlns:p="` + nsProtocol + `" Version="2.0" ID="a"/>`,
		`<p:Response xmlns:p="` + nsProtocol + `" xmlns:d="` + nsSignature + `" Version="2.0" ID="a"><d:Signature><d:SignedInfo><d:Reference URI=""/></d:SignedInfo></d:Signature></p:Response>`,
		`<p:Response xmlns:p="` + nsProtocol + `" xmlns:a="` + nsAssertion + `" xmlns:e="` + nsEncrypted + `" Version="2.0" ID="a"><p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>` +
			`<a:EncryptedAssertion><e:EncryptedData><e:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/><e:CipherData><e:CipherValue>AA==</e:CipherValue></e:CipherData></e:EncryptedData></a:EncryptedAssertion></p:Response>`,
	} {
		f.Add([]byte(text))
	}
	j := judged{wanted: wanted{entity: entity, audience: ours, recipient: receiver, now: clock.System{}.Now()}, own: key}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := j.judge(base64.StdEncoding.EncodeToString(raw))
		var refused *federation.Refused
		if !errors.As(err, &refused) {
			t.Errorf("%q: %v", raw, err)
		}
		if _, err := ReadMetadata(raw, entity, j.now); err == nil {
			t.Errorf("%q is metadata", raw)
		}
	})
}
