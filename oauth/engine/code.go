package engine

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
)

// A code is the mark of its hash key and, in base64url, the 16 bytes of its
// grant's id and 32 bytes that are secret: it is found in the row of its grant,
// without an index. Of a grant whose id is not one of ours it is the secret alone.
const (
	codeGrant  = 16
	codeSecret = 32
)

// purposeCode is the purpose under which codes are hashed.
const purposeCode = "code"

// CodeHash gives the form in which an authorization code is stored.
func CodeHash(h ids.Hasher, code string) string { return h.Hash(purposeCode, code) }

// ReadCode gives what a presented code says. That it is known, its hash tells.
func ReadCode(h ids.Hasher, code string) oauth.CodeRef {
	ref := oauth.CodeRef{Hash: CodeHash(h, code)}
	b, err := base64.RawURLEncoding.Strict().DecodeString(code[len(ids.Mark(code)):])
	if err == nil && len(b) == codeGrant+codeSecret {
		ref.GrantID = hex.EncodeToString(b[:codeGrant])
	}
	return ref
}

// IssueInput is an authorization request that was decided.
type IssueInput struct {
	Client  oauth.Client
	Request oauth.AuthorizeRequest
	// Grant is what the person allowed; the caller stores it with the code.
	Grant oauth.Grant
	Now   time.Time
}

// IssueCode makes a code of 256 random bits, and what is stored of it: its keyed
// hash with all that it is bound to. It makes a new one each time. Errors:
// errs.InvalidRequest without an S256 challenge (SMART PKCE-01),
// errs.Unavailable.
func (e *Engine) IssueCode(ctx context.Context, in IssueInput) (code string, stored oauth.Code, err error) {
	if in.Request.Challenge == "" {
		return "", stored, errs.New(errs.InvalidRequest, "code-challenge-missing", "The parameter code_challenge is missing; PKCE with S256 is required.")
	}
	hasher, err := e.Ring.Hasher(ctx, in.Grant.Tenant)
	if err != nil {
		return "", stored, err
	}
	hasher = hasher.At(time.Time{})
	said, err := hex.DecodeString(in.Grant.ID)
	named := err == nil && len(said) == codeGrant && !e.unnamed()
	if !named {
		said = nil
	}
	code = hasher.Mark() + base64.RawURLEncoding.EncodeToString(append(said, e.IDs.Bytes(codeSecret)...))
	return code, oauth.Code{
		Tenant: in.Grant.Tenant, Hash: CodeHash(hasher, code), GrantID: in.Grant.ID, Named: named, ClientID: in.Client.ID,
		RedirectURI: in.Request.RedirectURI, Challenge: in.Request.Challenge, Nonce: in.Request.Nonce,
		Issued: in.Now, Expires: in.Now.Add(CodeLife), Confirmation: oauth.Confirmation{JKT: in.Request.JKT},
	}, nil
}
