package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// rsaBits is the size of RSA signing keys.
const rsaBits = 2048

// algorithm gives the one algorithm of a use (D2).
func algorithm(use Use) jose.SignatureAlgorithm {
	if use == UseIDToken {
		return jose.RS256
	}
	return jose.ES256
}

// secretAlgorithm gives the algorithm of a use whose keys are secrets as a whole,
// "" for the others.
func secretAlgorithm(use Use) string {
	switch use {
	case UseAccessHandle:
		return algHandle
	case UseTokenHash:
		return algHash
	}
	return ""
}

// ringKey is a stored key made ready to sign and verify, to seal handles or to
// hash.
type ringKey struct {
	stored SigningKey
	// secret is a key of handles or of hashes; the others have a private and a
	// public one.
	secret []byte
	// hashes is secret, ready to hash.
	hashes  *ids.HashKey
	private any
	public  jose.JSONWebKey
}

// makeKey makes a fresh key whose kid is its thumbprint (RFC 7638), or random
// for a secret one.
func makeKey(tenant string, use Use, now time.Time) (SigningKey, error) {
	if alg := secretAlgorithm(use); alg != "" {
		return SigningKey{
			Tenant: tenant, KID: handleText.EncodeToString(Random(handleKIDSize)), Use: use,
			Alg: alg, Private: Random(keySize), Created: now, Signs: now,
		}, nil
	}
	var private crypto.Signer
	var err error
	if use == UseIDToken {
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return SigningKey{}, errs.Wrap(err, errs.Internal, "signing-key-generation", "A signing key could not be made.")
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return SigningKey{}, errs.Wrap(err, errs.Internal, "signing-key-generation", "A signing key could not be written.")
	}
	kid, err := thumbprint(private.Public())
	return SigningKey{
		Tenant: tenant, KID: kid, Use: use,
		Alg: string(algorithm(use)), Private: der, Created: now, Signs: now,
	}, err
}

// thumbprint gives the id of a key (RFC 7638).
func thumbprint(public crypto.PublicKey) (string, error) {
	jwk := jose.JSONWebKey{Key: public}
	thumb, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "signing-key-generation", "A signing key has no thumbprint.")
	}
	return base64.RawURLEncoding.EncodeToString(thumb), nil
}

// openKey reads a stored key. A key whose stored algorithm is not that of its
// use is refused: the algorithm of a kid never changes.
func openKey(s SigningKey) (*ringKey, error) {
	if alg := secretAlgorithm(s.Use); alg != "" {
		if s.Alg != alg || len(s.Private) != keySize {
			return nil, errs.New(errs.Internal, "signing-key-unreadable", "A stored secret key cannot be read.")
		}
		return &ringKey{stored: s, secret: s.Private, hashes: ids.NewHashKey(s.Private)}, nil
	}
	alg := algorithm(s.Use)
	if s.Alg != string(alg) {
		return nil, errs.New(errs.Internal, "signing-key-algorithm", "A stored signing key names another algorithm than its use has.")
	}
	private, err := x509.ParsePKCS8PrivateKey(s.Private)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "signing-key-unreadable", "A stored signing key cannot be read.")
	}
	signer, ok := private.(crypto.Signer)
	if !ok || !signs(alg, private) {
		return nil, errs.New(errs.Internal, "signing-key-unreadable", "A stored signing key cannot sign.")
	}
	return &ringKey{
		stored: s, private: private,
		public: jose.JSONWebKey{Key: signer.Public(), KeyID: s.KID, Algorithm: string(alg), Use: "sig"},
	}, nil
}

// parse reads a compact JWS that names the algorithm of the use, the type and
// a kid; nothing is verified yet.
func parse(token string, use Use, typ string) (*jose.JSONWebSignature, string, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm(use)})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, "", errToken("it is not a token of this server")
	}
	header := jws.Signatures[0].Protected
	if got, _ := header.ExtraHeaders[jose.HeaderType].(string); got != typ {
		return nil, "", errToken("it is of another type")
	}
	return jws, header.KeyID, nil
}

func (k *ringKey) verify(jws *jose.JSONWebSignature) ([]byte, error) {
	payload, err := jws.Verify(k.public.Key)
	if err != nil {
		return nil, errToken("its signature does not match")
	}
	return payload, nil
}

func errToken(why string) error {
	return errs.New(errs.Unauthenticated, "token-invalid", "The token is not valid: "+why+".")
}
