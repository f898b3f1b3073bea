package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/mandate-health/mandate/oauth"
)

// A code that names its grant is in app_grant.code: its state, 16 bytes of its
// keyed hash, and what else is known of it. One column with the next state is
// all that changes when it is used.
const (
	codeUnused byte = 1
	codeUsed   byte = 2
)

// codeState begins what is stored of a code: no other code has it, and each code
// has each but once.
func codeState(state byte, hash string) []byte { return append([]byte{state}, chainHash(hash)...) }

// packCode gives what is stored of a code with its grant, which tells the client;
// nothing for none, and for one with a row of its own.
func packCode(c *oauth.Code) ([]byte, error) {
	if c == nil || !c.Named {
		return []byte{}, nil
	}
	if !c.Used.IsZero() {
		b := binary.AppendVarint(codeState(codeUsed, c.Hash), micros(c.Used))
		return packConfirmation(b, c.Confirmation)
	}
	b := binary.AppendVarint(codeState(codeUnused, c.Hash), micros(c.Issued))
	b = binary.AppendVarint(b, c.Expires.Sub(c.Issued).Microseconds())
	for _, text := range []string{c.RedirectURI, c.Challenge, c.Nonce} {
		b = shorten(b, text)
	}
	return packConfirmation(b, c.Confirmation)
}

func packConfirmation(b []byte, c oauth.Confirmation) ([]byte, error) {
	if c == (oauth.Confirmation{}) {
		return b, nil
	}
	text, err := doc(&c).text()
	return shorten(b, text), err
}

// unpackCode reads it into a code that tells tenant, hash and client. Errors:
// errs.NotFound for what is stored of another code or of none.
func unpackCode(c *oauth.Code, packed []byte) error {
	state := codeState(codeUnused, c.Hash)
	if len(packed) < len(state) || !bytes.Equal(packed[1:len(state)], state[1:]) {
		return notFound("code")
	}
	r := shortReader{b: packed[len(state):]}
	if packed[0] == codeUsed {
		c.Used = fromMicros(r.signed())
	} else {
		c.Issued = fromMicros(r.signed())
		c.Expires = c.Issued.Add(time.Duration(r.signed()) * time.Microsecond)
		c.RedirectURI, c.Challenge, c.Nonce = r.text(), r.text(), r.text()
	}
	if err := doc(&c.Confirmation).Scan(r.text()); err != nil {
		return err
	}
	if r.err != nil || len(r.b) > 0 {
		return errShortForm
	}
	return nil
}

// useNamed marks a code as used in the row of its grant.
func (p *ports) useNamed(ctx context.Context, c oauth.Code, t time.Time) (bool, error) {
	c.Used = t
	packed, err := packCode(&c)
	if err != nil {
		return false, err
	}
	unused := codeState(codeUnused, c.Hash)
	return p.won(ctx, `UPDATE app_grant SET code = $3 WHERE tenant = $1 AND id = $2 AND SUBSTR(code, 1, $5) = $4`,
		c.Tenant, c.GrantID, packed, unused, int64(len(unused)))
}

// CodeStanding implements oauth.TokenStore.
func (p *ports) CodeStanding(ctx context.Context, tenant string, ref oauth.CodeRef) (oauth.Code, oauth.Standing, error) {
	v := oauth.Code{Tenant: tenant, Hash: ref.Hash}
	if ref.GrantID != "" {
		var packed []byte
		st, err := p.standing(ctx, "code", []any{&packed}, `SELECT g.code, `+standingColumns+`
			FROM app_grant g`+standingJoins+` WHERE g.tenant = $1 AND g.id = $2`, tenant, ref.GrantID)
		if err == nil {
			v.Named, v.GrantID, v.ClientID = true, ref.GrantID, st.Grant.ClientID
			err = unpackCode(&v, packed)
		}
		if err != nil {
			return oauth.Code{}, oauth.Standing{}, err
		}
		return v, st, nil
	}
	_, short, long := p.hashForms(ref.Hash)
	st, err := p.standing(ctx, "code", []any{&v.Tenant, &v.GrantID, &v.ClientID, &v.RedirectURI, &v.Challenge, &v.Nonce,
		into(&v.Issued), into(&v.Expires), into(&v.Used), doc(&v.Confirmation)},
		`SELECT t.tenant, t.grant_id, t.client_id, t.redirect_uri, t.challenge, t.nonce, t.issued, t.expires, t.used, t.cnf, `+
			standingColumns+` FROM auth_code t JOIN app_grant g ON g.tenant = t.tenant AND g.id = t.grant_id`+standingJoins+`
		WHERE t.tenant = $1 AND t.hash IN ($2, $3)`, tenant, short, long)
	return v, st, err
}
