package keys

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jcs"
)

// typRecord is the header type of the signature of a record, which keeps it from
// being taken for any token.
const typRecord = "mandate-record+jws"

// exactHeader is the protected header with the SHA-256 of the exact bytes: of two
// texts with one canonical form only the one that was signed verifies.
const exactHeader = "exact"

// recordHeader is the protected header of the signature of a record.
type recordHeader struct {
	header
	Exact []byte `json:"exact"`
}

// SignRecord gives the detached JWS (RFC 7515 appendix F) over the canonical form
// (RFC 8785) of a JSON text. It neither reads nor writes the store, so it may be
// called within a transaction; the ring of the tenant must be open. Errors:
// errs.Unavailable when it is not; errs.Invalid for a text without a canonical form;
// errs.Internal.
func (r *Ring) SignRecord(_ context.Context, tenant string, raw []byte) (string, error) {
	r.mu.Lock()
	t := r.tenants[tenant]
	r.mu.Unlock()
	var k *ringKey
	if t != nil {
		k = t.newest(UseRecord, r.clock.Now())
	}
	if k == nil || k.private == nil {
		return "", errs.New(errs.Unavailable, "signing-key-missing", "There is no key to sign a record with.")
	}
	canonical, err := jcs.Canonical(raw)
	if err != nil {
		return "", errs.Wrap(err, errs.Invalid, "record-not-canonical", "The record has no canonical form.")
	}
	exact := sha256.Sum256(raw)
	head, err := json.Marshal(recordHeader{header: header{Alg: k.stored.Alg, KID: k.stored.KID, Typ: typRecord}, Exact: exact[:]})
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "signing", "The header could not be written.")
	}
	text := append(jwsText.AppendEncode(nil, head), '.')
	begin := len(text)
	text = jwsText.AppendEncode(text, canonical)
	sum := sha256.Sum256(text)
	signature, err := k.signature(sum[:])
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "signing", "The record could not be signed.")
	}
	return string(jwsText.AppendEncode(append(text[:begin], '.'), signature)), nil
}

// VerifyRecord checks a signature of SignRecord against the exact bytes of a
// record, by a key that signs or has retired. Errors: errs.Unauthenticated with code
// record-signature where it is not that of these bytes, or record-key-unknown where
// its key is none of the tenant's; errs.Unavailable.
func (r *Ring) VerifyRecord(ctx context.Context, tenant, signature string, raw []byte) error {
	t, err := r.open(ctx, tenant)
	if err != nil {
		return err
	}
	canonical, err := jcs.Canonical(raw)
	if err != nil {
		return errRecord("the record has no canonical form")
	}
	jws, err := jose.ParseDetached(signature, canonical, []jose.SignatureAlgorithm{algorithm(UseRecord)})
	if err != nil || len(jws.Signatures) != 1 {
		return errRecord("the signature cannot be read")
	}
	head := jws.Signatures[0].Protected
	k, err := r.find(ctx, tenant, t, UseRecord, head.KeyID)
	if errs.Is(err, errs.Unauthenticated) {
		return errs.New(errs.Unauthenticated, "record-key-unknown", "The signature is of a key that this tenant does not have.")
	}
	if err != nil {
		return err
	}
	exact := sha256.Sum256(raw)
	typ, _ := head.ExtraHeaders[jose.HeaderType].(string)
	said, _ := head.ExtraHeaders[exactHeader].(string)
	if _, err := jws.Verify(k.public.Key); err != nil || typ != typRecord {
		return errRecord("the signature does not match")
	}
	want, err := json.Marshal(exact[:])
	if err != nil || string(want) != `"`+said+`"` {
		return errRecord("the bytes are others than were signed")
	}
	return nil
}

func errRecord(why string) error {
	return errs.New(errs.Unauthenticated, "record-signature", "This is not what was signed: "+why+".")
}

// RecordKeys gives the public keys by which records of a tenant verify, retired ones
// included, and from when on records are signed; zero where they are not. Errors:
// errs.Unavailable.
func (r *Ring) RecordKeys(ctx context.Context, tenant string) (set jose.JSONWebKeySet, since time.Time, err error) {
	t, err := r.open(ctx, tenant)
	if err != nil {
		return set, since, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, k := range t.keys {
		if k.stored.Use != UseRecord {
			continue
		}
		set.Keys = append(set.Keys, k.public)
		if since.IsZero() || k.stored.Signs.Before(since) {
			since = k.stored.Signs
		}
	}
	return set, since, nil
}

// halve destroys the private half of a retired key of records, once no node signs
// with it any more: what it signed verifies as long as it is kept.
func (c *Custodian) halve(ctx context.Context, tenant string, k SigningKey, now time.Time) (bool, error) {
	if _, done := k.held(); done || now.Sub(k.Retired) <= c.overlap(UseRecord) {
		return false, nil
	}
	whole, err := openKey(k)
	if err != nil {
		return false, err
	}
	der, err := x509.MarshalPKIXPublicKey(whole.public.Key)
	if err != nil {
		return false, errs.Wrap(err, errs.Internal, "signing-key-unreadable", "A stored signing key cannot be read.")
	}
	if k.Private, err = json.Marshal(held{Public: der}); err != nil {
		return false, errs.Wrap(err, errs.Internal, "signing-key-generation", "A signing key could not be written.")
	}
	err = c.Tx.InTx(ctx, func(tx Tx) error {
		if err := tx.PutSigningKey(ctx, k); err != nil {
			return err
		}
		return tx.Record(ctx, Act{Tenant: tenant, Action: "U", Reason: "signing-key-halved", Kind: string(k.Use), Key: k.KID})
	})
	return err == nil, err
}
